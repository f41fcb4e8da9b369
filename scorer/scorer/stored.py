"""Reads predictions back from the store, whatever form and layout they were written in."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import numbers
from scorer.contract.outcome import SensorError
from scorer.parquet import open_parquet, row_counts, row_groups
from scorer.predictions import OWN
from scorer.readings.footer import checked_groups
from scorer.sensor_rows import NO_ROWS, SensorRows, rows_digest
from scorer.shard_index import There, fitting, opened
from scorer.shards import MAX_PAGE_BYTES, read_sensor, read_shard
from scorer.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PREDICTION_BYTES = 256 * 1024 * 1024
"""Of a prediction file."""
MAX_DECODED_BYTES = 1024 * 1024 * 1024
"""Footers are not believed."""
FEW = 8
"""Sensors of a shard that are looked for one by one, rather than reading all."""

_MAGIC = b"PAR1"


class Stored(NamedTuple):
    """One sensor's prediction as it lies in the store."""

    metadata: Mapping[str, str]
    """What stands beside it; nothing if nobody vouches for it."""
    rows: SensorRows
    sha256: str
    """Of its file, or of its rows in a shard: what its metadata should say."""


class Object(NamedTuple):
    """A prediction object with some of its sensors."""

    sensors: Mapping[str, Stored]
    """A sensor that is not in it is left out."""
    there: There | None = None
    """Of a shard: its index."""
    unknown: tuple[str, ...] = ()
    """Of a shard that was read whole: sensors that have rows and are not in the index."""


def read_object(store: Store, path: str, wanted: Collection[str], *, whole: bool = False) -> Object:
    """The predictions of the wanted sensors in the object at `path`; a shard may be read `whole` for them.

    Raises NotFoundError, other StorageErrors, and SensorError with OutputCorrupt or OutputTooLarge.
    """
    blob = store.get(path, MAX_PREDICTION_BYTES)
    if "index" not in blob.metadata:
        rows, sha256 = read_file(path, blob.data), hashlib.sha256(blob.data).hexdigest()
        return Object({sensor: Stored(blob.metadata, rows, sha256) for sensor in wanted})
    there = fitting(opened(store, blob))
    found: dict[str, SensorRows] = {}
    unknown: list[str] = []
    if whole or len(wanted) > FEW:
        for sensor, rows in read_shard(path, there.data):
            if sensor in wanted:
                found[sensor] = rows
            if sensor not in there.sensors:
                unknown.append(sensor)
    else:
        for sensor in wanted:
            if (only := read_sensor(path, there.data, sensor)) is not None:
                found[sensor] = only
    # A sensor of which no row could be scored is in the index alone.
    found |= {sensor: NO_ROWS for sensor in wanted if sensor in there.sensors and sensor not in found}
    return Object(
        {
            sensor: Stored(there.sensors.get(sensor, {}), rows, rows_digest(rows))
            for sensor, rows in found.items()
        },
        there,
        tuple(unknown),
    )


def read_file(path: str, data: bytes) -> SensorRows:
    """A file of one sensor's predictions, Parquet or CSV. Raises SensorError with OutputCorrupt."""
    try:
        return _read_parquet(data) if data.startswith(_MAGIC) else _read_csv(data)
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, csv.Error) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SensorError("OutputCorrupt", f"{path} is not a prediction of the scorer: {said}") from error


def _read_parquet(data: bytes) -> SensorRows:
    checked_groups(data, MAX_PAGE_BYTES)
    reader = open_parquet(data)
    names = reader.schema_arrow.names
    features = _features(names)
    if sum(row_counts(reader)) * len(names) * 8 > MAX_DECODED_BYTES:
        raise ValueError(f"{sum(row_counts(reader))} rows: wanted at most {MAX_DECODED_BYTES} bytes decoded")
    tables = list(row_groups(reader, names))
    table = pa.concat_tables(tables) if tables else reader.schema_arrow.empty_table()
    columns = {name: numbers(table.column(name))[0] for name in names}
    metadata = reader.schema_arrow.metadata or {}
    return SensorRows(
        tuple(features),
        metadata.get(b"model_version", b"").decode(),
        columns["time"],
        _stacked([columns[name] for name in features], len(table)),
        columns["prediction"],
        columns["score"],
    )


def _read_csv(data: bytes) -> SensorRows:
    lines = csv.reader(StringIO(data.decode(), newline=""), strict=True)
    names = next(lines, [])
    features = _features(names)
    rows = list(lines)
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"a line has not {len(names)} fields")
    columns = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    times = np.array([time.removesuffix("Z") for time in columns["time"]], "datetime64[us]")
    return SensorRows(
        tuple(features),
        "",
        times.view(np.int64),
        _stacked([np.array(columns[name], np.float64) for name in features], len(rows)),
        np.array(columns["prediction"], np.int8),
        np.array(columns["score"], np.float64),
    )


def _features(names: Sequence[str]) -> list[str]:
    """The features among a file's columns. Raises ValueError if it is not a prediction's."""
    missing = [name for name in OWN if names.count(name) != 1]
    if missing or len(set(names)) != len(names):
        raise ValueError(f"columns are {', '.join(names)[:120]}: wanted {', '.join(OWN)} and features")
    return [name for name in names if name not in OWN]


def _stacked(columns: Sequence[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.stack(columns, axis=1).astype(np.float64) if columns else np.empty((rows, 0))
