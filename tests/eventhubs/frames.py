"""Frames and performatives: OASIS AMQP 1.0, part 2 (transport), sections 2.3 and 2.7.

Performatives are sent with all their fields, those that are null too: the client for Python indexes them
without asking how many there are, as the service sends them all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import codec
from .codec import NULL, CodecError, Described

AMQP, SASL = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
ERROR, ACCEPTED, REJECTED, SOURCE, TARGET = 0x1D, 0x24, 0x25, 0x28, 0x29
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
EMPTY = struct.pack(">IBBH", 8, 2, 0, 0)
SMALLEST = 512
"""What every peer must take as a frame."""

_FIELDS = {
    OPEN: 10,
    BEGIN: 8,
    ATTACH: 14,
    FLOW: 11,
    TRANSFER: 11,
    DISPOSITION: 6,
    DETACH: 3,
    END: 1,
    CLOSE: 1,
}
_TRANSFER = struct.Struct(">IBBH 3sBBB BIBIBBI BBB5s")
TRANSFER_SIZE = _TRANSFER.size
"""Bytes of a transfer's frame besides its payload."""


class Performative(NamedTuple):
    """What a frame says: which performative, its fields (all), and the bytes after it."""

    code: int
    fields: list[Any]
    payload: bytes


class Failure(NamedTuple):
    """Why a link, a connection or a delivery ends."""

    condition: str
    description: str = ""

    def encoded(self) -> bytes:
        return codec.composite(ERROR, [codec.symbol(self.condition), codec.string(self.description), NULL])


def read(body: bytes) -> Performative | None:
    """What a frame's body says; None for an empty frame.

    Raises:
        CodecError: No performative.
    """
    if not body:
        return None
    value, end = codec.decode(body)
    if not isinstance(value, Described) or not isinstance(value.descriptor, int):
        raise CodecError("a frame holds no performative")
    fields = value.value + [None] * (_FIELDS.get(value.descriptor, 0) - len(value.value))
    return Performative(value.descriptor, fields, body[end:])


def frame(channel: int, body: bytes, kind: int = 0) -> bytes:
    return struct.pack(">IBBH", len(body) + 8, 2, kind, channel) + body


def open_(container: str, largest: int, channels: int, idle: float) -> bytes:
    """`idle` in seconds."""
    fields = [codec.string(container), NULL, codec.uint(largest), codec.ushort(channels)]
    return codec.composite(OPEN, [*fields, codec.uint(int(idle * 1000)), *[NULL] * 5])


def begin(channel: int, window: int) -> bytes:
    fields = [codec.ushort(channel), codec.uint(0), codec.uint(window), codec.uint(window), codec.uint(255)]
    return codec.composite(BEGIN, [*fields, *[NULL] * 3])


def terminus(code: int, address: str | None) -> bytes:
    """A source or target; None is one that is refused."""
    if address is None:
        return NULL
    rest = 10 if code == SOURCE else 6
    return codec.composite(code, [codec.string(address), *[NULL] * rest])


class Attached(NamedTuple):
    """The answer to an attach."""

    name: str
    handle: int
    sends: bool
    """Whether this side is the link's sender."""
    source: str | None
    target: str | None
    settled: int
    largest: int
    """Bytes of a message."""
    capabilities: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        return codec.composite(ATTACH, [
            codec.string(self.name), codec.uint(self.handle), codec.boolean(not self.sends),
            codec.ubyte(self.settled), codec.ubyte(0),
            terminus(SOURCE, self.source), terminus(TARGET, self.target),
            NULL, NULL, codec.uint(0) if self.sends else NULL, codec.ulong(self.largest),
            codec.symbols(self.capabilities) if self.capabilities else NULL, NULL, NULL,
        ])  # fmt: skip


def flow(session: Iterable[int], link: tuple[int, int, int] | None = None) -> bytes:
    """`session`: next incoming id and window, next outgoing id and window; `link`: handle, count, credit."""
    own = [codec.uint(number) for number in link] if link else [NULL] * 3
    return codec.composite(FLOW, [*map(codec.uint, session), *own, *[NULL] * 4])


def transfer_head(channel: int, handle: int, delivery: int, size: int, *, settled: bool, more: bool) -> bytes:
    """A transfer's frame up to its payload of `size` bytes; its delivery's tag is its number."""
    return _TRANSFER.pack(
        TRANSFER_SIZE + size, 2, 0, channel,
        b"\x00\x53\x14", 0xC0, _TRANSFER.size - 13, 11,
        0x70, handle, 0x70, delivery, 0xA0, 4, delivery,
        0x43, 0x41 if settled else 0x42, 0x41 if more else 0x42, b"\x40" * 5,
    )  # fmt: skip


def accepted(delivery: int) -> bytes:
    return _disposition(delivery, codec.described(ACCEPTED, b"\x45"))


def rejected(delivery: int, failure: Failure) -> bytes:
    return _disposition(delivery, codec.composite(REJECTED, [failure.encoded()]))


def _disposition(delivery: int, state: bytes) -> bytes:
    fields = [codec.boolean(True), codec.uint(delivery), NULL, codec.boolean(True), state, NULL]
    return codec.composite(DISPOSITION, fields)


def detach(handle: int, failure: Failure | None = None) -> bytes:
    told = failure.encoded() if failure else NULL
    return codec.composite(DETACH, [codec.uint(handle), codec.boolean(True), told])


def end() -> bytes:
    return codec.composite(END, [NULL])


def close(failure: Failure | None = None) -> bytes:
    return codec.composite(CLOSE, [failure.encoded() if failure else NULL])


def sasl_mechanisms() -> bytes:
    return codec.composite(SASL_MECHANISMS, [codec.symbols(["MSSBCBS", "ANONYMOUS"])])


def sasl_outcome() -> bytes:
    return codec.composite(SASL_OUTCOME, [codec.ubyte(0), NULL])
