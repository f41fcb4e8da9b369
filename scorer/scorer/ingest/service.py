"""The process: receiving, landing, looking how far it is, and answering for it; until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from scorer.ingest.client import HUB_ERRORS, namespace_of, open_client
from scorer.ingest.consumer import Clocks, Consumer
from scorer.ingest.cursor import Claim
from scorer.ingest.health import Health
from scorer.ingest.http import serve
from scorer.ingest.lander import Lander
from scorer.ingest.measures import Measures
from scorer.ingest.ownership import ownership
from scorer.ingest.partition import Rooms
from scorer.ingest.parts import PartError
from scorer.ingest.places import hour_name, hour_start, places
from scorer.ingest.raw import Raw, of_hub
from scorer.ingest.replica import process_name
from scorer.ingest.service_settings import ServiceSettings
from scorer.ingest.settings import EVENT, Ordering
from scorer.ingest.state import StateError
from scorer.logs import Log
from scorer.storage import StorageError, Store, open_store

_PARTITIONS_SECONDS = 60.0
"""A hub's partitions are asked for again: there may be more."""
_ENDING_SECONDS = 5.0
"""For an hour that is being landed as the process ends: it can be left anywhere."""


class Service:
    """One replica. `store` and `how` (for the client) are a test's own."""

    def __init__(
        self,
        settings: ServiceSettings,
        connection: str | None = None,
        store: Store | None = None,
        clocks: Clocks = Clocks(),  # noqa: B008 (a value that never changes)
        **how: Any,
    ) -> None:
        self._settings = settings
        self._clocks = clocks
        self._log = Log(hub=settings.hub.name, group=settings.hub.group)
        at = settings.store
        self.store = store or open_store(at.url, at.endpoint, at.allow_http, connection)
        where = places(settings.folder, settings.hub.name, settings.hub.group)
        self.health = Health(settings.rates.stall, clocks.monotonic)
        self.measures = Measures(_late(settings.engine.ordering), clocks.wall())
        name = process_name(settings.replica)
        self._owners = ownership(at, connection, self.store, where, name, settings.rates.expire)
        self._client = open_client(settings.hub, settings.rates, self._owners, **how)
        rooms = Rooms(self.store, where, settings.dead_letters, _raw(settings))
        self.consumer = Consumer(
            self._client,
            rooms,
            settings.engine,
            settings.rates,
            self.health,
            self.measures,
            self._log,
            clocks,
            settings.hub.start,
        )
        self._claim = Claim(self.store, where.landing, name, settings.rates.claim, clocks.monotonic)
        self._ending = asyncio.Event()
        self._partitions: list[str] = []
        self._ask = clocks.monotonic()
        self.port = 0
        """Where it listens, once it runs."""
        self._lander = Lander(
            self.store,
            where,
            settings.landing,
            settings.engine.columns,
            self._claim,
            corrections=settings.engine.corrections,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`; then commits, and gives partitions and landing back."""
        runner, self.port = await serve(self._settings.port, self.measures, self.health)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(runner.cleanup)
            await stack.enter_async_context(self._owners)
            stack.push_async_callback(self._let_go)
            rates = self._settings.rates
            receiving = asyncio.create_task(self.consumer.run())
            beside = [
                asyncio.create_task(self._every(rates.land, self._land)),
                asyncio.create_task(self._every(rates.monitor, self.consumer.look)),
            ]
            stopping = asyncio.create_task(stop.wait())
            self.health.trouble("start", "")
            try:
                done, _ = await asyncio.wait(
                    [receiving, stopping, *beside], return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                self._ending.set()
                stopping.cancel()
                await self._client.close()  # partitions commit and are given back
                receiving.cancel()
                await _ended(beside)
                await asyncio.gather(receiving, stopping, *beside, return_exceptions=True)
            for each in done - {stopping}:
                each.result()  # what ended it, if it was an error

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while not self._ending.is_set():
            await work()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ending.wait()

    async def _land(self) -> None:
        """Lands all hours that are due. Raises nothing that may pass."""
        try:
            now = self._clocks.monotonic()
            if now >= self._ask:  # each question is a connection
                self._partitions = await self._client.get_partition_ids()
                self.measures.hub(len(self._partitions))
                self._ask = now + _PARTITIONS_SECONDS
            while True:
                landed = await asyncio.to_thread(
                    self._lander.land, self._partitions, self._clocks.monotonic()
                )
                if landed is None:
                    break
                self.measures.landed(landed)
                told = {"hour": hour_name(landed.hour), "arrived": landed.arrived._asdict()}
                self._log.info("hour landed", **{**landed._asdict(), **told})
            if (cursor := await asyncio.to_thread(self._lander.look)) is not None:
                self.consumer.landed, self.consumer.taken = cursor.next, cursor.taken
            if self.consumer.landed is not None:
                self.measures.landed_until(hour_start(self.consumer.landed).timestamp())
            corrected = await asyncio.to_thread(self._lander.correct, self._clocks.monotonic())
            if corrected is not None:
                self.measures.corrected(corrected)
                self._log.info("hours corrected", **corrected._asdict())
        except (*HUB_ERRORS, StorageError, StateError, PartError, ValueError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:300]
            self.measures.error("landing")
            self.health.trouble("landing", said)
            self._log.warning(said, what="landing")
        else:
            self.health.trouble("landing", self._lander.trouble)

    async def _let_go(self) -> None:
        try:
            await asyncio.to_thread(self._claim.let_go)
        except StorageError as error:
            self._log.warning(str(error), what="landing")


def _raw(settings: ServiceSettings) -> Raw | None:
    """Where raw events are kept, with the hub's names in the path."""
    return of_hub(settings.raw, namespace_of(settings.hub), settings.hub.name) if settings.raw else None


def _late(ordering: Ordering) -> float:
    """Seconds that watermarks may be behind what the hub has, with nothing wrong."""
    return ordering.late / 1_000_000 if ordering.by == EVENT else 0.0


async def _ended(work: list[asyncio.Task[None]]) -> None:
    """Waits a little for what is being done, then no more."""
    _, late = await asyncio.wait(work, timeout=_ENDING_SECONDS)
    for each in late:
        each.cancel()


async def run(settings: ServiceSettings, connection: str | None) -> None:
    """One replica until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Service(settings, connection).run(stop)
