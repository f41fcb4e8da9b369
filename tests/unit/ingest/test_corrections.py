"""Hours that are corrected after they landed: what they come to, whatever dies, and what counts say of it."""

from __future__ import annotations

import hashlib
import random
from functools import cache

import orjson
import pytest

from scorer.ingest import records
from scorer.ingest.accounting import Counts, total
from scorer.ingest.landing import CSV, PER_SENSOR, SHARDED, Landing
from scorer.ingest.settings import Settings
from scorer.storage.memory import MemoryStore
from unit.ingest import crashing
from unit.ingest.crashing import (
    BEHIND,
    PLACES,
    FaultyStore,
    Hub,
    Replica,
    a_hub,
    dies_after,
    end_of,
    events_of,
    fails,
    landed,
    rob_each_other,
    try_on,
    until_one_lives,
)
from unit.ingest.partitions import MINUTE, NOON

LATE = (*BEHIND, *BEHIND, 40 * MINUTE, 90 * MINUTE, 170 * MINUTE)
EACH, SHARDS = Landing(CSV, PER_SENSOR), Landing(CSV, SHARDED, shard_rows=40)
HOUR = 60 * MINUTE


def engine(over: bool = False) -> Settings:
    return crashing.engine(
        over,
        crashing.COLUMNS | {"from": "first"},
        onLateArrival="Correct",
        onOutOfOrder="Correct",
        corrections={"horizon": "24h", "every": "1s"},
    )


@cache
def a_late_hub(seed: int) -> Hub:
    return a_hub(seed, events=100, behind=LATE)


@cache
def patient(seed: int, landing: Landing) -> dict[str, bytes]:
    """What lands if windows wait for all that comes."""
    hub, store = a_late_hub(seed), MemoryStore()
    given = engine()
    waits = given.ordering._replace(late=5 * HOUR, out_of_order=5 * HOUR)
    Replica(store, hub, given._replace(ordering=waits), "calm", 0, landing).finish(end_of(hub) + 5 * HOUR)
    return landed(store)


def readings(found: dict[str, bytes]) -> dict[str, bytes]:
    """Files of readings and their index; of shards, whose cuts go by what was there first, the rows."""
    files = {path: data for path, data in found.items() if not path.endswith(("_SUCCESS", "_corrected.csv"))}
    if not any("/part-" in path for path in files):
        return {path: data for path, data in files.items() if rows_of(data)}
    rows: dict[str, bytes] = {}
    for path, data in sorted(files.items()):
        if path.endswith(".csv"):
            folder = path.rpartition("/")[0]
            rows[folder] = rows.get(folder, b"") + data.partition(b"\n")[2]
    return rows


def rows_of(data: bytes) -> bool:
    """Whether it is no index of nothing: hours before the first one land only where there is something."""
    return not (data[:1] == b"{" and not orjson.loads(data)["files"])


def markers(found: dict[str, bytes]) -> dict[str, dict[str, dict[str, int]]]:
    return {path: orjson.loads(data) for path, data in found.items() if path.endswith("_SUCCESS")}


def check(store: MemoryStore) -> None:
    """That what shows a correction shows all of it, and counts add up."""
    found = landed(store)
    for path, data in found.items():
        if not path.endswith("_corrected.csv"):
            continue
        folder, hour = path.rpartition("/")[0], hour_of(path)
        record = records.read(store, PLACES, hour)
        assert record is not None
        count = int(store.head(path).metadata["count"])
        if count < record.record.number:
            continue  # the next one is under way
        told = orjson.loads(found[f"{folder}/_SUCCESS"])
        index = found[f"{folder}/_index.json"]
        assert told["index"] == hashlib.sha256(index).hexdigest()
        for file in orjson.loads(index)["files"]:
            assert hashlib.sha256(found[file["path"]]).hexdigest() == file["sha256"]
        sensors = data.decode().splitlines()
        assert sensors == ["sensor", *sorted(set(sensors[1:]))]
        assert told["corrections"] == {
            "count": count,
            "sensors": len(sensors) - 1,
            "events": record.record.corrected,
        }


def hour_of(path: str) -> int:
    day, hour = int(path.split("/")[3]), int(path.split("/")[4])
    return NOON // HOUR + 24 * (day - 1) + hour - 12


def arrived(found: dict[str, bytes]) -> Counts:
    return total(*(Counts(**each["arrived"]) for each in markers(found).values()))


def held(found: dict[str, bytes]) -> int:
    return sum(each["readings"]["events"] for each in markers(found).values())


def slow(store: MemoryStore, hub: Hub, name: str, seed: int, landing: Landing, over: bool = False) -> Replica:
    """A process that lands some hours before it has taken all."""
    replica = Replica(store, hub, engine(over=over), name, seed, landing)
    replica.most = 5
    return replica


def settled(store: MemoryStore, hub: Hub, landing: Landing, over: bool = False) -> dict[str, bytes]:
    """What is there in the end; with a look at what was corrected."""
    Replica(store, hub, engine(over=over), "last", 1, landing).finish(end_of(hub))
    check(store)
    found = landed(store)
    counts = arrived(found)
    assert counts.adds_up
    assert counts.events == events_of(hub)
    assert counts.late == counts.out_of_order == 0
    assert counts.windowed + counts.corrected == held(found)
    return found


@pytest.mark.parametrize("landing", [EACH, SHARDS])
@pytest.mark.parametrize("seed", range(4))
def test_corrected_hours_are_what_they_had_been_if_nobody_had_been_late(seed: int, landing: Landing) -> None:
    hub, store = a_late_hub(seed), MemoryStore()
    replica = slow(store, hub, "r", seed, landing)
    for name in sorted(hub):
        replica.own(name)
    for _ in range(400):
        replica.turn(end_of(hub))
    found = settled(store, hub, landing)
    assert readings(found) == readings(patient(seed, landing))
    assert any(path.endswith("_corrected.csv") for path in found)
    assert arrived(found).corrected > 20


@pytest.mark.parametrize("point", range(0, 240, 5))
def test_killed_at_any_write_successors_correct_the_same(point: int) -> None:
    landing, over, hub = EACH if point % 4 else SHARDS, point % 9 == 0, a_late_hub(point % 4)
    store, chance = MemoryStore(), random.Random(point)  # noqa: S311 (chance, not a secret)

    def make(life: int) -> Replica:
        writes = 2 * point if life == 0 else chance.randrange(80, 400)
        faulty = FaultyStore(store, dies_after(writes))
        return slow(faulty, hub, f"r{life}", point * 1000 + life, landing, over)

    until_one_lives(make, turns=100, killed=lambda: check(store))
    assert readings(settled(store, hub, landing, over)) == readings(patient(point % 4, landing))


@pytest.mark.parametrize("seed", range(12))
def test_replicas_that_rob_each_other_and_land_at_once_correct_the_same(seed: int) -> None:
    hub, store = a_late_hub(seed % 4), MemoryStore()
    landing = SHARDS if seed % 2 else EACH
    fleet = [slow(store, hub, f"r{number}", seed * 10 + number, landing) for number in range(3)]
    rob_each_other(fleet, seed)
    assert readings(settled(store, hub, landing)) == readings(patient(seed % 4, landing))


@pytest.mark.parametrize("seed", range(6))
def test_a_store_that_fails_by_chance_corrects_the_same_in_the_end(seed: int) -> None:
    hub, store = a_late_hub(seed % 4), MemoryStore()
    landing = SHARDS if seed % 2 else EACH
    try_on(slow(FaultyStore(store, fails(seed, 0.1)), hub, "r", seed, landing))
    assert readings(settled(store, hub, landing)) == readings(patient(seed % 4, landing))
