"""Ingest's alerts fire and its dashboard has data: the real service against the double of Event Hubs.

It is scraped by a real Prometheus with the chart's rules on a fast clock, and a real Alertmanager is told.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eventhubs import EventHubs, Where
from hub_clients import HUB
from ingest_fleet import Fleet
from local.preview.model import queries
from local.preview.variables import intervals
from local.promql import Client
from monitoring import scaled
from monitoring.conftest import Watch, rule_names, until

# The client leaves the connections of questions that are cancelled to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
DASHBOARD = Path(__file__).resolve().parents[2] / "charts/sensorscore/files/dashboards/ingest.json"
STEP = 1
FACTOR = 2 * scaled.FACTOR
FIRED = {"SensorscoreIngestWatermarkDelay", "SensorscoreIngestStalled", "SensorscoreIngestBadEvents"}
"""In the tests below."""


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 2}) as double:
        yield double


class Watched:
    """A replica that works, and who watches it; the hub's clock began an hour and five minutes ago."""

    def __init__(self, hubs: EventHubs, folder: Path) -> None:
        self.hubs = hubs
        self.fleet = Fleet(hubs)
        hubs.clock.set(time.time() - 3_900)
        self.folder = folder

    async def __aenter__(self) -> Watched:
        self.service, self._stop, self._work = self.fleet.start()
        while not self.service.port:
            await asyncio.sleep(0.02)
        self.watch = Watch(self.folder, f"127.0.0.1:{self.service.port}", FACTOR)
        await asyncio.to_thread(self.watch.__enter__)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()
        await asyncio.to_thread(self.watch.__exit__)

    async def end(self) -> None:
        """As by SIGTERM."""
        self._stop.set()
        await self._work

    async def sees(self, expression: str) -> None:
        """Waits until Prometheus gives something for it."""
        await asyncio.to_thread(until, expression, lambda: self.watch.value(expression) is not None)

    async def fires(self, name: str, **labels: str) -> dict[str, Any]:
        """The alert with these labels, once Alertmanager has it."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.watch.firing(name) if labels.items() <= each["labels"].items()]

        alert: dict[str, Any] = (await asyncio.to_thread(until, f"{name} {labels} fires", found))[0]
        return alert

    async def begins(self) -> None:
        """An hour's first events are taken, and the hub's clock is the machine's."""
        self.fleet.fill(20)
        await self.sees("sum(sensorscore_ingest_input_events_total) == 120")
        self.hubs.clock.set(None)

    def fill(self) -> None:
        """Three events in each partition, by the hub's clock as it is."""
        at = self.hubs.clock()
        for partition in range(2):
            bodies = [b'{"Device": %d, "TS": %f, "Value": 1}' % (n, at) for n in range(3)]
            self.hubs.hub(HUB).fill(bodies, partition)


@pytest.fixture
async def watched(hubs: EventHubs, tmp_path: Path) -> AsyncIterator[Watched]:
    async with Watched(hubs, tmp_path / "watch") as started:
        yield started


def empty(client: Client, since: float) -> set[str]:
    """Panels with a query that returns nothing in the time from `since` on."""
    now = time.time()
    asked = queries(json.loads(DASHBOARD.read_text()), intervals(now - since, STEP, STEP))
    assert asked
    found = set()
    for title, expression in asked:
        points = [
            value for each in client.query_range(expression, since, now, STEP) for _, value in each.points
        ]
        if all(map(math.isnan, points)):
            found.add(title)
    return found


def test_all_of_its_alerts_are_fired_here() -> None:
    assert {name for name in rule_names("alert") if "Ingest" in name} == FIRED


async def test_at_work_every_panel_has_data_and_no_alert_of_its_own_fires(watched: Watched) -> None:
    begun = time.time()
    await watched.begins()
    await watched.sees("sum(sensorscore_ingest_landings_total) >= 1")
    for _ in range(3):
        watched.fill()
        await asyncio.sleep(1)
    await watched.sees("sum(sensorscore_ingest_input_events_total) == 138")
    assert await asyncio.to_thread(empty, watched.watch.prometheus, begun) == set()
    told = {each["labels"]["alertname"] for each in watched.watch.alertmanager.alerts()}
    assert not told & FIRED
    health = {rule["name"]: rule["health"] for rule in watched.watch.prometheus.rules()}
    assert {name: found for name, found in health.items() if "ngest" in name and found != "ok"} == {}


async def test_a_partition_that_stalls_is_told_of_until_it_goes_on(watched: Watched) -> None:
    await watched.begins()
    watched.hubs.stall(Where(partition="1", role="consumer"))
    watched.hubs.clock.set(time.time() + 1_000)
    watched.fleet.fill(1)
    alert = await watched.fires("SensorscoreIngestWatermarkDelay")
    check(alert)
    alert = await watched.fires("SensorscoreIngestStalled", cause="backlog")
    check(alert)
    assert watched.service.health.sick()
    watched.hubs.resume()
    await asyncio.to_thread(watched.watch.quiet, "SensorscoreIngestStalled")
    await asyncio.to_thread(watched.watch.quiet, "SensorscoreIngestWatermarkDelay")


async def test_a_hub_that_is_gone_is_told_of_and_so_is_an_ingest_that_is(watched: Watched) -> None:
    await watched.begins()
    await watched.hubs.stop()
    watched.hubs.clock.set(time.time() + 1_000)
    check(await watched.fires("SensorscoreIngestWatermarkDelay"))
    await watched.end()
    check(await watched.fires("SensorscoreIngestStalled", cause="down"))


async def test_events_that_cannot_be_used_are_told_of(watched: Watched) -> None:
    await watched.begins()
    filling = asyncio.create_task(broken(watched))
    try:
        check(await watched.fires("SensorscoreIngestBadEvents"))
    finally:
        filling.cancel()


async def broken(watched: Watched) -> None:
    """Good events, and bodies that are none."""
    while True:
        watched.fill()
        watched.hubs.hub(HUB).fill([b"{", b"[]"], 0)
        await asyncio.sleep(0.5)


def check(alert: dict[str, Any]) -> None:
    """Its words are whole, and say where to go on."""
    name, words = alert["labels"]["alertname"], alert["annotations"]
    assert words["runbook_url"] == f"docs/runbooks/{name}.md"
    assert words["dashboard"] == "sensorscore-ingest"
    said = words["summary"] + words["description"]
    assert not any(wrong in said for wrong in ("<no value>", "<error", "%!", "NaN")), said
    assert datetime.fromisoformat(alert["startsAt"]) <= datetime.now(UTC)
