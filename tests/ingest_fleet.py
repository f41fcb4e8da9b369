"""Replicas of the real service against the double of Event Hubs, in one event loop; a store in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from eventhubs import EventHubs
from hub_clients import HUB, SOON, until
from scorer.ingest.consumer import Clocks
from scorer.ingest.service import Service
from scorer.ingest.service_settings import CONNECTION, service_settings
from scorer.storage import Store
from scorer.storage.memory import MemoryStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def told(**more: Any) -> dict[str, Any]:
    """A settings file."""
    rates = {"commit": "200ms", "land": "200ms", "monitor": "200ms", "allowance": "0s", "balance": "500ms"}
    rates["expire"] = "3s"
    return {
        "hub": {"name": HUB},
        "store": {"url": "memory://fleet"},
        "mapping": {"sensor": "d{Device}", "values": "Value", "time": "TS", "timeForm": "Seconds"},
        "window": {"size": "5s"},
        "columns": {"value": "avg", "count": "count"},
        "rates": rates | {"stall": "2s", "claim": "2s"},
        "port": 0,
    } | more


class Fleet:
    """Replicas of one hub and store."""

    def __init__(self, hubs: EventHubs, store: Store | None = None, /, **more: Any) -> None:
        self.hubs = hubs
        self.store = store or MemoryStore()
        self.services: list[Service] = []
        self.more = more
        self.filled = 0
        self.connection: str | None = None
        """Of the store."""
        hubs.clock.set(NOON)

    @property
    def partitions(self) -> int:
        return len(self.hubs.hub(HUB).partitions)

    def fill(self, seconds: int, each: int = 3) -> None:
        """Events of so many seconds, in all partitions; the hub's clock goes on with them."""
        for _ in range(seconds):
            self.hubs.clock.advance(1)
            for partition in range(self.partitions):
                bodies = [
                    orjson.dumps(
                        {"Device": partition * 10 + n, "TS": self.hubs.clock(), "Value": self.filled + n}
                    )
                    for n in range(each)
                ]
                self.hubs.hub(HUB).fill(bodies, partition)
                self.filled += each

    def start(self, store: Store | None = None) -> tuple[Service, asyncio.Event, asyncio.Task[None]]:
        """One more replica, until its event is set or its task is cancelled."""
        environment = {CONNECTION: self.hubs.connection_string(HUB)}
        clocks = Clocks(wall=self.hubs.clock)
        settings = service_settings(told(**self.more), environment)
        service = Service(settings, self.connection, store or self.store, clocks, **SOON)
        self.services.append(service)
        stop = asyncio.Event()
        return service, stop, asyncio.create_task(service.run(stop))

    async def kill(self, service: Service, work: asyncio.Task[None]) -> None:
        """One ends as by SIGKILL: it commits nothing."""
        for partition in service.consumer.partitions:
            partition.abandon()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    @contextlib.asynccontextmanager
    async def replica(self, store: Store | None = None) -> AsyncIterator[Service]:
        """One more while the block runs; it ends as by SIGTERM."""
        service, stop, work = self.start(store)
        try:
            yield service
        finally:
            stop.set()
            await work

    def next_hour(self) -> None:
        """The hub's clock goes past the hour, and nothing more comes."""
        self.hubs.clock.advance(3_700 - (self.hubs.clock() - NOON) % 3_600)

    def markers(self) -> Mapping[str, Any]:
        """What the hours that have landed say."""
        return {
            entry.path: orjson.loads(self.store.get(entry.path).data)
            for entry in self.store.list("readings")
            if entry.path.endswith("_SUCCESS")
        }

    def arrived(self, name: str) -> int:
        """Of all hours that have landed."""
        return sum(each["arrived"][name] for each in self.markers().values())

    async def all_landed(self, seconds: float = 60) -> None:
        """Waits until all that was filled in has landed."""
        await until(
            lambda: self.arrived("events") - self.arrived("duplicate") >= self.filled, "all landed", seconds
        )

    def check(self) -> None:
        """Each event is in the readings once."""
        markers = self.markers().values()
        assert self.arrived("events") - self.arrived("duplicate") == self.filled
        assert self.arrived("windowed") == self.filled
        assert sum(each["readings"]["events"] for each in markers) == self.filled
        assert self.arrived("missed") == 0
