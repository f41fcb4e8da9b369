"""CSV files to batches: RFC 4180 with a header, separated by comma, semicolon, tab, pipe or space.

Arrow reads a block at a time, ten times as fast as the standard library; it takes all of it or nothing. A
block that it does not take, or in which something is no number or time, goes the slow way, line by line,
which says of each record what is wrong with it. Both give the same for what both can read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import numbers
from scorer.contract.outcome import SensorError
from scorer.readings.batch import Batch, ColumnError, Plan, of_the_window
from scorer.readings.cells import MISSING_WORDS, csv_numbers, present
from scorer.readings.local import resolved
from scorer.readings.records import Records, Tally, batch_of
from scorer.readings.sensors import of_the_pack
from scorer.readings.text import line_blocks
from scorer.readings.times import parse_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

DELIMITERS = (",", ";", "\t", "|", " ")

_FIRST_LINE = re.compile(rb"[\r\n]*([^\r\n]*)")


class _Layout(NamedTuple):
    """Where a file has what is wanted, as places in a line."""

    delimiter: str
    width: int
    time: int
    features: tuple[int, ...]
    sensors: tuple[int, ...]


def csv_batches(path: str, pieces: Iterable[bytes], plan: Plan, lost: list[str]) -> Iterator[Batch]:
    """The file's records of the window. Raises SensorError."""
    blocks = line_blocks(path, pieces, quoted=True)
    first_block = next(blocks, b"")
    header = _FIRST_LINE.match(first_block)
    if header is None or not header[1]:
        return  # empty lines at most: a file that was begun
    layout = _layout(path, header[1].decode("utf-8", "replace"), plan)
    tally = Tally(path, plan, lost)
    first = 0
    for block in chain((first_block[header.end() :],), blocks):
        if not block.strip(b"\r\n"):
            continue
        table = _table(block, layout)
        batch = None if table is None else _fast(table, layout, plan, first, tally)
        if table is not None and batch is not None:
            first += len(table)
        else:
            records = _slow(block, layout, first)
            batch = batch_of(records, plan, tally)
            first += records.total
        yield batch
    tally.close()


def _layout(path: str, line: str, plan: Plan) -> _Layout:
    """Raises SensorError if a column is not there, or is twice."""
    lines = [(delimiter, _names(path, line, delimiter)) for delimiter in DELIMITERS]
    fitting = [(delimiter, names) for delimiter, names in lines if set(plan.columns) <= set(names)]
    delimiter, names = fitting[0] if fitting else max(lines, key=lambda found: len(found[1]))
    for name in plan.columns:
        if names.count(name) != 1:
            raise ColumnError(path, name, names, "in the header")
    return _Layout(
        delimiter,
        len(names),
        names.index(plan.time),
        tuple(map(names.index, plan.features)),
        tuple(map(names.index, plan.sensors[0].columns if plan.sensors else ())),
    )


def _names(path: str, line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise SensorError("ReadingsCorrupt", f"readings {path} have no header of CSV: {error}") from error


def _table(block: bytes, layout: _Layout) -> pa.Table | None:
    """The columns wanted, if Arrow takes the block. Columns are named by their places."""
    from pyarrow import csv as arrow  # here: a millisecond that most pods need not spend

    kinds = {layout.time: pa.binary()}
    kinds |= dict.fromkeys(layout.sensors, pa.dictionary(pa.int32(), pa.string()))
    kinds |= dict.fromkeys(layout.features, pa.float64())
    if len(kinds) != 1 + len(layout.sensors) + len(layout.features):
        return None  # a column that is wanted as two things
    try:
        return arrow.read_csv(
            pa.BufferReader(block),
            read_options=arrow.ReadOptions(
                use_threads=False, block_size=len(block) + 1, column_names=list(map(str, range(layout.width)))
            ),
            parse_options=arrow.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                column_types={str(place): kind for place, kind in kinds.items()},
                include_columns=list(map(str, kinds)),
                null_values=list(MISSING_WORDS),
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, ValueError):
        return None


def _fast(table: pa.Table, layout: _Layout, plan: Plan, first: int, tally: Tally) -> Batch | None:
    """The block's records of the window; None if something is no number or time: then it must be told."""
    try:
        # Of most rows of a shared file, other sensors', nobody need look at times and values.
        kept, sensors, unnamed = of_the_pack([table.column(str(place)) for place in layout.sensors], plan)
    except UnicodeDecodeError:
        return None
    values = _values(table, layout, kept)
    data, starts, lengths, missing = _texts(table.column(str(layout.time)))
    if kept is not None:
        starts, lengths, missing = starts[kept], lengths[kept], missing[kept]
    said = parse_times(data, starts, lengths)
    if values is None or not (said.good | missing).all():
        return None
    records = np.arange(first + 1, first + 1 + len(table)) if kept is None else kept + (first + 1)

    def shown(place: int) -> str:
        return bytes(data[starts[place] : starts[place] + lengths[place]]).decode()

    times, faults, texts = resolved(said, missing, plan.zone, records, shown)
    tally.fine(len(table))
    tally.unnamed(unnamed)
    return of_the_window(Batch(records, times, faults, values, None, texts, sensors), plan)


def _values(table: pa.Table, layout: _Layout, kept: NDArray[np.intp] | None) -> NDArray[np.float64] | None:
    """(records, features); None if one is the word for no number: it must be told from nothing."""
    found = np.empty((len(table) if kept is None else len(kept), len(layout.features)))
    for feature, place in enumerate(layout.features):
        column, null = numbers(table.column(str(place)))
        if kept is not None:
            column, null = column[kept], null[kept]
        found[:, feature] = column
        if null.any():
            found[null, feature] = 0
        if np.isnan(found[:, feature]).any():
            return None
        found[null, feature] = np.nan
    return found


def _texts(
    column: pa.ChunkedArray,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """A binary column's bytes, where each value starts in them, how long it is, and whether it is null."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int32, len(array) + 1, array.offset * 4).astype(np.int64)
    null = np.fromiter((not value.is_valid for value in array), np.bool_) if array.null_count else None
    return (
        np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8),
        offsets[:-1],
        np.diff(offsets),
        np.zeros(len(array), np.bool_) if null is None else null,
    )


def _slow(block: bytes, layout: _Layout, first: int) -> Records:
    """The block's records, read by the standard library."""
    lines = csv.reader(io.StringIO(block.decode("utf-8", "replace"), newline=""), delimiter=layout.delimiter)
    rows: list[Sequence[str]] = []
    places: list[int] = []
    malformed: dict[int, str] = {}
    count = 0
    while True:
        try:
            row = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            malformed[count] = str(error)
            count += 1
            continue
        if not row:
            continue
        if len(row) == layout.width:
            rows.append(row)
            places.append(count)
        else:
            malformed[count] = layout.delimiter.join(row)
        count += 1
    return Records(
        first,
        count,
        places,
        malformed,
        [present(row[layout.time]) for row in rows],
        [csv_numbers([row[place] for row in rows]) for place in layout.features],
        [[present(row[place]) for row in rows] for place in layout.sensors],
    )
