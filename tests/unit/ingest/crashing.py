"""Processes of ingest without a hub's client, for tests that kill them: partitions, and replicas."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from scorer.ingest.cursor import Claim, Taken
from scorer.ingest.events import Message
from scorer.ingest.lander import Lander
from scorer.ingest.landing import Landing
from scorer.ingest.partition import LostError, Partition, Rooms, claim
from scorer.ingest.places import places
from scorer.ingest.settings import Settings
from scorer.storage import StorageError, UnavailableError
from scorer.storage.memory import MemoryStore
from unit.ingest.partitions import MINUTE, NOON, SECOND, configured

PLACES = places("ingest", "readings", "$Default")
LETTERS = "deadletter/{yyyy}/{MM}/{dd}/{HH}"
USUAL = Landing()
COLUMNS = {"value": "avg", "low": "min", "spread": "stddev", "count": "count"}
Hub = Mapping[str, Sequence[Message]]


def engine(over: bool = False, columns: Mapping[str, str] = COLUMNS, **ordering: Any) -> Settings:
    """Windows of 7 s; what is late is left out, unless `ordering` has it otherwise."""
    told = {"lateArrival": "30s", "outOfOrder": "2s", "onLateArrival": "Drop", **ordering}
    return configured(columns, over, seconds=True, size="7s", **told)


class KilledError(BaseException):
    """The process is no more."""


class FaultyStore(MemoryStore):
    """Calls `fault` before and after each write; reads what is in `beneath`, as other processes do."""

    def __init__(self, beneath: MemoryStore, fault: Callable[[str], None]) -> None:
        super().__init__()
        self._objects = beneath._objects
        self._lock = beneath._lock
        self._beneath = beneath
        self._fault = fault

    def put(self, path: str, data: bytes, *given: Any, **how: Any) -> str:
        self._fault(path)
        etag = self._beneath.put(path, data, *given, **how)
        self._fault(path)
        return etag

    def delete(self, path: str) -> None:
        self._fault(path)
        self._beneath.delete(path)
        self._fault(path)


def dies_after(writes: int) -> Callable[[str], None]:
    """Kills at the so-many-th moment before or after a write, and at all that follow."""
    left = writes

    def fault(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError

    return fault


def fails(seed: int, share: float) -> Callable[[str], None]:
    """Fails by chance: before a write, or after it, so that its answer is lost."""
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)

    def fault(path: str) -> None:
        if chance.random() < share:
            raise UnavailableError(f"{path}: no answer")

    return fault


BEHIND = (0, SECOND, 3 * SECOND, 20 * SECOND, -SECOND, -6 * MINUTE, 2 * MINUTE)
"""How far events are behind their arrival."""


def a_hub(
    seed: int, partitions: int = 3, events: int = 200, hours: int = 3, behind: Sequence[int] = BEHIND
) -> Hub:
    """Messages of some hours: in and out of order, late, early, repeated within the body, broken."""
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
    return {str(name): list(_messages(chance, events, hours, behind)) for name in range(partitions)}


def _messages(chance: random.Random, events: int, hours: int, behind: Sequence[int]) -> Iterator[Message]:
    now = NOON - chance.randrange(20 * MINUTE)
    for sequence in range(events):
        now += chance.randrange(2 * hours * 60 * MINUTE // events)
        body = orjson.dumps([_event(chance, now, behind) for _ in range(chance.randrange(1, 4))])
        if chance.random() < 0.02:
            body = chance.choice([b"{", b"[1]", b'{"Device": "d"}', b"\xff"])
        yield Message(sequence, str(sequence * 77), now // 1000 * 1000, body)


def _event(chance: random.Random, now: int, behind: Sequence[int]) -> dict[str, Any]:
    time = (now - chance.choice(behind)) / 1_000_000
    sensor = {"Device": f"d{chance.randrange(3)}", "Tag": chance.randrange(2)}
    return sensor | {"TS": time, "Value": chance.choice([0.1, 0.2, 1e16, -1e16, 3.5])}


class Replica:
    """A process: claims, takes batches as chance has it, commits now and then, lands."""

    def __init__(
        self,
        store: MemoryStore,
        hub: Hub,
        settings: Settings,
        name: str,
        seed: int,
        landing: Landing = USUAL,
    ) -> None:
        self.store = store
        self.hub = hub
        self.settings = settings
        self.name = name
        self.chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
        self.owned: dict[str, Partition] = {}
        self.claims = 0
        self.clock = 0.0
        held = Claim(store, PLACES.landing, name, 60.0)
        self.lander = Lander(
            store, PLACES, landing, settings.columns, held, writers=1, corrections=settings.corrections
        )
        self.landed: int | None = None
        self.taken = Taken()

    def own(self, name: str) -> None:
        """Claims a partition, from whoever has it."""
        self.claims += 1
        rooms = Rooms(self.store, PLACES, LETTERS)
        self.owned[name] = claim(rooms, self.settings, name, f"{self.name}-{self.claims}-{id(self)}")

    def turn(self, end: int) -> None:
        """Something of what a process does; `end` is the hub's time when there is no more."""
        name = self.chance.choice(sorted(self.hub))
        if name not in self.owned:
            return
        try:
            self._take(self.owned[name], end)
            if self.chance.random() < 0.3:
                self.owned[name].commit(self.landed, self.taken)
        except LostError:
            del self.owned[name]
        if self.chance.random() < 0.2:
            self.land()

    def _take(self, partition: Partition, end: int) -> None:
        messages = self.hub[partition.name]
        first = partition.sequence + 1
        if first < len(messages):
            # What came last comes again at times, as after a cut.
            again = first - (1 if first and self.again and self.chance.random() < 0.2 else 0)
            partition.take(messages[again : first + self.chance.randrange(1, self.most)])
        else:
            partition.take([], end)

    again = False
    most = 40
    """Messages that are taken at once, and one more."""

    def land(self) -> None:
        """Lands what is due."""
        self.clock += 100
        while self.lander.land(sorted(self.hub), self.clock):
            pass
        if self.settings.corrections and self.chance.random() < 0.7:
            self.lander.correct(self.clock)
        self.follow()

    def follow(self) -> None:
        """Learns how far the landing is."""
        if cursor := self.lander.look():
            self.landed, self.taken = cursor.next, cursor.taken

    def finish(self, end: int) -> None:
        """All that is left, in order."""
        for name in sorted(self.hub):
            if name not in self.owned:
                self.own(name)
            while self.owned[name].sequence + 1 < len(self.hub[name]):
                self._take(self.owned[name], end)
            self.owned[name].take([], end)
            self.owned[name].commit(self.landed, self.taken)
        self.clock += 1000  # who held the landing before is dead
        self.land()
        self.clock += 1000
        self.land()
        self.lander.correct(self.clock + 1e6)


def until_one_lives(
    make: Callable[[int], Replica], turns: int, killed: Callable[[], None] = lambda: None
) -> None:
    """Processes, one after the other: each is killed as its store has it, until one has had its turns."""
    for life in range(200):
        replica = make(life)
        replica.clock = life * 1000.0
        end = end_of(replica.hub)
        try:
            for name in sorted(replica.hub):
                replica.own(name)
            for _ in range(turns):
                replica.turn(end)
        except KilledError:
            killed()
            continue
        break


def rob_each_other(fleet: Sequence[Replica], seed: int) -> None:
    """Owners that were robbed go on until a commit tells them; several land at once."""
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
    hub, end = fleet[0].hub, end_of(fleet[0].hub)
    for _ in range(300):
        if chance.random() < 0.1:
            chance.choice(fleet).own(chance.choice(sorted(hub)))
        chance.choice(fleet).turn(end)


def try_on(replica: Replica) -> None:
    """A process whose store fails by chance does what it can."""
    end = end_of(replica.hub)
    for _ in range(600):
        try:
            for name in sorted(replica.hub):
                if name not in replica.owned:
                    replica.own(name)
            replica.turn(end)
        except (StorageError, LostError):
            continue


def events_of(hub: Hub) -> int:
    """How many events a hub has; a message that cannot be read is one."""
    count = 0
    for message in (each for messages in hub.values() for each in messages):
        try:
            count += len(orjson.loads(message.body)) if message.body[:1] == b"[" else 1
        except orjson.JSONDecodeError:
            count += 1
    return count


def landed(store: MemoryStore) -> dict[str, bytes]:
    """All that lies in readings/."""
    return {entry.path: store.get(entry.path).data for entry in store.list("readings")}


def end_of(hub: Hub) -> int:
    """A time after all of it, by hours: what was told then is all landed."""
    return max(message.enqueued for messages in hub.values() for message in messages) + 130 * MINUTE
