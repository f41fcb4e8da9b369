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
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scorer.contract.capture import begun_of
from scorer.contract.outcome import SensorError
from scorer.contract.work import AUTO, CSV
from scorer.readings.avro import Message, avro_messages
from scorer.readings.batch import Batch, Plan, cut
from scorer.readings.cells import Numbers, csv_numbers, json_numbers, present
from scorer.readings.csv_files import DELIMITERS
from scorer.readings.json_files import Broken, Cells, Columns, decoded, object_batches
from scorer.readings.records import Tally

if TYPE_CHECKING:
    from scorer.sources import ReadingsFile

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a message's body, inflated: a hub takes 1 MB."""
BLOCK_BYTES, BLOCK_MESSAGES = 1024 * 1024, 20_000
"""Of bodies that are decoded together."""
MAX_RUNS = 100_000
"""Of messages whose sequence numbers follow each other: mostly one a file."""

_GZIP, _UTF8_MARK = b"\x1f\x8b", b"\xef\xbb\xbf"
_ENVELOPE = ("EnqueuedTimeUtc", "SequenceNumber", "Offset")
_MAPS = ("SystemProperties.", "Properties.")
# As .NET writes a time where nothing else is asked for: 1/31/2026 1:02:03 PM
_NET_TIME = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d):(\d\d) ([AP]M)", re.ASCII)


class Seen:
    """What was read of a window's files before the next one: columns that were met, and messages."""

    def __init__(self, path: str, plan: Plan) -> None:
        self._path = path
        self.columns = Columns(plan)
        self.good = 0
        self._runs: dict[tuple[str, ...], list[list[Any]]] = {}

    def check(self) -> None:
        """Raises SensorError for a column that no record of all files has."""
        if self.good:
            self.columns.check(self._path)

    def fresh(self, path: str, messages: Iterator[Message]) -> Iterator[Message]:
        """Those that were in no file before. A hub that was made anew numbers anew, at later times."""
        begun = begun_of(self._path, path)
        before = self._runs.setdefault(begun.source if begun else (), [])
        own: list[list[Any]] = []
        for message in messages:
            number = message.sequence
            if any(
                run[0] <= number <= run[1] and run[2] <= iso(message.enqueued) <= run[3] for run in before
            ):
                continue
            if own and own[-1][1] == number - 1:
                own[-1][1], own[-1][3] = number, message.enqueued
            else:
                own.append([number, number, message.enqueued, message.enqueued])
            if len(own) > MAX_RUNS:
                raise SensorError(
                    "ReadingsCorrupt", f"readings {path} have sequence numbers that do not follow each other"
                )
            yield message
        before += [[first, last, iso(begin), iso(end)] for first, last, begin, end in own]


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
    """The records in the messages' bodies: all in one call, if each body is one object."""
    if form != CSV and not hub_columns:
        together = decoded(f"[{b','.join([each.body for each in messages]).decode('utf-8', 'replace')}]")
        whole = isinstance(together, list) and len(together) == len(messages)
        if whole and all(isinstance(row, dict) for row in together):
            yield together
            return
    found: list[Any] = []
    for message in messages:
        rows = _rows(message.body, form, plan)
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


def iso(time: str) -> str:
    """Capture's time as RFC 3339; what is written otherwise as it is. It has whole seconds."""
    fits = _NET_TIME.fullmatch(time)
    if fits is None:
        return time
    month, day, year, hour, minute, second = fits.groups()[:6]
    hours = int(hour) % 12 + (12 if fits[7] == "PM" else 0)
    return f"{year}-{int(month):02}-{int(day):02}T{hours:02}:{minute}:{second}Z"


def _rows(body: bytes, form: str, plan: Plan) -> list[Any]:
    """The records of one body; Broken in the place of what cannot be read."""
    if body.startswith(_GZIP):
        member = zlib.decompressobj(31)
        try:
            body = member.decompress(body, MAX_BODY + 1)
        except zlib.error as error:
            return [Broken(f"broken gzip: {error}")]
        if not member.eof and len(body) <= MAX_BODY:
            return [Broken("gzip that ends in its middle")]
    if len(body) > MAX_BODY:
        return [Broken(f"more than {MAX_BODY} bytes in one message")]
    text = body.removeprefix(_UTF8_MARK).decode("utf-8", "replace")
    begin = text.lstrip(" \t\r\n")[:1]
    if form == CSV or (form == AUTO and begin not in ("{", "[", "")):
        return _csv(text, plan)
    value = decoded(text)
    if isinstance(value, list):
        return value
    if isinstance(value, Broken):
        lines = [line for line in text.split("\n") if line.strip()]
        return [decoded(line) for line in lines] if len(lines) > 1 and begin == "{" else [value]
    return [value]


def _csv(text: str, plan: Plan) -> list[Any]:
    """The lines of a body with a header."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    headers = [(delimiter, [name.strip() for name in first.split(delimiter)]) for delimiter in DELIMITERS]
    fitting = [found for found in headers if plan.time in found[1]] or headers
    delimiter, names = max(fitting, key=lambda found: len(found[1]))
    names = [name.strip('"') for name in names]
    if len(set(names)) < len(names) or len(lines) < 2:
        return [Broken(cut(text))]
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
