"""AMQP 1.0's types, to bytes and from bytes: OASIS AMQP 1.0, part 1 (types).

Encoders take Python values and give bytes, one function a type, so that what is sent says its type where it
is made. `decode` gives a Python value and where the next one begins.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple


class Symbol(str):
    """A name of AMQP's, which has a type of its own beside a string's."""


class Timestamp(int):
    """Milliseconds since 1970."""


class Described(NamedTuple):
    """A value under a descriptor (a number or a symbol) that says what it means."""

    descriptor: int | str
    value: Any


class CodecError(ValueError):
    """Bytes that are no AMQP."""


NULL = b"\x40"


def boolean(value: bool) -> bytes:
    return b"\x41" if value else b"\x42"


def ubyte(value: int) -> bytes:
    return struct.pack(">BB", 0x50, value)


def ushort(value: int) -> bytes:
    return struct.pack(">BH", 0x60, value)


def uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return struct.pack(">BB", 0x52, value) if value < 256 else struct.pack(">BI", 0x70, value)


def ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return struct.pack(">BB", 0x53, value) if value < 256 else struct.pack(">BQ", 0x80, value)


def int32(value: int) -> bytes:
    return struct.pack(">Bi", 0x71, value)


def long(value: int) -> bytes:
    return struct.pack(">Bq", 0x81, value)


def timestamp(milliseconds: int) -> bytes:
    return struct.pack(">Bq", 0x83, milliseconds)


def _sized(small: int, large: int, data: bytes) -> bytes:
    if len(data) < 256:
        return struct.pack(">BB", small, len(data)) + data
    return struct.pack(">BI", large, len(data)) + data


def binary(value: bytes) -> bytes:
    return _sized(0xA0, 0xB0, value)


def string(value: str) -> bytes:
    return _sized(0xA1, 0xB1, value.encode())


def symbol(value: str) -> bytes:
    return _sized(0xA3, 0xB3, value.encode("ascii"))


def _compound(small: int, large: int, count: int, body: bytes) -> bytes:
    if len(body) < 255 and count < 256:
        return struct.pack(">BBB", small, len(body) + 1, count) + body
    return struct.pack(">BII", large, len(body) + 4, count) + body


def array(constructor: int, items: Iterable[bytes]) -> bytes:
    """`items` are values of one type without their constructor, which is said once."""
    items = list(items)
    return _compound(0xE0, 0xF0, len(items), bytes([constructor]) + b"".join(items))


def symbols(values: Iterable[str]) -> bytes:
    return array(0xA3, [bytes([len(value)]) + value.encode("ascii") for value in values])


def strings(values: Iterable[str]) -> bytes:
    return array(0xB1, [struct.pack(">I", len(value.encode())) + value.encode() for value in values])


def sequence(items: Iterable[bytes]) -> bytes:
    """A list."""
    items = list(items)
    return _compound(0xC0, 0xD0, len(items), b"".join(items))


def mapping(items: Mapping[bytes, bytes]) -> bytes:
    """A map of encoded keys to encoded values."""
    body = b"".join(key + value for key, value in items.items())
    return _compound(0xC1, 0xD1, 2 * len(items), body)


def described(descriptor: int, value: bytes) -> bytes:
    return b"\x00" + ulong(descriptor) + value


def composite(descriptor: int, fields: Iterable[bytes]) -> bytes:
    """A performative, section or the like: all fields, also those that are null."""
    return described(descriptor, sequence(fields))


def encode(value: object) -> bytes:
    """A value that came from `decode`, where its type's width does not matter."""
    match value:
        case None:
            return NULL
        case bool():
            return boolean(value)
        case Timestamp():
            return timestamp(value)
        case int():
            return ulong(value) if value >= 0 else long(value)
        case Symbol():
            return symbol(value)
        case str():
            return string(value)
        case bytes():
            return binary(value)
        case uuid.UUID():
            return b"\x98" + value.bytes
    raise CodecError(f"no encoding for {type(value).__name__}")


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends.

    Raises:
        CodecError: It is none, or it is cut.
    """
    try:
        return _decode(data, at)
    except CodecError:
        raise
    except (LookupError, struct.error, ValueError, OverflowError) as error:
        raise CodecError(f"at byte {at}: {error}") from error


def skip(data: bytes, at: int) -> int:
    """Where the value at `at` ends, by its constructor alone."""
    code = data[at]
    if code == 0:
        return skip(data, skip(data, at + 1))
    width = code >> 4
    if width in _WIDTHS:
        return at + 1 + _WIDTHS[width]
    if width in (0xA, 0xC, 0xE):
        return at + 2 + data[at + 1]
    if width in (0xB, 0xD, 0xF):
        return at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
    raise CodecError(f"at byte {at}: {code:#x} begins no value")


_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    code = data[at]
    at += 1
    if code == 0:
        descriptor, at = _decode(data, at)
        value, at = _decode(data, at)
        return Described(descriptor, value), at
    if code in _CONSTANTS:
        return _CONSTANTS[code](), at
    if code in _FIXED:
        layout, make = _FIXED[code]
        (value,) = layout.unpack_from(data, at)
        return make(value), at + layout.size
    width = code >> 4
    if width in (0xA, 0xB):
        size, at = (data[at], at + 1) if width == 0xA else (int.from_bytes(data[at : at + 4], "big"), at + 4)
        if at + size > len(data):
            raise CodecError(f"{size} bytes are announced, {len(data) - at} follow")
        return _SIZED[code & 0xF](bytes(data[at : at + size])), at + size
    if width in (0xC, 0xD, 0xE, 0xF):
        return _decode_compound(data, at, code)
    raise CodecError(f"{code:#x} begins no value")


def _decode_compound(data: bytes, at: int, code: int) -> tuple[Any, int]:
    if code >> 4 in (0xC, 0xE):
        end, count, at = at + 1 + data[at], data[at + 1], at + 2
    else:
        size, count = struct.unpack_from(">II", data, at)
        end, at = at + 4 + size, at + 8
    if end > len(data) or count > end:
        raise CodecError(f"{count} values up to byte {end} are announced, {len(data)} bytes are there")
    values = []
    if code >> 4 in (0xE, 0xF):
        constructor = data[at : at + 1]
        at += 1
        for _ in range(count):
            value, after = _decode(constructor + data[at:end], 0)
            values.append(value)
            at += after - 1
        return values, end
    for _ in range(count):
        value, at = _decode(data, at)
        values.append(value)
    if code in (0xC1, 0xD1):
        return dict(zip(values[::2], values[1::2], strict=True)), end
    return values, end


_CONSTANTS: dict[int, Callable[[], Any]] = {
    0x40: lambda: None,
    0x41: lambda: True,
    0x42: lambda: False,
    0x43: lambda: 0,
    0x44: lambda: 0,
    0x45: list,
}
_FIXED: dict[int, tuple[struct.Struct, Callable[[Any], Any]]] = {
    **{code: (struct.Struct(">B"), int) for code in (0x50, 0x52, 0x53)},
    **{code: (struct.Struct(">b"), int) for code in (0x51, 0x54, 0x55)},
    0x56: (struct.Struct(">B"), bool),
    0x60: (struct.Struct(">H"), int),
    0x61: (struct.Struct(">h"), int),
    0x70: (struct.Struct(">I"), int),
    0x71: (struct.Struct(">i"), int),
    0x72: (struct.Struct(">f"), float),
    0x73: (struct.Struct(">I"), chr),
    0x80: (struct.Struct(">Q"), int),
    0x81: (struct.Struct(">q"), int),
    0x82: (struct.Struct(">d"), float),
    0x83: (struct.Struct(">q"), Timestamp),
    0x98: (struct.Struct(">16s"), lambda value: uuid.UUID(bytes=value)),
}
_SIZED: dict[int, Callable[[bytes], Any]] = {
    0: bytes,
    1: bytes.decode,
    3: lambda value: Symbol(value.decode("ascii")),
}
