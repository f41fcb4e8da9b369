"""Hub, store and credentials away, full or refused, and back again: ingest loses nothing, and says so.

The real client, Azure's own ownership in a real Azurite behind a proxy that misbehaves, a double of the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from eventhubs import EventHubs, Where
from faults.conftest import WHOLE
from faulty_proxy import Fault, FaultyProxy, answer, answer_after, late, lost, reset
from hub_clients import HUB, until
from ingest_fleet import Fleet
from ingest_processes import Blobs
from scorer.ingest.identity import WorkloadIdentity
from scorer.ingest.service import Service
from scorer.storage import Store, open_store
from scorer.storage.azure import AzureBlobStore, Retries
from token_endpoints import Azure

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = [
    pytest.mark.azurite,
    pytest.mark.timeout(900),
    # The client leaves the connections of questions that are cancelled to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONG = 180.0
"""Seconds for what takes up to thirty."""
ALWAYS = 1_000_000
EVERY = ("GET", "PUT", "HEAD", "LIST", "DELETE")
QUICK = Retries(tries=2, first_seconds=0.05, busy_seconds=0.1, longest_seconds=0.1)


class Always(list[Fault]):
    """A fault that never ends."""

    def __init__(self, fault: Fault) -> None:
        super().__init__([fault])

    def pop(self, _: object = 0) -> Fault:
        return self[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again sooner."""
    monkeypatch.setattr("scorer.ingest.consumer.FIRST_SECONDS", 0.1)
    monkeypatch.setattr("scorer.ingest.consumer.LONGEST_SECONDS", 0.5)
    monkeypatch.setattr("scorer.ingest.ownership._RETRIES", {"retry_total": 0})


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 2}) as double:
        yield double


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultyProxy]:
    with FaultyProxy(azurite.endpoint) as proxy:
        yield proxy


def behind(proxy: FaultyProxy, hubs: EventHubs, azurite: Azurite) -> tuple[Fleet, Store]:
    """Replicas whose store is behind the proxy, and that store."""
    blobs = Blobs(azurite, proxy.endpoint)
    fleet = Fleet(hubs, blobs.store, store=blobs.settings)
    fleet.connection = azurite.connection_string
    store = open_store(blobs.url, proxy.endpoint, True, azurite.connection_string)
    assert isinstance(store, AzureBlobStore)
    store._retries = QUICK
    return fleet, store


async def all_landed(fleet: Fleet) -> None:
    """Waits until all that was filled in has landed; a look is dozens of requests."""
    async with asyncio.timeout(LONG):
        while fleet.arrived("events") - fleet.arrived("duplicate") < fleet.filled:
            await asyncio.sleep(0.5)


def errors(service: Service, *kinds: str) -> float:
    """How often it has met errors of these kinds."""
    counted = {
        kind: service.measures.registry.get_sample_value("sensorscore_ingest_errors_total", {"kind": kind})
        for kind in kinds
    }
    return sum(count or 0.0 for count in counted.values())


STORE: dict[str, tuple[tuple[str, ...], Fault]] = {
    "away": (EVERY, reset()),
    "account disabled": (EVERY, answer(403, "AccountIsDisabled")),
    "signature ended": (EVERY, answer(403, "AuthenticationFailed")),
    "token ended": (EVERY, answer(401, "InvalidAuthenticationInfo")),
    "no room": (("PUT",), answer(507, "InsufficientStorage")),
    "over its quota": (("PUT",), answer(409, "AccountQuotaExceeded")),
    "read only": (("PUT", "DELETE"), answer(403, "AuthorizationPermissionMismatch")),
    "too many requests": (EVERY, answer(429, "TooManyRequests", Retry_After="1")),
    "busy": (EVERY, answer(503, "ServerBusy", Retry_After="1")),
    "broken": (EVERY, answer(500, "InternalError")),
}


@pytest.mark.parametrize("kind", STORE if WHOLE else ["away", "no room", "token ended"])
async def test_a_store_that_refuses_holds_events_back_and_is_named(
    kind: str, hubs: EventHubs, proxy: FaultyProxy, azurite: Azurite
) -> None:
    operations, fault = STORE[kind]
    fleet, store = behind(proxy, hubs, azurite)
    fleet.fill(10)
    async with fleet.replica(store) as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
        await until(lambda: not service.health.unready(), "ready", LONG)
        before = errors(service, "store", "landing")
        proxy.faults = {operation: Always(fault) for operation in operations}
        fleet.fill(10)
        await until(lambda: errors(service, "store", "landing") > before, "counted", LONG)
        await until(service.health.unready, "said", LONG)
        assert not service.health.sick(), "a new process would not help"
        proxy.faults = {}
        fleet.next_hour()
        await all_landed(fleet)
        await until(lambda: not service.health.unready(), "and that it is over", LONG)
    fleet.check()


CONFUSING: dict[str, list[Fault]] = {
    "changed by somebody": [answer(412, "ConditionNotMet")] * 3,
    "there already": [answer(409, "BlobAlreadyExists")] * 3,
    "done, and not said so": [lost()] * 6,
    "done, and said to be broken": [answer_after(500)] * 6,
    "slow": [late(0.7)] * 20,
}


@pytest.mark.parametrize("kind", CONFUSING if WHOLE else ["changed by somebody", "done, and not said so"])
async def test_answers_that_say_less_than_was_done_lose_nothing_and_double_nothing(
    kind: str, hubs: EventHubs, proxy: FaultyProxy, azurite: Azurite
) -> None:
    fleet, store = behind(proxy, hubs, azurite)
    fleet.fill(10)
    async with fleet.replica(store) as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
        proxy.only = "state|parts|landing"
        faults = list(CONFUSING[kind])
        proxy.faults["PUT"] = faults
        for _ in range(4):
            fleet.fill(5)
            await asyncio.sleep(0.3)
        fleet.next_hour()
        await all_landed(fleet)
        assert len(faults) < len(CONFUSING[kind])
    fleet.check()


async def test_azurite_stops_and_starts_under_it(hubs: EventHubs, tmp_path: Path) -> None:
    from local.azurite import Azurite

    with Azurite(tmp_path / "own") as own:
        blobs = Blobs(own)
        fleet = Fleet(hubs, blobs.store, store=blobs.settings)
        fleet.connection = own.connection_string
        fleet.fill(10)
        async with fleet.replica() as service:
            await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
            own.stop()
            fleet.fill(10)
            await until(lambda: "store" in service.health.unready(), "said", LONG)
            assert not service.health.sick()
            own.start()
            fleet.next_hour()
            await all_landed(fleet)
        fleet.check()


class HubFault(NamedTuple):
    """What the hub does, and how it ends."""

    begin: Callable[[EventHubs], None]
    end: Callable[[EventHubs], None]


def _refuse_tokens(hubs: EventHubs) -> None:
    hubs.refuse_tokens(ALWAYS, 401, "ExpiredToken: The token is expired.")
    hubs.expire_tokens()


HUBS = {
    "credential ended": HubFault(_refuse_tokens, lambda hubs: hubs.faults.tokens.clear()),
    "refuses connections": HubFault(
        lambda hubs: (hubs.refuse_connections(ALWAYS), hubs.cut())[0],  # type: ignore[func-returns-value]
        lambda hubs: setattr(hubs.faults, "connections", 0),
    ),
    "throttled": HubFault(
        lambda hubs: (
            hubs.refuse_requests(ALWAYS),  # type: ignore[func-returns-value]
            hubs.refuse_links(ALWAYS),  # type: ignore[func-returns-value]
            hubs.cut(),  # type: ignore[func-returns-value]
        )[0],
        lambda hubs: (hubs.faults.requests.clear(), hubs.faults.attaches.clear())[0],  # type: ignore[func-returns-value]
    ),
}


@pytest.mark.parametrize("kind", HUBS if WHOLE else ["credential ended"])
async def test_a_hub_that_refuses_is_waited_for_and_named(kind: str, hubs: EventHubs) -> None:
    fault = HUBS[kind]
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
        before = errors(service, "hub")
        fault.begin(hubs)
        fleet.fill(10)
        await until(lambda: errors(service, "hub") > before, "counted", LONG)
        await until(lambda: "hub: " in service.health.unready(), "said", LONG)
        assert not service.health.sick(), "a new process would not help"
        fault.end(hubs)
        fleet.next_hour()
        await all_landed(fleet)
        await until(lambda: not service.health.unready(), "and that it is over", LONG)
    fleet.check()


async def test_a_token_is_renewed_by_the_federated_token_that_is_in_its_file_then(
    hubs: EventHubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    file = tmp_path / "token"
    with Azure() as azure:
        azure.lifetime = 200  # so near to their end none is given out twice
        for name, value in azure.workload(file).items():
            monkeypatch.setenv(name, value)
        service, stop, work = fleet.start()
        # By namespace the client would want TLS, which the double has not.
        service._client._credential = WorkloadIdentity()  # type: ignore[assignment]
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
        azure.refusals = [(401, '{"error": "invalid_client"}')] * 10_000  # its assertion has ended
        hubs.expire_tokens()
        fleet.fill(10)
        await until(lambda: "hub: " in service.health.unready(), "said", LONG)
        assert "no token" in service.health.unready()
        assert not service.health.sick(), "the file is read again each time"
        file.write_text("a fresh one")
        azure.refusals = []
        fleet.next_hour()
        await all_landed(fleet)
        await until(lambda: not service.health.unready(), "and that it is over", LONG)
        assert azure.asked[-1]["client_assertion"] == "a fresh one"
        stop.set()
        await work
    fleet.check()


async def test_a_partition_that_cannot_be_attached_to_makes_health_bad_while_the_hub_answers(
    hubs: EventHubs,
) -> None:
    fleet = Fleet(hubs)
    fleet.fill(10)
    async with fleet.replica() as service:
        await until(lambda: [p.sequence for p in service.consumer.partitions] == [29, 29], "read", LONG)
        consumers = Where(partition="0", role="consumer")
        hubs.refuse_links(ALWAYS, consumers)
        hubs.cut(consumers)
        fleet.fill(10)
        await until(lambda: "partition 0" in service.health.sick(), "sick", LONG)
        hubs.faults.attaches.clear()
        await until(lambda: not service.health.sick(), "well again", LONG)
        fleet.next_hour()
        await all_landed(fleet)
    fleet.check()
