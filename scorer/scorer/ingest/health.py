"""Whether the process does its work: partitions that move, a hub and a store that answer.

The client tries some refusals again for ever and says nothing of it; what shows them is that the hub has more
and nothing comes. That is `sick`, and a new process may help. A hub or a store that does not answer is
`unready` only: it would not answer a new process either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple


class _Seen(NamedTuple):
    state: tuple[int, int]
    at: float
    behind: int


class _Trouble(NamedTuple):
    said: str
    until: float


class Health:
    """What is known. `clock`: monotonic seconds; `stall`: seconds without movement until it is one."""

    def __init__(self, stall: float, clock: Callable[[], float]) -> None:
        self._stall = stall
        self._clock = clock
        self._partitions: dict[str, _Seen] = {}
        self._troubles = {"start": _Trouble("not started yet", math.inf)}

    def owns(self, partition: str, sequence: int, watermark: int, behind: int) -> None:
        """A partition that is ours, and by how many events it is behind the hub."""
        now = self._clock()
        seen = self._partitions.get(partition)
        moved = seen is None or seen.state != (sequence, watermark) or not (behind and seen.behind)
        at = now if moved or seen is None else seen.at
        self._partitions[partition] = _Seen((sequence, watermark), at, behind)

    def gone(self, partition: str) -> None:
        """A partition that is ours no more."""
        self._partitions.pop(partition, None)

    def trouble(self, what: str, said: str, passing: bool = False) -> None:
        """Something does not work; an empty text: it does again. It ends by itself if `passing`."""
        if said:
            self._troubles[what] = _Trouble(said, self._clock() + self._stall if passing else math.inf)
        else:
            self._troubles.pop(what, None)

    @property
    def behind(self) -> Mapping[str, int]:
        """Events that wait in the hub, by partition."""
        return {partition: seen.behind for partition, seen in self._partitions.items()}

    def sick(self) -> str:
        """Which partitions stall; empty if none does, or if what they wait for does not answer."""
        now = self._clock()
        if any(trouble.until > now for what, trouble in self._troubles.items() if what in ("hub", "store")):
            return ""
        return "; ".join(
            f"partition {partition}: {seen.behind} events in the hub, no movement for {now - seen.at:.0f} s"
            for partition, seen in sorted(self._partitions.items())
            if seen.behind and now - seen.at >= self._stall
        )

    def unready(self) -> str:
        """What keeps it from its work; empty if nothing does."""
        now = self._clock()
        told = [f"{what}: {trouble.said}" for what, trouble in self._troubles.items() if trouble.until > now]
        return "; ".join(filter(None, (self.sick(), *told)))
