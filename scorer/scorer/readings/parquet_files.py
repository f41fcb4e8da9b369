"""Parquet files to batches. Footers are not believed: they bound what is decoded, before anything is.

Of a shared file only the row groups that can hold a wanted sensor are decoded, by the sensor columns' least
and greatest values in the footer; a large one is read in ranges, so that only those groups cross the network.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import nulls, numbers, values
from scorer.contract.outcome import SensorError
from scorer.parquet import open_parquet
from scorer.readings.accounting import MAX_DECODED_BYTES
from scorer.readings.batch import MISSING_TIME, Batch, ColumnError, Plan, of_the_window, plain
from scorer.readings.coded import is_plain
from scorer.readings.footer import Chunk, largest_page, read_footer
from scorer.readings.magic import BEGIN, refuse_as_parquet
from scorer.readings.ranges import RangedFile
from scorer.readings.sensors import OfThePack, of_the_pack, said_of_unnamed
from scorer.readings.zones import NEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow._parquet import ParquetReader

    from scorer.sources import ReadingsFile

MAX_PASSING_BYTES = 4 * 1024 * 1024 * 1024
"""Of a shared file's columns, decoded: it passes through in pieces, so this bounds time and not memory."""
MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Of one page of a column as it is inflated; writers' own bound is 1 MiB."""
MAX_GROUP_BYTES = 256 * 1024 * 1024
"""Of the text columns of one row group, as the footer has it: a text may be as long as it likes."""
PIECE_ROWS = 131_072

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NO_TEXTS: dict[tuple[int, int], str] = {}


# Arrow's own errors are ValueErrors, OSErrors, KeyErrors and others by their cause; what fails to allocate
# what a broken length asks for is a MemoryError, text that is no UTF-8 a UnicodeDecodeError.
_BROKEN = (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError)


def parquet_batches(file: ReadingsFile, plan: Plan, lost: list[str]) -> Iterator[Batch]:
    """The file's records of the window. Raises SensorError; StorageError for one that is read in ranges."""
    if not file.size:
        return
    try:
        yield from _decoded(file, plan, lost)
    except _BROKEN as error:
        refuse_as_parquet(file.path, file.read_range(0, BEGIN))
        said = plain((str(error).splitlines() or [type(error).__name__])[0][:200])
        raise SensorError("ReadingsCorrupt", f"readings {file.path} cannot be decoded: {said}") from error


def _decoded(file: ReadingsFile, plan: Plan, lost: list[str]) -> Iterator[Batch]:
    ranged = None if file.data is not None else RangedFile(file)
    source = file.data if ranged is None else pa.PythonFile(ranged, mode="r")
    reader, schema = _opened(source, file.path, plan)
    columns = plan.columns
    indices = [reader.column_name_idx(name) for name in columns]
    groups = _groups(file if ranged is None else ranged, schema, plan)
    _check_size(file.path, schema, groups, plan)
    named = plan.sensors[0].columns if plan.sensors else ()
    unnamed = 0
    for group in groups:
        first = group.first
        _check_pages(file, ranged, group, plan)
        for table in _tables(reader, group, indices):
            own = of_the_pack([table.column(name) for name in named], plan)
            unnamed += own.unnamed
            yield _batch(table, own, first, plan)
            first += len(table)
    if unnamed:
        lost.append(said_of_unnamed(file.path, unnamed))


def _opened(source: bytes | pa.NativeFile, path: str, plan: Plan) -> tuple[ParquetReader, pa.Schema]:
    """The file's reader, of columns that fit the plan; sensors as places in their few texts."""
    reader = open_parquet(source)
    schema = reader.schema_arrow
    _check_columns(path, schema, plan)
    named = plan.sensors[0].columns if plan.sensors else ()
    texts = [name for name in named if _is_text(schema.field(name).type)]
    return open_parquet(source, texts) if texts else reader, schema


class _Group(NamedTuple):
    number: int
    first: int
    """Records before it in the file."""
    rows: int
    chunks: Mapping[str, Chunk]
    """What the footer says of its columns."""


def _groups(file: ReadingsFile | RangedFile, schema: pa.Schema, plan: Plan) -> list[_Group]:
    """The row groups that can hold a wanted sensor."""
    wanted = _wanted(schema, plan)
    found = []
    first = 0
    for number, group in enumerate(read_footer(file.read_range, file.size)):
        if group.rows and all(_may_hold(group.chunks[name], values) for name, values in wanted.items()):
            found.append(_Group(number, first, group.rows, group.chunks))
        first += group.rows
    return found


def _wanted(schema: pa.Schema, plan: Plan) -> dict[str, list[Any]]:
    """What wanted sensors have in each sensor column, in order, as statistics have it; empty if unknown."""
    found: dict[str, list[Any]] = {}
    for column, texts in zip(
        plan.sensors[0].columns if plan.sensors else (), plan.wanted or (), strict=False
    ):
        kind = schema.field(column).type
        if _is_text(kind):
            found[column] = sorted(text.encode() for text in texts)
        elif pa.types.is_signed_integer(kind):
            found[column] = sorted(int(text) for text in texts if is_plain(text))
    return found


def _may_hold(chunk: Chunk, wanted: Sequence[Any]) -> bool:
    """Whether a column's least and greatest value leave room for one of those wanted."""
    least: Any = chunk.least
    greatest: Any = chunk.greatest
    if least is None or greatest is None:
        return True
    if wanted and isinstance(wanted[0], bytes) and (least.strip() != least or greatest.strip() != greatest):
        return True  # names are taken without spaces around them, statistics with
    if wanted and isinstance(wanted[0], int):
        least, greatest = (int.from_bytes(value, "little", signed=True) for value in (least, greatest))
    place = bisect_left(wanted, least)
    return least > greatest or (place < len(wanted) and wanted[place] <= greatest)


def _check_size(path: str, schema: pa.Schema, groups: Sequence[_Group], plan: Plan) -> None:
    """Refuses what would be too much, by the footer."""
    rows, width = sum(group.rows for group in groups), len(plan.columns)
    bound = MAX_PASSING_BYTES if plan.sensors else MAX_DECODED_BYTES
    if rows * width * 8 > bound:
        order = ", in row groups by sensor" if plan.sensors else " for a sensor's window"
        raise SensorError(
            "ReadingsTooLarge",
            f"readings {path} hold {rows} rows of {width} columns: wanted at most {bound} bytes{order}",
        )
    texts = [name for name in plan.columns if _is_text(schema.field(name).type)]
    for group in groups if texts else ():
        held = sum(group.chunks[name].inflated for name in texts)
        if held > MAX_GROUP_BYTES:
            raise SensorError(
                "ReadingsTooLarge",
                f"readings {path} hold {held} bytes of text in one row group: "
                f"wanted at most {MAX_GROUP_BYTES}",
            )


def _check_pages(file: ReadingsFile, ranged: RangedFile | None, group: _Group, plan: Plan) -> None:
    """Refuses pages that inflate to too much; of a file that is read in ranges, fetches the row group."""
    chunks = [group.chunks[name] for name in plan.columns]
    if ranged is not None:
        ranged.fetch([(chunk.start, chunk.length) for chunk in chunks])
    for chunk in chunks:
        if file.data is not None:
            largest = largest_page(file.data, chunk.start, min(chunk.start + chunk.length, len(file.data)))
        elif ranged is not None:
            data = ranged.read_range(chunk.start, chunk.length)
            largest = largest_page(data, 0, len(data))
        if largest > MAX_PAGE_BYTES:
            raise SensorError(
                "ReadingsTooLarge",
                f"readings {file.path} have a page of {largest} bytes: wanted at most {MAX_PAGE_BYTES}",
            )


def _tables(reader: ParquetReader, group: _Group, indices: Sequence[int]) -> Iterator[pa.Table]:
    if group.rows <= PIECE_ROWS:
        yield reader.read_row_group(group.number, column_indices=indices, use_threads=False)
        return
    for piece in reader.iter_batches(PIECE_ROWS, [group.number], column_indices=indices, use_threads=False):
        yield pa.Table.from_batches([piece])


def _check_columns(path: str, schema: pa.Schema, plan: Plan) -> None:
    for names, fits, wanted in (
        ((plan.time,), _is_time, "timestamp"),
        (plan.features, _is_number, "number"),
        (plan.sensors[0].columns if plan.sensors else (), _is_name, "text or whole number"),
    ):
        for name in names:
            places = schema.get_all_field_indices(name)
            if len(places) != 1:
                raise ColumnError(path, name, schema.names, wanted)
            kind = schema.field(places[0]).type
            if not fits(kind):
                raise SensorError(
                    "SchemaMismatch",
                    f"readings {path}: column {name!r} is {plain(str(kind))[:200]}: wanted a {wanted}",
                )


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) or _is_text(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_name(kind: pa.DataType) -> bool:
    return _is_number(kind) or _is_text(kind)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _batch(table: pa.Table, own: OfThePack, first: int, plan: Plan) -> Batch:
    """The piece's records of the window; `first` records come before it in the file."""
    column = table.column(plan.time)
    if pa.types.is_timestamp(column.type) and (column.type.tz is not None or plan.zone.is_utc):
        return _utc_batch(table, own, first, plan)
    return _other_batch(table, own, first, plan)


def _utc_batch(table: pa.Table, own: OfThePack, first: int, plan: Plan) -> Batch:
    """The way of nearly every file: times are numbers, and only the window's rows are looked at further."""
    column = table.column(plan.time)
    per_second = _PER_SECOND[column.type.unit]
    ticks, missing = values(column), nulls(column)
    if own.rows is not None:
        ticks, missing = ticks[own.rows], None if missing is None else missing[own.rows]
    inside = (ticks > _edge(plan.span.start, per_second)) & (ticks <= _edge(plan.span.end, per_second))
    if missing is not None:
        inside |= missing
    if own.sensors is not None:
        inside &= own.sensors >= 0
    kept: slice | NDArray[np.intp] = slice(None) if inside.all() else np.flatnonzero(inside)
    chosen = kept if own.rows is None else own.rows[kept]
    return Batch(
        np.arange(first + 1, first + 1 + len(table))[chosen],
        _microseconds(ticks[kept], per_second),
        None if missing is None else np.where(missing[kept], MISSING_TIME, 0).astype(np.uint8),
        _features(table, plan, chosen),
        None,
        _NO_TEXTS,
        None if own.sensors is None else own.sensors[kept],
    )


def _other_batch(table: pa.Table, own: OfThePack, first: int, plan: Plan) -> Batch:
    """Times as text, or of local clocks."""
    from scorer.readings.local import resolved_local, resolved_texts  # here: few files need it

    column = table.column(plan.time)
    chosen = np.arange(len(table)) if own.rows is None else own.rows
    records = chosen + (first + 1)
    if pa.types.is_timestamp(column.type):
        ticks, missing = (part[chosen] for part in numbers(column))
        per_second = _PER_SECOND[column.type.unit]
        # What is not near the window is not of it in any zone: it may be beyond what microseconds can count.
        edges = _edge(plan.span.start - NEAR, per_second), _edge(plan.span.end + NEAR, per_second)
        local = _microseconds(np.clip(ticks, *edges), per_second)
        times, faults, texts = resolved_local(local, missing, plan.zone, records)
    else:
        said = column.to_pylist()
        times, faults, texts = resolved_texts([said[row] for row in chosen], plan.zone, records)
    batch = Batch(records, times, faults, _features(table, plan, chosen), None, texts, own.sensors)
    return of_the_window(batch, plan)


def _features(table: pa.Table, plan: Plan, kept: slice | NDArray[np.intp]) -> NDArray[np.float64]:
    """(rows kept, features), NaN where one is null."""
    rows = len(table) if isinstance(kept, slice) else len(kept)
    found = np.empty((len(plan.features), rows)).T
    for index, name in enumerate(plan.features):
        column = table.column(name)
        found[:, index] = values(column)[kept]
        null = nulls(column)
        if null is not None:
            found[null[kept], index] = np.nan
    return found


def _edge(time: int, per_second: int) -> int:
    """Microseconds as whole ticks: a time in ticks is after the one if and only if it is after the other."""
    return max(-(2**63), min(time * per_second // 1_000_000, 2**63 - 1))


def _microseconds(ticks: NDArray[np.int64], per_second: int) -> NDArray[np.int64]:
    if per_second > 1_000_000:
        # Rounded up, so that a time after the window's start stays after it.
        return -(-ticks // (per_second // 1_000_000))
    return ticks if per_second == 1_000_000 else ticks * (1_000_000 // per_second)
