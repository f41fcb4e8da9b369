"""Avro object container files of Event Hubs Capture to messages.

https://avro.apache.org/docs/1.11.1/specification/#object-container-files, of which Capture uses little: one
record of long, strings, bytes, and maps of them. A reader of our own, since what files say is not believed
here: libraries inflate a block to whatever size it has, and follow any schema, also one whose values take no
bytes and are 2^62 in number. Here each value takes a byte at least, and a block is inflated to a bound.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import unpack_from
from typing import Any, NamedTuple

from scorer.contract.outcome import SensorError
from scorer.readings.text import MAX_TEXT_BYTES

MAX_BLOCK = 32 * 1024 * 1024
"""Bytes of one block, stored and inflated: Capture's have some 100 kB, and a message has 1 MB at most."""
MAX_HEADER = 256 * 1024
MAX_FIELDS = 64

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_LONGEST_NUMBER = 10

Read = Callable[[bytes, int], tuple[Any, int]]
"""From a block and a place in it: a value, and the place after it."""


class Message(NamedTuple):
    """What an Event Hub was given, and what it said of it."""

    sequence: int
    offset: str
    enqueued: str
    system: dict[str, Any]
    properties: dict[str, Any]
    body: bytes


class _BrokenError(Exception):
    """What is wrong with a file, in half a sentence."""


def avro_messages(path: str, pieces: Iterable[bytes]) -> Iterator[Message]:
    """A file's messages; none of a file of no bytes, or of no blocks. Raises SensorError."""
    stream = _Stream(pieces)
    try:
        if stream.ended():
            return
        read, codec, mark = _header(stream)
        left = MAX_TEXT_BYTES
        while not stream.ended():
            count = stream.number()
            data = _inflated(codec, stream.take(stream.size(MAX_BLOCK, "block")))
            if stream.take(_SYNC_BYTES) != mark:
                raise _BrokenError("have a block that does not end with the file's mark")
            left -= len(data)
            if left < 0:
                raise SensorError(
                    "ReadingsTooLarge", f"readings {path} hold more than {MAX_TEXT_BYTES} bytes of messages"
                )
            yield from _messages(data, count, read)
    except _BrokenError as error:
        raise SensorError("ReadingsCorrupt", f"readings {path} {error}") from error


def _messages(data: bytes, count: int, read: list[tuple[int, Read]]) -> Iterator[Message]:
    if not 0 <= count <= len(data):  # a record has a byte at least
        raise _BrokenError(f"have a block of {count} messages in {len(data)} bytes")
    at = 0
    for _ in range(count):
        fields: list[Any] = [0, "", "", {}, {}, b""]
        try:
            for place, one in read:
                value, at = one(data, at)
                if place >= 0 and value is not None:  # an event may have no body
                    fields[place] = value
        except (IndexError, UnicodeDecodeError) as error:
            raise _BrokenError(f"have a block that cannot be decoded: {error}") from error
        yield Message(*fields)
    if at != len(data):
        raise _BrokenError(f"have a block with {len(data) - at} bytes beyond its messages")


class _Stream:
    """A file, taken from its beginning on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._data = b""
        self._at = 0

    def ended(self) -> bool:
        """Whether nothing more is there."""
        while self._at >= len(self._data):
            piece = next(self._pieces, None)
            if piece is None:
                return True
            self._data, self._at = piece, 0
        return False

    def take(self, count: int) -> bytes:
        """So many bytes."""
        parts = []
        while count:
            if self.ended():
                raise _BrokenError("end in their middle")
            part = self._data[self._at : self._at + count]
            parts.append(part)
            self._at += len(part)
            count -= len(part)
        return b"".join(parts)

    def number(self) -> int:
        """A long."""
        data = b""
        while not data or data[-1] & 128:
            data += self.take(1)
            if len(data) > _LONGEST_NUMBER:
                raise _BrokenError("hold a number of more than 64 bits")
        return _long(data, 0)[0]

    def size(self, most: int, what: str) -> int:
        """A long that is a length."""
        found = self.number()
        if not 0 <= found <= most:
            raise _BrokenError(f"have a {what} of {found} bytes: wanted at most {most}")
        return found


def _header(stream: _Stream) -> tuple[list[tuple[int, Read]], str, bytes]:
    """How messages are read, the codec, and the mark that ends each block."""
    begin = stream.take(len(_MAGIC))
    if begin != _MAGIC:
        raise _BrokenError(f"begin {begin!r}: wanted Avro, which begins {_MAGIC!r}")
    told: dict[bytes, bytes] = {}
    left = MAX_HEADER
    while count := stream.number():
        if count < 0:
            stream.number()
        for _ in range(abs(count)):
            key = stream.take(stream.size(left, "header"))
            told[key] = stream.take(stream.size(left, "header"))
            left -= len(key) + len(told[key]) + 2
            if left < 0:
                raise _BrokenError(f"have a header of more than {MAX_HEADER} bytes")
    codec = told.get(b"avro.codec", b"null").decode("utf-8", "replace")
    if codec not in ("null", "deflate", "snappy"):
        raise _BrokenError(f"are compressed by {codec[:40]!r}: wanted null, deflate or snappy")
    return _fields(told.get(b"avro.schema", b"")), codec, stream.take(_SYNC_BYTES)


def _inflated(codec: str, data: bytes) -> bytes:
    if codec == "null":
        return data
    if codec == "snappy":
        return _unsnapped(data)
    member = zlib.decompressobj(-15)
    try:
        found = member.decompress(data, MAX_BLOCK + 1)
    except zlib.error as error:
        raise _BrokenError(f"have a block that is broken deflate: {error}") from error
    if len(found) > MAX_BLOCK:
        raise _BrokenError(f"have a block of more than {MAX_BLOCK} bytes inflated")
    if not member.eof:
        raise _BrokenError("have a block of deflate that ends in its middle")
    return found


def _unsnapped(data: bytes) -> bytes:
    """Snappy's block begins with its length; Avro puts a checksum after it."""
    import pyarrow as pa  # here: Capture writes deflate

    size = shift = at = 0
    while True:
        if at >= min(len(data) - 4, 5):
            raise _BrokenError("have a block that is no snappy")
        size |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            break
    if size > MAX_BLOCK:
        raise _BrokenError(f"have a block of {size} bytes inflated: wanted at most {MAX_BLOCK}")
    try:
        found = pa.Codec("snappy").decompress(data[:-4], size, asbytes=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _BrokenError(f"have a block that is broken snappy: {error}") from error
    if zlib.crc32(found) != int.from_bytes(data[-4:], "big"):
        raise _BrokenError("have a block whose checksum is another")
    return bytes(found)


_PLACES = {
    "SequenceNumber": 0,
    "Offset": 1,
    "EnqueuedTimeUtc": 2,
    "SystemProperties": 3,
    "Properties": 4,
    "Body": 5,
}
_KINDS = {
    "SequenceNumber": ("long",),
    "Offset": ("string",),
    "EnqueuedTimeUtc": ("string",),
    "SystemProperties": ("map",),
    "Properties": ("map",),
    "Body": ("bytes", "null"),
}


def _fields(schema: bytes) -> list[tuple[int, Read]]:
    """How each field of the record is read, and which of a message's it is; −1 for others."""
    try:
        told = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise _BrokenError(f"have a schema that is no JSON: {error}"[:200]) from error
    fields = told.get("fields") if isinstance(told, dict) and told.get("type") == "record" else None
    if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
        raise _BrokenError("have a schema that is no record")
    names = [field.get("name") for field in fields]
    if len(fields) > MAX_FIELDS or any(names.count(name) != 1 for name in ("SequenceNumber", "Body")):
        raise _BrokenError(
            "have a schema without SequenceNumber and Body: wanted a file of Event Hubs Capture"
        )
    found = []
    for name, field in zip(names, fields, strict=True):
        kinds, read = _kinds_of(field.get("type"), 0)
        wanted = _KINDS.get(name, ()) if isinstance(name, str) else ()
        if wanted and (not kinds <= {*wanted} or kinds == {"null"}):
            shown = "/".join(sorted(kinds))
            raise _BrokenError(f"have a field {name} of {shown}: wanted {'/'.join(wanted)}")
        found.append((_PLACES.get(name, -1) if isinstance(name, str) else -1, read))
    return found


def _kinds_of(told: Any, depth: int) -> tuple[set[str], Read]:
    """What a type can be, and how it is read."""
    if depth > 4:
        raise _BrokenError("have a schema of more than four levels")
    if isinstance(told, list) and 0 < len(told) <= 16:
        branches = [_kinds_of(one, depth + 1) for one in told]
        return set().union(*(kinds for kinds, _ in branches)), _union([read for _, read in branches])
    kind = told.get("type") if isinstance(told, dict) else told
    if kind == "map" and isinstance(told, dict):
        return {"map"}, _map(_kinds_of(told.get("values"), depth + 1)[1])
    if not isinstance(kind, str) or kind not in _READ:
        shown = json.dumps(told)[:80] if depth else "of a field"
        raise _BrokenError(f"have a schema with a type that Capture has not: {shown}")
    return {kind}, _READ[kind]


def _long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value, shift, first = byte & 127, 7, at
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if at - first >= _LONGEST_NUMBER:
            raise _BrokenError("hold a number of more than 64 bits")
    return (value >> 1) ^ -(value & 1), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise _BrokenError(f"have a value of {size} bytes, where {len(data) - at} are left")
    return data[at:end], end


def _string(data: bytes, at: int) -> tuple[str, int]:
    found, at = _bytes(data, at)
    return found.decode("utf-8", "replace"), at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    return bool(data[at]), at + 1


def _null(_: bytes, at: int) -> tuple[None, int]:
    return None, at


def _floating(form: str, size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[float, int]:
        if at + size > len(data):
            raise _BrokenError("have a block that ends in a number")
        return unpack_from(form, data, at)[0], at + size

    return read


def _union(branches: list[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch, at = _long(data, at)
        if not 0 <= branch < len(branches):
            raise _BrokenError(f"have a value of kind {branch} among {len(branches)}")
        return branches[branch](data, at)

    return read


def _map(value_of: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            count, at = _long(data, at)
            if not count:
                return found, at
            if count < 0:
                _, at = _long(data, at)
            for _ in range(abs(count)):  # each has a byte at least: it ends with the block
                key, at = _string(data, at)
                found[key], at = value_of(data, at)

    return read


_READ: dict[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "float": _floating("<f", 4),
    "double": _floating("<d", 8),
    "bytes": _bytes,
    "string": _string,
}
