"""Hours that take longer to land, or to correct, than a claim lasts: who lands goes on, or stops soon."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scorer.ingest.cursor import Claim
from scorer.ingest.lander import Lander
from scorer.ingest.landing import CSV, PER_SENSOR, SHARDED, Landing
from scorer.ingest.settings import Settings
from scorer.storage import Blob
from scorer.storage.memory import MemoryStore
from unit.ingest import test_corrections
from unit.ingest.crashing import PLACES, FaultyStore, Hub, Replica, a_hub, end_of, engine, landed

SECONDS = 60.0
EACH, SHARDS = Landing(CSV, PER_SENSOR), Landing(CSV, SHARDED, shard_rows=40)


class SlowStore(FaultyStore):
    """Calls `passing` before each part is read, and before and after each write of readings."""

    def __init__(self, beneath: MemoryStore, passing: Callable[[], None]) -> None:
        super().__init__(beneath, lambda path: passing() if path.startswith("readings/") else None)
        self._passing = passing

    def get(self, path: str) -> Blob:
        if "/parts/" in path:
            self._passing()
        return self._beneath.get(path)


class Time:
    """Moves on by 15 s at each step; `between` is what others do then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.between: Callable[[], None] = lambda: None

    def passes(self) -> None:
        self.now += SECONDS / 4
        self.steps += 1
        self.between()


def lander(store: MemoryStore, time: Time, name: str, landing: Landing, given: Settings) -> Lander:
    claim = Claim(store, PLACES.landing, name, SECONDS, lambda: time.now)
    return Lander(store, PLACES, landing, given.columns, claim, 1, given.corrections)


def committed(hub: Hub, given: Settings) -> MemoryStore:
    """A store in which all is committed, and nothing has landed."""
    store = MemoryStore()
    replica = Replica(store, hub, given, "r", 0)
    for name in sorted(hub):
        replica.own(name)
        while replica.owned[name].sequence + 1 < len(hub[name]):
            replica._take(replica.owned[name], end_of(hub))
            replica.owned[name].commit()
        replica.owned[name].take([], end_of(hub))
        replica.owned[name].commit()
    return store


@pytest.mark.parametrize("landing", [EACH, SHARDS])
@pytest.mark.parametrize("given", [engine(), test_corrections.engine()], ids=["plain", "with corrections"])
def test_hours_that_last_longer_than_the_claim_land_while_others_want_it(
    landing: Landing, given: Settings
) -> None:
    hub, time = a_hub(1, partitions=2, events=60, hours=1), Time()
    store = committed(hub, given)
    first = lander(SlowStore(store, time.passes), time, "first", landing, given)
    rival = lander(store, time, "rival", landing, given)

    def wants() -> None:
        assert rival.land(sorted(hub), time.now) is None

    time.between = wants
    hours = 0
    while first.land(sorted(hub), time.now):
        hours += 1
    assert hours >= 1
    assert time.steps > 3 * SECONDS / 15 * hours  # each lasted longer than the claim does
    calm = committed(hub, given)
    alone = lander(calm, Time(), "alone", landing, given)
    while alone.land(sorted(hub), 0.0):
        pass
    assert landed(store) == landed(calm)


def test_a_correction_that_lasts_longer_than_the_claim_is_done_and_seen() -> None:
    given, hub, time = test_corrections.engine(), test_corrections.a_late_hub(0), Time()
    store = MemoryStore()
    replica = test_corrections.slow(store, hub, "r", 0, EACH)
    for name in sorted(hub):
        replica.own(name)
    replica.settings = given._replace(corrections=None)  # lands only
    while any(replica.owned[name].sequence + 1 < len(hub[name]) for name in hub):
        replica.turn(end_of(hub))
    for name in sorted(hub):
        replica.owned[name].commit(replica.landed)
    first = lander(SlowStore(store, time.passes), time, "first", EACH, given)
    rival = lander(store, time, "rival", EACH, given)
    replica.lander._claim.let_go()
    while first.land(sorted(hub), time.now):
        pass
    time.steps = 0

    def wants() -> None:
        assert rival.land(sorted(hub), time.now) is None

    time.between = wants
    corrected = first.correct(time.now)
    assert corrected is not None
    assert corrected.hours
    assert time.steps > 8
    cursor = first.look()
    assert cursor is not None
    assert cursor.holder == "first"
    assert cursor.taken.before == cursor.next


def test_who_has_lost_the_landing_stops_soon() -> None:
    hub, time, given = a_hub(1, partitions=2, events=60, hours=1), Time(), engine()
    store = committed(hub, given)
    first = lander(SlowStore(store, time.passes), time, "first", EACH, given)
    rival = Claim(store, PLACES.landing, "rival", SECONDS, lambda: time.now)

    def robs() -> None:
        if time.steps == 1:
            assert rival.hold(0.0) is None
            assert rival.hold(SECONDS) is not None

    time.between = robs
    assert first.land(sorted(hub), time.now) is None
    assert time.steps <= 3
    assert not landed(store)
