"""Lands readings in a store, one Parquet file for each sensor and hour, as the readings template says.

The hour (HH:00, HH+1:00] lies in folder HH. Landing the same readings again changes nothing, not even an
ETag, so that predictions made from them still count as done.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scorer import templates
from scorer.contract.outcome import SensorError
from scorer.contract.paths import check_readings_path, is_sensor_name, readings_path
from scorer.contract.work import AUTO, REJECT, Columns
from scorer.errors import InputError
from scorer.readings.batch import TIME, Batch, ColumnError, Plan, Span, said_of
from scorer.readings.formats import file_batches
from scorer.readings.sensors import SensorNames, sensor_columns
from scorer.readings.zones import Zone
from scorer.sources import File
from scorer.storage import NotFoundError, Store
from scorer.window import hour_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]
    Values = NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_US = 3_600_000_000
# The two layouts of a table of many sensors: the Azure reference's own, and the plain one.
_REFERENCE = Columns("TS", "device-{Device}-tag-{Tag}", {"value": "Value"})
_PLAIN = Columns(features={"value": "value"})
_ALWAYS = Span(-(2**62), 2**62)


class LandError(InputError):
    """Readings that cannot be landed, naming line, column, what was found and what was wanted."""


def land(
    store: Store, rows: Mapping[str, tuple[Times, Values]], template: str = templates.READINGS
) -> list[str]:
    """Writes each sensor's readings (times as datetime64[us], UTC; values as float64), returns the paths.

    A file holds exactly the rows given here for its sensor and hours: it replaces what was landed there
    before.
    """
    check_readings_path(template)
    paths: list[str] = []
    for sensor, (times, values) in rows.items():
        if not is_sensor_name(sensor):
            raise LandError(
                f"sensor name {sensor!r} cannot be used in a path: wanted letters, digits, '.', '_', '-'"
            )
        for path, chosen in _by_path(times, sensor, template).items():
            _put_if_changed(store, path, readings_bytes(times[chosen], {"value": values[chosen]}))
            paths.append(path)
    return paths


def readings_bytes(times: Times, columns: Mapping[str, Values]) -> bytes:
    """A readings file: `time` as UTC timestamps in microseconds, then the columns as they are."""
    arrays = [
        pa.array(times.astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
        *map(pa.array, columns.values()),
    ]
    table = pa.Table.from_arrays(arrays, names=["time", *columns])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def read_table(file: Path) -> dict[str, tuple[Times, Values]]:
    """Reads a file of many sensors' readings in any format that pods read (`scorer.readings.formats`).

    Its columns are `time,sensor,value` or the Azure reference's `TS,Device,Tag,Value`. Times without a zone
    are UTC. Raises LandError naming the record.
    """
    try:
        stored = File(str(file), "", file.read_bytes())
    except OSError as error:
        raise LandError(f"{file} cannot be read: {error}") from error
    for columns in (_REFERENCE, _PLAIN):
        try:
            return _by_sensor(stored, columns)
        except ColumnError as error:
            refused = error
        except SensorError as error:
            raise LandError(str(error)) from error
    raise LandError(f"{refused}; its columns are to be time,sensor,value or TS,Device,Tag,Value") from refused


def _by_sensor(file: File, columns: Columns) -> dict[str, tuple[Times, Values]]:
    names = SensorNames()
    plan = Plan(columns.time, tuple(columns.features.values()), _ALWAYS, Zone("UTC", REJECT, _ALWAYS))
    plan = plan._replace(sensors=(sensor_columns(columns.sensor), names))
    lost: list[str] = []
    batches = [_whole(file, plan, batch) for batch in file_batches(file, AUTO, plan, lost)]
    if lost:
        raise LandError(said_of(lost))
    if not batches:
        raise LandError(f"{file.path} is empty: wanted time,sensor,value or TS,Device,Tag,Value")
    sensors = np.concatenate([batch.sensors for batch in batches if batch.sensors is not None])
    times = np.concatenate([batch.times for batch in batches]).astype("datetime64[us]")
    values = np.concatenate([batch.values[:, 0] for batch in batches])
    chosen = {name: np.flatnonzero(sensors == place) for place, name in enumerate(names.names)}
    return {name: (times[chosen[name]], values[chosen[name]]) for name in sorted(chosen)}


def _whole(file: File, plan: Plan, batch: Batch) -> Batch:
    """The batch, if all of it can be used. Raises LandError naming what cannot."""
    for faulty, what, column in (
        (batch.faults, f"no time in {plan.time!r}", TIME),
        (batch.not_numbers, f"no number in {plan.features[0]!r}", 0),
    ):
        if faulty is not None and faulty.any():
            record = int(batch.records[np.flatnonzero(faulty.reshape(len(faulty), -1).any(axis=1))[0]])
            found = batch.texts.get((record, column), "")
            raise LandError(f"{file.path}: record {record} has {what}, but {found!r}")
    return batch


def _by_path(times: Times, sensor: str, template: str) -> dict[str, NDArray[np.intp]]:
    """Which rows go into which file, in the order given."""
    microseconds = times.astype("datetime64[us]").astype(np.int64)
    hours = (microseconds - 1) // _HOUR_US
    chosen: defaultdict[str, list[NDArray[np.intp]]] = defaultdict(list)
    for hour in np.unique(hours):
        beginning = hour_folder(_EPOCH + timedelta(hours=int(hour) + 1))
        chosen[readings_path(template, sensor, beginning)].append(np.flatnonzero(hours == hour))
    return {path: np.sort(np.concatenate(parts)) for path, parts in chosen.items()}


def _put_if_changed(store: Store, path: str, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    try:
        if store.head(path).metadata.get("sha256") == digest:
            return
    except NotFoundError:
        pass
    store.put(path, data, {"sha256": digest})
