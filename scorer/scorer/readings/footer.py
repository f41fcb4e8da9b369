"""What Parquet's footer says of row groups and their columns, and what their pages say of themselves.

Arrow believes both: a page of a few bytes that inflates to gigabytes does so, whatever the footer says of
rows. And it cannot be asked for all of it: where a broken footer has statistics that do not fit their column,
it throws where Python cannot catch, and the whole process ends. So the few fields that matter are read here,
from Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift

Any bytes that are no such footer raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MAX_FOOTER_BYTES = 32 * 1024 * 1024
MAX_PAGES = 100_000
_MAX_DEPTH = 16
_TAIL = 8  # the footer's length, and the magic bytes
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)


class Chunk(NamedTuple):
    """One column of one row group."""

    start: int
    length: int
    """Bytes as stored."""
    inflated: int
    """Bytes as decompressed."""
    least: bytes | None
    """Of its values, as Parquet stores one; not of its nulls. None if the footer does not say."""
    greatest: bytes | None
    nulls: int | None = None
    """How many of its values are null, if the footer says so."""


class Group(NamedTuple):
    """One row group, with its columns by their dotted path."""

    rows: int
    chunks: Mapping[str, Chunk]


def read_footer(read: Callable[[int, int], bytes], size: int) -> list[Group]:
    """The row groups of a file of so many bytes; `read` gives a part of it by start and length."""
    tail = read(max(0, size - _TAIL), _TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > min(size - _TAIL, MAX_FOOTER_BYTES):
        raise ValueError(f"no footer of Parquet: the file ends {tail!r}")
    try:
        footer, _ = _struct(read(size - _TAIL - length, length), 0, 0)
    except IndexError:
        raise ValueError("the footer of Parquet goes beyond its end") from None
    return [_group(_fields(group)) for group in _list(footer.get(4))]


def checked_groups(data: bytes, most: int) -> list[Group]:
    """The row groups of a whole file, none of whose pages inflates to more than `most` bytes."""
    groups = read_footer(lambda start, length: data[start : start + length], len(data))
    for name, chunk in (named for group in groups for named in group.chunks.items()):
        largest = largest_page(data, chunk.start, min(chunk.start + chunk.length, len(data)))
        if largest > most:
            raise ValueError(f"column {name[:80]!r} has a page of {largest} bytes: wanted at most {most}")
    return groups


def largest_page(data: bytes, start: int, end: int) -> int:
    """Bytes that the largest of a column's pages inflates to, by the pages' own headers."""
    largest = 0
    for _ in range(MAX_PAGES):
        if start >= end:
            return largest
        try:
            header, start = _struct(data, start, 0)
        except IndexError:
            raise ValueError("a page of Parquet goes beyond the file's end") from None
        largest = max(largest, _number(header.get(2)))
        start += max(0, _number(header.get(3)))
    raise ValueError(f"a column of Parquet has more than {MAX_PAGES} pages")


def _group(group: dict[int, Any]) -> Group:
    columns = [_fields(_fields(column).get(3)) for column in _list(group.get(1))]
    if group.get(3) == 0:
        return Group(0, {})  # its columns may lie nowhere
    chunks = {
        b".".join(map(_bytes, _list(about.get(3)))).decode("utf-8", "replace"): _chunk(about)
        for about in columns
    }
    return Group(max(0, _number(group.get(3))), chunks)


def _chunk(about: dict[int, Any]) -> Chunk:
    data, dictionary = _number(about.get(9)), _number(about.get(11, 0))
    statistics = _fields(about.get(12, {}))
    # Fields 1 and 2 are of an older kind, whose order is not that of texts.
    greatest, least, nulls = statistics.get(5), statistics.get(6), statistics.get(3)
    return Chunk(
        min(data, dictionary) if dictionary > 0 else data,
        max(0, _number(about.get(7))),
        max(0, _number(about.get(6))),
        least if isinstance(least, bytes) else None,
        greatest if isinstance(greatest, bytes) else None,
        nulls if isinstance(nulls, int) else None,
    )


def _fields(value: Any) -> dict[int, Any]:
    if not isinstance(value, dict):
        raise ValueError("the footer of Parquet lacks a part")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("the footer of Parquet lacks a list")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("the footer of Parquet lacks a number")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("the footer of Parquet lacks a text")
    return value


def _struct(data: bytes, place: int, depth: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol, as its fields by number, and where it ends.

    Raises ValueError, and IndexError beyond the data's end.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("the footer of Parquet is nested too deeply")
    found: dict[int, Any] = {}
    field = 0
    while head := data[place]:
        kind = head & 15
        if head > 15:
            field += head >> 4
            place += 1
        else:
            field, place = _integer(data, place + 1)
        # The commonest first, without a call where one byte says it. Whatever goes beyond the end is found
        # out by the next byte, for at least the struct's own end is to come.
        if kind in _INTEGERS and (byte := data[place]) < 128:
            found[field] = (byte >> 1) ^ -(byte & 1)
            place += 1
        elif kind == _BINARY and (byte := data[place]) < 128:
            place += byte + 1
            found[field] = data[place - byte : place]
        elif kind <= _FALSE:
            found[field] = kind == _TRUE
        else:
            found[field], place = _value(data, place, kind, depth + 1)
    return found, place + 1


def _value(data: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _INTEGERS:
        return _integer(data, place)
    if kind == _BINARY:
        length, place = _varint(data, place)
        return data[place : place + length], _inside(data, place + length)
    if kind == _STRUCT:
        return _struct(data, place, depth)
    if kind in (_LIST, _SET):
        return _items(data, place, depth)
    if kind == _DOUBLE:
        return data[place : place + 8], _inside(data, place + 8)
    if kind in (_TRUE, _FALSE, _BYTE):
        return data[place], place + 1
    raise ValueError(f"the footer of Parquet has a value of unknown kind {kind}")


def _items(data: bytes, place: int, depth: int) -> tuple[list[Any], int]:
    if depth > _MAX_DEPTH:
        raise ValueError("the footer of Parquet is nested too deeply")
    head, place = data[place], place + 1
    count, place = (head >> 4, place) if head < 240 else _varint(data, place)
    _inside(data, place + count)  # each takes a byte at least
    items = []
    for _ in range(count):
        item, place = _value(data, place, head & 15, depth + 1)
        items.append(item)
    return items, place


def _inside(data: bytes, place: int) -> int:
    if place > len(data):
        raise ValueError("the footer of Parquet goes beyond its end")
    return place


def _integer(data: bytes, place: int) -> tuple[int, int]:
    byte = data[place]
    if byte < 128:  # nearly all are
        return (byte >> 1) ^ -(byte & 1), place + 1
    found, place = _varint(data, place)
    return (found >> 1) ^ -(found & 1), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    found = shift = 0
    while shift < 64:
        byte = data[place]
        place += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, place
        shift += 7
    raise ValueError("the footer of Parquet has a number that is too long")
