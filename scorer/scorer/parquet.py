"""Parquet bytes to Arrow tables and back, by the classes that pyarrow.parquet itself is made of.

pyarrow.parquet's `ParquetFile` and `ParquetWriter` wrap these two; importing them imports every file system
that pyarrow can speak to, and OpenSSL with them: 25 ms and 6 MiB of a start that is to take 300 ms. The two
are not documented. The requirements pin pyarrow by digest, and what is used of it here is in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyarrow._parquet import ParquetReader, ParquetWriter


def open_parquet(data: bytes | pa.NativeFile, coded: Sequence[str] = ()) -> ParquetReader:
    """Reads the footer only. Raises what Arrow raises for bytes that are no Parquet file.

    Columns of text that are read as `coded` come as dictionaries and places in them.
    """
    source = pa.BufferReader(data) if isinstance(data, bytes) else data
    reader = ParquetReader()
    reader.open(source, use_memory_map=False, pre_buffer=False, read_dictionary=list(coded) or None)
    return reader


def row_counts(reader: ParquetReader) -> list[int]:
    """Rows of each row group, as the footer says."""
    return [int(reader.metadata.row_group(group).num_rows) for group in range(reader.num_row_groups)]


def row_groups(reader: ParquetReader, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The columns (flat ones), decoded one row group at a time."""
    indices = [reader.column_name_idx(name) for name in columns]
    for group in range(reader.num_row_groups):
        yield reader.read_row_group(group, column_indices=indices, use_threads=False)


def parquet_bytes(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    """A file of one table and one row group. Its metadata is the given one alone."""
    return grouped_bytes(table.schema, [table], metadata)


def grouped_bytes(
    schema: pa.Schema, groups: Iterable[pa.Table], metadata: Mapping[str, str], coded: Sequence[str] = ()
) -> bytes:
    """A file with one row group for each table, made one after the other, without Arrow's copy of the schema.

    Columns of few values are `coded` by a dictionary.
    """
    sink = pa.BufferOutputStream()
    writer = ParquetWriter(
        sink,
        schema,
        version="2.6",
        compression="snappy",
        use_dictionary=list(coded),
        store_schema=False,
        writer_engine_version="V2",
    )
    for table in groups:
        writer.write_table(table, row_group_size=len(table) or 1)
    writer.add_key_value_metadata(metadata)
    writer.close()
    return bytes(sink.getvalue())
