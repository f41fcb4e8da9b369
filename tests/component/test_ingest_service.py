"""The real service with the real client against the double: what it lands, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from eventhubs import EventHubs, Where
from hub_clients import HUB, until
from ingest_fleet import Fleet
from unit.ingest.crashing import FaultyStore, fails

# The client leaves the connections of questions that are cancelled to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CONSUMERS = Where(role="consumer")


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 2}) as double:
        yield double


async def test_events_become_an_hour_of_readings_with_counts_that_add_up(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(20)
    async with fleet.replica() as service:
        await until(lambda: len(service.consumer.partitions) == 2)
        fleet.fill(20)
        await until(lambda: all(p.sequence == 119 for p in service.consumer.partitions))
        fleet.next_hour()
        await fleet.all_landed()
    fleet.check()
    assert set(fleet.markers()) == {"readings/2026/01/01/12/_SUCCESS"}
    assert len(list(fleet.store.list("readings"))) == 6 + 2
    text = service.measures.text().decode()
    assert "sensorscore_ingest_input_events_total 240.0" in text
    assert "sensorscore_ingest_backlog_events 0.0" in text


async def test_who_ends_hands_over_at_once_and_nothing_comes_twice(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: len(service.consumer.partitions) == 2)
    fleet.fill(10)
    async with fleet.replica():
        fleet.next_hour()
        await fleet.all_landed()
    fleet.check()
    assert fleet.arrived("duplicate") == 0


@pytest.mark.parametrize("replicas", [2, 3])
async def test_replicas_share_and_take_over_from_one_that_dies(replicas: int) -> None:
    async with EventHubs({HUB: 4}) as hubs:
        fleet = Fleet(hubs)
        fleet.fill(10)
        async with contextlib.AsyncExitStack() as stack:
            others = [await stack.enter_async_context(fleet.replica()) for _ in range(replicas - 1)]
            dying, _, work = fleet.start()
            await until(lambda: all(s.consumer.partitions for s in fleet.services), "shared", 90)
            fleet.fill(10)
            await until(lambda: any(p.changed or p.sequence > 30 for p in dying.consumer.partitions))
            await fleet.kill(dying, work)
            fleet.fill(10)
            await until(lambda: sum(len(s.consumer.partitions) for s in others) >= 4, "all taken", 90)
            fleet.next_hour()
            await fleet.all_landed()
        fleet.check()


async def test_a_stolen_partition_is_let_go_and_read_on_by_the_thief(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as first:
        await until(lambda: len(first.consumer.partitions) == 2)
        async with fleet.replica() as second:
            await until(lambda: first.consumer.partitions and second.consumer.partitions, "shared", 60)
            fleet.fill(10)
            await until(lambda: len(first.consumer.partitions) + len(second.consumer.partitions) == 2)
            fleet.next_hour()
            await fleet.all_landed()
    fleet.check()


async def test_a_hub_that_cuts_closes_and_goes_away_loses_nothing(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: len(service.consumer.partitions) == 2)
        hubs.cut(CONSUMERS)
        fleet.fill(10)
        hubs.rewind(5)
        hubs.detach(CONSUMERS)
        fleet.fill(10)
        await hubs.stop()
        await until(service.health.unready, "health says so")
        assert not service.health.sick()
        await hubs.start()
        fleet.next_hour()
        await fleet.all_landed(90)
        await until(lambda: not service.health.unready(), "and that it is over")
    fleet.check()


async def test_a_store_that_fails_by_chance_holds_events_back_and_loses_none(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    faulty = FaultyStore(fleet.store, fails(3, 0.15))  # type: ignore[arg-type]
    fleet.fill(10)
    async with fleet.replica(faulty):
        for _ in range(5):
            fleet.fill(5)
            await asyncio.sleep(0.2)
        fleet.next_hour()
        await fleet.all_landed(90)
    fleet.check()


@pytest.mark.parametrize("seed", range(6))
async def test_a_service_that_is_cancelled_anywhere_leaves_all_to_the_next(
    seed: int, hubs: EventHubs
) -> None:
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
    fleet = Fleet(hubs)
    for _ in range(2):
        fleet.fill(10)
        service, _, work = fleet.start()
        await asyncio.sleep(chance.random() * 1.5)
        if chance.random() < 0.5:
            for partition in service.consumer.partitions:
                partition.abandon()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    async with fleet.replica():
        fleet.next_hour()
        await fleet.all_landed()
    fleet.check()


async def test_a_partition_that_the_hub_refuses_in_silence_makes_health_bad(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(
            lambda: all(p.sequence == 29 for p in service.consumer.partitions) and service.health.behind
        )
        hubs.stall(Where(partition="0", role="consumer"))
        fleet.fill(5)
        await until(lambda: "partition 0: 15 events" in service.health.sick(), "sick")
        hubs.resume()
        await until(lambda: not service.health.sick(), "well again")


async def test_a_hub_that_was_made_anew_is_told_from_one_that_is_silent(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29])
        hubs.add_hub(HUB, 2)
        hubs.cut()
        await until(lambda: "made anew" in service.health.unready(), "it is said")
        fleet.next_hour()
        await asyncio.sleep(0.5)
    assert not fleet.markers()


async def test_a_state_of_other_windows_is_said_and_left_as_it_is(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29])
    before = {entry.path: entry.etag for entry in fleet.store.list("ingest") if entry.path.endswith("state")}
    other = Fleet(hubs, fleet.store, window={"size": "10s"})
    async with other.replica() as service:
        await until(lambda: "state was made with window" in service.health.unready(), "it is said")
    after = {entry.path: entry.etag for entry in fleet.store.list("ingest") if entry.path.endswith("state")}
    assert after == before


async def test_tags_of_deliveries_do_not_pile_up(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    fleet.fill(50)
    async with fleet.replica() as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [149, 149])
        (processor,) = service._client._event_processors.values()
        tags = processor._consumers["0"]._handler._link._received_delivery_tags
        await until(lambda: not tags, "they are forgotten")


async def test_a_client_that_keeps_tags_elsewhere_is_told_of_once_and_read_on(
    hubs: EventHubs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scorer.ingest.consumer.forget_tags", lambda *_: -1)
    monkeypatch.setattr("scorer.ingest.consumer.STRANGE", 2)
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        for wanted in (29, 59, 89, 119):
            await until(
                lambda wanted=wanted: [p.sequence for p in service.consumer.partitions] == [wanted] * 2
            )
            fleet.fill(10)
    assert capfd.readouterr().out.count("azure-eventhub is not known") == 1


async def test_probes_and_metrics_answer(hubs: EventHubs) -> None:
    fleet = Fleet(hubs)
    service, stop, work = fleet.start()
    await until(lambda: service.port, "it listens")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as session:
        for path in ("/healthz", "/readyz", "/metrics"):
            async with session.get(path) as answer:
                assert answer.status == 200
        service.health.trouble("store", "no answer")
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "store: no answer\n")
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    stop.set()
    await work
