"""Receives the partitions that are this process's: each batch into its partition, a commit every few seconds.

The client calls one partition's callbacks one after the other, and gives nothing more while one is waited
for: so a store that does not answer holds the hub's events back where they are safe. All work on them is
done in threads, never in the loop that keeps connections alive.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from azure.core.exceptions import AzureError
from azure.eventhub import EventData

from scorer.ingest.beginning import OLDEST, Beginning, beginning
from scorer.ingest.client import HUB_ERRORS, forget_tags, messages, progress, whole
from scorer.ingest.cursor import Taken
from scorer.ingest.events import Message
from scorer.ingest.gathered import Gathered
from scorer.ingest.health import Health
from scorer.ingest.measures import Measures
from scorer.ingest.memory import sweep
from scorer.ingest.partition import Done, LostError, Partition, Rooms, claim
from scorer.ingest.series import ERRORS
from scorer.ingest.service_settings import Rates
from scorer.ingest.settings import Settings
from scorer.ingest.watermarks import NEVER
from scorer.logs import Log
from scorer.storage import StorageError

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient

MOST_PENDING = 1_000_000
"""Closed windows after which a commit does not wait for its time."""
MOST_LETTER_BYTES = 16 * 1024 * 1024
"""Of dead letters of all partitions, likewise."""
FIRST_COMMIT_SECONDS = 1.0
"""From a partition's claim to its first commit, at most."""
SWEEP_SECONDS = 5.0
"""Between two looks for garbage, at least: with many partitions there is a commit each moment."""
STRANGE = 100
"""Times in a row that tags of deliveries were not where they are kept, until it is said."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 30.0
"""Between two tries, while the store does not answer."""
_WAIT_SECONDS = 1.0
"""A silent partition's turn comes that often."""

T = TypeVar("T")


class Clocks(NamedTuple):
    """The machine's, or a test's."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class _Owned:
    """A partition, since when (Unix time), and when it is to be committed and, if it is silent, asked for."""

    def __init__(self, partition: Partition, due: float, since: float) -> None:
        self.partition = partition
        self.since = since
        self.due = due
        self.ask = 0.0
        self.gathered = Gathered()


def take_some(partition: Partition, steps: Sequence[Sequence[Message]]) -> list[Sequence[Message]]:
    """Takes them one after the other, until one becomes so large that it is taken in part; gives the rest."""
    for at, step in enumerate(steps):
        taken = partition.take(step)
        if taken < len(step):
            return [step[taken:], *steps[at + 1 :]]
    return []


class Consumer:
    """This process's part of a hub and consumer group."""

    def __init__(
        self,
        client: EventHubConsumerClient,
        rooms: Rooms,
        settings: Settings,
        rates: Rates,
        health: Health,
        measures: Measures,
        log: Log,
        clocks: Clocks = Clocks(),  # noqa: B008 (a value that never changes)
        start: str = OLDEST,
    ) -> None:
        self._client = client
        self._rooms = rooms
        self._settings = settings
        self._rates = rates
        self._health = health
        self._measures = measures
        self._log = log
        self._clocks = clocks
        self._owned: dict[str, _Owned] = {}
        self._not_forgotten = 0
        self._one = asyncio.Semaphore(1)
        """States are put one after the other: each is in memory twice meanwhile, and they may be large."""
        self._taking = asyncio.Semaphore(1)
        """So are messages taken: decoded they are large, and the interpreter does one at a time."""
        self._sweep = clocks.monotonic() + SWEEP_SECONDS
        self._start = start
        self._begin = NEVER
        self.landed: int | None = None
        """The hour before which all have landed."""
        self.taken = Taken()
        """What corrections have seen."""

    @property
    def partitions(self) -> list[Partition]:
        """Those that are owned."""
        return [owned.partition for owned in self._owned.values()]

    async def run(self) -> None:
        """Receives until the client is closed. Raises StateError if where to begin is not understood."""
        begun = await self._tried("store", self._beginning, "where to begin")
        self._begin = begun.begin
        if begun.said != self._start:
            self._log.info("start is as it was decided before", start=begun.said, wanted=self._start)
        await self._client.receive_batch(
            self._take,
            max_batch_size=self._rates.batch,
            max_wait_time=min(_WAIT_SECONDS, self._rates.commit),
            prefetch=self._rates.prefetch,
            starting_position=begun.position,
            on_error=self._failed,
            on_partition_close=self._closed,
        )

    def _beginning(self) -> Beginning:
        rooms = self._rooms
        return beginning(rooms.store, rooms.places.start, self._start, self._settings, self._clocks.wall())

    async def _take(self, context: Any, events: Sequence[EventData]) -> None:
        name = context.partition_id
        owned = self._owned.get(name)
        if owned is None:
            partition = await self._tried(
                "store",
                lambda: claim(self._rooms, self._settings, name, str(uuid.uuid4()), self._begin),
                f"claim of partition {name}",
            )
            # What waits is late already: the first commit does not wait for its time.
            due = self._clocks.monotonic() + min(self._rates.commit, FIRST_COMMIT_SECONDS)
            owned = self._owned[name] = _Owned(partition, due, self._clocks.wall())
            self._log.info("partition claimed", partition=name, sequence=partition.sequence)
        partition = owned.partition
        if events:
            found = messages(events)
            found = whole(found, events) if self._rooms.raw else found
            owned.gathered.add(found, self._clocks.monotonic())
        if owned.gathered.due(now := self._clocks.monotonic()) or not events or now >= owned.due:
            await self._step(owned, silent=not events)
        await self._commit_if_due(owned)

    async def _commit_if_due(self, owned: _Owned) -> None:
        partition = owned.partition
        full = partition.letter_bytes > MOST_LETTER_BYTES // max(len(self._owned), 1)
        if self._clocks.monotonic() >= owned.due or full or partition.pending > MOST_PENDING:
            if partition.changed:
                await self._commit(partition)
            owned.due = self._clocks.monotonic() + self._rates.commit

    async def _step(self, owned: _Owned, silent: bool) -> None:
        """Takes what was gathered; of a silent partition also how late it is.

        Where messages become many events, others have their turn and commits their time between them.
        """
        if owned.gathered:
            steps: Sequence[Sequence[Message]] = owned.gathered.taken()
            while steps:
                async with self._taking:
                    steps = await asyncio.to_thread(take_some, owned.partition, steps)
                if steps:
                    await self._commit_if_due(owned)
            self._forget_tags(owned.partition.name)
        if silent and (until := await self._silent_until(owned)) is not None:
            await asyncio.to_thread(owned.partition.take, (), until)

    def _forget_tags(self, partition: str) -> None:
        """Says it once if the client's insides, which are not documented, are others than they were."""
        if forget_tags(self._client, partition) >= 0:
            self._not_forgotten = 0
            return
        self._not_forgotten += 1  # a link that is just being opened has none either
        if self._not_forgotten == STRANGE:
            self._log.warning(
                "this version of azure-eventhub is not known: if it keeps tags of deliveries, memory grows"
            )

    async def _silent_until(self, owned: _Owned) -> int | None:
        """A time on the hub's clock before which no event to come arrives, if the hub has no more now."""
        if self._clocks.monotonic() < owned.ask:
            return None
        owned.ask = self._clocks.monotonic() + self._rates.commit
        asked = self._clocks.wall() - self._rates.allowance
        try:
            found = await progress(self._client, owned.partition.name)
        except HUB_ERRORS as error:
            self._said("hub", error)
            return None
        return int(asked * 1_000_000) if found.last == owned.partition.sequence else None

    async def _commit(self, partition: Partition) -> None:
        if (now := self._clocks.monotonic()) >= self._sweep:  # first: a state that is put takes room
            self._sweep = now + SWEEP_SECONDS
            await asyncio.to_thread(sweep)
        done = await self._tried(
            "store",
            lambda: partition.commit(self.landed, self.taken),
            f"commit of partition {partition.name}",
        )
        self._count(partition, done)

    def _count(self, partition: Partition, done: Done) -> None:
        self._measures.committed(done)
        if done.stray:
            self._log.warning(
                "windows closed after their hour had landed", partition=partition.name, windows=done.stray
            )

    async def _tried(self, what: str, work: Callable[[], T], doing: str) -> T:
        """Does it in a thread, again while the store does not answer. Raises what else it raises."""
        wait = FIRST_SECONDS
        while True:
            try:
                async with self._one:
                    found = await asyncio.to_thread(work)
            except StorageError as error:
                self._said(what, error, doing, passing=True)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_SECONDS)
            else:
                self._health.trouble(what, "")
                return found

    async def _failed(self, context: Any, error: Exception) -> None:
        if isinstance(error, LostError):
            self._log.info(str(error))
            return
        if context is None:  # the store's errors are Azure's, the hub's are its client's own
            store = isinstance(error, AzureError)
            self._said("store" if store else "hub", error, "sharing partitions", passing=store)
        elif isinstance(error, HUB_ERRORS):
            self._said("hub", error, f"partition {context.partition_id}")
        else:  # a state that cannot be gone on from, say: it will be claimed again, and fail again
            self._said(f"partition {context.partition_id}", error, passing=True)

    async def _closed(self, context: Any, reason: Any) -> None:
        """Commits what is there and lets go, whether the hub wants it or the process ends."""
        owned = self._owned.pop(context.partition_id, None)
        self._health.gone(context.partition_id)
        if owned is None:
            return
        try:
            async with self._one:
                done = await asyncio.to_thread(owned.partition.release, self.landed, self.taken)
        except LostError as error:
            self._log.info(str(error))
        except StorageError as error:
            # The next owner makes it anew from the last commit.
            self._said("store", error, f"last commit of partition {context.partition_id}", passing=True)
        else:
            if done is not None:
                self._count(owned.partition, done)
            self._log.info("partition given back", partition=context.partition_id, reason=reason.name)

    def _said(self, what: str, error: Exception, doing: str = "", passing: bool = False) -> None:
        said = (str(error).splitlines() or [type(error).__name__])[0][:300]
        self._measures.error(what if what in ERRORS else "state")
        self._health.trouble(what, said, passing)
        self._log.warning(said, what=what, doing=doing)

    def _compare(self, partition: Partition, last: int) -> None:
        """A hub that was made anew counts from 0 again, and all that comes would be taken for old."""
        if last < partition.sequence:
            self._health.trouble(
                f"partition {partition.name}",
                f"the hub has {last} as last sequence number, and {partition.sequence} was read: "
                "for a hub that was made anew another folder is wanted",
                passing=True,
            )

    async def look(self) -> None:
        """Asks the hub how far it is, and says so in health and metrics. Raises nothing."""
        backlog = 0
        self._measures.watermarks(self._delays())  # also if the hub does not answer: then they grow
        try:
            for partition in self.partitions:
                found = await progress(self._client, partition.name)
                if partition not in self.partitions:
                    continue  # given back meanwhile
                self._compare(partition, found.last)
                behind = max(found.last - partition.sequence, 0)
                self._health.owns(partition.name, partition.sequence, partition.watermark, behind)
                backlog += behind
        except HUB_ERRORS as error:
            self._said("hub", error, "asking how far it is")
            return
        self._health.trouble("hub", "")
        self._measures.backlog(backlog)
        self._measures.watermarks(self._delays())

    def _delays(self) -> list[float]:
        """Seconds that each partition's watermark is behind; before there is one, since the claim."""
        now = self._clocks.wall()
        return [
            max(now - (mark / 1_000_000 if mark > 0 else owned.since), 0.0)
            for owned in self._owned.values()
            for mark in (owned.partition.watermark,)
        ]
