"""Files of Event Hubs Capture to batches: messages of Avro, in whose bodies the readings are.

A body is JSON (an object, an array of them, one a line) or CSV with a header, either in gzip: what devices
send. One that cannot be read is a record that cannot be, and its file goes on. What the hub says of a message
are columns too: `EnqueuedTimeUtc`, `SequenceNumber`, `Offset`, `SystemProperties.NAME` and `Properties.NAME`,
which no body can forge. Other columns may be paths into nested objects, as `payload.value`.

Capture writes a message at least once: one that stands in two files is read once.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scorer.contract.capture import begun_of
from scorer.contract.work import AUTO, CSV
from scorer.inflated import GZIP, MAX_BODY, BrokenGzipError, TooLargeError, inflated
from scorer.readings.avro import Message, avro_messages
from scorer.readings.batch import Batch, Plan, cut
from scorer.readings.cells import Numbers, csv_numbers, json_numbers, present
from scorer.readings.csv_files import DELIMITERS
from scorer.readings.json_files import Broken, Cells, Columns, decoded, object_batches
from scorer.readings.records import Tally

if TYPE_CHECKING:
    from scorer.sources import ReadingsFile

MAX_VALUES = 1_000_000
"""Of one body: what is said in a byte takes a hundred where it is decoded."""
BLOCK_BYTES, BLOCK_MESSAGES = 1024 * 1024, 20_000
"""Of bodies that are decoded together."""
MAX_RUNS = 100_000
"""Of messages whose sequence numbers follow each other, in one partition: the newest that are known."""

_UTF8_MARK = b"\xef\xbb\xbf"
_ENVELOPE = ("EnqueuedTimeUtc", "SequenceNumber", "Offset")
_MAPS = ("SystemProperties.", "Properties.")
# As .NET writes a time where nothing else is asked for: 1/31/2026 1:02:03 PM
_NET_TIME = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d):(\d\d) ([AP]M)", re.ASCII)


class _Run:
    """Messages whose sequence numbers follow each other, and their times, which do not go back."""

    __slots__ = ("begin", "end", "first", "last")

    def __init__(self, time: str, number: int) -> None:
        self.begin = self.end = time
        self.first = self.last = number

    def start(self) -> tuple[str, int]:
        """What runs are in order of: a hub that was made anew numbers anew, at later times."""
        return self.begin, self.first

    def followed(self, begin: str, first: int, end: str, last: int) -> bool:
        """Takes what follows the run, if it does."""
        if first != self.last + 1 or begin < self.end:
            return False
        self.end, self.last = end, last
        return True


class Seen:
    """What was read of a window's files before the next one: columns that were met, and messages."""

    def __init__(self, path: str, plan: Plan) -> None:
        self._path = path
        self.columns = Columns(plan)
        self.good = 0
        self._runs: dict[tuple[str, ...], list[_Run]] = {}

    def check(self) -> None:
        """Raises SensorError for a column that no record of all files has."""
        if self.good:
            self.columns.check(self._path)

    def fresh(self, path: str, messages: Iterator[Message]) -> Iterator[Message]:
        """Those that were in no file before. A hub that was made anew numbers anew, at later times."""
        begun = begun_of(self._path, path)
        before = self._runs.setdefault(begun.source if begun else (), [])
        own: list[_Run] = []
        for message in messages:
            number, time = message.sequence, iso(message.enqueued)
            if _holds(before, time, number):
                continue
            if not own or not own[-1].followed(time, number, time, number):
                own.append(_Run(time, number))
                if len(own) > 2 * MAX_RUNS:
                    del own[:MAX_RUNS]
            yield message
        _join(before, own)


def _holds(runs: list[_Run], time: str, number: int) -> bool:
    """Whether a message is in one of the runs, which are in order."""
    at = bisect_right(runs, (time, number), key=_Run.start)
    if not at:
        return False
    run = runs[at - 1]
    return run.first <= number <= run.last and time <= run.end


def _join(runs: list[_Run], others: list[_Run]) -> None:
    """Adds a file's runs to those of the files before: what goes on with the last one is one with it."""
    for run in others:
        if not runs or not runs[-1].followed(run.begin, run.first, run.end, run.last):
            runs.append(run)
    runs.sort(key=_Run.start)
    del runs[:-MAX_RUNS]


def capture_batches(
    file: ReadingsFile, form: str, plan: Plan, lost: list[str], seen: Seen
) -> Iterator[Batch]:
    """A file's records of the window. Raises SensorError."""
    tally = Tally(file.path, plan, lost, mixed=True)
    hub_columns = [name for name in plan.columns if name in _ENVELOPE or name.startswith(_MAPS)]
    cells = Cells(_cell, _numbers)
    blocks = _blocks(seen.fresh(file.path, avro_messages(file.path, file.pieces())), form, plan, hub_columns)
    yield from object_batches(blocks, plan, tally, seen.columns, cells)
    tally.close()
    seen.good += tally.good


def _cell(row: dict[str, Any], name: str) -> Any:
    if name in row or "." not in name:
        return row.get(name)
    found: Any = row
    for part in name.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


class _Text(str):
    """A cell of CSV: a text that may be a number."""


def _numbers(cells: Sequence[Any]) -> Numbers:
    if any(isinstance(cell, _Text) for cell in cells):
        return csv_numbers(["" if cell is None else str(cell) for cell in cells])
    return json_numbers(cells)


def _blocks(
    messages: Iterator[Message], form: str, plan: Plan, hub_columns: Sequence[str]
) -> Iterator[list[Any]]:
    some: list[Message] = []
    size = 0
    for message in messages:
        some.append(message)
        size += len(message.body)
        if size >= BLOCK_BYTES or len(some) >= BLOCK_MESSAGES:
            yield from _decoded(some, form, plan, hub_columns)
            some, size = [], 0
    if some:
        yield from _decoded(some, form, plan, hub_columns)


def _decoded(
    messages: list[Message], form: str, plan: Plan, hub_columns: Sequence[str]
) -> Iterator[list[Any]]:
    """The records in the messages' bodies, each decoded alone: what one sender wrote is no other's to end."""
    wanted = set(plan.columns).difference(hub_columns)
    found: list[Any] = []
    for message in messages:
        rows = _rows(message.body, form, wanted)
        if hub_columns:
            told = {name: _said(message, name) for name in hub_columns}
            for row in rows:
                if isinstance(row, dict):
                    row.update(told)
        found += rows
        if len(found) >= BLOCK_MESSAGES:
            yield found
            found = []
    yield found


def _said(message: Message, column: str) -> Any:
    """What the hub says of a message."""
    if column == "EnqueuedTimeUtc":
        return iso(message.enqueued)
    if column == "SequenceNumber":
        return message.sequence
    if column == "Offset":
        return message.offset
    of, _, name = column.partition(".")
    value = (message.system if of == "SystemProperties" else message.properties).get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@lru_cache(maxsize=1024)
def iso(time: str) -> str:
    """Capture's time as RFC 3339; what is written otherwise as it is. It has whole seconds."""
    fits = _NET_TIME.fullmatch(time)
    if fits is None:
        return time
    month, day, year, hour, minute, second = fits.groups()[:6]
    hours = int(hour) % 12 + (12 if fits[7] == "PM" else 0)
    return f"{year}-{int(month):02}-{int(day):02}T{hours:02}:{minute}:{second}Z"


def _rows(body: bytes, form: str, wanted: set[str]) -> list[Any]:
    """The records of one body; Broken in the place of what cannot be read."""
    if body.startswith(GZIP):
        try:
            body = inflated(body)
        except BrokenGzipError as error:
            return [Broken(f"broken gzip: {error}")]
        except TooLargeError as error:
            return [Broken(str(error))]
    if len(body) > MAX_BODY:
        return [Broken(f"more than {MAX_BODY} bytes in one message")]
    text = body.removeprefix(_UTF8_MARK).decode("utf-8", "replace")
    if _crowded(text, ",[{\r\n"):
        return [Broken(f"more than {MAX_VALUES} values in one message")]
    begin = text[:1] if text[:1] == "{" else text.lstrip(" \t\r\n")[:1]
    if form == CSV or (form == AUTO and begin not in ("{", "[", "")):
        return _csv(text, wanted)
    value = decoded(text)
    if isinstance(value, list):
        return value
    if isinstance(value, Broken):
        lines = [line for line in text.split("\n") if line.strip()]
        return [decoded(line) for line in lines] if len(lines) > 1 and begin == "{" else [value]
    return [value]


def _crowded(text: str, marks: str) -> bool:
    """Whether more values may be in it than are decoded: each has one of the marks before it."""
    return len(text) > MAX_VALUES and sum(map(text.count, marks)) > MAX_VALUES


def _header(line: str, wanted: set[str]) -> tuple[str, list[str]]:
    """The delimiter and the columns of a header: those with which most that is wanted is there.

    Of several the first; so a space is one only where no other will do.
    """
    headers = []
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        headers.append((delimiter, [cell.strip().strip('"') for cell in cells]))
    if not headers:
        return DELIMITERS[0], []
    delimiter, names = max(headers, key=lambda found: len(wanted.intersection(found[1])))
    if wanted.isdisjoint(names):
        return max(headers, key=lambda found: len(found[1]))
    return delimiter, names


def _csv(text: str, wanted: set[str]) -> list[Any]:
    """The lines of a body with a header."""
    lines = text.splitlines()
    delimiter, names = _header(next((line for line in lines if line.strip()), ""), wanted)
    if len(set(names)) < len(names) or len(lines) < 2:
        return [Broken(cut(text))]
    if _crowded(text, delimiter + "\r\n"):
        return [Broken(f"more than {MAX_VALUES} values in one message")]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[Any] = []
    header = False
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return found
        except csv.Error as error:
            found.append(Broken(str(error)))
            continue
        if not row:
            continue
        if not header:
            header = True
        elif len(row) == len(names):
            cells = ((name, present(cell)) for name, cell in zip(names, row, strict=True))
            found.append({name: None if cell is None else _Text(cell) for name, cell in cells})
        else:
            found.append(Broken(cut(delimiter.join(row))))
