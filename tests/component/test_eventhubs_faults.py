"""What goes wrong with the double of Event Hubs on demand, and what the real client makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import AuthenticationError, ConnectionLostError, EventDataSendError

from eventhubs import EventHubs, Failure, Where
from hub_clients import GROUP, HUB, consumer, producer, reading, until

CONSUMERS = Where(role="consumer")


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 1}) as double:
        yield double


def reads(hubs: EventHubs) -> int:
    return len(list(hubs.links(CONSUMERS)))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 2), (None, 0)])
async def test_an_owner_level_takes_the_partition_from_equal_lower_and_none(
    first: int | None, second: int, hubs: EventHubs
) -> None:
    async with reading(hubs, owner_level=first) as loser:
        await until(lambda: reads(hubs) == 1)
        async with reading(hubs, owner_level=second) as winner:
            await until(lambda: loser.errors, "the first is told")
            hubs.hub(HUB).fill([b"x"])
            await until(winner.count)
    error = loser.errors[0][1]
    assert isinstance(error, ConnectionLostError)
    assert f"New receiver 'nil' with higher epoch of '{second}'" in str(error)


@pytest.mark.parametrize("level", [None, 1])
async def test_a_partition_is_refused_to_a_lower_owner_level_and_to_none(
    level: int | None, hubs: EventHubs
) -> None:
    async with reading(hubs, owner_level=2) as owner:
        await until(lambda: reads(hubs) == 1)
        async with reading(hubs, owner_level=level) as other:
            await until(lambda: other.errors)
            hubs.hub(HUB).fill([b"x"])
            await until(owner.count)
    assert hubs.refusals[0][1].condition == "amqp:link:stolen"
    assert other.count() == 0


async def test_a_sixth_reader_without_owner_level_is_refused(hubs: EventHubs) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(reading(hubs))
        await until(lambda: reads(hubs) == 5)
        await stack.enter_async_context(reading(hubs))
        await until(lambda: hubs.refusals)
    assert hubs.refusals[0][1].condition == "amqp:resource-limit-exceeded"


@pytest.mark.parametrize(
    "fault",
    [
        lambda hubs: hubs.cut(CONSUMERS),
        lambda hubs: hubs.close(CONSUMERS),
        lambda hubs: hubs.detach(CONSUMERS),
        lambda hubs: hubs.detach(CONSUMERS, Failure("amqp:internal-error", "An error.")),
        lambda hubs: hubs.expire_tokens(),
    ],
    ids=["cut", "closed", "detached", "internal error", "tokens expired"],
)
async def test_a_reader_comes_back_and_misses_nothing(
    fault: Callable[[EventHubs], None], hubs: EventHubs
) -> None:
    async with reading(hubs) as received:
        for wanted in (400, 800, 1200):
            hubs.hub(HUB).fill([b"x"] * 400)
            await until(lambda wanted=wanted: len(set(received.numbers("0"))) == wanted, f"{wanted} events")
            before = list(hubs.links(CONSUMERS))
            fault(hubs)
            await until(lambda before=before: reads(hubs) == 1 and list(hubs.links(CONSUMERS)) != before)
    assert sorted(set(received.numbers("0"))) == list(range(1200))


async def test_a_connection_that_is_cut_after_so_many_events_is_cut_there(hubs: EventHubs) -> None:
    hubs.hub(HUB).fill([b"x"] * 500)
    hubs.cut_after(150)
    async with reading(hubs) as received:
        await until(lambda: len(set(received.numbers("0"))) == 500)
    assert not hubs.faults.cuts


async def test_events_are_delivered_again_after_a_rewind(hubs: EventHubs) -> None:
    hubs.hub(HUB).fill([b"x"] * 50)
    async with reading(hubs) as received:
        await until(lambda: received.count() == 50)
        hubs.rewind(20)
        hubs.cut(CONSUMERS)
        await until(lambda: received.count() >= 70)
    assert received.numbers("0") == [*range(50), *range(30, 50)]


async def test_nothing_passes_while_a_place_is_stalled(hubs: EventHubs) -> None:
    hubs.stall(CONSUMERS)
    hubs.hub(HUB).fill([b"x"] * 5)
    async with reading(hubs) as received:
        await until(lambda: any(link.credit for link in hubs.links(CONSUMERS)), "a reader that waits")
        assert received.count() == 0
        hubs.resume()
        await until(lambda: received.count() == 5)


async def test_a_silent_hub_is_noticed_by_who_asked_for_signs_of_life(hubs: EventHubs) -> None:
    hubs.hub(HUB).fill([b"x"] * 5)
    async with reading(hubs, consumer(hubs, idle_timeout=1)) as received:
        await until(lambda: received.count() == 5)
        hubs.silence(CONSUMERS)
        hubs.hub(HUB).fill([b"x"] * 5)
        await until(lambda: len(set(received.numbers("0"))) == 10)


async def test_heartbeats_keep_a_quiet_connection(hubs: EventHubs) -> None:
    async with reading(hubs, consumer(hubs, idle_timeout=0.5)) as received:
        await until(lambda: reads(hubs) == 1)
        (link,) = hubs.links(CONSUMERS)
        begun = time.monotonic()
        await until(lambda: time.monotonic() > begun + 1.5)
        assert list(hubs.links(CONSUMERS)) == [link]
        assert received.errors == []


async def test_a_client_that_gives_no_sign_of_life_is_closed() -> None:
    async with EventHubs({HUB: 1}, idle=0.3) as hubs:
        client = producer(hubs)
        await client.send_event(EventData("x"), partition_id="0")
        await until(lambda: not hubs.connections, "closed")
        await client.send_event(EventData("y"), partition_id="0")
        await client.close()
        assert hubs.hub(HUB).partitions[0].next == 2


async def test_a_hub_that_was_gone_is_read_on_when_it_is_back(hubs: EventHubs) -> None:
    async with reading(hubs) as received:
        hubs.hub(HUB).fill([b"x"] * 5)
        await until(lambda: received.count() == 5)
        await hubs.stop()
        hubs.hub(HUB).fill([b"x"] * 5)
        await until(lambda: hubs.connections == set())
        await hubs.start()
        await until(lambda: received.count() == 10)
    assert received.numbers("0") == list(range(10))


async def test_connections_that_are_cut_as_they_open_are_tried_again(hubs: EventHubs) -> None:
    hubs.refuse_connections(2)
    hubs.hub(HUB).fill([b"x"])
    async with reading(hubs) as received:
        await until(received.count)


async def test_a_throttled_sender_is_told_so_at_once_and_may_send_again(hubs: EventHubs) -> None:
    hubs.throttle(1)
    async with producer(hubs) as client:
        with pytest.raises(EventDataSendError, match="is being throttled"):
            await client.send_event(EventData("x"), partition_id="0")
        assert hubs.hub(HUB).partitions[0].next == 0
        await client.send_event(EventData("x"), partition_id="0")
    assert hubs.hub(HUB).partitions[0].next == 1


async def test_a_stalled_sender_waits_until_it_goes_on(hubs: EventHubs) -> None:
    hubs.stall(Where(role="producer"))
    async with producer(hubs) as client:
        work = asyncio.create_task(client.send_event(EventData("x"), partition_id="0"))
        await until(lambda: any(link.count for link in hubs.links(Where(role="producer"))), "what was sent")
        assert hubs.hub(HUB).partitions[0].next == 0
        hubs.resume()
        await work
    assert hubs.hub(HUB).partitions[0].next == 1


async def test_an_event_whose_answer_is_lost_comes_twice(hubs: EventHubs) -> None:
    hubs.lose_answers(1)
    async with producer(hubs) as client:
        await client.send_event(EventData("x"), partition_id="0")
    async with reading(hubs) as received:
        await until(lambda: received.count() == 2)
    assert received.bodies("0") == ["x", "x"]


async def test_a_refused_link_is_asked_for_again(hubs: EventHubs) -> None:
    hubs.refuse_links(2, CONSUMERS)
    hubs.hub(HUB).fill([b"x"])
    async with reading(hubs) as received:
        await until(received.count)
    assert [failure.condition for _, failure in hubs.refusals] == ["com.microsoft:server-busy"] * 2


async def test_a_request_for_properties_that_is_refused_is_asked_again(hubs: EventHubs) -> None:
    hubs.refuse_requests(1)
    async with consumer(hubs) as client:
        assert await client.get_partition_ids() == ["0"]


class Tokens:
    """A credential whose tokens end so soon."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.given = seconds, 0

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        self.given += 1
        return AccessToken(f"token-{self.given}", int(time.time() + self.seconds))


@pytest.mark.parametrize("condition", ["amqp:unauthorized-access", "amqp:link:detach-forced"])
async def test_a_reader_goes_on_when_its_token_ends(condition: str, hubs: EventHubs) -> None:
    hubs.expired_condition = condition
    tokens = Tokens(4)
    client = EventHubConsumerClient(
        f"{hubs.host}:{hubs.port}", HUB, GROUP, tokens, use_tls=False, retry_backoff_factor=0.02
    )
    async with reading(hubs, client) as received:
        for number in range(1, 4):
            hubs.hub(HUB).fill([b"x"])
            await until(lambda number=number: received.count() == number)
            given = tokens.given
            await until(lambda given=given: tokens.given > given, "another token")
    assert received.numbers("0") == [0, 1, 2]


async def test_a_wrong_key_is_refused(hubs: EventHubs) -> None:
    client = producer(hubs, retry_total=0)
    hubs.keys = {"RootManageSharedAccessKey": "another"}
    async with client:
        with pytest.raises(AuthenticationError, match="InvalidSignature"):
            await client.send_event(EventData("x"), partition_id="0")
