"""Reads thousands of broken readings files, and says what came of it: a program, for its memory is its own.

Arguments: format, number of files, seed. Each file is a good one with bits turned, parts cut out, doubled or
put in from another, or with what readers stumble over. Writes one line of JSON; a traceback is a finding.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
from collections import Counter
from typing import Any

from reading_files import array_bytes, csv_bytes, gzipped, lines_bytes, parquet_bytes
from scorer.contract import SensorError
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import MAX_REJECTS, Reader, Readings
from scorer.sources import File, Found, SharedFile
from scorer.storage.memory import MemoryStore
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
FORMATS = {"Parquet": parquet_bytes, "CSV": csv_bytes, "JSONLines": lines_bytes, "JSON": array_bytes}
REASONS = {"ReadingsCorrupt", "SchemaMismatch", "ReadingsTooLarge"}
STUMBLES = [
    b"\x00", b'"', b"\n", b"\r\n", b",", b"{", b"}", b"[", b"]", b"\\", b"\xff\xfe", b"\xef\xbb\xbf",
    b"null\n", b"NaN", b"-", b"1e999999", b"9" * 5000, b"[" * 5000, b'{"a":' * 5000, b"," * 3000,
    b'"' + b"x" * 200_000, b"\xed\xa0\x80", b'"\\ud800"', b"PAR1", b"\x1f\x8b\x08", b"2026-01-01T12:00:01Z",
    b"0001-01-01 00:00:00",
]  # fmt: skip

ROWS: list[dict[str, Any]] = [
    {
        "time": f"2026-01-01T12:{n:02}:00Z",
        "sensor": f"s{n % 3}",
        "n": n % 3,
        "value": n / 4,
        "note": "ä" * (n % 5),
    }
    for n in range(1, 50)
]


def good_files(form: str) -> list[bytes]:
    """Small good files of a format, of different kinds."""
    write: Any = FORMATS[form]
    files = [write(ROWS), write(ROWS[:1]), write([{**row, "time": row["time"][:19]} for row in ROWS])]
    if form == "Parquet":
        import io
        from datetime import datetime

        import pyarrow as pa
        import pyarrow.parquet as pq

        times = pa.array([datetime.fromisoformat(row["time"]) for row in ROWS], pa.timestamp("us", tz="UTC"))
        table = pa.Table.from_pylist(ROWS).set_column(0, "time", times)
        for options in ({}, {"compression": "zstd"}, {"use_dictionary": False}, {"row_group_size": 7}):
            sink = io.BytesIO()
            pq.write_table(table, sink, **options)  # type: ignore[arg-type]
            files.append(sink.getvalue())
        return files
    return [*files, *(gzipped(lambda _, data=data: data)([]) for data in files[:2])]  # type: ignore[misc]


def mutated(good: list[bytes], source: random.Random) -> bytes:
    """One of the files, broken in a few places."""
    data = bytearray(source.choice(good))
    # What moves the bytes after it ends a Parquet file at once: mostly they stay where they are.
    ways = [0, 1, 7] if data[:4] == b"PAR1" and source.random() < 0.8 else range(9)
    for _ in range(source.choice([1, 1, 1, 2, 5])):
        if not data:
            break
        at, more = source.randrange(len(data)), source.randrange(1, 64)
        match source.choice(ways):
            case 0:
                data[at] = source.randrange(256)
            case 1:
                data[at] ^= 1 << source.randrange(8)
            case 2:
                del data[at : at + more]
            case 3:
                del data[at:]
            case 4:
                data[at:at] = data[source.randrange(len(data)) :][:more]
            case 5:
                other = source.choice(good)
                data[at:at] = other[source.randrange(len(other)) :][:more]
            case 6:
                data[at:at] = source.choice(STUMBLES)
            case 7:  # numbers that say how much there is
                data[at : at + 4] = struct.pack(
                    "<I", source.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**24])
                )
            case _:  # the same as Parquet's footer has them
                data[at:at] = b"\xff" * source.randrange(1, 9) + b"\x7f"
    return bytes(data)


def read(form: str, data: bytes, number: int) -> Readings:
    """In turn as a sensor's own file, a shared one, one read in ranges, and by guessing its format."""
    kind = number % 4
    zone = "Europe/Berlin" if number % 3 == 0 else "UTC"
    columns = Columns(sensor="s{n}" if number % 5 == 0 else "sensor")
    source = ReadingsSource("{sensor}", "Auto" if kind == 3 else form, columns=columns, time_zone=zone)
    reader = Reader(source, SPAN)
    if kind in (0, 3):
        return reader.read(Found((File("r/x", "", data),), ()), "s1", ["value"])
    store = MemoryStore()
    file = SharedFile(store, "r/x", store.put("r/x", data), len(data), data if kind == 1 else None)
    return reader.read(Found((file,), (), ("s1", "s2")), "s1", ["value"], accepts_missing=number % 2 == 0)


def check(readings: Readings) -> None:
    """What holds of all readings, however broken their file."""
    rows = readings.rows
    assert rows.read == rows.scored + rows.rejected + rows.duplicate
    assert sum(readings.rejected.values()) == rows.rejected
    assert len(readings.rejects) == min(rows.rejected, MAX_REJECTS)
    assert len(readings.times) == len(readings.values) == rows.scored


def check_refusal(refusal: SensorError) -> None:
    """What holds of all refusals."""
    assert refusal.reason in REASONS, refusal.reason
    assert refusal.message.isprintable(), refusal.message
    assert "r/x" in refusal.message, refusal.message
    assert len(refusal.message) < 700, refusal.message


def main(form: str, count: int, seed: int) -> None:
    """Reads the files and writes what came of them."""
    source = random.Random(seed)  # noqa: S311 (the same files every time)
    good = good_files(form)
    for number, data in enumerate(good * 4):
        check(read(form, data, number))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    came: Counter[str] = Counter()
    for number in range(count):
        data = mutated(good, source)
        try:
            check(read(form, data, number))
            came["read"] += 1
        except SensorError as refusal:
            came[refusal.reason] += 1
            check_refusal(refusal)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"came": came, "grownMiB": (after - before) / 1024}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
