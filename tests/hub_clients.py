"""The real client of Event Hubs against the double: what tests of both share."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient

from eventhubs import EventHubs

HUB, GROUP = "readings", "$Default"
SOON = {"retry_total": 5, "retry_backoff_factor": 0.02, "retry_backoff_max": 0.2}
"""A client that tries again at once."""


class Received:
    """What a consumer was given, by partition, and what it was told went wrong."""

    def __init__(self) -> None:
        self.events: dict[str, list[EventData]] = defaultdict(list)
        self.errors: list[tuple[str, Exception]] = []

    async def take(self, context: Any, events: Iterable[EventData]) -> None:
        self.events[context.partition_id] += events

    async def fail(self, context: Any, error: Exception) -> None:
        self.errors.append((context.partition_id if context else "", error))

    def count(self) -> int:
        return sum(map(len, self.events.values()))

    def numbers(self, partition: str) -> list[int]:
        return [event.sequence_number for event in self.events[partition]]

    def bodies(self, partition: str) -> list[str]:
        return [event.body_as_str() for event in self.events[partition]]


async def until(true: Callable[[], object], what: str = "", seconds: float = 120) -> None:
    """Waits for it."""
    try:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not happen in {seconds} s: {what}") from None


def consumer(hubs: EventHubs, **how: Any) -> EventHubConsumerClient:
    return EventHubConsumerClient.from_connection_string(hubs.connection_string(HUB), GROUP, **SOON | how)


def producer(hubs: EventHubs, **how: Any) -> EventHubProducerClient:
    return EventHubProducerClient.from_connection_string(hubs.connection_string(HUB), **SOON | how)


@contextlib.asynccontextmanager
async def reading(
    hubs: EventHubs, client: EventHubConsumerClient | None = None, **how: Any
) -> AsyncIterator[Received]:
    """Receives from the oldest event on, unless `how` says otherwise, while the block runs."""
    received = Received()
    client = client or consumer(hubs)
    how = {"starting_position": "-1", "on_error": received.fail} | how
    async with client:
        work = asyncio.create_task(client.receive_batch(received.take, **how))
        try:
            yield received
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work


async def send(client: EventHubProducerClient, bodies: Iterable[Any], **where: Any) -> None:
    """One batch."""
    batch = await client.create_batch(**where)
    for body in bodies:
        batch.add(EventData(body))
    await client.send_batch(batch)
