"""A file that is another than its name says: told by its first bytes, whatever way it came."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from reading_files import csv_bytes, lines_bytes, parquet_bytes
from scorer.contract import Rows, SensorError
from scorer.contract.work import ReadingsSource
from scorer.readings import read_readings
from scorer.readings.magic import kind_of
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
GOOD = [{"time": f"2026-01-01T12:{n:02}:00Z", "value": n / 4} for n in range(1, 60)]
PARQUET, CSV, LINES = parquet_bytes(GOOD), csv_bytes(GOOD), lines_bytes(GOOD)


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "form", "data", "says"),
    [
        ("a.csv", "Auto", PARQUET, r"a\.csv are Parquet: they begin b'PAR1.*wanted CSV or JSON"),
        ("a.jsonl", "Auto", PARQUET, "are Parquet"),
        ("a.csv.gz", "Auto", gzip.compress(PARQUET), "are Parquet"),
        ("a", "CSV", PARQUET, "are Parquet"),
        ("a", "JSON", PARQUET, "are Parquet"),
        ("a.parquet", "Auto", CSV, r"are text: they begin b'time,val', wanted Parquet"),
        ("a.parquet", "Auto", LINES, "are text"),
        ("a", "Parquet", CSV, "are text"),
        ("a.parquet", "Auto", gzip.compress(PARQUET), r"are gzip: they begin b'\\x1f\\x8b"),
        ("a.parquet", "Auto", gzip.compress(CSV), "are gzip"),
        ("a.parquet", "Auto", zipped(PARQUET), "are a ZIP archive"),
        ("a.parquet", "Auto", b"\0" * 100, "are something else"),
        ("a.csv", "Auto", zipped(CSV), "are a ZIP archive"),
        ("a.csv", "Auto", lzma.compress(CSV), "are xz"),
        ("a.csv.bz2", "Auto", bz2.compress(CSV), "are bzip2"),
        ("a.txt", "Auto", b"Obj\x01" + b"\0" * 30, "are Avro"),
    ],
)
def test_a_file_that_is_another_than_it_says(name: str, form: str, data: bytes, says: str) -> None:
    with pytest.raises(SensorError, match=says) as refusal:
        read_readings([(name, data)], ["value"], SPAN, ReadingsSource("{sensor}", form))
    assert refusal.value.reason == "ReadingsCorrupt"
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", gzip.compress(CSV)),
        ("a.csv.gz", CSV),
        ("a.json", gzip.compress(LINES)),
        ("a.txt", PARQUET),
        ("a", PARQUET),
    ],
)
def test_what_can_be_told_for_sure_is_read(name: str, data: bytes) -> None:
    assert read_readings([(name, data)], ["value"], SPAN).rows == Rows(59, 59)


def test_columns_may_be_called_as_files_begin() -> None:
    data = CSV.replace(b"value", b"PAR1")
    assert data.startswith(b"time,PAR1")
    turned = b"\n".join(b",".join(reversed(line.split(b","))) for line in data.split()) + b"\n"
    assert turned.startswith(b"PAR1,time")
    assert read_readings([("a.csv", turned)], ["PAR1"], SPAN).rows == Rows(59, 59)


@pytest.mark.parametrize("begin", [b"", b"PA", b"PAR1", b"BZh,time,value\n1"])
def test_text_is_of_no_kind(begin: bytes) -> None:
    assert kind_of(begin) == ""
