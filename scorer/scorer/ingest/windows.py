"""Tumbling windows: (start, end], one after the other, aligned to zero hour, known by their ends.

A window is closed when the watermark is *after* its end: while it is at its end, an event of that very time
may still come, which belongs to it. Groups without events are nowhere, so they emit nothing.

https://learn.microsoft.com/stream-analytics-query/tumbling-window-azure-stream-analytics
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.ingest.aggregates import EVENTS, Groups
from scorer.ingest.pages import SENSORS as PAGE
from scorer.ingest.pages import Pages
from scorer.ingest.settings import Column
from scorer.ingest.settings import Windows as Tumbling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

ZERO_HOUR = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970. What divides a day is aligned to every midnight too."""
_DENSE = 1 << 16


class Closed(NamedTuple):
    """Groups whose windows are closed, by column: what one partition has to say of them."""

    names: Sequence[str]
    """Of sensors, by place; may be of more than occur."""
    sensors: NDArray[np.int64]
    ends: Int64s
    """Of the windows: microseconds since 1970, UTC. The time of the reading."""
    kept: Mapping[str, NDArray[Any]]
    """By what `aggregates` keeps: they can be merged with those of other partitions, and finished."""
    again: bool = False
    """Whether rows are single events in order of arrival, of windows that were closed before."""

    @property
    def events(self) -> int:
        """Events in these windows."""
        return int(self.kept[EVENTS].sum(dtype=np.int64))


class Windows:
    """The open windows of a partition."""

    def __init__(self, tumbling: Tumbling, columns: Sequence[Column], values: int) -> None:
        self._size = tumbling.size
        self._zero = ZERO_HOUR + tumbling.offset
        self.pages = Pages()
        self._left: dict[int, int] = {}
        self.groups = Groups(columns, values)

    @property
    def open(self) -> dict[int, int]:
        """Groups of each open window, by the window's number, in order."""
        return {window: self._left[window] for window in self.pages.windows}

    def end(self, window: int) -> int:
        """When a window ends."""
        return window * self._size + self._zero

    def numbers(self, times: Int64s) -> Int64s:
        """The window that each time lies in: the first that does not end before it."""
        return (times - (self._zero - self._size + 1)) // self._size

    def passed(self, marks: Int64s) -> Int64s:
        """The last window that is closed by each watermark."""
        return self.numbers(marks) - 1

    def add(self, sensors: NDArray[np.int32], times: Int64s, values: NDArray[np.float64]) -> None:
        """Adds events in order of arrival."""
        if not len(times):
            return
        windows = self.numbers(times)
        places = self._places(windows, sensors)
        fresh = self.groups.new(places)
        if len(fresh):
            self._count(windows[fresh])
        self.groups.add(places, times, values)

    def alone(self, names: Sequence[str], sensors: NDArray[np.int32], times: Int64s, values: Any) -> Closed:
        """Each event as a group of its own, with the window that it lies in."""
        groups = self.groups.like()
        groups.grow(len(times))
        places = np.arange(len(times))
        groups.add(places, times, values)
        ends = self.numbers(times) * self._size + self._zero
        return Closed(names, sensors.astype(np.int64), ends, groups.read(places), again=True)

    def put(self, window: int, sensors: NDArray[np.int32], kept: Mapping[str, NDArray[Any]]) -> None:
        """Opens groups of a window as they were when they were stored."""
        self.groups.put(self._places(np.full(len(sensors), window, np.int64), sensors), kept)
        self._left[window] = len(sensors)

    def within(self, window: int, sensors: NDArray[np.int64]) -> tuple[Int64s, NDArray[np.int64]]:
        """The places of those among the sensors that have a group in the window, and these sensors."""
        places, found = self.pages.found(window, sensors)
        there = self.groups.events(places) > 0
        return places[there], found[there]

    def close(
        self, passed: Int64s, before: Int64s, stream_of: NDArray[np.int32]
    ) -> list[tuple[int, Int64s, Any]]:
        """Takes out the groups of windows up to the number `passed`, by stream; `before` it was that number.

        Gives windows in order, each with its sensors in order and what was kept of their groups.
        """
        due = passed > before
        if not due.any():
            return []
        last = int(passed[due].max())
        alone = len(passed) == 1
        sensors = np.arange(len(stream_of)) if alone else np.flatnonzero(due[stream_of])
        until = passed[stream_of[sensors]]
        found = []
        for window in self.pages.windows:
            if window > last:
                break
            places, closing = self.within(window, sensors if alone else sensors[until >= window])
            if len(places):
                found.append((window, closing, self.groups.take(places)))
                self._left[window] -= len(places)
                if not self._left[window]:
                    del self._left[window]
                    self.pages.drop(window)
        return found

    def _places(self, windows: Int64s, sensors: NDArray[np.int32]) -> Int64s:
        places = self.pages.places(windows, sensors)
        self.groups.grow(self.pages.count * PAGE)
        return places

    def _count(self, windows: Int64s) -> None:
        """Counts groups that are new, each by its window."""
        first, last = int(windows.min()), int(windows.max())
        if last - first < _DENSE:
            counts = np.bincount(windows - first)
            found = np.flatnonzero(counts)
            pairs = zip((found + first).tolist(), counts[found].tolist(), strict=True)
        else:
            occurring, counts = np.unique(windows, return_counts=True)
            pairs = zip(occurring.tolist(), counts.tolist(), strict=True)
        for window, count in pairs:
            self._left[window] = self._left.get(window, 0) + count
