"""The Lease: who acts, who waits, and how long. The API double stands in; clocks are the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scoring_operator.cluster import LEASES, Cluster
from scoring_operator.lease import Lease, LeaseLost
from scoring_operator.settings import LeaseSettings
from unit.operator.api_double import ApiDouble, serving, status
from unit.operator.clock import Clock

PATH = LEASES.path("system", "sensorscore-operator")
NOW = datetime(2026, 1, 1, 13, tzinfo=UTC)


class Desk:
    """An API server, a clock, and whoever wants the Lease."""

    def __init__(self, api: ApiDouble, cluster: Cluster) -> None:
        self.api = api
        self.clock = Clock()
        self._cluster = cluster

    def lease(self, name: str, namespace: str = "system", seconds: int = 15) -> Lease:
        chosen = LeaseSettings(namespace, duration_seconds=seconds)
        return Lease(self._cluster, chosen, name, lambda: NOW, self.clock)

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.objects[PATH]["spec"]
        return found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    api = ApiDouble()
    async with serving(api) as cluster:
        yield Desk(api, cluster)


async def test_whoever_comes_first_has_it_and_the_second_stands_by(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    await first._renew()
    await second._renew()
    assert (first.held, second.held) == (True, False)
    assert (desk.spec["holderIdentity"], desk.spec["leaseDurationSeconds"]) == ("a", 15)
    assert second.why == "standing by: Lease system/sensorscore-operator is held by a"


async def test_one_that_is_renewed_is_never_taken(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    for _ in range(20):
        await first._renew()
        await second._renew()
        desk.clock.now += 5
    assert (first.held, second.held) == (True, False)
    assert desk.spec["leaseTransitions"] == 0


async def test_one_that_is_not_renewed_is_taken_after_its_duration_by_our_own_clock(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    await first._renew()
    desk.clock.now += 1000  # seen for the first time only then: its renewTime is somebody else's clock
    await second._renew()
    assert not second.held
    desk.clock.now += 14.9
    await second._renew()
    assert not second.held
    desk.clock.now += 0.1
    await second._renew()
    assert second.held
    assert (desk.spec["holderIdentity"], desk.spec["leaseTransitions"]) == ("b", 1)


async def test_the_first_stops_before_the_second_may_begin_and_ends_when_it_sees_it(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    await first._renew()
    await second._renew()
    desk.clock.now += 10
    assert not first.held
    desk.clock.now += 5
    await second._renew()
    assert (first.held, second.held) == (False, True)
    with pytest.raises(LeaseLost, match="is held by b now"):
        async with asyncio.timeout(60):
            await first.keep()  # its write is refused; it looks, and sees


async def test_one_that_somebody_else_has_had_and_released_is_lost(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    await first._renew()
    await second._renew()
    desk.clock.now += 15
    await second._renew()
    await second.release()
    with pytest.raises(LeaseLost, match="was somebody else's meanwhile"):
        async with asyncio.timeout(60):
            await first.keep()


async def test_one_that_was_let_go_of_before_we_had_it_is_ours(desk: Desk) -> None:
    before, first = desk.lease("b"), desk.lease("a")
    await before._renew()
    await before.release()
    await first._renew()
    await first._renew()
    assert first.held
    assert desk.spec["leaseTransitions"] == 1


async def test_after_a_try_that_took_long_the_next_comes_at_once(desk: Desk) -> None:
    first = desk.lease("a", seconds=600)
    await first._renew()

    def long(_: object) -> Any:
        desk.api.fault = lambda _: None
        desk.clock.now += 200
        return status(503, "ServiceUnavailable")

    desk.api.fault = long
    keeping = asyncio.create_task(first.keep())
    await until(lambda: desk.clock.now == 1200 and first.age() == 0)
    keeping.cancel()
    assert (first.held, first.why) == (True, "")


async def test_a_pod_whose_container_was_killed_goes_on_at_once(desk: Desk) -> None:
    await desk.lease("a")._renew()
    again = desk.lease("a")
    await again._renew()
    assert again.held


async def test_one_that_was_released_is_free_at_once(desk: Desk) -> None:
    first, second = desk.lease("a"), desk.lease("b")
    await first._renew()
    await first.release()
    assert not first.held
    await second._renew()
    assert second.held


async def test_of_two_that_take_it_at_once_one_gets_it(desk: Desk) -> None:
    await desk.lease("gone")._renew()
    racers = [desk.lease(name) for name in "abc"]
    for racer in racers:
        await racer._renew()
    desk.clock.now += 15
    await asyncio.gather(*(racer._renew() for racer in racers), return_exceptions=True)
    assert [racer.held for racer in racers].count(True) == 1


async def test_an_api_server_that_is_away_pauses_the_holder_and_no_more(
    desk: Desk,
) -> None:
    first = desk.lease("a", seconds=1)
    await first._renew()
    desk.api.fault = lambda _: status(503, "ServiceUnavailable")
    keeping = asyncio.create_task(first.keep())
    await until(lambda: "503" in first.why)
    assert first.held  # for a while yet
    desk.clock.now += 1
    waiting = asyncio.create_task(first.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    keeping.cancel()
    desk.api.fault = lambda _: None
    keeping = asyncio.create_task(first.keep())
    async with asyncio.timeout(60):
        await waiting
    assert (first.held, first.why) == (True, "")
    keeping.cancel()


async def test_one_that_was_deleted_is_made_again(desk: Desk) -> None:
    first = desk.lease("a")
    await first._renew()
    desk.api.drop(PATH)
    keeping = asyncio.create_task(first.keep())
    await until(lambda: PATH in desk.api.objects)
    keeping.cancel()
    assert first.held


async def test_without_a_namespace_there_is_none(desk: Desk) -> None:
    alone = desk.lease("a", namespace="")
    await alone.wait()
    await alone.release()
    assert (alone.held, alone.age(), desk.api.calls) == (True, 0.0, [])


async def until(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.005)
