"""Messages of a partition that wait to be taken together.

The client gives what it has just read, often a few dozen messages where `batch` would allow hundreds, and a
step costs about the same for ten events as for a thousand. How a stream is cut into steps changes nothing of
what comes of it; what a step may have bounds the memory that its events take while they are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

from scorer.ingest.events import Message

MOST_MESSAGES = 3_000
MOST_BYTES = 512 * 1024
"""Of the bodies of a step, inflated: some 7,000 readings. A single message may have more."""
LONGEST_SECONDS = 1.0
"""So long a message waits at most while others come."""
_GZIP = b"\x1f\x8b"
_INFLATED = 10
"""Times: what gzip makes of readings in JSON, about."""


class Gathered:
    """Those of one partition, in their order, by step."""

    def __init__(self) -> None:
        self._steps: list[list[Message]] = []
        self._bytes = 0
        self._since = 0.0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._steps)

    def add(self, messages: Sequence[Message], now: float) -> None:
        """More of them; `now` in seconds of any clock that only goes forward."""
        if not self._steps:
            self._since = now
        for message in messages:
            size = _size(message.body)
            if not self._steps or self._full(size):
                self._steps.append([])
                self._bytes = 0
            self._steps[-1].append(message)
            self._bytes += size

    def due(self, now: float) -> bool:
        """Whether they have waited enough."""
        return bool(self._steps) and (
            len(self._steps) > 1 or self._full(0) or now - self._since >= LONGEST_SECONDS
        )

    def taken(self) -> list[list[Message]]:
        """All of them, which are here no more."""
        found, self._steps = self._steps, []
        return found

    def _full(self, more: int) -> bool:
        return len(self._steps[-1]) >= MOST_MESSAGES or self._bytes + more > MOST_BYTES


def _size(body: bytes) -> int:
    return len(body) * (_INFLATED if body[:2] == _GZIP else 1)
