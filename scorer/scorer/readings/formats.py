"""Which format a file has, and its records by that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from scorer.contract.work import AUTO, CSV, JSON_ARRAY, JSON_LINES, PARQUET

if TYPE_CHECKING:
    from scorer.readings.batch import Batch, Plan
    from scorer.sources import ReadingsFile

_BY_ENDING = {
    ".parquet": PARQUET,
    ".csv": CSV,
    ".tsv": CSV,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
}
_PARQUET_MAGIC = b"PAR1"
_SPACE = b" \t\r\n"


def file_batches(file: ReadingsFile, form: str, plan: Plan, lost: list[str]) -> Iterator[Batch]:
    """The file's records of the window; sentences on what cannot be read at all go to `lost`.

    `form` is one of the contract's formats; Auto goes by the name's ending (before a .gz), else by content.
    A file of no bytes has no records. Raises SensorError.
    """
    form = _by_ending(file.path) if form == AUTO else form
    if form == AUTO and file.read_range(0, len(_PARQUET_MAGIC)) == _PARQUET_MAGIC:
        form = PARQUET
    if form == PARQUET:
        # Each format is imported where it is met: most pods read Parquet alone.
        from scorer.readings.parquet_files import parquet_batches

        return parquet_batches(file, plan, lost)
    return _text_batches(file, form, plan, lost)


def _text_batches(file: ReadingsFile, form: str, plan: Plan, lost: list[str]) -> Iterator[Batch]:
    from scorer.readings.text import text_pieces

    pieces: Iterable[bytes] = text_pieces(file.path, file.pieces())
    if form == AUTO:
        form, pieces = _by_content(pieces)
    if form == CSV:
        from scorer.readings.csv_files import csv_batches

        return csv_batches(file.path, pieces, plan, lost)
    from scorer.readings.json_files import json_array_batches, json_line_batches

    batches = json_array_batches if form == JSON_ARRAY else json_line_batches
    return batches(file.path, pieces, plan, lost)


def _by_ending(path: str) -> str:
    if path.endswith(".parquet"):
        return PARQUET  # nearly every file, and at once
    name = path.lower().removesuffix(".gz")
    # Not .json: Stream Analytics calls both arrays and lines so.
    return next((form for ending, form in _BY_ENDING.items() if name.endswith(ending)), AUTO)


def _by_content(pieces: Iterable[bytes]) -> tuple[str, Iterable[bytes]]:
    pieces, piece = iter(pieces), b""
    for piece in pieces:
        begin = piece.lstrip(_SPACE)[:1]
        if begin:
            return {b"[": JSON_ARRAY, b"{": JSON_LINES}.get(begin, CSV), chain((piece,), pieces)
        # Not kept: there may be as many of spaces alone as a file can be inflated to.
    return CSV, (piece,)
