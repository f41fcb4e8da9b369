"""Readings files of every format, made from the same rows, for tests of those who read them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = Sequence[Mapping[str, Any]]


def csv_bytes(rows: Rows, delimiter: str = ",", end: str = "\n") -> bytes:
    """A CSV file; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def lines_bytes(rows: Rows) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def array_bytes(rows: Rows) -> bytes:
    """An array of JSON objects, as Stream Analytics writes it."""
    return ("[" + ",\r\n".join(map(json.dumps, rows)) + "]").encode()


def parquet_bytes(rows: Rows, **options: Any) -> bytes:
    """A Parquet file; texts stay texts."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(map(dict, rows))), sink, **options)
    return sink.getvalue()


def gzipped(write: Callable[[Rows], bytes]) -> Callable[[Rows], bytes]:
    """The same, compressed; always the same bytes."""
    return lambda rows: gzip.compress(write(rows), mtime=0)


WRITERS: dict[str, tuple[str, Callable[[Rows], bytes]]] = {
    "parquet": ("a.parquet", parquet_bytes),
    "csv": ("a.csv", csv_bytes),
    "csv;": ("a.csv", lambda rows: csv_bytes(rows, ";")),
    "csv tab": ("a.csv", lambda rows: csv_bytes(rows, "\t")),
    "csv |": ("a.csv", lambda rows: csv_bytes(rows, "|", "\r\n")),
    "csv.gz": ("a.csv.gz", gzipped(csv_bytes)),
    "csv with a mark": ("a.csv", lambda rows: b"\xef\xbb\xbf" + csv_bytes(rows)),
    "lines": ("a.jsonl", lines_bytes),
    "lines called json": ("a.json", lines_bytes),
    "lines.gz": ("a.ndjson.gz", gzipped(lines_bytes)),
    "array": ("a.json", array_bytes),
    "array without end": ("a.json", lambda rows: array_bytes(rows)[:-1]),
    "array in one line": ("a.json", lambda rows: json.dumps(list(rows)).encode()),
    "array of pretty objects": ("a.json", lambda rows: json.dumps(list(rows), indent=2).encode()),
    "array.gz, by another name": ("a.bin", gzipped(array_bytes)),
    "parquet without ending": ("a", parquet_bytes),
    "csv without ending": ("a", csv_bytes),
    "lines without ending": ("a", lines_bytes),
    "array with a mark, without ending": ("a", lambda rows: b"\xef\xbb\xbf " + array_bytes(rows)),
}
"""A file's name and how it is written, by format."""
