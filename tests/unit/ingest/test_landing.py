"""How readings land: every format and layout is read by the scorer as it was merged; sizes, index, marker."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest

from scorer.contract.work import ReadingsSource
from scorer.ingest.checks import SettingsError
from scorer.ingest.hours import Source, counted, readings_of
from scorer.ingest.landing import (
    AUTO,
    CSV,
    FORMATS,
    JSON_LINES,
    PARQUET,
    PER_SENSOR,
    SHARDED,
    Landing,
    checked,
    files,
    layout_for,
)
from scorer.ingest.merge import Readings
from scorer.ingest.parts import encode, part_name
from scorer.ingest.settings import Column
from scorer.ingest.windows import Closed
from scorer.readings import Reader
from scorer.sources import Sources
from scorer.storage.memory import MemoryStore
from scorer.window import window
from unit.ingest.crashing import PLACES, Replica, a_hub, end_of, engine, landed
from unit.ingest.partitions import NOON, SECOND

HOUR = NOON // 3_600_000_000
SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
SUFFIX = {PARQUET: "parquet", CSV: "csv", JSON_LINES: "jsonl"}


def some(sensors: int, rows: int, odd: float = np.nan) -> Readings:
    """So many rows of each sensor, one of which has no value."""
    values = np.arange(sensors * rows, dtype=np.float64) / 7
    if len(values):
        values[1] = odd
    times = NOON + SECOND * (1 + np.arange(rows))
    return Readings(
        [f"s{number:05}" for number in range(sensors)],
        np.repeat(np.arange(sensors), rows),
        np.tile(times, sensors),
        {"value": values, "count": np.full(len(values), 3)},
        3 * len(values),
    )


def read(store: MemoryStore, landing: Landing, layout: str, sensors: list[str]) -> dict[str, Any]:
    path = landing.template(layout).replace("part-{shard}", "*")
    source = ReadingsSource(path)
    sources, reader = Sources(store, source, SPAN, sensors), Reader(source, SPAN)
    return {sensor: reader.read(sources.find(sensor), sensor, ["value", "count"]) for sensor in sensors}


@pytest.mark.parametrize("layout", [PER_SENSOR, SHARDED])
@pytest.mark.parametrize("form", FORMATS)
def test_the_scorer_reads_what_has_landed(form: str, layout: str) -> None:
    store, readings, landing = MemoryStore(), some(7, 300), Landing(form, layout, shard_rows=1_000)
    for file in files(readings, landing, layout, HOUR):
        store.put(file.path, file.data)
    found = read(store, landing, layout, list(readings.names))
    for place, name in enumerate(readings.names):
        rows = readings.sensors == place
        good = rows & ~np.isnan(readings.columns["value"])
        assert (
            found[name].values.tobytes()
            == np.stack(
                [readings.columns["value"][good], readings.columns["count"][good].astype(np.float64)], axis=1
            ).tobytes()
        )
        assert (
            found[name].times.astype("datetime64[us]").astype(np.int64).tolist()
            == readings.times[good].tolist()
        )
        assert sum(found[name].rejected.values()) == int(rows.sum()) - int(good.sum())


def stretches(counts: dict[str, list[int]], most: int) -> list[Readings]:
    """An hour of which each partition has so many windows of each sensor, in parts of 50 rows."""
    store, listed = MemoryStore(), {}
    for partition, sensors in counts.items():
        names = [f"s{number:03}" for number in range(len(sensors))]
        places = np.repeat(np.arange(len(sensors)), sensors)
        ends = np.concatenate([NOON + SECOND * (1 + np.arange(count)) for count in sensors])
        kept = {"count": np.ones(len(places), np.uint32), "sum.0": np.arange(len(places)) / 3}
        listed[partition] = []
        for start in range(0, len(places), 50):
            rows = slice(start, start + 50)
            part = Closed(
                names, places[rows], ends[rows], {name: column[rows] for name, column in kept.items()}
            )
            data = encode(partition, HOUR, part)
            listed[partition].append(part_name(start, start, data))
            store.put(PLACES.part(partition, HOUR, listed[partition][-1]), data)
    source = Source(store, PLACES, HOUR, listed)
    found = counted(source, most)
    assert (found.held is None) == (sum(found.rows) > most)
    return list(readings_of(source, found, [Column("value", "avg", 0)], most))


def test_an_hour_is_merged_in_stretches_of_whole_sensors() -> None:
    counts = {"0": [30] * 25, "1": [0, 60] + [0] * 23}
    found = stretches(counts, 100)
    assert [len(each.times) for each in found] == [30, 60, *[90] * 7, 60]
    (whole,) = stretches(counts, 1_000)
    assert [name for each in found for name in each.names] == list(whole.names)
    assert b"".join(each.times.tobytes() for each in found) == whole.times.tobytes()
    assert b"".join(each.columns["value"].tobytes() for each in found) == whole.columns["value"].tobytes()
    assert sum(each.events for each in found) == whole.events


def test_a_sensor_larger_than_a_stretch_has_one_of_its_own() -> None:
    assert [list(each.names) for each in stretches({"0": [10, 300, 10, 10]}, 100)] == [
        ["s000"],
        ["s001"],
        ["s002", "s003"],
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_shard_holds_its_sensors_in_order(form: str) -> None:
    (file,) = files(some(25, 300), Landing(form), SHARDED, HOUR, 3)
    assert file.names == [f"s{number:05}" for number in range(25)]
    assert (file.rows, file.path) == (7_500, f"readings/2026/01/01/12/part-00003.{SUFFIX[form]}")


def test_many_shards_are_one_hour() -> None:
    hub = a_hub(2)
    one, many = MemoryStore(), MemoryStore()
    Replica(one, hub, engine(), "r", 1, Landing(CSV, SHARDED)).finish(end_of(hub))
    Replica(many, hub, engine(), "r", 1, Landing(CSV, SHARDED, shard_rows=20)).finish(end_of(hub))
    found = landed(many)
    assert any(path.endswith("part-00002.csv") for path in found)
    for path, data in landed(one).items():
        if path.endswith(".csv"):
            shards = [shard for shard in sorted(found) if shard.rpartition("/")[0] == path.rpartition("/")[0]]
            lines = [found[shard].splitlines()[1:] for shard in shards if shard.endswith(".csv")]
            assert [line for shard in lines for line in shard] == data.splitlines()[1:]


def test_a_shards_row_groups_hold_whole_sensors() -> None:
    import pyarrow.parquet as pq
    from pyarrow import BufferReader

    (file,) = files(some(100, 1_500), Landing(), SHARDED, HOUR)
    metadata = pq.ParquetFile(BufferReader(file.data)).metadata
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [64_500, 64_500, 21_000]
    assert [group.column(0).statistics.min for group in groups] == ["s00000", "s00043", "s00086"]


def test_the_index_and_the_marker_name_what_is_there_by_digest() -> None:
    hub, store = a_hub(2), MemoryStore()
    Replica(store, hub, engine(), "r", 1, Landing(layout=SHARDED)).finish(end_of(hub))
    found = landed(store)
    for marker in (path for path in found if path.endswith("_SUCCESS")):
        index = found[marker.replace("_SUCCESS", "_index.json")]
        told, success = orjson.loads(index), orjson.loads(found[marker])
        assert success["index"] == hashlib.sha256(index).hexdigest()
        assert sum(file["rows"] for file in told["files"]) == success["readings"]["rows"]
        for file in told["files"]:
            assert hashlib.sha256(found[file["path"]]).hexdigest() == file["sha256"]
        start, _, end = told["hour"].partition("/")
        hour = datetime.strptime(start, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert marker == f"readings/{hour:%Y/%m/%d/%H}/_SUCCESS"
        assert end > start


def test_landing_an_hour_again_changes_nothing_not_even_an_etag() -> None:
    hub, store = a_hub(2), MemoryStore()
    Replica(store, hub, engine(), "r", 1).finish(end_of(hub))
    before = list(store.list("readings"))
    for path in [entry.path for entry in store.list("ingest")]:
        store.delete(path)
    Replica(store, hub, engine(), "again", 2).finish(end_of(hub))
    assert list(store.list("readings")) == before


@pytest.mark.parametrize(
    ("given", "sensors", "layout"),
    [
        (AUTO, 1_000, PER_SENSOR),
        (AUTO, 1_001, SHARDED),
        (PER_SENSOR, 5_000, PER_SENSOR),
        (SHARDED, 1, SHARDED),
    ],
)
def test_above_a_thousand_sensors_the_layout_is_shards_unless_it_is_said(
    given: str, sensors: int, layout: str
) -> None:
    assert layout_for(Landing(layout=given), sensors) == layout


@pytest.mark.parametrize(
    ("landing", "said"),
    [
        (Landing(path="r/{yyyy}/{MM}/{dd}/{HH}/x.parquet"), "does not hold {sensor}"),
        (Landing(path="{sensor}/{yyyy}/{MM}/{dd}/{HH}/x.parquet"), "wanted {sensor} after the date"),
        (Landing(path="r/{yyyy}/{MM}/{dd}/{sensor}.parquet"), "in its folder"),
        (Landing(path="r/{yyyy}/{MM}/{dd}/{HH}/{HH}-{sensor}.parquet"), "the date in its folder only"),
        (Landing(path="r/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv"), "wanted .parquet"),
        (Landing(layout=PER_SENSOR, path="r/{yyyy}/{MM}/{dd}/{HH}/{shard}.parquet"), "is of layout Sharded"),
    ],
)
def test_paths_that_cannot_be_landed_at_are_refused(landing: Landing, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("{", r"\{")):
        checked(landing)


def test_an_own_path_says_the_layout() -> None:
    assert checked(Landing(path="r/{yyyy}/{MM}/{dd}/{HH}/{shard}.parquet")).layout == SHARDED
    assert checked(Landing(path="r/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet")).layout == PER_SENSOR
