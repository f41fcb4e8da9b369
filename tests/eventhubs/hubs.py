"""What a namespace holds: hubs of partitions of events. No network, no clock of its own."""

from __future__ import annotations

import bisect
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from . import messages
from .hashing import partition_of
from .messages import Event

Clock = Callable[[], float]
"""Seconds since 1970."""

DEFAULT_GROUP = "$Default"
SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=|>)\s*'([^']*)'")
OVERHEAD = 64
"""Bytes of an offset that an event takes besides its body: offsets are no sequence numbers."""


class PositionError(ValueError):
    """A place to begin from that the partition does not have."""


class Partition:
    """A log of events, in order, which may have lost its oldest ones."""

    def __init__(self, number: int, clock: Clock, retention: float | None = None) -> None:
        self.number, self.clock, self.retention = number, clock, retention
        self.first = 0
        """The sequence number of the oldest event that is still there."""
        self.payloads: list[bytes] = []
        self.offsets: list[int] = []
        self.times: list[int] = []
        """Milliseconds since 1970, never falling."""
        self.listeners: set[Callable[[], None]] = set()
        """Called after events were added."""
        self._size = 0

    @property
    def next(self) -> int:
        """The sequence number of the event that comes next."""
        return self.first + len(self.payloads)

    @property
    def last_offset(self) -> int:
        """Of the newest event that ever was, or -1."""
        return self._last[0]

    _last: tuple[int, int] = (-1, 0)

    @property
    def last_time(self) -> int:
        """Milliseconds since 1970 of the newest event that ever was."""
        return self._last[1]

    def append(self, events: Iterable[Event]) -> None:
        """Adds events at the clock's time, which is taken once: they came together."""
        now = max(int(self.clock() * 1000), self.last_time)
        number = self.next
        for event in events:
            offset = self._size
            self.payloads.append(messages.payload(event, number, str(offset), now))
            self.offsets.append(offset)
            self.times.append(now)
            self._size += len(event.body) + OVERHEAD
            self._last = (offset, now)
            number += 1
        self.expire()
        for listener in tuple(self.listeners):
            listener()

    def expire(self) -> None:
        """Forgets what is older than the retention."""
        if self.retention is not None:
            oldest = int((self.clock() - self.retention) * 1000)
            self.forget(self.first + bisect.bisect_left(self.times, oldest))

    def forget(self, before: int) -> None:
        """Forgets the events before this sequence number."""
        count = min(max(before - self.first, 0), len(self.payloads))
        del self.payloads[:count], self.offsets[:count], self.times[:count]
        self.first += count

    def start(self, selector: str | None) -> int:
        """The sequence number from which a consumer with this filter reads; without one, the oldest.

        What is no longer there is passed over in silence, as the service does.

        Raises:
            PositionError: The filter is none of the service's, or names what has not been yet.
        """
        self.expire()
        if selector is None:
            return self.first
        if not (match := SELECTOR.search(selector)):
            raise PositionError(f"The filter '{selector}' is not one that Event Hubs has.")
        by, operator, value = match.groups()
        inclusive = operator == ">="
        if by == "offset":
            return self._after_offset(value, inclusive)
        number = _whole(value)
        if by == "enqueued-time":
            cut = bisect.bisect_left if inclusive else bisect.bisect_right
            return self.first + cut(self.times, number)
        if number >= self.next:
            raise PositionError(
                f"The supplied sequence number '{value}' is invalid. "
                f"The last sequence number in the system is '{self.next - 1}'"
            )
        return max(number if inclusive else number + 1, self.first)

    def _after_offset(self, value: str, inclusive: bool) -> int:
        if value == "-1":
            return self.first
        if value == "@latest":
            return self.next
        offset = _whole(value)
        if offset > self.last_offset:
            raise PositionError(
                f"The supplied offset '{value}' is invalid. "
                f"The last offset in the system is '{self.last_offset}'"
            )
        cut = bisect.bisect_left if inclusive else bisect.bisect_right
        return self.first + cut(self.offsets, offset)


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise PositionError(f"'{value}' is no place in a partition.") from error


@dataclass
class Hub:
    """A hub: its partitions, and the consumer groups that may read them."""

    name: str
    partitions: list[Partition]
    created: float
    groups: set[str] = field(default_factory=lambda: {DEFAULT_GROUP})
    _turn: int = 0

    def has_group(self, name: str) -> bool:
        """Whether there is such a consumer group; case does not matter."""
        return name.casefold() in {group.casefold() for group in self.groups}

    def partition(self, identifier: str) -> Partition | None:
        """The partition of this identifier."""
        if identifier.isdecimal() and int(identifier) < len(self.partitions):
            return self.partitions[int(identifier)]
        return None

    def partition_for(self, key: str | None) -> Partition:
        """The partition of a key; without one, each in turn."""
        if key is not None:
            return self.partitions[partition_of(key, len(self.partitions))]
        self._turn += 1
        return self.partitions[(self._turn - 1) % len(self.partitions)]

    def fill(
        self, bodies: Iterable[bytes], partition: int | None = None, key: str | None = None
    ) -> Partition:
        """Enqueues bodies as one batch, without a producer; where they went."""
        chosen = self.partitions[partition] if partition is not None else self.partition_for(key)
        chosen.append([messages.simple_event(body, key=key) for body in bodies])
        return chosen


class SettableClock:
    """Seconds since 1970: those of `source`, until it is set; then it stands where it was set."""

    def __init__(self, source: Clock = time.time) -> None:
        self._source = source
        self._at: float | None = None

    def __call__(self) -> float:
        return self._source() if self._at is None else self._at

    def set(self, at: datetime | float | None) -> None:
        """Stops it there; None lets it go by its source again."""
        self._at = at.timestamp() if isinstance(at, datetime) else at

    def advance(self, seconds: float) -> None:
        """Stops it so much later than it is."""
        self._at = self() + seconds
