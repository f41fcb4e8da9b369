"""A day's anomalies of 20,000 sensors, counted by DuckDB from the scorer's sharded output.

The day is written by the scorer's own writer of shards: 24 windows of an hour, in each a reading a minute of
every sensor with one feature, 1 % of them flagged, in 16 shards. That is 28.8 million rows in 384 files.
Counting is `select count(*) … where prediction = 1`, files just written (warm), DuckDB as it comes, in a
process of its own; its start and import are not counted, opening and reading the files is. The reference is
the same count over one file a sensor, of 1,000 sensors and one hour, times 480: nobody waits for the rest.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
from figures import Figure

from delivering import prediction
from scorer.contract.paths import output_path, shard_of, shard_path
from scorer.sensor_rows import SensorRows
from scorer.shards import write_shard
from scorer.window import Window

SENSORS, HOURS, ROWS, SHARDS = 20_000, 24, 60, 16
FLAGGED = 0.01
OWN_FILES = 1_000
REPEATS = 5
BAR_SECONDS = 2.0
DAY = datetime(2026, 1, 1, tzinfo=UTC)
SHARED_PATH = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"
OWN_PATH = "own/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
COUNT = "select count(*) from read_parquet('{}') where prediction = 1"
BY_SENSOR = "select sensor, count(*) from read_parquet('{}') where prediction = 1 group by sensor"
COMMAND = "make bench"


def measure() -> Sequence[Figure]:
    """Writes a day, and counts its anomalies."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = [f"device-{number // 5}-tag-{number % 5}" for number in range(SENSORS)]
        flagged = _write_day(folder, names)
        _write_own(folder, names[:OWN_FILES])
        files = list(folder.glob("predictions/**/*.parquet"))
        size = sum(file.stat().st_size for file in files)
        sys.stderr.write(
            f"sharded-read: {SENSORS * HOURS * ROWS:,} rows, {flagged:,} anomalies, {len(files)} files, "
            f"{size / 2**20:,.0f} MiB\n"
        )
        shared = f"{folder}/predictions/2026/01/01/*/part-*.parquet"
        count = _seconds(lambda: _checked(COUNT.format(shared), (flagged,)))
        by_sensor = _seconds(lambda: _checked(BY_SENSOR.format(shared), None))
        own = _seconds(lambda: _checked(COUNT.format(f"{folder}/own/2026/01/01/00/*.parquet"), None))
    reference = f"one file a sensor: {OWN_FILES:,} files, times {SENSORS * HOURS // OWN_FILES}"
    scaled = own * SENSORS * HOURS / OWN_FILES
    return [
        Figure("sharded-read", count, "s", reference, scaled, BAR_SECONDS, COMMAND),
        Figure("sharded-read-by-sensor", by_sensor, "s", reference, scaled, BAR_SECONDS, COMMAND),
    ]


def _write_day(folder: Path, names: Sequence[str]) -> int:
    """All shards of all hours; how many rows are flagged."""
    members: list[list[str]] = [[] for _ in range(SHARDS)]
    for name in sorted(names):
        members[shard_of(name, SHARDS)].append(name)
    random, flagged = np.random.default_rng(1), 0
    for hour in range(HOURS):
        window = Window(DAY + timedelta(hours=hour), DAY + timedelta(hours=hour + 1))
        for shard, sensors in enumerate(members):
            rows = list(_rows(sensors, window, random))
            flagged += sum(found.anomalies for _, found in rows)
            file = folder / shard_path(SHARED_PATH, shard, window)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(write_shard(rows, ["value"]).data)
    return flagged


def _rows(
    sensors: Sequence[str], window: Window, random: np.random.Generator
) -> Iterator[tuple[str, SensorRows]]:
    """An hour of so many sensors."""
    start = int(window.start.timestamp()) * 1_000_000
    times = start + np.arange(1, ROWS + 1) * 60_000_000
    shape = (len(sensors), ROWS)
    values, scores = random.normal(10, 1, shape).round(3), random.normal(-1, 0.3, shape)
    flagged = (random.random(shape) < FLAGGED).astype(np.int8)
    for place, sensor in enumerate(sensors):
        version = f"20260101T000000Z-{place:08x}"
        yield (
            sensor,
            SensorRows(("value",), version, times, values[place][:, None], flagged[place], scores[place]),
        )


def _write_own(folder: Path, names: Sequence[str]) -> None:
    """The first hour of some sensors, one file each."""
    window = Window(DAY, DAY + timedelta(hours=1))
    for sensor, rows in _rows(names, window, np.random.default_rng(1)):
        file = folder / output_path(OWN_PATH, sensor, window)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(prediction(rows).encode())


def _checked(query: str, wanted: tuple[int, ...] | None) -> None:
    found = duckdb.connect().execute(query).fetchall()
    if not found or (wanted is not None and found != [wanted]):
        raise RuntimeError(f"DuckDB counted {found}, wanted {wanted}: {query}")


def _seconds(work: Callable[[], None]) -> float:
    """The median of some goes, after one that does not count."""
    work()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
