"""Lands readings in a store, one Parquet file for each sensor and hour, as the readings template says.

The hour (HH:00, HH+1:00] lies in folder HH. Landing the same readings again changes nothing, not even an
ETag, so that predictions made from them still count as done.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scorer.contract.paths import check_readings_path, is_sensor_name, readings_path
from scorer.errors import InputError
from scorer.storage import NotFoundError, Store
from scorer.window import hour_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]
    Values = NDArray[np.float64]

READINGS_TEMPLATE = "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_US = 3_600_000_000
# The two layouts of a readings table: the Azure reference's own, and the plain one.
_REFERENCE = ("TS", "Device", "Tag", "Value")
_PLAIN = ("time", "sensor", "value")


class LandError(InputError):
    """Readings that cannot be landed, naming line, column, what was found and what was wanted."""


def land(
    store: Store, rows: Mapping[str, tuple[Times, Values]], template: str = READINGS_TEMPLATE
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
    """Reads a CSV file of readings, `time,sensor,value` or the Azure reference's `TS,Device,Tag,Value`.

    Times without a zone are UTC. Raises LandError naming the line.
    """
    times: defaultdict[str, list[np.datetime64]] = defaultdict(list)
    values: defaultdict[str, list[float]] = defaultdict(list)
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            table = csv.reader(lines)
            columns = _columns(file, next(table, []))
            for cells in table:
                time, sensor, value = _reading(cells, columns, f"{file}, line {table.line_num}")
                times[sensor].append(time)
                values[sensor].append(value)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LandError(f"{file} cannot be read: {error}") from error
    return {
        sensor: (np.array(times[sensor], "datetime64[us]"), np.array(values[sensor], np.float64))
        for sensor in sorted(times)
    }


def _columns(file: Path, header: Sequence[str]) -> tuple[int, ...]:
    for wanted in (_REFERENCE, _PLAIN):
        if set(wanted) <= set(header):
            return tuple(header.index(name) for name in wanted)
    raise LandError(
        f"{file} has the columns {','.join(header)[:80]!r}: "
        f"wanted {','.join(_PLAIN)} or {','.join(_REFERENCE)}"
    )


def _reading(cells: Sequence[str], columns: tuple[int, ...], where: str) -> tuple[np.datetime64, str, float]:
    try:
        found = [cells[column] for column in columns]
    except IndexError:
        raise LandError(f"{where} has {len(cells)} columns: wanted at least {max(columns) + 1}") from None
    time, *names, value = found
    sensor = f"device-{names[0]}-tag-{names[1]}" if len(names) == 2 else names[0]
    try:
        utc = _utc(datetime.fromisoformat(time))
    except (ValueError, OverflowError):
        raise LandError(f"{where} has the time {time[:40]!r}: wanted one like 2026-01-01T12:00:00Z") from None
    try:
        return np.datetime64((utc - _EPOCH) // timedelta(microseconds=1), "us"), sensor, float(value)
    except ValueError:
        raise LandError(f"{where} has the value {value[:40]!r}: wanted a number") from None


def _utc(stamp: datetime) -> datetime:
    """The time in UTC. Raises OverflowError at the calendar's ends, where the hours about it may be none."""
    utc = stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
    if utc.year in (MINYEAR, MAXYEAR):
        raise OverflowError
    return utc


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
