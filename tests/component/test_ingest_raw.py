"""Raw events of the real service with the real client, in Capture's files, and the scorer that reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventhubs import EventHubs
from hub_clients import HUB, until
from ingest_fleet import Fleet
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader
from scorer.sources import Sources
from scorer.window import window

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
PATH = "raw/{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 2}) as double:
        yield double


def later(fleet: Fleet) -> set[str]:
    """Partitions with a file of the next hour."""
    paths = [entry.path.split("/") for entry in fleet.store.list("raw")]
    return {path[3] for path in paths if path[7] == "13"}


async def test_the_scorer_reads_the_events_that_ingest_has_received(hubs: EventHubs) -> None:
    fleet = Fleet(hubs, raw={"path": PATH, "every": "1m"})
    fleet.fill(70)
    async with fleet.replica():  # and another after it: what is staged is handed over
        await until(lambda: any(fleet.store.list("raw")), "the first file")
    fleet.fill(20)
    async with fleet.replica():
        fleet.next_hour()
        await fleet.all_landed()
        await until(lambda: len(later(fleet)) == 2, "later files of both partitions")
    names = [f"d{partition * 10 + device}" for partition in range(2) for device in range(3)]
    columns = Columns("EnqueuedTimeUtc", "d{Device}", {"value": "Value"})
    source = ReadingsSource(PATH, layout="capture", columns=columns)
    found = Sources(fleet.store, source, SPAN, names).find("d0")
    reader = Reader(source, SPAN)
    read = {name: reader.read(found, name, ["value"]) for name in names}
    assert {name: readings.rows for name, readings in read.items()} == dict.fromkeys(names, (90, 90, 0, 0))
    assert sum(readings.values.sum() for readings in read.values()) == sum(range(fleet.filled))
