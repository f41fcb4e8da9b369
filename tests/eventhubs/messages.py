"""Messages as they come from producers and go to consumers: OASIS AMQP 1.0, part 3 (messaging), section 3.2.

A message is a row of sections. The service adds its annotations to an event and passes the rest on as it
came; so does this: an event's payload is made once, when it is enqueued, and only framed when it is
delivered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from . import codec
from .codec import CodecError

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA = range(0x70, 0x76)
SEQUENCE, VALUE, FOOTER = range(0x76, 0x79)
BATCH = 0x80013700
"""The message format of a batch: each data section is an encoded message."""

SEQUENCE_NUMBER, OFFSET = "x-opt-sequence-number", "x-opt-offset"
ENQUEUED_TIME, PARTITION_KEY = "x-opt-enqueued-time", "x-opt-partition-key"
OWN = (SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME)

_ENQUEUED = struct.Struct(">q")
_KEYS = {name: codec.symbol(name) for name in (*OWN, PARTITION_KEY)}


class Section(NamedTuple):
    """One section: what it is, where its value begins, and where it begins and ends as a whole."""

    kind: int
    value: int
    begin: int
    end: int


class Event(NamedTuple):
    """What a producer sent, without what the service adds."""

    annotations: bytes
    """Pairs of encoded keys and values, one after another."""
    pairs: int
    body: bytes
    """All sections but header and annotations, as they came."""


def sections(message: bytes) -> Iterator[Section]:
    """The sections of `message`.

    Raises:
        CodecError: It is no message.
    """
    at = 0
    try:
        while at < len(message):
            begin = at
            if message[at] != 0:
                raise CodecError(f"at byte {at}: no section begins with {message[at]:#x}")
            kind, at = codec.decode(message, at + 1)
            end = codec.skip(message, at)
            if end > len(message) or not isinstance(kind, int):
                raise CodecError(f"at byte {begin}: the section is cut")
            yield Section(kind, at, begin, end)
            at = end
    except IndexError as error:
        raise CodecError(f"the message of {len(message)} bytes is cut") from error


def read_event(message: bytes, key: str | None = None) -> tuple[Event, str | None]:
    """The event in `message`, and its partition key: its own, or else its batch's, which it then carries."""
    own: dict[str, bytes] = {}
    found = None
    kept = bytearray()
    for section in sections(message):
        if section.kind == ANNOTATIONS:
            for name, begin, end in _entries(message, section):
                if name not in OWN:
                    own[name] = message[begin:end]
                    found = codec.decode(message, begin)[0] if name == PARTITION_KEY else found
        elif section.kind not in (HEADER, DELIVERY_ANNOTATIONS):
            kept += message[section.begin : section.end]
    if found is None and key is not None:
        found, own[PARTITION_KEY] = key, codec.string(key)
    pairs = b"".join(codec.symbol(name) + value for name, value in own.items())
    return Event(pairs, len(own), bytes(kept)), found


def _entries(message: bytes, section: Section) -> Iterator[tuple[str, int, int]]:
    """A map's keys, and where the value of each begins and ends: it stays of the type that it came in."""
    at, end = section.value + (9 if message[section.value] == 0xD1 else 3), section.end
    while at < end:
        name, begin = codec.decode(message, at)
        at = codec.skip(message, begin)
        yield str(name), begin, at


def read_batch(message: bytes) -> tuple[list[Event], str | None]:
    """The events of a batch, and the partition key that is for all of them."""
    key = None
    inner = []
    for section in sections(message):
        if section.kind == ANNOTATIONS:
            key = codec.decode(message, section.value)[0].get(PARTITION_KEY)
        elif section.kind == DATA:
            inner.append(codec.decode(message, section.value)[0])
    return [read_event(each, key)[0] for each in inner], key


def simple_event(body: bytes, properties: Mapping[str, str] | None = None, key: str | None = None) -> Event:
    """An event that nobody sent: for filling a hub."""
    pairs = _KEYS[PARTITION_KEY] + codec.string(key) if key is not None else b""
    named = {codec.string(name): codec.string(value) for name, value in (properties or {}).items()}
    told = codec.described(APPLICATION_PROPERTIES, codec.mapping(named)) if named else b""
    return Event(pairs, int(key is not None), told + codec.described(DATA, codec.binary(body)))


def payload(event: Event, number: int, offset: str, enqueued: int) -> bytes:
    """The message as consumers get it. `enqueued` in milliseconds since 1970."""
    text = offset.encode()
    annotations = b"".join((
        _KEYS[SEQUENCE_NUMBER], b"\x81", _ENQUEUED.pack(number),
        _KEYS[OFFSET], b"\xa1", bytes((len(text),)), text,
        _KEYS[ENQUEUED_TIME], b"\x83", _ENQUEUED.pack(enqueued),
        event.annotations,
    ))  # fmt: skip
    size, count = len(annotations), 2 * (3 + event.pairs)
    head = b"\xc1" + bytes((size + 1, count)) if size < 255 else struct.pack(">BII", 0xD1, size + 4, count)
    return b"\x00\x53\x72" + head + annotations + event.body


def delivery_annotations(values: Mapping[str, bytes]) -> bytes:
    """The section that says how far the partition has come; `values` are encoded."""
    named = {codec.symbol(name): value for name, value in values.items()}
    return codec.described(DELIVERY_ANNOTATIONS, codec.mapping(named))


class Request(NamedTuple):
    """A message to a node that answers: AMQP management, working draft 9, section 3."""

    message_id: Any
    reply_to: str | None
    properties: dict[str, Any]
    value: Any


def read_request(message: bytes) -> Request:
    """The request in `message`."""
    found: dict[int, Any] = {}
    for section in sections(message):
        found[section.kind], _ = codec.decode(message, section.value)
    properties = [*found.get(PROPERTIES, []), *[None] * 5]
    told = {str(name): value for name, value in found.get(APPLICATION_PROPERTIES, {}).items()}
    value = found.get(VALUE, found.get(DATA))
    return Request(properties[0], properties[4], told, value)


def response(
    request: Request, status: int, description: str, value: bytes = b"", condition: str = ""
) -> bytes:
    """The answer to `request`; `value` is encoded."""
    properties = [codec.NULL] * 5 + [codec.encode(request.message_id)] + [codec.NULL] * 7
    told = {
        codec.string("status-code"): codec.int32(status),
        codec.string("status-description"): codec.string(description),
    }
    if condition:
        told[codec.string("error-condition")] = codec.symbol(condition)
    return (
        codec.composite(PROPERTIES, properties)
        + codec.described(APPLICATION_PROPERTIES, codec.mapping(told))
        + (codec.described(VALUE, value) if value else b"")
    )
