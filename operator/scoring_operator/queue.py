"""A work queue that runs each key once at a time, however often it is asked for.

What is asked for once is due at once; a key that was given out a moment ago is due only after a pause, and
adding one that waits already changes nothing but, perhaps, the time: the earlier one wins. So a Job's end is
answered without delay, and a thousand pod events make two reconciles. A key in work is not given out again
before it is done. Errors back off.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST, BACKOFF_MOST = 1.0, 60.0  # seconds; a minute is also the resync, so longer would gain nothing


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(failures, 16))


class WorkQueue(Generic[K]):
    """Keys with the time when they are due; times are of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float], pause: float) -> None:
        self._clock = clock
        self._pause = pause
        self._taken: dict[K, float] = {}  # when each was last, for as long as the pause; in that order
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()  # equal times: first come, first served, so no run starves
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._not_before: dict[K, float] = {}  # of keys that failed: events must not wear the back-off down
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Keys that wait and are due or in work: what is not yet done."""
        now = self._clock()
        return sum(due <= now for due in self._due.values()) + len(self._busy)

    def add(self, key: K, after: float | None = None) -> None:
        """Ask for `key`, after so many seconds; without: at once, or a pause after it was given out last."""
        now = self._clock()
        due = now + (self._pause_left(key, now) if after is None else after)
        due = max(due, self._not_before.get(key, due))
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        if key not in self._busy:
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._wake.set()

    async def take(self) -> K:
        """Wait for the next key that is due; `done` or `failed` must follow."""
        while True:
            self._wake.clear()
            wait = None
            while self._heap:
                due, _, key = self._heap[0]
                if self._due.get(key) != due or key in self._busy:
                    heapq.heappop(self._heap)  # was asked for at another time, or comes back with `done`
                    continue
                wait = due - self._clock()
                if wait > 0:
                    break
                heapq.heappop(self._heap)
                del self._due[key]
                self._busy.add(key)
                self._remember(key)
                return key
            await _wait(self._wake, wait)

    def done(self, key: K) -> None:
        """`key` is worked off; if it was asked for meanwhile, it comes again."""
        self._failures.pop(key, None)
        self._not_before.pop(key, None)
        self._release(key)

    def failed(self, key: K, at_least: float = 0.0) -> float:
        """`key` could not be worked off: it comes again after a growing time, which is returned."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        wait = max(at_least, backoff(failures))
        self._due[key] = self._not_before[key] = self._clock() + wait
        self._release(key)
        return wait

    def _pause_left(self, key: K, now: float) -> float:
        return max(0.0, self._taken.get(key, -math.inf) + self._pause - now)

    def _remember(self, key: K) -> None:
        now = self._clock()
        self._taken.pop(key, None)
        self._taken[key] = now
        while (oldest := next(iter(self._taken))) != key and self._taken[oldest] + self._pause < now:
            del self._taken[oldest]

    def _release(self, key: K) -> None:
        self._busy.discard(key)
        due = self._due.get(key)
        if due is not None:
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._wake.set()


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    """Until the event is set or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
