"""What of AMQP the client for Python does not ask of the double, and others do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from eventhubs import EventHubs, Threaded, codec, frames, messages
from eventhubs.frames import Attached, Performative

READER, SENDER = 3, 4
SOURCE = "readings/ConsumerGroups/$Default/Partitions/"
WIDE = 1 << 30
KEYED = codec.described(
    messages.ANNOTATIONS, codec.mapping({codec.symbol(messages.PARTITION_KEY): codec.string("k")})
) + codec.described(messages.DATA, codec.binary(b"x"))


class Raw:
    """A connection on which frames are written and read by hand, with a token put."""

    def __init__(self, port: int, largest: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream: BinaryIO = self.socket.makefile("rb")
        init = codec.composite(frames.SASL_INIT, [codec.symbol("ANONYMOUS"), codec.NULL, codec.NULL])
        self.socket.sendall(frames.SASL + frames.frame(0, init, 1) + frames.AMQP)
        self.socket.sendall(frames.frame(0, frames.open_("raw", largest, 10, 60)))
        windows = [codec.uint(0), codec.uint(WIDE), codec.uint(WIDE)]
        self.say(codec.composite(frames.BEGIN, [codec.NULL, *windows, *[codec.NULL] * 4]))
        self.say(Attached("cbs", 1, True, "me", "$cbs", 0, 0).encoded())
        self.say(Attached("answers", 2, False, "$cbs", "me", 0, 0).encoded())
        told = {"operation": "put-token", "type": "jwt", "name": "sb://h/readings"}
        named = codec.mapping({codec.string(key): codec.string(value) for key, value in told.items()})
        token = codec.described(messages.VALUE, codec.string("token"))
        self.send(1, codec.described(messages.APPLICATION_PROPERTIES, named) + token, settled=True)

    def say(self, body: bytes) -> None:
        self.socket.sendall(frames.frame(1, body))

    def send(self, handle: int, message: bytes, *, settled: bool = False) -> None:
        head = frames.transfer_head(1, handle, 7, len(message), settled=settled, more=False)
        self.socket.sendall(head + message)

    def read(self, partition: str = "0", credit: int = 0, drain: bool = False, echo: bool = False) -> None:
        """Attaches a reader and gives it credit."""
        self.say(Attached("r", READER, False, SOURCE + partition, "me", 1, 0).encoded())
        numbers = (0, WIDE, 0, WIDE, READER, 0, credit)
        rest = [codec.NULL, codec.boolean(drain), codec.boolean(echo), codec.NULL]
        self.say(codec.composite(frames.FLOW, [*map(codec.uint, numbers), *rest]))

    def next(self, code: int, handle: int | None = None) -> Performative:
        """The next performative of this kind, on this link."""
        while True:
            head = self.stream.read(8)
            if head[:4] == b"AMQP":
                continue
            body = self.stream.read(int.from_bytes(head[:4], "big") - 8)
            said = frames.read(body) if head[5] == 0 else None
            at = 1 if code == frames.ATTACH else 4 if code == frames.FLOW else 0
            if said and said.code == code and handle in (None, said.fields[at]):
                return said


@pytest.fixture
def hubs() -> Iterator[Threaded]:
    with Threaded(EventHubs({"readings": 2})) as double:
        yield double


@pytest.fixture
def raw(hubs: Threaded) -> Iterator[Raw]:
    connection = Raw(hubs.double.port, 512)
    yield connection
    connection.stream.close()
    connection.socket.close()


def fill(hubs: Threaded, *bodies: bytes) -> None:
    hubs.do(lambda double: double.hub("readings").fill(bodies, partition=0))


def test_credit_that_is_drained_is_used_up_once_there_are_no_events(hubs: Threaded, raw: Raw) -> None:
    fill(hubs, b"a", b"b")
    raw.read(credit=10, drain=True)
    assert [raw.next(frames.TRANSFER, READER).fields[1] for _ in range(2)] == [0, 1]
    flow = raw.next(frames.FLOW, READER)
    assert (flow.fields[5], flow.fields[6]) == (10, 0)


def test_a_flow_that_asks_for_an_echo_gets_one(raw: Raw) -> None:
    raw.read(credit=5, echo=True)
    assert raw.next(frames.FLOW, READER).fields[6] == 5


def test_no_more_comes_than_there_is_credit_for(hubs: Threaded, raw: Raw) -> None:
    fill(hubs, *[b"x"] * 10)
    raw.read(credit=3, echo=True)
    assert raw.next(frames.FLOW, READER).fields[5:7] == [3, 0]


def test_a_message_is_split_as_the_peer_takes_frames(hubs: Threaded, raw: Raw) -> None:
    fill(hubs, b"x" * 1000)
    raw.read(credit=1)
    parts = [raw.next(frames.TRANSFER, READER) for _ in range(3)]
    assert [part.fields[5] for part in parts] == [True, True, False]
    assert max(len(part.payload) for part in parts) <= 512 - frames.TRANSFER_SIZE
    whole = b"".join(part.payload for part in parts)
    assert [kind for kind, *_ in messages.sections(whole)] == [messages.ANNOTATIONS, messages.DATA]


def test_deliveries_are_settled_if_the_reader_asked_for_that(hubs: Threaded, raw: Raw) -> None:
    fill(hubs, b"x")
    raw.read(credit=1)
    assert raw.next(frames.TRANSFER, READER).fields[4] is True


def refusal(said: Performative) -> Any:
    return said.fields[2].value[0]


def test_a_partition_that_is_not_there_is_refused(raw: Raw) -> None:
    raw.read(partition="2")
    assert raw.next(frames.ATTACH, READER).fields[5] is None
    assert refusal(raw.next(frames.DETACH, READER)) == "com.microsoft:argument-out-of-range"


def test_who_put_no_token_for_a_hub_is_refused(hubs: Threaded, raw: Raw) -> None:
    hubs.do(lambda double: double.add_hub("other", 1))
    raw.say(Attached("s", SENDER, True, "me", "other", 0, 0).encoded())
    assert refusal(raw.next(frames.DETACH, SENDER)) == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b"no message", "amqp:decode-error"),
        (KEYED, "amqp:not-allowed"),
    ],
)
def test_what_cannot_be_an_event_of_the_partition_is_rejected(
    message: bytes, condition: str, raw: Raw
) -> None:
    raw.say(Attached("s", SENDER, True, "me", "readings/Partitions/0", 0, 0).encoded())
    raw.send(SENDER, message)
    state = raw.next(frames.DISPOSITION).fields[4]
    assert (state.descriptor, state.value[0].value[0]) == (frames.REJECTED, condition)
