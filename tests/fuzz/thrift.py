"""Thrift's compact protocol, as far as Parquet's footers use it: to a tree, which may be changed, and back.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
WHOLE = (I16, I32, I64)


@dataclass
class Node:
    """A value: an int, bytes, a list of nodes, or of a struct a list of (field, node)."""

    kind: int
    value: Any


def read_struct(data: bytes, place: int = 0) -> tuple[Node, int]:
    """The struct that begins here, and where it ends."""
    fields: list[tuple[int, Node]] = []
    field = 0
    while (head := data[place]) != 0:
        place += 1
        if head >> 4:
            field += head >> 4
        else:
            number, place = _varint(data, place)
            field = _unzigzag(number)
        kind = head & 15
        if kind in (TRUE, FALSE):
            fields.append((field, Node(kind, None)))
        else:
            node, place = _read(data, place, kind)
            fields.append((field, node))
    return Node(STRUCT, fields), place + 1


def write_struct(node: Node) -> bytes:
    """The struct's bytes."""
    out = bytearray()
    before = 0
    for field, value in node.value:
        if 0 < field - before <= 15:
            out.append(field - before << 4 | value.kind)
        else:
            out.append(value.kind)
            out += _from_varint(_zigzag(field))
        if value.kind not in (TRUE, FALSE):
            out += _write(value)
        before = field
    return bytes(out) + b"\0"


def nodes(node: Node) -> list[Node]:
    """This node and all inside."""
    inner = (
        [value for _, value in node.value] if node.kind == STRUCT else node.value if node.kind == LIST else []
    )
    return [node, *(found for part in inner for found in nodes(part))]


def _read(data: bytes, place: int, kind: int) -> tuple[Node, int]:
    if kind in WHOLE:
        number, place = _varint(data, place)
        return Node(kind, _unzigzag(number)), place
    if kind == BYTE:
        return Node(kind, data[place : place + 1]), place + 1
    if kind == DOUBLE:
        return Node(kind, data[place : place + 8]), place + 8
    if kind == BINARY:
        size, place = _varint(data, place)
        return Node(kind, data[place : place + size]), place + size
    if kind in (LIST, SET):
        size, inner = data[place] >> 4, data[place] & 15
        place += 1
        if size == 15:
            size, place = _varint(data, place)
        found = []
        for _ in range(size):
            node, place = _read(data, place, inner)
            found.append(node)
        return Node(LIST, found), place
    if kind in (TRUE, FALSE):
        return Node(BYTE, data[place : place + 1]), place + 1
    if kind == STRUCT:
        return read_struct(data, place)
    raise ValueError(f"type {kind}")


def _write(node: Node) -> bytes:
    if node.kind in WHOLE:
        return _from_varint(_zigzag(node.value))
    if node.kind == BINARY:
        return _from_varint(len(node.value)) + bytes(node.value)
    if node.kind == LIST:
        inner = node.value[0].kind if node.value else BYTE
        size = len(node.value)
        head = bytes([size << 4 | inner]) if size < 15 else bytes([0xF0 | inner]) + _from_varint(size)
        return head + b"".join(_write(part) for part in node.value)
    return write_struct(node) if node.kind == STRUCT else bytes(node.value)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place


def _from_varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _unzigzag(number: int) -> int:
    return number >> 1 if not number & 1 else -(number + 1 >> 1)
