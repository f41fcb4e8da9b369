"""Thousands of broken files of each format end in a named reason, in bounded memory, and no process dies."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hostile_readings
from reading_files import lines_bytes, parquet_bytes
from scorer.contract import SensorError
from scorer.contract.work import ReadingsSource
from scorer.readings import read_readings
from scorer.readings.footer import largest_page, read_footer
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
FILES = 2_500
MEMORY_MIB = 128
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("form", list(hostile_readings.FORMATS))
def test_broken_files_end_in_a_reason(form: str) -> None:
    program = [sys.executable, str(ROOT / "tests" / "hostile_readings.py"), form, str(FILES), "7"]
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "scorer")])
    done = subprocess.run(
        program, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert sum(found["came"].values()) == FILES
    assert found["came"]["ReadingsCorrupt"] > FILES / 10
    assert found["came"]["read"] > FILES / 10
    assert found["grownMiB"] < MEMORY_MIB


def zeros(rows: int, **options: object) -> bytes:
    """A small Parquet file of many equal rows."""
    times = pa.array(np.full(rows, 1_767_268_860_000_000), pa.timestamp("us", tz="UTC"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"time": times, "value": np.zeros(rows)}), sink, use_dictionary=False, **options)
    return sink.getvalue()


def test_a_page_that_inflates_to_too_much_is_refused_whatever_the_footer_says_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The footer says 5 rows; Arrow would inflate a whole page to read them."""
    data = zeros(200_000, compression="zstd")
    assert len(data) < 10_000
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    # 200,000 as Thrift's zigzag varint of three bytes, and 5 in as many.
    lying = footer.replace(b"\x80\xb5\x18", b"\x8a\x80\x00")
    assert lying != footer
    lies = [("a.parquet", data[: -8 - length] + lying + data[-8:])]
    assert read_readings(lies, ["value"], SPAN).rows.read == 5
    monkeypatch.setattr("scorer.readings.parquet_files.MAX_PAGE_BYTES", 100_000)
    with pytest.raises(SensorError, match="a page of 160008 bytes: wanted at most 100000") as refusal:
        read_readings(lies, ["value"], SPAN)
    assert refusal.value.reason == "ReadingsTooLarge"


def test_sentences_are_of_one_line_whatever_a_file_calls_its_columns() -> None:
    rows = [{"time": "2026-01-01T12:00:01Z", "a\nb": 1, "\ud800": 2}]
    for name, data in (
        ("a.jsonl", lines_bytes(rows)),
        ("a.parquet", parquet_bytes([{"time": "", "a\nb": 1}])),
    ):
        with pytest.raises(SensorError, match="not there") as refusal:
            read_readings([(name, data)], ["value"], SPAN)
        assert refusal.value.message.isprintable()


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_compression_is_read(compression: str, version: str) -> None:
    data = zeros(10, compression=compression, data_page_version=version)
    assert read_readings([("a.parquet", data)], ["value"], SPAN).rows.read == 10


def test_a_footer_is_read_as_arrow_reads_it() -> None:
    rows = [{"n": n, "text": f"ü{n // 7:03}", "x": None if n % 5 else n / 2} for n in range(1000)]
    data = parquet_bytes(rows, row_group_size=300, compression="zstd")
    groups = read_footer(lambda start, length: data[start : start + length], len(data))
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    assert [group.rows for group in groups] == [300, 300, 300, 100]
    for number, group in enumerate(groups):
        for place, name in enumerate(("n", "text", "x")):
            wanted = metadata.row_group(number).column(place)
            found = group.chunks[name]
            assert (found.length, found.inflated) == (
                wanted.total_compressed_size,
                wanted.total_uncompressed_size,
            )
            pages = (wanted.dictionary_page_offset, wanted.data_page_offset)
            assert found.start == min(page for page in pages if page is not None)
            assert 0 < largest_page(data, found.start, found.start + found.length) <= found.inflated
        assert group.chunks["text"].least == metadata.row_group(number).column(1).statistics.min.encode()
        assert int.from_bytes(group.chunks["n"].greatest or b"", "little") == min(number * 300 + 299, 999)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1" * 3,
        b"PAR1" + b"\xff" * 4 + b"PAR1",
        b"\x19" * 100 + (100).to_bytes(4, "little") + b"PAR1",  # lists of lists
        b"\x1c" * 100 + (100).to_bytes(4, "little") + b"PAR1",  # structs of structs
        b"\x19\xf8\xff\xff\xff\xff\x0f\x00" + (8).to_bytes(4, "little") + b"PAR1",  # 4 billion texts
        b"\x15" + b"\xff" * 20 + (21).to_bytes(4, "little") + b"PAR1",  # an endless number
        b"\x00" + (1).to_bytes(4, "little") + b"PAR1",  # nothing
    ],
)
def test_what_is_no_footer_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="footer of Parquet"):
        read_footer(lambda start, length: data[start : start + length], len(data))


def test_a_column_of_endless_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.readings.footer.MAX_PAGES", 10)
    page = b"\x15\x00\x15\x02\x15\x00\x00"
    assert largest_page(page * 9, 0, len(page) * 9) == 1
    with pytest.raises(ValueError, match="more than 10 pages"):
        largest_page(page * 11, 0, len(page) * 11)
    with pytest.raises(ValueError, match="beyond the file's end"):
        largest_page(page[:-1], 0, 6)


def test_the_line_that_ends_arrow_s_process_is_a_bad_record() -> None:
    source = ReadingsSource("{sensor}", "JSONLines")
    data = b'{"time": "2026-01-01T12:00:01Z", "value": 1}\nnull\n'
    assert read_readings([("a", data)], ["value"], SPAN, source).rejected == {"MalformedRow": 1}
