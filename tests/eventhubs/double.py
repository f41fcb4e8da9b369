"""An Event Hubs namespace on loopback, for tests: what is in it, and what goes wrong with it on demand.

    async with EventHubs({"readings": 4}) as hubs:
        client = EventHubConsumerClient.from_connection_string(hubs.connection_string("readings"), "$Default")
        hubs.hub("readings").fill([b"1", b"2"], partition=0)
        hubs.cut(Where(partition="0"))   # and whoever reads it must come again

Everything happens in the event loop that it was started in; `Threaded` gives it a loop and thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from .connection import Connection
from .faults import ANYWHERE, BUSY, Faults, Planned, Where
from .frames import Failure
from .hubs import Clock, Hub, Partition, SettableClock
from .links import Consumer, Link, Place
from .tokens import Refusal

POLICY, KEY = "RootManageSharedAccessKey", "c2Vuc29yc2NvcmU="
LARGEST = 1_048_576
"""Bytes of a message, or of a batch, in the Standard tier and above."""
IDLE = 240.0
"""Seconds without a sign of life after which the service closes a connection."""


class EventHubs:
    """A namespace, and a server of it."""

    def __init__(
        self, hubs: Mapping[str, int], *, groups: Iterable[str] = (), retention: float | None = None,
        largest: int = LARGEST, idle: float = IDLE, clock: Clock = time.time,
    ) -> None:  # fmt: skip
        """`hubs`: partitions by name; `groups`: those besides $Default; `retention` and `idle`: seconds."""
        self.name = "sensorscore-double"
        self.clock = SettableClock(clock)
        """Of enqueued times and retention. Tokens go by the machine's, as clients sign them by theirs."""
        self.largest, self.idle = largest, idle
        self.keys: dict[str, str] = {POLICY: KEY}
        self.expired_condition = "amqp:unauthorized-access"
        """With which links are detached whose token has ended; `amqp:link:detach-forced` was seen too."""
        self.faults = Faults()
        self.connections: set[Connection] = set()
        self.refusals: list[tuple[Place, Failure]] = []
        """Links that were refused: the client for Python tries again for ever, and tells nobody."""
        self.readers: dict[tuple[str, str | None, str | None], list[Consumer]] = {}
        self.host, self.port = "127.0.0.1", 0
        self._hubs: dict[str, Hub] = {}
        self._server: asyncio.Server | None = None
        for name, partitions in hubs.items():
            self.add_hub(name, partitions, groups=groups, retention=retention)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def add_hub(
        self, name: str, partitions: int, *, groups: Iterable[str] = (), retention: float | None = None
    ) -> Hub:
        """A hub, empty."""
        logs = [Partition(number, self.clock, retention) for number in range(partitions)]
        hub = Hub(name, logs, self.clock())
        hub.groups |= set(groups)
        self._hubs[name.casefold()] = hub
        return hub

    def hub(self, name: str) -> Hub:
        """The hub of this name."""
        return self._hubs[name.casefold()]

    def hubs(self) -> list[Hub]:
        """All that there are."""
        return list(self._hubs.values())

    def find(self, name: str) -> Hub | None:
        """The hub of this name, if there is one."""
        return self._hubs.get(name.casefold())

    async def start(self, host: str | None = None, port: int | None = None) -> None:
        """Listens; again at the same port after `stop`, unless another is asked for."""
        self.host = host if host is not None else self.host
        asked = port if port is not None else self.port
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, asked)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cuts all connections and listens no more; what is in the hubs stays."""
        if self._server:
            self._server.close()
        self.cut()
        if self._server:
            await self._server.wait_closed()
        await asyncio.sleep(0)

    def connection_string(self, hub: str = "", host: str = "") -> str:
        """What a client is given; the port is taken from it only because it says that this is an emulator."""
        entity = f";EntityPath={hub}" if hub else ""
        return (
            f"Endpoint=sb://{host or self.host}:{self.port};SharedAccessKeyName={POLICY};"
            f"SharedAccessKey={KEY};UseDevelopmentEmulator=true{entity}"
        )

    def links(self, where: Where = ANYWHERE) -> Iterator[Link]:
        """The links at a place."""
        for connection in tuple(self.connections):
            yield from (link for link in connection.links() if link.at(where))

    def cut(self, where: Where | None = None) -> None:
        """Cuts the connections of the links at a place, all connections without one."""
        found = (
            set(self.connections)
            if where is None
            else {link.session.connection for link in self.links(where)}
        )
        for connection in found:
            connection.cut()

    def cut_after(self, events: int, where: Where = ANYWHERE) -> None:
        """Cuts the connection once so many more events have gone to consumers at a place."""
        self.faults.cuts.append(Planned(where, events))

    def close(self, where: Where = ANYWHERE, failure: Failure | None = None) -> None:
        """Closes the connections of the links at a place, with a word."""
        told = failure or Failure("amqp:connection:forced", "The service is being updated.")
        for connection in {link.session.connection for link in self.links(where)}:
            connection.close(told)

    def detach(self, where: Where = ANYWHERE, failure: Failure | None = None) -> None:
        """Detaches the links at a place."""
        told = failure or Failure("amqp:link:detach-forced", "The link is force detached by the broker.")
        for link in list(self.links(where)):
            link.detach(told)

    def stall(self, where: Where = ANYWHERE) -> None:
        """Lets nothing pass at a place, while connections live and heartbeats go on."""
        self.faults.stalls.add(where)

    def resume(self, where: Where | None = None) -> None:
        """Ends a stall, all without a place; what waits goes on."""
        self.faults.stalls = set() if where is None else self.faults.stalls - {where}
        for link in list(self.links()):
            link.pump()

    def silence(self, where: Where = ANYWHERE) -> None:
        """Neither hears nor says anything more to the clients at a place, heartbeats neither."""
        for connection in {link.session.connection for link in self.links(where)}:
            connection.silent = True

    def throttle(self, sends: int, where: Where = ANYWHERE, failure: Failure = BUSY) -> None:
        """Rejects so many messages of producers."""
        self.faults.sends.append(Planned(where, sends, failure))

    def lose_answers(self, sends: int, where: Where = ANYWHERE) -> None:
        """Enqueues so many messages and cuts the connection instead of saying so: they will be sent again."""
        self.faults.lost_answers.append(Planned(where, sends))

    def refuse_links(self, times: int, where: Where = ANYWHERE, failure: Failure = BUSY) -> None:
        """Refuses so many attaches."""
        self.faults.attaches.append(Planned(where, times, failure))

    def refuse_connections(self, times: int) -> None:
        """Cuts so many connections as they are opened."""
        self.faults.connections += times

    def rewind(self, events: int, where: Where = ANYWHERE) -> None:
        """Gives the consumer that attaches next so many events again."""
        self.faults.rewinds.append((where, events))

    def refuse_tokens(self, times: int, status: int = 401, description: str = "InvalidSignature") -> None:
        """Refuses so many tokens."""
        self.faults.tokens.extend([Refusal(status, description)] * times)

    def refuse_requests(
        self, times: int, status: int = 503, description: str = "The server is busy."
    ) -> None:
        """Answers so many requests to `$management` so."""
        self.faults.requests.extend([Refusal(status, description)] * times)

    def expire_tokens(self) -> None:
        """Makes all tokens that were put good no more."""
        for connection in tuple(self.connections):
            connection.grants = []
            connection.expire()

    def state(self) -> dict[str, Any]:
        """What there is, for people and for tests at a distance."""
        return {
            "time": self.clock(),
            "real_time": time.time(),
            "connections": len(self.connections),
            "hubs": {hub.name: [_partition_state(each) for each in hub.partitions] for hub in self.hubs()},
            "consumers": [
                {**link.place._asdict(), "epoch": link.epoch, "next": link.position, "credit": link.credit}
                for link in self.links(Where(role="consumer"))
                if isinstance(link, Consumer)
            ],
        }


def _partition_state(partition: Partition) -> dict[str, int]:
    return {"first": partition.first, "next": partition.next, "last_offset": partition.last_offset}
