"""A session: its links, its windows, and what its performatives do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import attaching, frames
from .codec import CodecError, Described, Symbol
from .frames import Attached, Failure
from .links import Answers, Link

if TYPE_CHECKING:
    from .connection import Connection

WINDOW = 5000
"""Frames that a client may send before it hears from this side again."""


class Attach(NamedTuple):
    """What a client asks for."""

    name: str
    handle: int
    consumes: bool
    settled: int
    source: str | None
    target: str | None
    selector: str | None
    capabilities: tuple[str, ...]
    properties: dict[str, Any]

    @property
    def address(self) -> str:
        """Of this side's end."""
        return (self.source if self.consumes else self.target) or ""


class Session:
    """One session of a connection, on the same channel in both directions."""

    def __init__(self, connection: Connection, channel: int, fields: list[Any]) -> None:
        self.connection, self.channel = connection, channel
        self.links: dict[int, Link] = {}
        self.next_incoming = fields[1] or 0
        self.window = fields[2] or 0
        """Frames that the client still takes."""
        self.next_outgoing = 0
        self.next_delivery = 0
        self.taken = 0
        """Frames since the client last heard of the window."""

    def send(self, body: bytes) -> None:
        """A performative."""
        self.connection.write(frames.frame(self.channel, body))

    def sent(self, transfers: int) -> None:
        """A delivery has gone, in so many frames."""
        self.next_outgoing = self.next_outgoing + transfers & 0xFFFFFFFF
        self.next_delivery = self.next_delivery + 1 & 0xFFFFFFFF
        self.window -= transfers

    def flow(self, link: Link | None = None) -> None:
        """Says how the session stands, and the link."""
        self.taken = 0
        own = (link.handle, link.count, max(link.credit, 0)) if link else None
        self.send(frames.flow((self.next_incoming, WINDOW, self.next_outgoing, WINDOW), own))

    def take(self, code: int, fields: list[Any], payload: bytes) -> None:
        """A performative from the client."""
        match code:
            case frames.ATTACH:
                self._attach(read_attach(fields))
            case frames.FLOW:
                self._flow(fields)
            case frames.TRANSFER:
                self._transfer(fields, payload)
            case frames.DETACH:
                self._detached(fields[0])
            case frames.DISPOSITION:
                pass
            case _:
                raise CodecError(f"performative {code:#x} is not for a session")

    def answers(self, node: str, reply_to: str | None) -> Answers | None:
        """The link on which what `node` answers goes back."""
        found = [link for link in self.links.values() if isinstance(link, Answers) and link.place.hub == node]
        named = [link for link in found if link.target == reply_to]
        return next(iter(named or found), None)

    def detach(self, link: Link, failure: Failure | None = None) -> None:
        """Ends a link from this side."""
        if self.links.pop(link.handle, None):
            link.closed()
            self.send(frames.detach(link.handle, failure))

    def close(self) -> None:
        """All links are gone with the session."""
        links, self.links = self.links, {}
        for link in links.values():
            link.closed()

    def _attach(self, asked: Attach) -> None:
        outcome = attaching.attach(self, asked)
        refused = isinstance(outcome, Failure)
        attached = Attached(
            asked.name, asked.handle, asked.consumes,
            None if refused and asked.consumes else asked.source,
            None if refused and not asked.consumes else asked.target,
            asked.settled, self.connection.broker.largest, asked.capabilities,
        )  # fmt: skip
        self.send(attached.encoded())
        if isinstance(outcome, Failure):
            self.send(frames.detach(asked.handle, outcome))
            return
        self.links[asked.handle] = outcome
        outcome.opened()

    def _flow(self, fields: list[Any]) -> None:
        seen = fields[0] if fields[0] is not None else 0
        left = (seen + fields[1] - self.next_outgoing) & 0xFFFFFFFF
        self.window = left if left < 1 << 31 else 0  # serial numbers: RFC 1982
        if fields[4] is None:
            for link in tuple(self.links.values()):
                link.pump()
        elif named := self.links.get(fields[4]):
            named.flow(fields[5], fields[6] or 0, bool(fields[8]))
        if fields[9]:
            self.flow(self.links.get(fields[4]))

    def _transfer(self, fields: list[Any], payload: bytes) -> None:
        self.next_incoming = self.next_incoming + 1 & 0xFFFFFFFF
        self.taken += 1
        if self.taken > WINDOW // 2:
            self.flow()
        if link := self.links.get(fields[0]):
            link.transfer(fields, payload)

    def _detached(self, handle: int) -> None:
        if link := self.links.pop(handle, None):
            link.closed()
            self.send(frames.detach(handle))


def read_attach(fields: list[Any]) -> Attach:
    """An attach as it came."""
    source, target = (_terminus(field) for field in fields[5:7])
    filters = source[7] if len(source) > 7 and isinstance(source[7], dict) else {}
    selector = next((value for name, value in filters.items() if "selector" in str(name)), None)
    if isinstance(selector, Described):
        selector = selector.value
    wanted = fields[12] or ()
    return Attach(
        name=fields[0], handle=fields[1], consumes=bool(fields[2]),
        settled=2 if fields[3] is None else fields[3],
        source=source[0], target=target[0], selector=selector,
        capabilities=(wanted,) if isinstance(wanted, Symbol) else tuple(wanted),
        properties={str(name): value for name, value in (fields[13] or {}).items()},
    )  # fmt: skip


def _terminus(field: Described | None) -> list[Any]:
    return field.value or [None] if field else [None]
