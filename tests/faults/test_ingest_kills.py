"""Ingest's processes are killed at any instant, stopped, robbed and cut off: the same readings land.

Three replicas read one hub of the double, and keep everything in a real Azurite. They are killed again and
again while there is always more to read; some come back under their name, as containers do, others as new
pods. What has landed in the end is what one process lands that is left in peace.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eventhubs import EventHubs, Threaded, Where
from faults.conftest import WHOLE
from hub_clients import HUB
from ingest_processes import Blobs, Place, Replica, Stream, killed_at_the_end, landed, markers, until
from scorer.ingest.accounting import Counts

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite

PARTITIONS = 6
KILLS, STEP = (100, 15.0) if WHOLE else (12, 200.0)
CONSUMERS = Where(role="consumer")
# Rounds of few events, between which the client sleeps: work that is always in progress.
SLOW = {"commit": "150ms", "land": "300ms", "balance": "400ms", "expire": "2s", "claim": "2s"}
FAST = {"prefetch": 3_000, "batch": 300}
STREAM = {"window": {"size": "5s"}, "deadLetters": "deadletter/{yyyy}/{MM}/{dd}/{HH}"}


class Storm:
    """Three replicas, and what is done to them."""

    def __init__(self, place: Place, replicas: list[Replica], seed: int) -> None:
        self._place = place
        self._all = replicas
        self._chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
        self._settings = place.settings(rates={**SLOW, "prefetch": 5, "batch": 5}, **STREAM)
        self._names = 0
        self._slots = [self._start(self._new_name()) for _ in range(3)]
        self.kills = self.at_work = self.paused = self.ended = self.cuts = 0
        self.holders: dict[str, set[str]] = {}
        """The processes that each partition was claimed by."""

    def _new_name(self) -> str:
        self._names += 1
        return f"pod-{self._names}"

    def _start(self, name: str) -> Replica:
        replica = self._place.replica(name, self._settings)
        self._all.append(replica)
        return replica

    def strike(self) -> None:
        """Kills one at an instant of chance; it comes again, or another in its place."""
        slot = self._chance.randrange(3)
        victim = self._slots[slot]
        if self._chance.random() < 0.8:
            until(lambda: victim.owned, f"{victim.name} has partitions: {victim.said[-3:]}")
        time.sleep(self._chance.uniform(0, 0.8))
        self.at_work += bool(victim.owned)
        victim.kill()
        self.kills += 1
        again = self._chance.random() < 0.6
        if not again and self._chance.random() < 0.5:
            time.sleep(self._chance.uniform(0, 3))  # the others take over
        self._slots[slot] = self._start(victim.name if again else self._new_name())
        if self.kills % 4 == 0:
            self._besides()

    def _besides(self) -> None:
        """What else happens to processes."""
        kind = self.kills // 4 % 3
        replica = self._chance.choice(self._slots)
        if kind == 0:
            self._place.hubs.do(lambda double: double.cut(CONSUMERS))
            self.cuts += 1
        elif kind == 1:  # it sleeps for longer than its claims last, and goes on as if it had them
            replica.pause()
            time.sleep(3)
            replica.go_on()
            self.paused += 1
        else:
            assert replica.end() in (0, -signal.SIGTERM)  # the latter in the interpreter's own start
            self._slots[self._slots.index(replica)] = self._start(replica.name)
            self.ended += 1

    def holders_of(self) -> dict[str, int]:
        """By how many processes each partition was claimed."""
        found: dict[str, set[int]] = {}
        for number, replica in enumerate(self._all):
            for told in replica.said:
                if told["message"] == "partition claimed":
                    found.setdefault(told["partition"], set()).add(number)
        return {partition: len(found[partition]) for partition in sorted(found)}

    def over(self) -> None:
        """All are killed."""
        for each in self._slots:
            each.kill()


def drained(place: Place, stream: Stream, end: str) -> None:
    """One process reads all that is left, and lands it."""
    with killed_at_the_end() as replicas:
        settings = place.settings(rates={**SLOW, **FAST}, **STREAM)
        replicas.append(place.replica("last", settings))
        last = stream.filled - 1
        until(
            lambda: [*place.sequences().values()] == [last] * PARTITIONS,
            f"all read: {place.sequences()}",
            300,
        )
        until(lambda: any(path.startswith(end) for path in landed(place.store)), f"{end} has landed", 300)
        assert replicas[0].end() == 0


def folder(unix: float) -> str:
    """Of an hour's readings."""
    return time.strftime("readings/%Y/%m/%d/%H/", time.gmtime(unix))


@pytest.mark.timeout(3600 if WHOLE else 900)
def test_killed_at_any_instant_the_same_readings_land_and_counts_add_up(
    azurite: Azurite, tmp_path: Path
) -> None:
    start = time.time() // 3_600 * 3_600 - 6 * 3_600
    with Threaded(EventHubs({HUB: PARTITIONS}, groups=["calm"])) as hubs:
        place = Place(hubs, Blobs(azurite), tmp_path)
        with killed_at_the_end() as replicas, Stream(place, start, STEP, ahead=1_000) as stream:
            storm = Storm(place, replicas, seed=7)
            began = time.monotonic()
            while storm.kills < KILLS:
                storm.strike()
                before = place.sequences()
            seconds = time.monotonic() - began
            storm.over()
        end = folder(stream.time + 3_600)
        assert min(before.values()) < stream.filled - 1, "they were killed while there was more"
        holders = storm.holders_of()
        drained(place, stream, end)
        calm = Place(hubs, Blobs(azurite), tmp_path, "calm")
        drained(calm, stream, end)
    sys.stderr.write(
        f"{storm.kills} kills in {seconds:.0f} s, {storm.at_work} of them at work; {storm.paused} paused, "
        f"{storm.ended} ended, {storm.cuts} cuts; processes by partition: {holders}; "
        f"{stream.filled * PARTITIONS} messages\n"
    )
    assert storm.kills >= KILLS
    assert storm.at_work > 0.6 * KILLS
    assert min(holders.values()) > 1
    found, wanted = (
        {path: data for path, data in landed(each.store).items() if path < end} for each in (place, calm)
    )
    assert found.keys() == wanted.keys()
    assert [path for path in wanted if found[path] != wanted[path]] == []
    add_up(place, stream)


def add_up(place: Place, stream: Stream) -> None:
    """Each event has one fate, in each hour and in sum, and each of those in windows is in one reading."""
    hours = markers(place.store)
    arrived = [Counts(**{key: each["arrived"][key] for key in Counts._fields}) for each in hours]
    assert all(counts.adds_up for counts in arrived)
    broken = len(range(0, stream.filled, 97))
    assert sum(counts.events - counts.duplicate for counts in arrived) == PARTITIONS * (
        2 * (stream.filled - broken) + broken
    )
    assert sum(counts.bad for counts in arrived) == PARTITIONS * broken
    assert sum(counts.missed for counts in arrived) == 0
    assert sum(counts.windowed for counts in arrived) == sum(each["readings"]["events"] for each in hours)
