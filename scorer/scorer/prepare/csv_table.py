"""A table as CSV: RFC 4180 with a header, separated by comma, semicolon, tab or pipe; perhaps gzip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from scorer.prepare.columns import SENSOR, Row, wanted_columns
from scorer.prepare.errors import SensorsError
from scorer.readings.text import line_blocks, text_pieces

if TYPE_CHECKING:
    from scorer.sources import SharedFile

DELIMITERS = (",", ";", "\t", "|")


def csv_rows(file: SharedFile) -> Iterator[tuple[int, Row]]:
    """(number, cells by column) of each row; the header is row 1. Raises SensorsError and SensorError."""
    lines = _lines(file)
    first = next(lines, "")
    try:
        delimiter, names = _header(first)
        columns = wanted_columns(file.path, names)
        places = [(name, names.index(name)) for name in columns]
        number = 1
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            number += 1
            if not cells:
                continue  # an empty line
            if len(cells) != len(names):
                found = f"found {len(cells)} cells; wanted {len(names)}, as in the header"
                raise SensorsError(f"table {file.path}, row {number}: {found}")
            yield number, {name: cells[place] for name, place in places}
    except csv.Error as error:
        raise SensorsError(
            f"table {file.path}: found what is no CSV ({error}); wanted CSV or Parquet"
        ) from error


def _header(line: str) -> tuple[str, list[str]]:
    """The delimiter by which there is a column of sensors, else the one that makes most columns of it.

    Raises csv.Error for a line that is no CSV by any of them.
    """
    found: list[tuple[str, list[str]]] = []
    wrong: csv.Error | None = None
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error as error:  # names in quotes are wrong by all delimiters but their own
            wrong = wrong or error
            continue
        found.append((delimiter, [name.strip() for name in cells]))
    if wrong and not found:
        raise wrong
    fitting = (each for each in found if SENSOR in each[1])
    return next(fitting, max(found, key=lambda each: len(each[1])))


def _lines(file: SharedFile) -> Iterator[str]:
    """Lines with their ends, decoded a block at a time. Raises SensorsError."""
    for block in line_blocks(file.path, text_pieces(file.path, file.pieces()), quoted=True):
        try:
            yield from StringIO(block.decode("utf-8"), newline="")
        except UnicodeDecodeError as error:
            broken = block[error.start : error.end]  # no more: it may be of no table at all
            raise SensorsError(f"table {file.path}: found {broken!r}; wanted UTF-8") from error
