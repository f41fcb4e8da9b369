"""A client's connection: protocol headers, frames, sessions, tokens, heartbeats."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from . import frames, messages, nodes
from .attaching import CBS, unauthorised
from .codec import CodecError
from .frames import Failure
from .links import Link
from .messages import Request
from .session import Session
from .tokens import Grant, Refusal

if TYPE_CHECKING:
    from .double import EventHubs

FRAME_SIZE, CHANNELS = 65536, 4999
"""As the service tells its clients."""
BUFFER = 4 << 20
"""Bytes that wait for a slow client before its consumers pause."""


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, broker: EventHubs) -> None:
        self.broker = broker
        self.sessions: dict[int, Session] = {}
        self.grants: list[Grant] = []
        self.frame_size = frames.SMALLEST
        self.writable = True
        self.silent = False
        """Nothing is read or written any more, though the connection stays."""
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._take: Callable[[int, bytes], None] | None = None
        """What takes frames; until the headers have been exchanged nothing does."""
        self._opened = self._closing = False
        self._heartbeat = float("inf")
        self._received = self._sent = self._loop.time()
        self._soon: set[Callable[[], None]] = set()
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=BUFFER)
        self.broker.connections.add(self)
        if self.broker.faults.connections:
            self.broker.faults.connections -= 1
            self.cut()

    def connection_lost(self, _: Exception | None) -> None:
        self._closing = True
        self.broker.connections.discard(self)
        for timer in self._timers:
            timer.cancel()
        for session in self.sessions.values():
            session.close()
        self.sessions = {}

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        for link in self.links():
            link.pump()

    def data_received(self, data: bytes) -> None:
        if self.silent or self._closing:
            return
        self._received = self._loop.time()
        self._buffer += data
        try:
            self._read()
        except CodecError as error:
            self.close(Failure("amqp:decode-error", str(error)))

    def links(self) -> Iterator[Link]:
        """All that there are."""
        for session in tuple(self.sessions.values()):
            yield from tuple(session.links.values())

    def write(self, data: bytes) -> None:
        """Bytes for the client, unless it is to hear nothing more."""
        if not self.silent and not self._closing:
            self._sent = self._loop.time()
            self._transport.write(data)

    def soon(self, call: Callable[[], None]) -> None:
        """Calls it once, after what happens now."""
        if call not in self._soon:
            self._soon.add(call)
            self._loop.call_soon(self._call, call)

    def cut(self) -> None:
        """Ends the connection without a word, as a firewall or a lost node does."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._closing = True
        self._transport.abort()

    def close(self, failure: Failure | None = None) -> None:
        """Ends the connection as the protocol has it."""
        self.write(frames.frame(0, frames.close(failure)))
        self._closing = True
        self._transport.close()

    def may_use(self, hub: str) -> bool:
        """Whether a token was put for the hub that is still good."""
        return any(grant.covers(hub, time.time()) for grant in self.grants)

    def answer(self, node: str, request: Request) -> bytes:
        """What a node answers."""
        broker, now = self.broker, time.time()
        if node == CBS:
            planned = broker.faults.tokens
            outcome = planned.popleft() if planned else nodes.put_token(request, broker.keys, now)
            if isinstance(outcome, Refusal):
                return messages.response(request, *outcome)
            self._grant(outcome)
            return messages.response(request, 202, "Accepted")
        if broker.faults.requests:
            return messages.response(request, *broker.faults.requests.popleft())
        hub = broker.find(str(request.properties.get("name")))
        if hub:
            allowed = nodes.may_read(request, hub.name, broker.keys, now)
            if isinstance(allowed, Refusal):
                return messages.response(request, *allowed)
        return nodes.read(request, hub)

    def expire(self) -> None:
        """Detaches links whose tokens are good no more."""
        for link in self.links():
            if link.place.role != "node" and not self.may_use(link.place.hub):
                claim = "Listen" if link.place.role == "consumer" else "Send"
                link.detach(unauthorised(claim, link.place.hub, self.broker.expired_condition))

    def _grant(self, grant: Grant) -> None:
        self.grants = [old for old in self.grants if old.hub != grant.hub] + [grant]
        wait = max(grant.expires - time.time(), 0) + 0.01
        if wait < 1e6:
            self._timers.append(self._loop.call_later(wait, self.expire))

    def _call(self, call: Callable[[], None]) -> None:
        self._soon.discard(call)
        if not self._closing:
            call()

    def _read(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 8 and not self._closing:
            if self._take is None:
                self._header(bytes(buffer[at : at + 8]))
                at += 8
                continue
            size = int.from_bytes(buffer[at : at + 4], "big")
            if not 8 <= size <= FRAME_SIZE:
                raise CodecError(f"a frame of {size} bytes; from 8 to {FRAME_SIZE} are taken")
            if len(buffer) - at < size:
                break
            channel = int.from_bytes(buffer[at + 6 : at + 8], "big")
            body = bytes(buffer[at + 4 * buffer[at + 4] : at + size])
            at += size
            self._take(channel, body)
        del buffer[:at]

    def _header(self, header: bytes) -> None:
        if header == frames.SASL and not self._opened:
            self.write(frames.SASL + frames.frame(0, frames.sasl_mechanisms(), kind=1))
            self._take = self._sasl
        elif header == frames.AMQP and self._opened:
            self.write(frames.AMQP)
            self._take = self._frame
        else:
            self.write(frames.SASL)
            self._closing = True
            self._transport.close()

    def _sasl(self, _: int, body: bytes) -> None:
        if (said := frames.read(body)) and said.code == frames.SASL_INIT:
            self.write(frames.frame(0, frames.sasl_outcome(), kind=1))
            self._opened, self._take = True, None

    def _frame(self, channel: int, body: bytes) -> None:
        said = frames.read(body)
        if said is None:
            return
        if said.code == frames.OPEN:
            self._open(said.fields[2], said.fields[4])
        elif said.code == frames.CLOSE:
            self.close()
        elif said.code == frames.BEGIN:
            self.sessions[channel] = Session(self, channel, said.fields)
            self.write(frames.frame(channel, frames.begin(channel, 5000)))
        elif said.code == frames.END:
            if session := self.sessions.pop(channel, None):
                session.close()
                self.write(frames.frame(channel, frames.end()))
        elif session := self.sessions.get(channel):
            session.take(said.code, said.fields, said.payload)

    def _open(self, largest: int | None, idle: int | None) -> None:
        """`idle` in milliseconds: so long the client waits for a sign of life."""
        self.frame_size = min(largest or FRAME_SIZE, FRAME_SIZE)
        if idle:
            self._heartbeat = idle / 2000
        opened = frames.open_(self.broker.name, FRAME_SIZE, CHANNELS, self.broker.idle)
        self.write(frames.frame(0, opened))
        self._watch()

    def _watch(self) -> None:
        now = self._loop.time()
        if self._closing:
            return
        if now - self._received > self.broker.idle and not self.silent:
            milliseconds = int(self.broker.idle * 1000)
            self.close(Failure(
                "amqp:connection:forced",
                f"The connection was inactive for more than the allowed {milliseconds} milliseconds and is "
                "closed by container 'LinkTracker'.",
            ))  # fmt: skip
            return
        if now - self._sent >= self._heartbeat / 2:
            self.write(frames.EMPTY)
        self._timers = [timer for timer in self._timers if timer.when() > now]
        self._timers.append(self._loop.call_later(min(self.broker.idle, self._heartbeat) / 4, self._watch))
