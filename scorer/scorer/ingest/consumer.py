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

from azure.eventhub import EventData

from scorer.ingest.client import HUB_ERRORS, forget_tags, messages, progress
from scorer.ingest.health import Health
from scorer.ingest.measures import Measures
from scorer.ingest.partition import Done, LostError, Partition, Rooms, claim
from scorer.ingest.service_settings import Rates
from scorer.ingest.settings import Settings
from scorer.logs import Log
from scorer.storage import StorageError

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient

MOST_PENDING = 1_000_000
"""Closed windows and dead letters after which a commit does not wait for its time."""
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
        self.landed: int | None = None
        """The hour before which all have landed."""

    @property
    def partitions(self) -> list[Partition]:
        """Those that are owned."""
        return [owned.partition for owned in self._owned.values()]

    async def run(self) -> None:
        """Receives until the client is closed."""
        await self._client.receive_batch(
            self._take,
            max_batch_size=self._rates.batch,
            max_wait_time=min(_WAIT_SECONDS, self._rates.commit),
            prefetch=self._rates.prefetch,
            starting_position="-1",
            on_error=self._failed,
            on_partition_close=self._closed,
        )

    async def _take(self, context: Any, events: Sequence[EventData]) -> None:
        name = context.partition_id
        owned = self._owned.get(name)
        if owned is None:
            partition = await self._tried(
                "store",
                lambda: claim(self._rooms, self._settings, name, str(uuid.uuid4())),
                f"claim of partition {name}",
            )
            due = self._clocks.monotonic() + self._rates.commit
            owned = self._owned[name] = _Owned(partition, due, self._clocks.wall())
            self._log.info("partition claimed", partition=name, sequence=partition.sequence)
        partition = owned.partition
        now = None if events else await self._silent_until(owned)
        if events or now is not None:
            await asyncio.to_thread(partition.take, messages(events), now)
            forget_tags(self._client, name)
        if self._clocks.monotonic() >= owned.due or partition.pending > MOST_PENDING:
            if partition.changed:
                await self._commit(partition)
            owned.due = self._clocks.monotonic() + self._rates.commit

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
        done = await self._tried(
            "store", lambda: partition.commit(self.landed), f"commit of partition {partition.name}"
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
        if context is None:
            self._said("hub", error, "sharing partitions")
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
            done = await asyncio.to_thread(owned.partition.release, self.landed)
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
        self._measures.error()
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
