"""Breaks good files: at random, but the same ones for the same seed.

Every file may be broken as bytes. What has a structure is mostly broken within it, so that the damage gets
past the first check: JSON by its values, Parquet by the numbers in its footer, model files by both.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from fuzz.thrift import BINARY, LIST, STRUCT, WHOLE, nodes, read_struct, write_struct

NUMBERS = [
    *(0, 1, -1, 2, 7, 127, 128, 255, 256, 1000, 65_535, 65_536, 10**6, 2**24, 2**31 - 1, 2**31, -(2**31)),
    *(2**32 - 1, 2**32, 10**12, 2**53, 2**63 - 1, -(2**63), 2**63),
]
STUMBLES = [
    *(b"\0", b'"', b"\n", b"\r\n", b",", b"{", b"}", b"[", b"]", b"\\", b"/", b"..", b"../../x", b"\xff"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"null", b"NaN", b"-", b"1e999999", b"9" * 5000, b"[" * 5000),
    *(b'{"a":' * 3000, b'"' + b"x" * 100_000, b"," * 3000, b"\xed\xa0\x80", b'"\\ud800"', b"PAR1"),
    *(b"\x1f\x8b\x08", b"2026-01-01T12:00:01Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59Z", b"#", b";"),
]
RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-0.0",
    "1" * 400,
    "1" * 5000,
    "[" * 3000,
    '{"a":' * 3000,
    "01",
    "",
]
TEXTS = [
    *(
        "",
        "x",
        "..",
        "../..",
        "/etc/passwd",
        "a/b",
        "\\",
        "\0",
        "\n",
        "\ud800",
        "\u202e",
        "ä" * 40,
        "x" * 5000,
    ),
    *("NaN", "1e9", "-1", "true", "{sensor}", "{shard}", "*", "2026-02-30T00:00:00Z", "0000-00-00", "Scored"),
    *(
        "a" * 64,
        "f" * 64,
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0-99999",
        "5-1",
        "b64:////",
        "1" * 30,
    ),
]
_HOLE = "@@hole@@"

Mutator = Callable[[bytes, Sequence[bytes], Random], bytes]


def as_bytes(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Bits turned, parts cut out, doubled or put in from elsewhere, numbers and stumbling blocks put in."""
    broken = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at = chance.randrange(len(broken) + 1)
        more = chance.choice([1, 1, 4, 16, 64, 512])
        match chance.randrange(9):
            case 0 | 1 if at < len(broken):
                broken[at] ^= 1 << chance.randrange(8)
            case 2 if at < len(broken):
                broken[at] = chance.randrange(256)
            case 3:
                del broken[at : at + more]
            case 4:
                del broken[at:]
            case 5:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                broken[at:at] = other[start : start + more]
            case 6:
                broken[at : at + chance.choice([0, more])] = chance.choice(STUMBLES)
            case 7:
                form = chance.choice(["<i", ">i", "<q", ">q"])
                size = 2 ** (31 if form[1] == "i" else 63)
                number = chance.choice([each for each in NUMBERS if -size <= each < size])
                broken[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case _:
                broken[at:at] = broken[at : at + more] * chance.choice([1, 2, 100])
    return bytes(broken)


def as_json(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Values replaced, taken away, doubled, exchanged; sometimes also as bytes."""
    if chance.random() < 0.25:
        return as_bytes(data, others, chance)
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return as_bytes(data, others, chance)
    text = json.dumps(changed(told, chance))
    for raw in chance.choices(RAW, k=text.count(_HOLE)):
        text = text.replace(f'"{_HOLE}"', raw, 1)
    if chance.random() < 0.05 and text.startswith("{"):
        text = text[:-1] + ", " + text[1:]  # every key twice
    return text.encode()


def changed(told: Any, chance: Random) -> Any:
    """A JSON value with some of its parts changed."""
    told = {"": told}
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        places = _places(told)
        inside, key = chance.choice(places)
        match chance.randrange(8):
            case 0 if key != "":
                del inside[key]
            case 1:
                other, there = chance.choice(places)
                inside[key] = json.loads(json.dumps(other[there]))
            case 2 if isinstance(inside, list):
                inside.extend(inside[: 10**4] * chance.choice([1, 50]))
            case 3 if isinstance(inside, dict) and key != "":
                inside[chance.choice(TEXTS)] = inside.pop(key)
            case 4 if isinstance(inside[key], str) and inside[key]:
                inside[key] = as_text(inside[key], chance)
            case 5 if isinstance(inside[key], int | float) and not isinstance(inside[key], bool):
                inside[key] = inside[key] * chance.choice([-1, 2, 1000]) + chance.choice([-1, 0, 1, 0.5])
            case _:
                inside[key] = _any(chance)
    return told[""]


def as_text(text: str, chance: Random) -> str:
    """A text with a few characters changed."""
    at = chance.randrange(len(text) + 1)
    return chance.choice(
        [
            text[:at] + chance.choice(TEXTS)[:100] + text[at:],
            text[:at],
            text[:at]
            + chr(chance.choice([0, 9, 10, 45, 46, 47, 48, 57, 92, 160, 0x661, 0xFFFF]))
            + text[at + 1 :],
            text * chance.choice([2, 100]),
            text.upper(),
        ]
    )


def as_lines(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Lines of text or JSON changed, exchanged, doubled; sometimes as bytes."""
    if chance.random() < 0.5:
        return as_bytes(data, others, chance)
    lines = data.split(b"\n")
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                lines[at] = as_json(lines[at], lines, chance) if lines[at][:1] == b"{" else lines[at][::-1]
            case 1:
                lines.insert(at, chance.choice(lines))
            case 2:
                parts = lines[at].split(b",")
                parts[chance.randrange(len(parts))] = chance.choice([*STUMBLES, *map(_ascii, NUMBERS)])
                lines[at] = b",".join(parts)
            case _:
                lines[at] = b""
    return b"\n".join(lines)


def as_parquet(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Mostly the footer's numbers, lists and names; sometimes bytes in their places, sometimes any bytes."""
    way = chance.random()
    if data[-4:] != b"PAR1" or way < 0.2:
        return as_bytes(data, others, chance)
    if way < 0.4:
        broken = bytearray(data)
        for _ in range(chance.choice([1, 2, 8])):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        return bytes(broken)
    length = int.from_bytes(data[-8:-4], "little")
    body, footer = data[: -8 - length], data[-8 - length : -8]
    tree, _ = read_struct(footer)
    for _ in range(chance.choice([1, 1, 2, 4])):
        _lie(chance.choice(nodes(tree)), chance)
    written = write_struct(tree)
    told = len(written) if chance.random() < 0.95 else chance.choice(NUMBERS) & 0xFFFFFFFF
    return body + written + struct.pack("<I", told) + b"PAR1"


def _lie(node: Any, chance: Random) -> None:
    if node.kind in WHOLE:
        kept = chance.random()
        node.value = (
            chance.choice(NUMBERS) if kept < 0.6 else node.value * chance.choice([-1, 0, 2, 1000]) + 1
        )
    elif node.kind == BINARY:
        node.value = chance.choice(TEXTS).encode("utf-8", "surrogatepass")
    elif node.kind in (LIST, STRUCT) and node.value:
        at = chance.randrange(len(node.value))
        if chance.random() < 0.5:
            del node.value[at]
        else:
            node.value[at:at] = [node.value[chance.randrange(len(node.value))]] * chance.choice([1, 1, 50])


def as_model(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """A safetensors file: its header's JSON, the JSON in that, its arrays, or any bytes."""
    way = chance.random()
    if way < 0.2:
        return as_bytes(data, others, chance)
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], bytearray(data[8 + length :])
    if way < 0.4:
        for _ in range(chance.choice([1, 1, 3])):
            at = chance.randrange(len(body)) // 8 * 8
            number = chance.choice([*NUMBERS, 0.5, -0.5, 1e-300, 1e300, -1e308, float("inf"), float("nan")])
            body[at : at + 8] = struct.pack("<d", number) if chance.random() < 0.7 else chance.randbytes(8)
    elif way < 0.7:
        outer = json.loads(header)
        inner = json.loads(outer["__metadata__"]["sensorscore"])
        outer["__metadata__"]["sensorscore"] = _filled(json.dumps(changed(inner, chance)), chance)
        header = json.dumps(outer).encode()
    else:
        header = as_json(header, [header], chance)
    return len(header).to_bytes(8, "little") + header + bytes(body)


def zipped(inner: Mutator) -> Mutator:
    """Broken before it is compressed, or after; sometimes not compressed at all."""

    def mutator(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
        way = chance.random()
        if way < 0.5:
            return inner(data, others, chance)
        if way < 0.8:
            return gzip.compress(inner(data, others, chance), 1, mtime=0)
        return as_bytes(gzip.compress(data, 1, mtime=0), others, chance)

    return mutator


def _filled(text: str, chance: Random) -> str:
    return text.replace(f'"{_HOLE}"', chance.choice(RAW))


def _any(chance: Random) -> Any:
    return chance.choice(
        [
            chance.choice(NUMBERS),
            chance.choice(TEXTS),
            chance.choice([None, True, False, [], {}, [[]], [None], {"": None}, 0.5, -1e308, 1e-320]),
            _HOLE,
        ]
    )


def _places(told: Any) -> list[tuple[Any, Any]]:
    keys = list(told) if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    return [(told, key) for key in keys] + [place for key in keys for place in _places(told[key])]


def _ascii(number: int) -> bytes:
    return str(number).encode()
