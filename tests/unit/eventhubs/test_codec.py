"""AMQP's types, as the double reads and writes them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.eventhub._pyamqp._decode import _DECODE_BY_CONSTRUCTOR, decode_payload
from azure.eventhub._pyamqp._encode import encode_payload, encode_value
from azure.eventhub._pyamqp.message import Message
from hypothesis import example, given
from hypothesis import strategies as st

from eventhubs import codec, messages
from eventhubs.codec import CodecError, Described, Symbol, Timestamp

IDENTIFIER = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (codec.NULL, None),
        (codec.boolean(True), True),
        (codec.ubyte(255), 255),
        (codec.ushort(4999), 4999),
        *((codec.uint(number), number) for number in (0, 255, 256, 2**32 - 1)),
        *((codec.ulong(number), number) for number in (0, 255, 256, 2**64 - 1)),
        (codec.int32(-1), -1),
        (codec.long(-(2**63)), -(2**63)),
        (codec.timestamp(-62_135_596_800_000), -62_135_596_800_000),
        (codec.binary(b"\0" * 256), b"\0" * 256),
        (codec.string("ü" * 200), "ü" * 200),
        (codec.symbol("a:b"), "a:b"),
        (codec.symbols(["a", "bc"]), ["a", "bc"]),
        (codec.strings(["a", "ü"]), ["a", "ü"]),
        (codec.sequence([codec.uint(1)] * 300), [1] * 300),
        (codec.mapping({codec.string("k"): codec.binary(b"x" * 300)}), {"k": b"x" * 300}),
        (codec.described(0x24, b"\x45"), Described(0x24, [])),
        (codec.encode(IDENTIFIER), IDENTIFIER),
    ],
)
def test_what_is_written_is_read_again_by_both_sides(encoded: bytes, value: Any) -> None:
    assert codec.decode(encoded) == (value, len(encoded))
    assert codec.skip(encoded, 0) == len(encoded)
    if not isinstance(value, Described):
        rest, theirs = _DECODE_BY_CONSTRUCTOR[encoded[0]](memoryview(encoded)[1:])
        assert not rest
        assert theirs == as_bytes(value)


def as_bytes(value: Any) -> Any:
    """The client leaves text as bytes."""
    match value:
        case str():
            return value.encode()
        case list():
            return [as_bytes(each) for each in value]
        case dict():
            return {as_bytes(key): as_bytes(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize(
    "value", [True, 0, 200, 2**30, -5, "text", b"bytes", IDENTIFIER, 0.5, [1, "a"], {"k": 1}]
)
def test_what_the_client_writes_is_read(value: Any) -> None:
    output = bytearray()
    encode_value(output, value)
    assert codec.decode(bytes(output)) == (value, len(output))


@given(st.binary(max_size=60))
@example(b"s\x00\x11\x00\x00")  # a character beyond Unicode
@example(b"\xac\x03\xb2\xad#\x1c\x0b\xc2\xd7p/\x1e\x05\xc9")  # a type that there is not
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        _, end = codec.decode(data)
    except CodecError:
        return
    assert end > 0


def test_types_that_python_has_not_are_kept_apart() -> None:
    assert isinstance(codec.decode(codec.symbol("a"))[0], Symbol)
    assert isinstance(codec.decode(codec.timestamp(1))[0], Timestamp)


def client_message(**sections: Any) -> bytes:
    output = bytearray()
    encode_payload(output, Message(**sections))
    return bytes(output)


def test_an_event_is_given_its_annotations_and_keeps_the_rest() -> None:
    sent = client_message(
        message_annotations={b"mine": 0.5, b"list": [1, "a"], b"x-opt-offset": "forged"},
        application_properties={"a": "b"},
        data=[b"body"],
    )
    event, key = messages.read_event(sent, "device-1")
    got = decode_payload(memoryview(messages.payload(event, 7, "448", 1000)))
    assert key == "device-1"
    assert got.message_annotations == {
        b"mine": 0.5,
        b"list": [1, b"a"],
        b"x-opt-sequence-number": 7,
        b"x-opt-offset": b"448",
        b"x-opt-enqueued-time": 1000,
        b"x-opt-partition-key": b"device-1",
    }
    assert (got.application_properties, got.data) == ({b"a": b"b"}, [b"body"])


def test_an_events_own_key_stands_before_its_batchs() -> None:
    inner = client_message(message_annotations={b"x-opt-partition-key": "own"}, data=[b"1"])
    batch = client_message(message_annotations={b"x-opt-partition-key": "batch"}, data=[inner, inner])
    events, key = messages.read_batch(batch)
    assert (len(events), key) == (2, "batch")
    assert b"own" in events[0].annotations


@pytest.mark.parametrize("cut", [1, 5, 11, -1])
def test_a_message_that_is_cut_is_refused(cut: int) -> None:
    sent = client_message(application_properties={"a": "b"}, data=[b"body"])
    with pytest.raises(CodecError):
        messages.read_event(sent[:cut])
