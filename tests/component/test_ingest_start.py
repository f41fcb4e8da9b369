"""Where the real client begins to read a hub: at the newest event, or a time; and that it does so once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventhubs import EventHubs
from hub_clients import HUB, until
from ingest_fleet import NOON, Fleet

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 2}) as double:
        yield double


def fleet_from(hubs: EventHubs, start: str, before: Fleet | None = None) -> Fleet:
    fleet = Fleet(hubs, *([before.store] if before else []), hub={"name": HUB, "start": start})
    hubs.clock.set(NOON)
    return fleet


async def landed(fleet: Fleet, windowed: int, before_start: int) -> None:
    """Waits until so many events are in hours that have landed; the first of these is 13:00."""
    await until(lambda: fleet.arrived("windowed") == windowed, "landed", 60)
    first = min(fleet.markers())
    assert first == "readings/2026/01/01/13/_SUCCESS"
    assert fleet.arrived("before_start") == before_start
    assert fleet.arrived("events") == windowed + before_start
    assert fleet.arrived("missed") == 0
    assert sum(each["readings"]["events"] for each in fleet.markers().values()) == windowed


async def test_newest_leaves_out_what_the_hub_has_and_lands_the_first_whole_hour(hubs: EventHubs) -> None:
    fleet = fleet_from(hubs, "Newest")
    fleet.fill(20)
    hubs.clock.advance(1)  # what came in the very millisecond would be read
    async with fleet.replica() as service:
        await until(lambda: len(service.consumer.partitions) == 2, "claimed", 60)
        fleet.fill(10)  # of the hour that has begun: 60 events
        await until(lambda: all(p.sequence == 89 for p in service.consumer.partitions), "read", 60)
    # Whoever comes next goes on from there, whatever is set now.
    other = fleet_from(hubs, "Oldest", fleet)
    hubs.clock.set(NOON + 3_500)
    async with other.replica():
        other.fill(110)  # until 13:00:10; what is of 13:00:00 is of the hour before
        other.next_hour()
        await landed(other, 10 * 6, 60 + 100 * 6)


async def test_events_that_come_before_the_first_commit_are_there_for_the_next_process(
    hubs: EventHubs,
) -> None:
    fleet = fleet_from(hubs, "Newest")
    fleet.fill(20)
    hubs.clock.advance(1)  # what came in the very millisecond would be read
    async with fleet.replica() as service:
        await until(lambda: len(service.consumer.partitions) == 2, "claimed", 60)
    hubs.clock.set(NOON + 3_605)
    fleet.fill(5)
    async with fleet.replica():
        fleet.next_hour()
        await landed(fleet, 5 * 6, 0)


async def test_a_time_is_the_first_hour_and_reading_begins_so_far_before_that_it_is_whole(
    hubs: EventHubs,
) -> None:
    fleet = fleet_from(hubs, "2026-01-01T12:30:00Z")
    fleet.fill(20)  # not read: 13:00 is the first hour, and nothing of it comes before 12:55
    hubs.clock.set(NOON + 3_400)
    fleet.fill(10)
    hubs.clock.set(NOON + 3_600)
    fleet.fill(10)
    async with fleet.replica():
        fleet.next_hour()
        await landed(fleet, 10 * 6, 10 * 6)
