"""Consumers that share a hub of the double by the real checkpoint store, in a real Azurite."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

from eventhubs import EventHubs, Where
from hub_clients import HUB, consumer, until
from scorer.storage.create import create_store

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite


class Fleet:
    """Consumers of one group, and all that they were given."""

    def __init__(self, azurite: Azurite, hubs: EventHubs) -> None:
        self.azurite, self.hubs, self.container = azurite, hubs, uuid.uuid4().hex
        account = azurite.endpoint.rpartition("/")[2]
        create_store(f"azure://{account}/{self.container}", azurite.endpoint, True, azurite.connection_string)
        self.given: Counter[tuple[str, int]] = Counter()
        self.owned: dict[str, set[str]] = {}
        self.order: list[tuple[str, int]] = []

    @contextlib.asynccontextmanager
    async def member(self, name: str) -> AsyncIterator[None]:
        """One more consumer while the block runs."""
        store = BlobCheckpointStore.from_connection_string(
            self.azurite.connection_string, self.container, api_version="2021-12-02"
        )
        client = consumer(
            self.hubs, checkpoint_store=store, load_balancing_interval=0.5, load_balancing_strategy="greedy",
            partition_ownership_expiration_interval=10,
        )  # fmt: skip
        owned = self.owned.setdefault(name, set())

        async def take(context: Any, events: list[EventData]) -> None:
            for event in events:
                self.given[context.partition_id, event.sequence_number] += 1
                self.order.append((context.partition_id, event.sequence_number))
            if events:
                await context.update_checkpoint()

        async def begin(context: Any) -> None:
            owned.add(context.partition_id)

        async def end(context: Any, _: Any) -> None:
            owned.discard(context.partition_id)

        async with store, client:
            how = {"on_partition_initialize": begin, "on_partition_close": end, "starting_position": "-1"}
            work = asyncio.create_task(client.receive_batch(take, **how))
            try:
                yield
            finally:
                await client.close()
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work

    def fill(self, events: int) -> None:
        for partition in range(len(self.hubs.hub(HUB).partitions)):
            self.hubs.hub(HUB).fill([b"x"] * events, partition)

    def complete(self) -> bool:
        """Whether every event has been given to someone."""
        return all(
            self.given[str(partition.number), number]
            for partition in self.hubs.hub(HUB).partitions
            for number in range(partition.next)
        )

    def balanced(self) -> bool:
        """Whether nobody has so few any more that the client would take another's."""
        shares, partitions = [len(owned) for owned in self.owned.values()], len(self.hubs.hub(HUB).partitions)
        return sum(shares) == partitions and min(shares) >= partitions // len(shares)


@pytest.mark.parametrize(("partitions", "members"), [(4, 2), (11, 3)])
async def test_consumers_share_the_partitions_and_take_over_from_who_leaves(
    partitions: int, members: int, azurite: Azurite
) -> None:
    async with EventHubs({HUB: partitions}) as hubs:
        fleet = Fleet(azurite, hubs)
        fleet.fill(100)
        async with contextlib.AsyncExitStack() as stack:
            for number in range(members - 1):
                await stack.enter_async_context(fleet.member(f"m{number}"))
            async with fleet.member("last"):
                await until(fleet.balanced, "balanced")
                fleet.fill(50)
                await until(fleet.complete, "all events")
                hubs.cut(Where(role="consumer"))
            fleet.fill(50)
            await until(lambda: sum(map(len, fleet.owned.values())) == partitions, "all taken over")
            await until(fleet.complete, "all events after one left")
        for partition in map(str, range(partitions)):
            first = list(dict.fromkeys(number for where, number in fleet.order if where == partition))
            assert first == sorted(first), "an event came before the one before it"
        assert sum(fleet.given.values()) < 2 * len(fleet.given)
