"""Bodies of messages to the records in them: JSON (an object, an array, one a line), CSV, either in gzip.

Nothing that is broken is raised: a body, or the lines of it that cannot be read, is said with its reason.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, TextIO

import orjson

from scorer.inflated import GZIP, MAX_BODY, BrokenGzipError, TooLargeError, inflated
from scorer.ingest.settings import CSV, Fields

MAX_RECORDS = 100_000
"""Events of one message."""
LARGE_BODY = 1024 * 1024
MAX_MARKS = 1_000_000
"""Commas and opening brackets of a larger body: 100,000 readings of nine fields have as many. 16 MiB of
`{},` or of empty cells have more, and their values would take 30 times that in memory."""
SHOWN = 80
LONGEST = 1024
"""Letters of what a message says once for all of its events."""

_UTF8_MARK = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")


class Wrong(NamedTuple):
    """What cannot be read of a message: one of its events, or (place −1) all of it."""

    place: int
    reason: str
    said: str


class Body(NamedTuple):
    """The records of a message, each with its place in it, and what cannot be read."""

    records: Sequence[dict[str, Any]]
    places: Sequence[int]
    wrong: Sequence[Wrong]
    root: dict[str, Any] | None = None
    """The message itself, where the records are an array within it."""


def one_record(data: bytes) -> dict[str, Any] | None:
    """The record of a body that is one JSON object, as most are: the quick way. None for all others."""
    if data[:1] != b"{" or len(data) > LARGE_BODY:
        return None
    try:
        found: dict[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found


def unzipped(data: bytes) -> bytes | Wrong:
    """A message's body, which may be in gzip, as it was before that."""
    if data[:2] != GZIP:
        return data
    try:
        return inflated(data)
    except BrokenGzipError as error:
        return Wrong(-1, "BrokenGzip", str(error))
    except TooLargeError as error:
        return Wrong(-1, "TooLarge", str(error))


def records_of(data: bytes, mapping: Fields) -> Body:
    """The records of a message's body, unzipped."""
    if len(data) > MAX_BODY:
        return _all_wrong("TooLarge", f"{len(data)} bytes: wanted at most {MAX_BODY}")
    if len(data) > LARGE_BODY and (marks := _marks(data, mapping)) > MAX_MARKS:
        return _all_wrong(
            "TooLarge", f"{marks} commas and brackets in one message: wanted at most {MAX_MARKS}"
        )
    data = data.removeprefix(_UTF8_MARK)
    if mapping.form == CSV:
        return _csv(data, mapping.delimiter)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _lines(data, mapping, error)
    return _of_value(value, mapping)


def _marks(data: bytes, mapping: Fields) -> int:
    """No fewer than the values that a body has beside its first: what it takes in memory goes by them."""
    if mapping.form == CSV:
        return data.count(mapping.delimiter.encode()) + max(data.count(b"\n"), data.count(b"\r"))
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _of_value(value: Any, mapping: Fields) -> Body:
    """The records of a body that is one JSON value."""
    if mapping.records:
        return _within(value, mapping)
    if isinstance(value, dict):
        return Body((value,), (0,), ())
    if isinstance(value, list):
        return _array(value, None)
    return _all_wrong("NotAnObject", f"{said(value)}: wanted an object, or an array of them")


def _within(value: Any, mapping: Fields) -> Body:
    if not isinstance(value, dict):
        return _all_wrong("NotAnObject", f"{said(value)}: wanted an object with {mapping.records!r}")
    found: Any = value
    for name in mapping.records.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        return _all_wrong(
            "MissingRecords", f"{mapping.records!r} is {said(found)}: wanted an array of objects"
        )
    return _array(found, value)


def _array(values: list[Any], root: dict[str, Any] | None) -> Body:
    if len(values) > MAX_RECORDS:
        return _all_wrong("TooLarge", f"{len(values)} events in one message: wanted at most {MAX_RECORDS}")
    if set(map(type, values)) <= {dict}:
        return Body(values, range(len(values)), (), root)
    places = [place for place, value in enumerate(values) if isinstance(value, dict)]
    wrong = [
        Wrong(place, "NotAnObject", f"{said(value)}: wanted an object")
        for place, value in enumerate(values)
        if not isinstance(value, dict)
    ]
    return Body([values[place] for place in places], places, wrong, root)


def _lines(data: bytes, mapping: Fields, error: orjson.JSONDecodeError) -> Body:
    """The records of a body with one object a line; its lines are judged one by one."""
    lines = _split(data)
    if len(lines) < 2:
        return _all_wrong("BrokenJSON", f"{error}; it begins {said_bytes(data)}")
    if len(lines) > MAX_RECORDS:
        return _all_wrong("TooLarge", f"more than {MAX_RECORDS} lines in one message")
    if mapping.records:
        return _all_wrong("BrokenJSON", f"{error}; lines cannot hold {mapping.records!r}")
    records: list[dict[str, Any]] = []
    places: list[int] = []
    wrong: list[Wrong] = []
    for place, line in enumerate(lines):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as broken:
            wrong.append(Wrong(place, "BrokenJSON", f"{broken}; the line begins {said_bytes(line)}"))
            continue
        if isinstance(value, dict):
            records.append(value)
            places.append(place)
        else:
            wrong.append(Wrong(place, "NotAnObject", f"{said(value)}: wanted an object a line"))
    if not records:
        # Text in many lines that is no JSON at all is one bad message, not as many as it has lines.
        return _all_wrong("BrokenJSON", f"{error}; it begins {said_bytes(data)}")
    return Body(records, places, wrong)


def _split(data: bytes) -> list[bytes]:
    """The lines that are not blank, or one more than a message may have: each takes 50 bytes besides."""
    if data.count(b"\n") <= MAX_RECORDS:
        return [line for line in data.split(b"\n") if line.strip(b" \t\r")]
    return [found[0] for found in islice(_LINE.finditer(data), MAX_RECORDS + 1)]


def _csv(data: bytes, delimiter: str) -> Body:
    """The records of lines with a header. Fields are texts."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return _all_wrong("NotUTF8", str(error))
    if len(data) > LARGE_BODY:  # whole it would take 4 bytes a letter
        lines: TextIO = io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="")
    else:
        lines = io.StringIO(text, newline="")
    del text
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    records: list[dict[str, Any]] = []
    places: list[int] = []
    wrong: list[Wrong] = []
    header: list[str] = []
    place = 0
    while place <= MAX_RECORDS:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            if not header:
                return _all_wrong("BrokenCSV", f"{error}; it begins {said_bytes(data)}")
            wrong.append(Wrong(place, "BrokenCSV", str(error)))
            place += 1
            continue
        if not row:
            continue
        if not header:
            header = [name.strip() for name in row]
            continue
        if len(row) == len(header):
            records.append(dict(zip(header, row, strict=True)))
            places.append(place)
        else:
            wrong.append(Wrong(place, "BrokenCSV", f"{len(row)} fields: wanted the header's {len(header)}"))
        place += 1
    if place > MAX_RECORDS:
        return _all_wrong("TooLarge", f"more than {MAX_RECORDS} lines in one message")
    if not header:
        return _all_wrong("BrokenCSV", "nothing is in it: wanted a header")
    return Body(records, places, wrong)


def _all_wrong(reason: str, text: str) -> Body:
    return Body((), (), (Wrong(-1, reason, plain(text)),))


def said(value: Any) -> str:
    """A JSON value for people: its beginning."""
    try:
        return plain(orjson.dumps(value).decode())
    except (orjson.JSONEncodeError, UnicodeDecodeError):
        return f"({type(value).__name__})"


def shortened(value: Any) -> Any:
    """The value; of one too long for a time, a number, a unit or a name its beginning: no more use either."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    if isinstance(value, list | dict):
        text = said(value)
        return value if len(text) < 3 * SHOWN else text
    return value


def said_bytes(data: bytes) -> str:
    """Bytes for people: their beginning."""
    return repr(data[:SHOWN].decode("utf-8", "replace"))


def plain(text: str) -> str:
    """One line that can be written anywhere."""
    text = "".join(char if char.isprintable() else "\ufffd" for char in text[: 4 * SHOWN])
    return text if len(text) <= 3 * SHOWN else f"{text[: 3 * SHOWN - 1]}…"
