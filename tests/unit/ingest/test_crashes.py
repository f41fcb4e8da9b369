"""Processes that are killed, replaced and cut off: what lands is the same, and every event is somewhere."""

from __future__ import annotations

import random
from functools import cache

import orjson
import pytest

from scorer.ingest.accounting import Counts, total
from scorer.ingest.landing import CSV, PER_SENSOR, SHARDED, Landing
from scorer.ingest.partition import LostError
from scorer.storage.memory import MemoryStore
from unit.ingest.crashing import (
    LETTERS,
    FaultyStore,
    Replica,
    a_hub,
    dies_after,
    end_of,
    engine,
    events_of,
    fails,
    landed,
    rob_each_other,
    try_on,
    until_one_lives,
)

SHARDS = Landing(layout=SHARDED, shard_rows=40)


@cache
def uninterrupted(seed: int, landing: Landing, over: bool = False) -> dict[str, bytes]:
    hub, store = a_hub(seed), MemoryStore()
    Replica(store, hub, engine(over), "calm", 0, landing).finish(end_of(hub))
    found = landed(store)
    assert sum(path.endswith("_SUCCESS") for path in found) >= 4
    return found


def killed_at_every(point: int, seed: int, landing: Landing, over: bool = False) -> dict[str, bytes]:
    """Kills the process after so many writes, and the next one, until one gets to the end."""
    hub, store = a_hub(seed), MemoryStore()
    chance = random.Random(point)  # noqa: S311 (chance, not a secret)

    def make(life: int) -> Replica:
        writes = point if life == 0 else chance.randrange(10, 60)
        faulty = FaultyStore(store, dies_after(writes))
        return Replica(faulty, hub, engine(over), f"r{life}", point * 1000 + life, landing)

    until_one_lives(make, turns=40)
    Replica(store, hub, engine(over), "last", 1, landing).finish(end_of(hub))
    return landed(store)


def arrived(found: dict[str, bytes]) -> Counts:
    told = [orjson.loads(data) for path, data in found.items() if path.endswith("_SUCCESS")]
    return total(*(Counts(**each["arrived"]) for each in told))


@pytest.mark.parametrize("point", range(110))
def test_a_process_killed_at_any_write_leaves_what_its_successors_make_the_same(point: int) -> None:
    landing = SHARDS if point % 2 else Landing(CSV, PER_SENSOR)
    over = point % 3 == 0
    found = killed_at_every(point, point % 4, landing, over)
    calm = uninterrupted(point % 4, landing, over)
    assert found == calm
    counts = arrived(found)
    assert counts.adds_up
    assert counts.events == events_of(a_hub(point % 4))


@pytest.mark.parametrize("seed", range(4))
def test_every_event_of_a_window_is_in_the_readings(seed: int) -> None:
    found = uninterrupted(seed, SHARDS)
    told = [orjson.loads(data) for path, data in found.items() if path.endswith("_SUCCESS")]
    assert sum(each["readings"]["events"] for each in told) == arrived(found).windowed
    assert arrived(found).late
    assert arrived(found).early
    assert arrived(found).bad


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_that_take_partitions_from_each_other_land_the_same(seed: int, replicas: int) -> None:
    hub, store = a_hub(seed % 4), MemoryStore()
    fleet = [
        Replica(store, hub, engine(), f"r{number}", seed * 10 + number, SHARDS) for number in range(replicas)
    ]
    rob_each_other(fleet, seed)
    Replica(store, hub, engine(), "last", 1, SHARDS).finish(end_of(hub))
    assert landed(store) == uninterrupted(seed % 4, SHARDS)


@pytest.mark.parametrize("seed", range(10))
def test_a_store_that_fails_by_chance_costs_nothing_but_time(seed: int) -> None:
    hub, store = a_hub(seed % 4), MemoryStore()
    try_on(Replica(FaultyStore(store, fails(seed, 0.1)), hub, engine(), "r", seed, SHARDS))
    Replica(store, hub, engine(), "last", 1, SHARDS).finish(end_of(hub))
    assert landed(store) == uninterrupted(seed % 4, SHARDS)


def test_what_comes_again_is_counted_as_such_and_changes_no_reading() -> None:
    hub, store = a_hub(1), MemoryStore()
    replica = Replica(store, hub, engine(), "r", 5, SHARDS)
    replica.again = True
    for name in sorted(hub):
        replica.own(name)
    for _ in range(150):
        replica.turn(end_of(hub))
    replica.finish(end_of(hub))
    found, calm = landed(store), uninterrupted(1, SHARDS)
    markers = {path for path in calm if path.endswith("_SUCCESS")}
    assert {path: found[path] for path in calm if path not in markers} == {
        path: calm[path] for path in calm if path not in markers
    }
    counts = arrived(found)
    assert counts.duplicate
    assert counts.adds_up
    assert counts.events - counts.duplicate == events_of(hub)


def test_the_owner_before_cannot_commit_any_more() -> None:
    hub, store = a_hub(1), MemoryStore()
    first, second = (Replica(store, hub, engine(), name, 1) for name in ("a", "b"))
    first.own("0")
    first.owned["0"].take(hub["0"][:50])
    second.own("0")
    with pytest.raises(LostError):
        first.owned["0"].commit()
    with pytest.raises(LostError):
        first.owned["0"].take(hub["0"][50:60])
    assert second.owned["0"].sequence == -1


def test_a_partition_that_was_never_heard_of_holds_the_hour_back() -> None:
    hub, store = {**a_hub(1), "9": []}, MemoryStore()
    replica = Replica(store, hub, engine(), "r", 1)
    for name in "012":
        replica.own(name)
        replica.owned[name].take(hub[name])
        replica.owned[name].take([], end_of(hub))
        replica.owned[name].commit()
    replica.land()
    assert not landed(store)
    replica.own("9")
    replica.land()
    assert not landed(store)
    replica.owned["9"].take([], end_of(hub))
    replica.owned["9"].commit()
    replica.land()
    assert landed(store)


def test_bad_events_are_told_with_their_place_and_first_bytes() -> None:
    hub, store = a_hub(1), MemoryStore()
    replica = Replica(store, hub, engine(), "r", 1)
    replica.finish(end_of(hub))
    lines = [
        orjson.loads(line)
        for entry in store.list(LETTERS.partition("/")[0])
        for line in store.get(entry.path).data.splitlines()
    ]
    assert len(lines) == arrived(landed(store)).bad
    for line in lines:
        body = hub[line["partition"]][line["sequence"]].body
        assert body.startswith(line["body"].encode()[:1]) or body == b"\xff"
        assert line["reason"]


def test_parts_go_when_some_more_hours_have_landed() -> None:
    hub, store = a_hub(1), MemoryStore()
    Replica(store, hub, engine(), "r", 1).finish(end_of(hub) + 10 * 3_600_000_000)
    assert not [entry.path for entry in store.list("ingest") if "/parts/" in entry.path]
