"""A table as Parquet: of each row group only the columns that mean something cross the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from scorer.parquet import open_parquet
from scorer.prepare.columns import Row, wanted_columns
from scorer.prepare.errors import SensorsError
from scorer.readings.footer import largest_page, read_footer
from scorer.readings.ranges import RangedFile

if TYPE_CHECKING:
    from scorer.readings.footer import Group
    from scorer.sources import SharedFile

MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_GROUP_BYTES = 256 * 1024 * 1024
"""Of one row group's columns, decoded, as the footer has it."""
PIECE_ROWS = 8192
"""Rows that are Python's objects at a time."""

_BROKEN = (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError, TypeError)


def parquet_rows(file: SharedFile) -> Iterator[tuple[int, Row]]:
    """(number, cells by column) of each row, from 1. Raises SensorsError, SensorError and StorageError."""
    try:
        yield from _rows(file)
    except SensorsError:
        raise
    except _BROKEN as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SensorsError(f"table {file.path}: found Parquet that cannot be decoded ({said})") from error


def _rows(file: SharedFile) -> Iterator[tuple[int, Row]]:
    ranged = RangedFile(file)
    groups = read_footer(ranged.read_range, ranged.size)
    reader = open_parquet(pa.PythonFile(ranged, mode="r"))
    schema = reader.schema_arrow
    columns = wanted_columns(file.path, schema.names)
    for name in columns:
        _check_type(file.path, schema.field(name))
    indices = [reader.column_name_idx(name) for name in columns]
    number = 0
    for place, group in enumerate(groups):
        if not group.rows and not group.chunks:  # as writers leave it of an empty table
            continue
        _check_group(file.path, ranged, group, columns)
        table = reader.read_row_group(place, column_indices=indices, use_threads=False)
        for start in range(0, len(table), PIECE_ROWS):
            piece = table.slice(start, PIECE_ROWS)
            cells = {name: _cells(piece.column(name)) for name in columns}
            for values in zip(*cells.values(), strict=True):
                number += 1
                yield number, dict(zip(columns, values, strict=True))


def _cells(column: pa.ChunkedArray) -> list[object]:
    if pa.types.is_timestamp(column.type):  # Python has no nanoseconds
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    found: list[object] = column.to_pylist()
    return found


def _check_type(path: str, field: pa.Field) -> None:
    """Raises SensorsError for a column of lists, structures and the like."""
    if field.type.num_fields and not pa.types.is_dictionary(field.type):
        raise SensorsError(f"table {path}, column {field.name}: found {field.type}; wanted plain values")


def _check_group(path: str, ranged: RangedFile, group: Group, columns: tuple[str, ...]) -> None:
    """Holds the group's columns; raises SensorsError for ones that would become too large."""
    chunks = [group.chunks[name] for name in columns]
    inflated = sum(chunk.inflated for chunk in chunks)
    if inflated > MAX_GROUP_BYTES:
        raise SensorsError(
            f"table {path}: found a row group of {inflated} bytes; wanted at most {MAX_GROUP_BYTES}"
        )
    ranged.fetch((chunk.start, chunk.length) for chunk in chunks)
    for name, chunk in zip(columns, chunks, strict=True):
        data = ranged.read_range(chunk.start, chunk.length)
        largest = largest_page(data, 0, len(data))
        if largest > MAX_PAGE_BYTES:
            found = f"found a page of {largest} bytes; wanted at most {MAX_PAGE_BYTES}"
            raise SensorsError(f"table {path}, column {name}: {found}")
