"""`read-*`: readings of each format to clean rows, against pandas; and a pack's share of a shared file.

The first are 10,000 rows of 10 features of one sensor; pandas only decodes, it checks and sorts nothing. The
shared file is 1,000 sensors of 1,185 rows, read by a pod of 50 of them, against pandas with a filter.

    PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py read-formats
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from figures import Figure
from score_timing import measured, medians

from reading_files import array_bytes, gzipped, lines_bytes
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader, read_readings
from scorer.sources import Sources
from scorer.storage.memory import MemoryStore
from scorer.window import window

ROWS, FEATURES = 10_000, 10
SENSORS, SENSOR_ROWS, PACK = 1_000, 1_185, 50
TURNS = 25
COMMAND = "make bench"
SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
START = np.datetime64("2026-01-01T12:00:00", "us")
REFERENCE = Columns("TS", "device-{Device}-tag-{Tag}", {"value": "Value"})
WANTED = [f"device-{device}-tag-{tag}" for device in range(61, 71) for tag in range(1, 6)]


def measure() -> list[Figure]:
    """Milliseconds of CPU each."""
    told = measured(Path(__file__))
    return [
        Figure(f"read-{name}", ours * 1000, "ms", f"pandas; {size:,} bytes", theirs * 1000, None, COMMAND)
        for name, ours, theirs, size in told
    ]


def one_sensor() -> dict[str, tuple[str, bytes, Callable[[bytes], Any]]]:
    """Name, bytes and pandas' way of each format."""
    rng = np.random.default_rng(1)
    names = [f"f{n}" for n in range(FEATURES)]
    times = START + (np.arange(1, ROWS + 1) * (3_600_000_000 // ROWS)).astype("timedelta64[us]")
    columns = {name: np.round(rng.normal(50, 10, ROWS), 3) for name in names}
    table = pa.table({"time": pa.array(times, pa.timestamp("us", tz="UTC")), **columns})
    texts = [f"{time}Z" for time in times]
    rows = [
        dict(zip(["time", *names], row, strict=True))
        for row in zip(texts, *(c.tolist() for c in columns.values()), strict=True)
    ]
    text = io.BytesIO()
    arrow_csv.write_csv(table.set_column(0, "time", pa.array(texts)), text)
    stored = io.BytesIO()
    pq.write_table(table, stored)

    def as_json(lines: bool) -> Callable[[bytes], Any]:
        return lambda data: pd.read_json(io.BytesIO(data), lines=lines)

    def as_csv(data: bytes) -> Any:
        return pd.read_csv(io.BytesIO(data), parse_dates=["time"])

    def as_csv_gzip(data: bytes) -> Any:
        return pd.read_csv(io.BytesIO(data), parse_dates=["time"], compression="gzip")

    return {
        "parquet": ("a.parquet", stored.getvalue(), lambda data: pd.read_parquet(io.BytesIO(data))),
        "csv": ("a.csv", text.getvalue(), as_csv),
        "csv-gzip": ("a.csv.gz", gzipped(lambda _: text.getvalue())(()), as_csv_gzip),
        "json-lines": ("a.jsonl", lines_bytes(rows), as_json(True)),
        "json-array": ("a.json", array_bytes(rows), as_json(False)),
    }


def shared_table() -> pa.Table:
    """In order of sensor, with the Azure reference's columns."""
    devices = SENSORS // 5
    steps = np.arange(1, SENSOR_ROWS + 1) * 3_000
    return pa.table(
        {
            "TS": np.tile(START.astype("datetime64[ms]") + steps.astype("timedelta64[ms]"), SENSORS),
            "Device": np.repeat(np.arange(1, devices + 1), 5 * SENSOR_ROWS),
            "Tag": np.tile(np.repeat(np.arange(1, 6), SENSOR_ROWS), devices),
            "Value": np.round(np.random.default_rng(2).normal(50, 10, SENSORS * SENSOR_ROWS), 2),
        }
    )


def shared_files() -> dict[str, tuple[str, bytes]]:
    """The same rows in several ways: name and bytes."""
    table = shared_table()
    by_time = table.take(pa.array(np.argsort(table["TS"].to_numpy(), kind="stable")))

    def parquet(rows: pa.Table, group: int) -> bytes:
        sink = io.BytesIO()
        pq.write_table(rows, sink, row_group_size=group)
        return sink.getvalue()

    text = io.BytesIO()
    arrow_csv.write_csv(by_time, text)
    return {
        "shared-parquet-by-sensor": ("x.parquet", parquet(table, PACK * SENSOR_ROWS)),
        "shared-parquet-by-time": ("x.parquet", parquet(by_time, 1_000_000)),
        "shared-csv-by-time": ("x.csv", text.getvalue()),
    }


def read_pack(store: MemoryStore, path: str) -> None:
    """All of the pack's sensors, as a pod reads them."""
    source = ReadingsSource(path, columns=REFERENCE)
    sources, reader = Sources(store, source, SPAN, WANTED), Reader(source, SPAN)
    rows = sum(reader.read(sources.find(sensor), sensor, ["value"]).rows.scored for sensor in WANTED)
    assert rows == PACK * SENSOR_ROWS, rows


def filtered(path: str, data: bytes) -> Any:
    """The same rows by pandas."""
    if path.endswith(".csv"):
        frame = pd.read_csv(io.BytesIO(data), parse_dates=["TS"])
        return frame[frame["Device"].between(61, 70)]
    return pd.read_parquet(io.BytesIO(data), filters=[("Device", ">=", 61), ("Device", "<=", 70)])


def main() -> None:
    """Prints name, seconds, pandas' seconds and bytes of each."""
    found: list[tuple[str, float, float, int]] = []
    features = [f"f{n}" for n in range(FEATURES)]

    def timed(name: str, ours: Callable[[], object], theirs: Callable[[], object], data: bytes) -> None:
        seconds = medians({"ours": ours, "theirs": theirs}, TURNS)
        found.append((name, seconds["ours"], seconds["theirs"], len(data)))

    for name, (path, data, other) in one_sensor().items():
        files: Sequence[tuple[str, bytes]] = [(path, data)]
        timed(
            name,
            lambda files=files: read_readings(files, features, SPAN),  # type: ignore[misc]
            lambda data=data, other=other: other(data),  # type: ignore[misc]
            data,
        )
    for name, (path, data) in shared_files().items():
        store = MemoryStore()
        store.put(path, data)
        timed(
            name,
            lambda store=store, path=path: read_pack(store, path),  # type: ignore[misc]
            lambda path=path, data=data: filtered(path, data),  # type: ignore[misc]
            data,
        )
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
