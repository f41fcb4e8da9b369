"""Small files that become large: gzip, and Parquet whose pages or footers do not say what they are."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import pyarrow as pa

from fuzz.thrift import Node, read_struct, write_struct

MANY = 600 * 1024 * 1024
"""Bytes: more than a pod has."""
_COLUMNS, _ABOUT, _ROWS = 1, 3, 3
_PATH, _CODEC, _VALUES, _INFLATED, _STORED, _BEGINS, _DICTIONARY, _STATISTICS = 3, 4, 5, 6, 7, 9, 11, 12
_ZSTD = 6
"""Fields of Parquet's row groups and columns, and a codec: parquet.thrift."""


def zipped(rows: bytes) -> list[bytes]:
    """gzip of gigabytes, in many members and in one: nothing, lines, and what never ends."""
    found = []
    for inner in (b"\0", b"\n", rows, b"[", b'{"a":', b'"', b"1"):
        member = gzip.compress(inner * (4 * 1024 * 1024 // len(inner)), 1, mtime=0)
        found += [member, member * 400]
    return found


def paged(file: bytes, column: str, rows: Sequence[int]) -> list[bytes]:
    """The Parquet file with one column's page instead one that inflates to MANY bytes, and a footer that
    says so many rows of its first row group.
    """
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for _ in range(MANY // 2**20):
            stream.write(bytes(2**20))
    zeros = sink.getvalue().to_pybytes()
    made = [_with_page(file, column.encode(), zeros, count) for count in rows]
    return [*made, _decoyed(made[0])]


def _with_page(file: bytes, name: bytes, page: bytes, rows: int) -> bytes:
    length = int.from_bytes(file[-8:-4], "little")
    body = file[: -8 - length]
    footer, _ = read_struct(file[-8 - length : -8])
    group = _field(footer, 4).value[0]
    abouts = [_field(column, _ABOUT) for column in _field(group, _COLUMNS).value]
    about = next(each for each in abouts if _field(each, _PATH).value[0].value == name)
    header, _ = read_struct(file, _field(about, _BEGINS).value)
    _field(header, 2).value, _field(header, 3).value = MANY, len(page)
    values = next(node for field, node in header.value if field in (5, 8))
    _field(values, 1).value = rows
    _field(values, 2).value = 0  # plain
    about.value = [(field, node) for field, node in about.value if field not in (_DICTIONARY, _STATISTICS)]
    told = write_struct(header)
    _field(about, _BEGINS).value, _field(about, _CODEC).value = len(body), _ZSTD
    _field(about, _INFLATED).value, _field(about, _STORED).value = MANY, len(told) + len(page)
    for each in (footer, group):
        _field(each, _ROWS).value = rows
    for each in abouts:
        _field(each, _VALUES).value = rows
    end = write_struct(footer)
    return body + told + page + end + len(end).to_bytes(4, "little") + b"PAR1"


def _decoyed(file: bytes) -> bytes:
    """The same, whose footer says in a place that means nothing what harmless columns say of themselves."""
    length = int.from_bytes(file[-8:-4], "little")
    footer, _ = read_struct(file[-8 - length : -8])
    names = [b"time", b"value", b"n", b"score", b"sensor", b"prediction", b"model_version"]
    _field(footer, 6).value = b"".join(b"\x18%c%b\x15\x02" % (len(name), name) for name in names)
    end = write_struct(footer)
    return file[: -8 - length] + end + len(end).to_bytes(4, "little") + b"PAR1"


def _field(struct: Node, number: int) -> Node:
    found: Node = next(node for field, node in struct.value if field == number)
    return found
