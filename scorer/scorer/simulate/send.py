"""Messages to Event Hubs, by the client for Python: as fast as it goes, or as fast as they are made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from scorer.commands.console import complain
from scorer.errors import InputError
from scorer.simulate.bodies import bodies
from scorer.simulate.messages import Messages
from scorer.simulate.readings import Sensors

if TYPE_CHECKING:
    from azure.eventhub import EventDataBatch
    from azure.eventhub.aio import EventHubProducerClient
    from numpy.typing import NDArray

TOGETHER = 0.1
"""Seconds: messages that are due within so long of each other go together."""
AT_ONCE = 10_000
"""Messages whose bodies are held at a time."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
WORTH_SAYING = 3.0
"""Seconds of a wait, of which people are told."""
NOT_FOUND = "not-found"
"""The service's condition for a hub that is not there: waiting does not help."""
PATIENCE = 300.0
"""Seconds of waiting in all for one batch that a hub does not take."""

T = TypeVar("T")


class SendError(InputError):
    """The hub did not take what was sent, for as long as that may be waited for."""


class Hub(NamedTuple):
    """Where to send."""

    connection_string: str
    name: str | None = None
    """None: the connection string says it (EntityPath)."""
    connections: int = 4
    """Each has its share of the devices, one batch at a time."""
    namespace: str = ""
    """Like NAME.servicebus.windows.net, for who signs in by Workload Identity; then `name` is wanted."""
    tls: bool = True
    """Not to a double of the service."""


class Wall(NamedTuple):
    """The time that passes, in seconds, and who is told of long waits; for tests another one."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    say: Callable[[str], object] = complain


WALL = Wall()


class Clock(NamedTuple):
    """How the simulated clock goes against the wall's."""

    origin: int
    """The simulated time at which sending begins. Microseconds, as `begun`."""
    begun: int
    """The real one."""
    speed: float
    """How many times as fast; 0: as fast as it goes."""

    def sent(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The real times at which these simulated ones come."""
        return self.begun + np.round((times - self.origin) / self.speed).astype(np.int64)


class Sent(NamedTuple):
    """What went out."""

    messages: int = 0
    batches: int = 0
    again: int = 0
    """How often a batch was given to the client once more. One whose answer was lost is then there twice."""
    behind: float = 0.0
    """Seconds by which the slowest message came after its time."""


async def send(due: Iterable[Messages], sensors: Sensors, hub: Hub, clock: Clock, wall: Wall = WALL) -> Sent:
    """Sends all, each device's messages in their order, the device being the partition key.

    Raises SendError, and InputError for a connection string that is none, or where no identity is.
    """
    async with AsyncExitStack() as opened:
        identity = "this workload's identity" if hub.namespace else "the connection string"
        senders = [
            _Sender(await opened.enter_async_context(_client(hub)), wall, identity)
            for _ in range(hub.connections)
        ]
        began, behind, count = wall.now(), 0.0, 0
        for piece, when in _pieces(due, clock):
            wait = began + when - wall.now()
            if wait > 0:
                await wall.sleep(wait)
            elif clock.speed:
                behind = max(behind, -wait)
            count += len(piece.counts)
            texts = bodies(piece, sensors)
            shares = _by_device(piece.devices)
            try:
                async with asyncio.TaskGroup() as group:
                    for place, sender in enumerate(senders):
                        mine = [(sensors.keys[of], rows) for of, rows in shares if of % len(senders) == place]
                        if mine:
                            group.create_task(sender.give(texts, mine))
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from failed
    return Sent(
        count, sum(sender.batches for sender in senders), sum(sender.again for sender in senders), behind
    )


def _pieces(due: Iterable[Messages], clock: Clock) -> Iterator[tuple[Messages, float]]:
    """Messages that go together, and when: seconds from the start."""
    for chunk in due:
        seconds = (
            (chunk.arrivals - clock.origin) / (1e6 * clock.speed)
            if clock.speed
            else np.zeros(len(chunk.counts))
        )
        ends = np.cumsum(chunk.counts)
        first = 0
        while first < len(seconds):
            last = int(np.searchsorted(seconds, seconds[first] + TOGETHER, "right"))
            last = min(last, first + AT_ONCE)
            rows = slice(int(ends[first] - chunk.counts[first]), int(ends[last - 1]))
            piece = Messages(
                chunk.arrivals[first:last],
                chunk.devices[first:last],
                chunk.counts[first:last],
                chunk.sensors[rows],
                chunk.times[rows],
                chunk.values[rows],
            )
            yield piece, float(seconds[last - 1])
            first = last


def _by_device(devices: NDArray[np.int32]) -> list[tuple[int, list[int]]]:
    order = np.argsort(devices, kind="stable")
    firsts = np.flatnonzero(np.diff(devices[order], prepend=-1))
    return [(int(devices[its[0]]), its.tolist()) for its in np.split(order, firsts[1:]) if len(its)]


def _client(hub: Hub) -> EventHubProducerClient:
    from azure.eventhub.aio import EventHubProducerClient

    # One place that waits and tries again, not two: `_patiently`.
    if hub.namespace:
        from scorer.ingest.identity import WorkloadIdentity

        return EventHubProducerClient(
            hub.namespace, hub.name or "", WorkloadIdentity(), retry_total=0, use_tls=hub.tls
        )
    try:
        return EventHubProducerClient.from_connection_string(
            hub.connection_string, eventhub_name=hub.name, retry_total=0
        )
    except ValueError as error:
        raise InputError(f"the hub's connection string cannot be used: {error}") from error


class _Sender:
    """One connection, and how often it had to try again."""

    def __init__(self, client: EventHubProducerClient, wall: Wall, identity: str) -> None:
        self.client, self.wall, self.identity = client, wall, identity
        self.batches = self.again = 0

    async def give(self, texts: Sequence[str], shares: Sequence[tuple[str, Sequence[int]]]) -> None:
        """Sends these texts, by partition key and place."""
        from azure.eventhub import EventData

        for key, rows in shares:
            batch = await self._new_batch(key)
            for row in rows:
                event = EventData(texts[row])
                event.content_type = "application/json"
                try:
                    batch.add(event)
                except ValueError:  # it is full
                    await self._send(batch)
                    batch = await self._new_batch(key)
                    try:
                        batch.add(event)
                    except ValueError as error:
                        raise InputError(
                            f"a message of {key} has {len(texts[row])} bytes, which the hub does not take: "
                            "wanted fewer --readings-per-message"
                        ) from error
            await self._send(batch)

    async def _new_batch(self, key: str) -> EventDataBatch:
        return await self._patiently(lambda: self.client.create_batch(partition_key=key))

    async def _send(self, batch: EventDataBatch) -> None:
        if len(batch):
            await self._patiently(lambda: self.client.send_batch(batch))
            self.batches += 1

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Does it, again after waits that grow: the client itself tries a second time at once, if at all."""
        from azure.eventhub.exceptions import AuthenticationError, EventHubError

        from scorer.ingest.identity import RefusedError

        wait, waited = FIRST_WAIT, 0.0
        while True:
            try:
                return await action()
            except AuthenticationError as error:
                raise SendError(f"the hub refuses {self.identity}: {_said(error)}") from error
            except EventHubError as error:
                if any(isinstance(each, RefusedError) for each in _reasons(error)):
                    raise SendError(f"the hub refuses {self.identity}: {_said(error)}") from error
                if error.error == NOT_FOUND:
                    raise SendError(f"there is no such hub: {_said(error)}") from error
                if waited >= PATIENCE:
                    raise SendError(f"the hub takes nothing: {_said(error)}") from error
                self.again += 1
                if wait >= WORTH_SAYING:
                    self.wall.say(f"the hub takes nothing yet, {_said(error)}; once more in {wait:.0f} s")
            await self.wall.sleep(wait)
            waited += wait
            wait = min(2 * wait, LONGEST_WAIT)


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    """What an error was raised for: the client says it in words, and gives no field of its own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
