"""A shard: predictions of many sensors in one Parquet file, and how some of them are replaced.

Columns: `sensor`, `time`, the features of all its sensors in order of name (null where a sensor has no such
feature), `prediction`, `score`, `model_version`. Rows are in order of (sensor, time). Row groups end at a
sensor's last row, with as many whole sensors as make up ROW_GROUP rows, and carry the least and greatest
sensor, so that readers pass over those they do not want. A file is a function of its sensors' rows alone:
which of them were written first, or together, leaves no trace.

Files are read and written one row group at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge as merge_sorted
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import column, numbers, repeated
from scorer.contract.outcome import SensorError
from scorer.fence import PREDICTIONS_FORMAT
from scorer.parquet import grouped_bytes, open_parquet
from scorer.predictions import SHARED
from scorer.readings.footer import Group, checked_groups
from scorer.sensor_rows import SensorRows
from scorer.shard_index import MAX_SHARD_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow._parquet import ParquetReader

ROW_GROUP = 65_536
"""Rows of a row group, but for a sensor that has more: enough to read fast, few enough to pass over."""
MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Of a page inflated: this program writes pages of 1 MiB."""
MAX_GROUP_BYTES = 128 * 1024 * 1024
"""Of a row group decoded: footers are not believed."""

_CODED = ("sensor", "model_version")
_TIME = pa.timestamp("us", tz="UTC")
_LABEL = pa.dictionary(pa.int32(), pa.string())

Named = tuple[str, SensorRows]


class Shard(NamedTuple):
    """A shard's file."""

    data: bytes
    rows: int


def merged(path: str, old: bytes, new: Mapping[str, SensorRows]) -> Shard:
    """The shard with the rows of some sensors put in the place of what it held of them.

    `old` is empty where there was none. A sensor without rows leaves none. Raises SensorError with
    OutputCorrupt for an old file that is not a shard, OutputTooLarge for more than a shard may hold.
    """
    kept: Iterable[Named] = ()
    features = {feature for rows in new.values() if len(rows.times) for feature in rows.features}
    if old:
        with _Corrupt(path):
            file = _opened(old)
            features |= _features(file, new.keys())
            kept = (each for each in _stored(file) if each[0] not in new)
    added = ((sensor, new[sensor]) for sensor in sorted(new) if len(new[sensor].times))
    with _Corrupt(path):
        shard = write_shard(merge_sorted(kept, added, key=lambda each: each[0]), sorted(features))
    if len(shard.data) > MAX_SHARD_BYTES:
        raise SensorError(
            "OutputTooLarge",
            f"shard {path} would have {len(shard.data)} bytes: wanted at most {MAX_SHARD_BYTES}, "
            "choose more shards",
        )
    return shard


def write_shard(sensors: Iterable[Named], features: Sequence[str]) -> Shard:
    """The file of these sensors, which come in order of name and have rows."""
    schema = pa.schema(
        [
            pa.field("sensor", _LABEL, nullable=False),
            pa.field("time", _TIME, nullable=False),
            *(pa.field(feature, pa.float64()) for feature in features),
            pa.field("prediction", pa.int8(), nullable=False),
            pa.field("score", pa.float64(), nullable=False),
            pa.field("model_version", _LABEL, nullable=False),
        ]
    )
    total = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal total
        for group in _groups(sensors):
            table = _table(group, features, schema)
            total += len(table)
            yield table

    about = {"format": str(PREDICTIONS_FORMAT), "layout": "Sharded"}
    return Shard(grouped_bytes(schema, tables(), about, coded=(*_CODED, "prediction")), total)


def read_shard(path: str, data: bytes) -> Iterator[Named]:
    """The sensors of a shard, in order of name. Raises SensorError with OutputCorrupt."""
    with _Corrupt(path):
        yield from _stored(_opened(data))


def read_sensor(path: str, data: bytes, sensor: str) -> SensorRows | None:
    """One sensor's rows; row groups of others are passed over. Raises SensorError with OutputCorrupt."""
    with _Corrupt(path):
        return next((rows for name, rows in _stored(_opened(data), sensor) if name == sensor), None)


class _Corrupt:
    """Turns what Arrow says of broken bytes into a SensorError naming the shard."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(
            error, pa.ArrowException | OSError | ValueError | LookupError | OverflowError
        ) and not isinstance(error, MemoryError):
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise SensorError(
                "OutputCorrupt",
                f"shard {self._path} cannot be read: {said}; delete it, and its sensors are scored again",
            ) from error


def _groups(sensors: Iterable[Named]) -> Iterator[list[Named]]:
    """Sensors that share a row group: a function of their numbers of rows, in order."""
    group: list[Named] = []
    count = 0
    for name, rows in sensors:
        if group and count + len(rows.times) > ROW_GROUP:
            yield group
            group, count = [], 0
        group.append((name, rows))
        count += len(rows.times)
    if group:
        yield group


def _table(group: Sequence[Named], features: Sequence[str], schema: pa.Schema) -> pa.Table:
    counts = [len(rows.times) for _, rows in group]
    columns = [
        repeated([name for name, _ in group], counts),
        column(np.concatenate([rows.times for _, rows in group]), _TIME),
        *(_feature(feature, group, counts) for feature in features),
        column(np.concatenate([rows.flagged for _, rows in group]), pa.int8()),
        column(np.concatenate([rows.scores for _, rows in group]), pa.float64()),
        repeated([rows.version for _, rows in group], counts),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _feature(feature: str, group: Sequence[Named], counts: Sequence[int]) -> pa.Array:
    """One feature of all the sensors; null for those that have it not."""
    parts: list[NDArray[np.float64]] = []
    has: list[bool] = []
    for (_, rows), count in zip(group, counts, strict=True):
        has.append(feature in rows.features)
        parts.append(rows.values[:, rows.features.index(feature)] if has[-1] else np.zeros(count))
    found = column(np.concatenate(parts), pa.float64())
    if all(has):
        return found
    valid = np.packbits(np.repeat(has, counts), bitorder="little")
    return pa.Array.from_buffers(pa.float64(), len(found), [pa.py_buffer(valid), found.buffers()[1]])


class _File(NamedTuple):
    """A shard to be read. What its footer says of columns is not asked of Arrow, which aborts at some."""

    reader: ParquetReader
    groups: list[Group]


def _opened(data: bytes) -> _File:
    """Raises ValueError for a Parquet file that is no shard, or whose row groups would not fit."""
    groups = checked_groups(data, MAX_PAGE_BYTES)
    reader = open_parquet(data, coded=_CODED)
    schema = reader.schema_arrow
    for name, kind in zip(SHARED, (_LABEL, _TIME, pa.int8(), pa.float64(), _LABEL), strict=True):
        places = schema.get_all_field_indices(name)
        if len(places) != 1 or schema.field(places[0]).type != kind:
            raise ValueError(f"column {name!r}: wanted one of {kind}")
    for name in schema.names:
        if name not in SHARED and schema.field(name).type != pa.float64():
            raise ValueError(f"column {name!r}: wanted one of double")
    for group in range(reader.num_row_groups):
        size = reader.metadata.row_group(group).num_rows * len(schema.names) * 8
        if not 0 <= size <= MAX_GROUP_BYTES:
            raise ValueError(f"row group {group} would take {size} bytes: wanted at most {MAX_GROUP_BYTES}")
    return _File(reader, groups)


def _features(file: _File, left_out: Collection[str]) -> set[str]:
    """The features of the sensors that stay.

    A row group's counts of nulls tell for all its sensors at once, if they have the same features and its
    first or last sensor stays: only other row groups are decoded.
    """
    names = [name for name in file.reader.schema_arrow.names if name not in SHARED]
    found: set[str] = set()
    for group, (rows, chunks) in enumerate(file.groups):
        if found.issuperset(names):
            break
        nulls = {name: chunks[name].nulls if name in chunks else None for name in names}
        if _one_stays(file, group, left_out) and all(count in (0, rows) for count in nulls.values()):
            found |= {name for name, count in nulls.items() if count == 0}
        else:
            for sensor, stored in _decoded(file.reader, group):
                if sensor not in left_out:
                    found.update(stored.features)
    return found


def _one_stays(file: _File, group: int, left_out: Collection[str]) -> bool:
    """Whether a sensor of the row group certainly stays."""
    ends = _ends(file, group)
    return ends is not None and any(end not in left_out for end in ends)


def _may_hold(file: _File, group: int, sensor: str) -> bool:
    """Whether the row group may hold the sensor, by its least and greatest one."""
    ends = _ends(file, group)
    return ends is None or ends[0] <= sensor <= ends[1]


def _ends(file: _File, group: int) -> tuple[str, str] | None:
    """The row group's least and greatest sensor, if the file says so."""
    found = file.groups[group].chunks.get("sensor")
    if found is None or found.least is None or found.greatest is None:
        return None
    return found.least.decode(), found.greatest.decode()


def _stored(file: _File, only: str | None = None) -> Iterator[Named]:
    """The file's sensors, in order. Raises ValueError for rows that are not in order of sensor."""
    last = ""
    for group in range(file.reader.num_row_groups):
        if only is not None and not _may_hold(file, group, only):
            continue
        for sensor, rows in _decoded(file.reader, group):
            if sensor <= last:
                raise ValueError(f"sensor {sensor!r} comes after {last!r}: wanted each once, in order")
            last = sensor
            yield sensor, rows


def _decoded(reader: ParquetReader, group: int) -> Iterator[Named]:
    """The sensors of one row group."""
    names = reader.schema_arrow.names
    table = reader.read_row_group(group, column_indices=list(range(len(names))), use_threads=False)
    for name in SHARED:
        if table.column(name).null_count:
            raise ValueError(f"column {name!r} holds null")
    labels, label = _labels(table.column("sensor"))
    versions, version = _labels(table.column("model_version"))
    fixed = {name: numbers(table.column(name))[0] for name in ("time", "prediction", "score")}
    features = [name for name in names if name not in SHARED]
    columns = {name: numbers(table.column(name)) for name in features}
    borders = np.flatnonzero(np.diff(label, prepend=-1, append=-1)).tolist()
    for start, end in pairwise(borders):
        if (version[start:end] != version[start]).any():
            raise ValueError(f"sensor {labels[label[start]]!r} has rows of two model versions")
        own = _own_features(labels[label[start]], {name: columns[name][1][start:end] for name in features})
        yield (
            labels[label[start]],
            SensorRows(
                tuple(own),
                versions[version[start]],
                fixed["time"][start:end],
                np.stack([columns[name][0][start:end] for name in own], axis=1)
                if own
                else np.empty((end - start, 0)),
                fixed["prediction"][start:end],
                fixed["score"][start:end],
            ),
        )


def _own_features(sensor: str, nulls: Mapping[str, NDArray[np.bool_]]) -> list[str]:
    """The features that the sensor has: those of which none of its rows is null."""
    for name, null in nulls.items():
        if null.any() and not null.all():
            raise ValueError(f"sensor {sensor!r} has null in some rows of column {name!r}")
    return [name for name, null in nulls.items() if not null.any()]


def _labels(chunked: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The different texts of a coded column, and each row's place among them."""
    places: dict[str, int] = {}
    parts = [np.empty(0, np.int64)]
    for chunk in chunked.chunks:
        here = [places.setdefault(text, len(places)) for text in chunk.dictionary.to_pylist()]
        indices = numbers(pa.chunked_array([chunk.indices]))[0]
        parts.append(np.array(here, np.int64)[indices] if len(here) else parts[0])
    return list(places), np.concatenate(parts)
