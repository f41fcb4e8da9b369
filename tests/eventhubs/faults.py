"""What goes wrong on demand: what is planned for things to come, by place."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .frames import Failure
from .tokens import Refusal

BUSY = Failure(
    "com.microsoft:server-busy",
    "The request was terminated because the entity is being throttled. Error code : 50002.",
)
"""What a sender hears that has used up its throughput units."""


@dataclass(frozen=True)
class Where:
    """Links: of a hub, a partition, a consumer group, of consumers or producers; None is any."""

    hub: str | None = None
    partition: str | None = None
    group: str | None = None
    role: str | None = None
    """`consumer` or `producer`."""

    def takes(self, hub: str, partition: str | None, group: str | None, role: str) -> bool:
        """Whether it is for the link at this place."""
        asked = (self.hub, self.partition, self.group, self.role)
        found = (hub, partition, group, role)
        return all(
            a is None or (f or "").casefold() == a.casefold() for a, f in zip(asked, found, strict=True)
        )


ANYWHERE = Where()


@dataclass
class Planned:
    """Something that happens `left` times (or when `left` events have passed) to links at a place."""

    where: Where
    left: int
    failure: Failure = BUSY


@dataclass
class Faults:
    """All that is planned. Each list is used up from its beginning."""

    sends: list[Planned] = field(default_factory=list)
    """Messages that are rejected instead of enqueued."""
    lost_answers: list[Planned] = field(default_factory=list)
    """Messages that are enqueued, and whose connection is cut before the sender hears so."""
    attaches: list[Planned] = field(default_factory=list)
    cuts: list[Planned] = field(default_factory=list)
    """Connections that are cut after so many events."""
    rewinds: list[tuple[Where, int]] = field(default_factory=list)
    """Consumers that, when they attach next, get so many events again."""
    stalls: set[Where] = field(default_factory=set)
    """Links on which nothing more is sent or taken in, while the connection lives."""
    tokens: deque[Refusal] = field(default_factory=deque)
    requests: deque[Refusal] = field(default_factory=deque)
    """Answers to the next requests to `$management`."""
    connections: int = 0
    """So many of the next connections are closed as they are opened."""


def due(plans: list[Planned], place: tuple[str, str | None, str | None, str]) -> Planned | None:
    """The first plan for this place, one of whose times it uses up."""
    for plan in plans:
        if plan.where.takes(*place):
            plan.left -= 1
            if plan.left <= 0:
                plans.remove(plan)
            return plan
    return None
