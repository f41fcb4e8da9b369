"""The double of Event Hubs does what the real client asks of it: sending, reading, where to begin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from azure.eventhub.exceptions import ConnectError, EventHubError

from eventhubs import EventHubs
from hub_clients import GROUP, HUB, SOON, consumer, producer, reading, send, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 4}) as double:
        yield double


async def test_a_hub_and_its_partitions_say_what_they_hold(hubs: EventHubs) -> None:
    hubs.clock.set(NOON)
    hubs.hub(HUB).fill([b"a", b"b"], partition=1)
    async with consumer(hubs) as client:
        assert await client.get_partition_ids() == ["0", "1", "2", "3"]
        filled, empty = [await client.get_partition_properties(number) for number in ("1", "0")]
    assert filled["beginning_sequence_number"] == 0
    assert filled["last_enqueued_sequence_number"] == 1
    assert filled["last_enqueued_time_utc"] == NOON
    assert int(filled["last_enqueued_offset"]) > 0
    assert (filled["is_empty"], empty["is_empty"]) == (False, True)
    assert (empty["last_enqueued_sequence_number"], empty["last_enqueued_offset"]) == (-1, "-1")


async def test_a_batch_comes_as_it_was_sent_in_order_with_numbers_offsets_and_time(hubs: EventHubs) -> None:
    hubs.clock.set(NOON)
    async with producer(hubs) as client:
        await send(client, [f"{number}" for number in range(50)], partition_id="2")
        await send(client, ["after"], partition_id="2")
    async with reading(hubs) as received:
        await until(lambda: received.count() == 51, "all events")
    events = received.events["2"]
    assert received.bodies("2") == [*map(str, range(50)), "after"]
    assert received.numbers("2") == list(range(51))
    offsets = [int(event.offset) for event in events]
    assert offsets == sorted(set(offsets))
    assert offsets[1] != events[1].sequence_number
    assert {event.enqueued_time for event in events} == {NOON}


async def test_an_event_keeps_its_properties_and_key(hubs: EventHubs) -> None:
    event = EventData(b"\x00\xff")
    event.properties = {"device": "d1", "number": 7, "share": 0.5, "flag": True}
    event.content_type, event.message_id, event.correlation_id = "application/json", "m", "c"
    async with producer(hubs) as client:
        await client.send_event(event, partition_key="device-1")
    async with reading(hubs) as received:
        await until(received.count)
    ((got,),) = received.events.values()
    assert got.properties == {b"device": b"d1", b"number": 7, b"share": 0.5, b"flag": True}
    assert (got.content_type, got.message_id, got.correlation_id) == ("application/json", "m", "c")
    assert got.partition_key == b"device-1"
    assert b"".join(got.body) == b"\x00\xff"


@pytest.mark.parametrize(
    "body", [{"data_body": [b"a", b"b"]}, {"value_body": {b"t": 1.5}}, {"sequence_body": [[1, 2], [3]]}]
)
async def test_bodies_of_all_kinds_pass(body: dict[str, Any], hubs: EventHubs) -> None:
    async with producer(hubs) as client:
        await client.send_event(AmqpAnnotatedMessage(annotations={b"mine": 1}, **body), partition_id="0")
    async with reading(hubs) as received:
        await until(received.count)
    (got,) = received.events["0"]
    found = got.raw_amqp_message
    assert (list(found.body) if "value_body" not in body else found.body) == next(iter(body.values()))
    assert found.annotations[b"mine"] == 1


async def test_a_key_always_goes_to_its_partition_and_no_key_to_each_in_turn(hubs: EventHubs) -> None:
    async with producer(hubs) as client:
        for _ in range(2):
            for key in "abcd":
                await send(client, [key], partition_key=f"device-{key}")
        keyed = [partition.next for partition in hubs.hub(HUB).partitions]
        for number in range(8):
            await send(client, [f"{number}"])
    assert [after.next - before for after, before in zip(hubs.hub(HUB).partitions, keyed, strict=True)] == [
        2
    ] * 4
    async with reading(hubs) as received:
        await until(lambda: received.count() == 16)
    where = {(partition, event.partition_key) for partition, got in received.events.items() for event in got}
    assert len([each for each in where if each[1]]) == 4


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


PLACES = [
    ("-1", False, 0),
    ("@latest", False, 10),
    (3, False, 4),
    (3, True, 3),
    (9, False, 10),
    ("the offset of 3", False, 4),
    ("the offset of 3", True, 3),
    (minute(3), False, 4),
    (minute(3), True, 3),
    (minute(-1), False, 0),
    (minute(60), True, 10),
]
"""Where to begin, whether with it, and which of ten events, one a minute, then comes first."""


async def test_reading_begins_where_it_is_asked_to() -> None:
    async with EventHubs({HUB: len(PLACES)}) as hubs:
        positions, inclusive = {}, {}
        for partition, (position, also, _) in enumerate(PLACES):
            for number in range(10):
                hubs.clock.set(minute(number))
                filled = hubs.hub(HUB).fill([b"x"], partition)
            positions[str(partition)] = str(filled.offsets[3]) if position == "the offset of 3" else position
            inclusive[str(partition)] = also
        how = {"starting_position": positions, "starting_position_inclusive": inclusive}
        async with reading(hubs, **how) as received:
            await until(lambda: len(list(hubs.links())) == len(PLACES), "all consumers")
            for partition in range(len(PLACES)):
                hubs.hub(HUB).fill([b"new"], partition)
            await until(lambda: [received.numbers(each)[-1:] for each in positions] == [[10]] * len(PLACES))
    assert [received.numbers(each)[0] for each in positions] == [first for *_, first in PLACES]
    assert all(received.numbers(each) == list(range(received.numbers(each)[0], 11)) for each in positions)


@pytest.mark.parametrize(
    ("position", "says"),
    [("99999", "The supplied offset '99999' is invalid"), (5, "The supplied sequence number '5' is invalid")],
)
async def test_a_place_that_has_not_been_yet_is_refused(position: Any, says: str, hubs: EventHubs) -> None:
    hubs.hub(HUB).fill([b"x"], partition=0)
    async with reading(hubs, starting_position=position, partition_id="0") as received:
        await until(lambda: hubs.refusals)
    assert hubs.refusals[0][1].condition == "com.microsoft:argument-error"
    assert says in hubs.refusals[0][1].description
    assert not received.errors, "the client tries again for ever, and tells nobody"


async def test_what_is_past_its_retention_is_gone_and_passed_over() -> None:
    async with EventHubs({HUB: 1}, retention=3600) as hubs:
        hubs.clock.set(NOON)
        old = hubs.hub(HUB).fill([b"old"] * 3, partition=0).offsets[0]
        hubs.clock.advance(3601)
        hubs.hub(HUB).fill([b"new"] * 2, partition=0)
        async with reading(hubs, starting_position=str(old)) as received:
            await until(lambda: received.count() == 2)
            properties = await consumer_properties(hubs)
    assert received.bodies("0") == ["new", "new"]
    assert received.numbers("0") == [3, 4]
    assert (properties["beginning_sequence_number"], properties["last_enqueued_sequence_number"]) == (3, 4)


async def consumer_properties(hubs: EventHubs) -> dict[str, Any]:
    async with consumer(hubs) as client:
        found: dict[str, Any] = await client.get_partition_properties("0")
    return found


async def test_messages_longer_than_a_frame_pass_up_to_the_limit(hubs: EventHubs) -> None:
    async with producer(hubs) as client:
        for size in (60_000, 65_536, 200_000, 1_048_000):
            await client.send_event(EventData(b"x" * size), partition_id="0")
    async with reading(hubs) as received:
        await until(lambda: received.count() == 4)
    assert [len(body) for body in received.bodies("0")] == [60_000, 65_536, 200_000, 1_048_000]


async def test_a_message_over_the_limit_is_refused_and_the_link_goes_on(hubs: EventHubs) -> None:
    hubs.largest = 262_144
    async with producer(hubs) as client:
        with pytest.raises(EventHubError, match=r"exceeds the limit \(262144 bytes\) currently allowed"):
            await client.send_event(EventData(b"x" * 262_144), partition_id="0")
        batch = await client.create_batch()
        with pytest.raises(ValueError, match="has reached its size limit: 262144"):
            batch.add(EventData(b"x" * 262_144))
        await client.send_event(EventData(b"y"), partition_id="0")
    assert hubs.hub(HUB).partitions[0].next == 1


async def test_thousands_of_events_keep_their_order_in_each_partition(hubs: EventHubs) -> None:
    async with producer(hubs) as client, reading(hubs) as received:
        for number in range(4):
            for partition in "0123":
                await send(client, [f"{number * 500 + each}" for each in range(500)], partition_id=partition)
        await until(lambda: received.count() == 8000, "8,000 events")
    for partition in "0123":
        assert received.bodies(partition) == [str(number) for number in range(2000)]
        assert received.numbers(partition) == list(range(2000))


async def test_an_event_says_how_far_its_partition_has_come_if_asked(hubs: EventHubs) -> None:
    told: list[Any] = []

    async def take(context: Any, _: Any) -> None:
        told.append(context.last_enqueued_event_properties)

    hubs.hub(HUB).fill([b"x"] * 5, partition=0)
    async with consumer(hubs) as client:
        how = {"starting_position": "-1", "track_last_enqueued_event_properties": True}
        work = asyncio.create_task(client.receive_batch(take, **how))
        await until(lambda: told)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    assert told[0]["sequence_number"] == 4
    assert told[0]["offset"] == str(hubs.hub(HUB).partitions[0].offsets[4])


async def test_a_group_that_is_not_there_is_refused(hubs: EventHubs) -> None:
    client = EventHubConsumerClient.from_connection_string(hubs.connection_string(HUB), "absent", **SOON)
    async with reading(hubs, client, partition_id="0"):
        await until(lambda: hubs.refusals)
    assert "could not be found" in hubs.refusals[0][1].description


async def test_a_hub_that_is_not_there_is_not_found(hubs: EventHubs) -> None:
    string = hubs.connection_string("absent")
    async with EventHubConsumerClient.from_connection_string(string, GROUP, retry_total=0) as client:
        with pytest.raises(ConnectError, match="Status code: 404"):
            await client.get_partition_ids()
