"""JSON files to batches: one object a line, or an array of objects.

By the standard library, many objects in one call: Arrow's reader is three times as fast, and ends the whole
process at the line `null`.

Of an array that ends in its middle the whole records are read, and the loss is said. One whose end alone is
missing has lost nothing: Stream Analytics leaves it out where it was stopped.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from json import JSONDecoder
from typing import Any, NamedTuple

from scorer.contract.outcome import SensorError
from scorer.readings.batch import Batch, ColumnError, Plan, cut
from scorer.readings.cells import Numbers, json_numbers, json_text
from scorer.readings.coded import part_text
from scorer.readings.records import Records, Tally, batch_of
from scorer.readings.text import MAX_MALFORMED, MAX_RECORD, endless, filled, line_blocks

_DECODE = JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_SEPARATORS = re.compile(r"[ \t\r\n,]*")
# A string without its end goes to the text's: else each of its quotes would be tried as a beginning.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


class Broken(str):
    """The text of a record that cannot be decoded."""


def json_line_batches(path: str, pieces: Iterable[bytes], plan: Plan, lost: list[str]) -> Iterator[Batch]:
    """Records of a file with one JSON object a line. Raises SensorError."""
    blocks = (_lines(block.decode("utf-8", "replace")) for block in line_blocks(path, pieces))
    yield from _batches(path, blocks, plan, lost)


def json_array_batches(path: str, pieces: Iterable[bytes], plan: Plan, lost: list[str]) -> Iterator[Batch]:
    """Records of a file that is a JSON array of objects. Raises SensorError."""
    yield from _batches(path, _elements(path, pieces, lost), plan, lost)


def _batches(path: str, blocks: Iterable[list[Any]], plan: Plan, lost: list[str]) -> Iterator[Batch]:
    tally, columns = Tally(path, plan, lost), Columns(plan)
    yield from object_batches(blocks, plan, tally, columns)
    tally.close()
    if tally.good:
        columns.check(path)


class Cells(NamedTuple):
    """How a record's cells are got at, and read."""

    get: Callable[[dict[str, Any], str], Any] = dict.get
    numbers: Callable[[Sequence[Any]], Numbers] = json_numbers


JSON_CELLS = Cells()


class Columns:
    """Which of the columns wanted were not met yet."""

    def __init__(self, plan: Plan) -> None:
        self._wanted = plan.columns
        self._unseen = set(plan.columns)
        self._there: dict[str, None] = {}

    def meet(self, block: list[Any], get: Callable[[dict[str, Any], str], Any]) -> None:
        """Looks at a block's records, as long as some column was not met."""
        if self._unseen:
            rows = [row for row in block if isinstance(row, dict)]
            self._unseen -= {
                name
                for name in self._unseen
                if any(name in row or get(row, name) is not None for row in rows)
            }
            self._there |= dict.fromkeys(name for row in rows[:100] for name in row)

    def check(self, path: str) -> None:
        """Raises SensorError for a column that no record has."""
        if self._unseen:
            name = next(name for name in self._wanted if name in self._unseen)
            raise ColumnError(path, name, list(self._there), "in some record")


def object_batches(
    blocks: Iterable[list[Any]], plan: Plan, tally: Tally, columns: Columns, cells: Cells = JSON_CELLS
) -> Iterator[Batch]:
    """Blocks of records to batches: what is no dict could not be read, and says how it begins."""
    first = 0
    for block in blocks:
        if not block:
            continue
        columns.meet(block, cells.get)
        yield batch_of(_records(block, plan, first, cells), plan, tally)
        first += len(block)


def _records(block: list[Any], plan: Plan, first: int, cells: Cells) -> Records:
    get = cells.get
    rows = [row for row in block if isinstance(row, dict)]
    whole = len(rows) == len(block)
    return Records(
        first,
        len(block),
        range(len(block)) if whole else [place for place, row in enumerate(block) if isinstance(row, dict)],
        {}
        if whole
        else {
            place: str(row) if isinstance(row, Broken) else json_text(row)
            for place, row in enumerate(block)
            if not isinstance(row, dict)
        },
        [_time(get(row, plan.time)) for row in rows],
        [cells.numbers([get(row, name) for row in rows]) for name in plan.features],
        [[part_text(get(row, name)) for row in rows] for name in plan.sensors[0].columns]
        if plan.sensors
        else [],
    )


def _time(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None else json_text(value)


def _lines(text: str) -> list[Any]:
    """The block's lines as objects, all in one call where each of them is one."""
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    together = decoded(f"[{','.join(lines)}]")
    if isinstance(together, list) and len(together) == len(lines):
        return together
    return [decoded(line) for line in lines]


def decoded(text: str) -> Any:
    """The JSON value; Broken for what is none."""
    try:
        return _DECODE.decode(text)
    except (ValueError, RecursionError):  # numbers of thousands of digits are ValueErrors too
        return Broken(cut(text))


def _elements(path: str, pieces: Iterable[bytes], lost: list[str]) -> Iterator[list[Any]]:
    """The array's elements, a block at a time."""
    decoder = getincrementaldecoder("utf-8")("replace")
    text, begun, closed, count = "", False, False, 0
    for piece in filled(pieces):
        text += decoder.decode(piece)
        if not begun:
            text = text[_after(_SPACE, text, 0) :]
            begun = _begins(path, text)
            text = text[1:]
        if not closed:
            found, end, closed = _take(text)
            yield found
            count += len(found)
            text = text[end:]
        if closed and text.strip():
            raise SensorError("ReadingsCorrupt", f"readings {path} go on after the end of their array")
        if len(text) > MAX_RECORD:
            raise endless(path, text[:MAX_RECORD].encode())
    if text.strip():
        if not count:
            raise SensorError(
                "ReadingsCorrupt", f"readings {path} hold no whole record of JSON: they begin {cut(text)!r}"
            )
        lost.append(
            f"readings {path} end inside record {count + 1}: "
            f"{count} whole records were read, {len(text)} characters are lost"
        )


def _begins(path: str, text: str) -> bool:
    """Whether the array has begun. Raises SensorError for what is none."""
    if text and text[0] != "[":
        raise SensorError(
            "ReadingsCorrupt",
            f"readings {path} begin {cut(text)!r}: wanted [ (one object a line is the format JSONLines)",
        )
    return bool(text)


def _take(text: str) -> tuple[list[Any], int, bool]:
    """Elements of an array, where what is left of the text begins, and whether the array is at its end."""
    start = _after(_SEPARATORS, text, 0)
    end = text.rfind("}") + 1
    found = decoded(f"[{text[start:end]}]") if end > start else []
    if not isinstance(found, list):
        found, end = [], start
    return _take_each(text, found, max(start, end))


def _take_each(text: str, found: list[Any], place: int) -> tuple[list[Any], int, bool]:
    """The same, one element after the other."""
    broken = 0
    while broken <= MAX_MALFORMED:
        place = _after(_SEPARATORS, text, place)
        if place == len(text):
            break
        if text[place] == "]":
            return found, place + 1, True
        try:
            element, place = _DECODE.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = _end_of_broken(text, place)
            if end is None:
                break
            element, place = Broken(cut(text[place:end])), end
            broken += 1
        found.append(element)
    return found, place, False


def _end_of_broken(text: str, place: int) -> int | None:
    """Where an element that cannot be decoded ends, by its brackets; None if that is not in the text."""
    depth = 0
    for mark in _STRUCTURE.finditer(text, place):
        kind = mark[0]
        if kind in "[{":
            depth += 1
        elif kind in "]}":
            depth -= 1
            if depth < 0 and kind == "]":
                return mark.start()
            if depth <= 0:
                return mark.end()
        elif kind == "," and depth == 0:
            return mark.start()
    return None


def _after(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place
