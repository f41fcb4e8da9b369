"""Watermarks, and what is late, early or out of order by them: Stream Analytics' rules, a batch at a time.

For an event with time t that arrived at a:

1. t > a + early: *early*, dropped.
2. t < a − late: *late*; dropped, or adjusted to a − late.
3. t < watermark: *out of order*; dropped, or adjusted to the watermark.

(The policy `Correct` is as dropping is here; what becomes of the event, `scorer.ingest.late` says.)

The watermark of a stream is the latest of
- its latest event time so far − out of order (early and dropped events do not count),
- the arrival clock − late: however silent the stream is, it keeps others waiting no longer than that,
- the arrival clock − idle after, when the stream was silent for that long, or was never heard of.

The arrival clock is the latest arrival seen in the partition, or what the hub says of it while nothing comes.
What the second rule lets through is never before a watermark that has moved by the clock alone, as long as
the clock is not ahead of the hub's: so *when* windows close changes nothing of what is in them.

A stream is the partition, or with `OVER` one device of it: then each has its own watermark.

https://learn.microsoft.com/azure/stream-analytics/stream-analytics-time-handling
https://learn.microsoft.com/azure/stream-analytics/event-ordering
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.ingest.settings import ADJUST, ARRIVAL, Ordering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Bools = NDArray[np.bool_]

NEVER = -(2**62)
"""Microseconds: before all times."""
KEPT, LATE, EARLY, OUT_OF_ORDER, CORRECTED, BEFORE = range(6)
_FEWEST = 16


class Judged(NamedTuple):
    """What became of events."""

    times: Int64s
    """`System.Timestamp`: the event's time, adjusted perhaps; of a dropped event its own."""
    fates: NDArray[np.uint8] | None
    """KEPT, or why it was dropped; None if all are kept. CORRECTED and BEFORE are made of some later."""
    late_adjusted: Bools | None
    out_of_order_adjusted: Bools | None
    marks: Int64s | None = None
    """The watermark of each event's stream as it came; None where none was dropped."""


class Streams:
    """Each stream's watermark and last arrival, by the stream's place; and the partition's arrival clock."""

    def __init__(self, ordering: Ordering, over: bool = False) -> None:
        self.clock = NEVER
        """The arrival clock, microseconds since 1970."""
        self._ordering = ordering
        self._over = over
        self._count = 0
        self._marks = np.full(_FEWEST, NEVER, np.int64)
        self._heard = np.full(_FEWEST, NEVER, np.int64)
        if not over:
            self.grow(1)

    @property
    def marks(self) -> Int64s:
        """Watermarks, as far as events and the clock have brought them."""
        return self._marks[: self._count]

    @property
    def heard(self) -> Int64s:
        """The arrival of each stream's last event."""
        return self._heard[: self._count]

    def grow(self, count: int) -> None:
        """There are so many streams now."""
        while count > len(self._marks):
            more = np.full(len(self._marks), NEVER, np.int64)
            self._marks, self._heard = (np.concatenate([old, more]) for old in (self._marks, self._heard))
        self._count = max(count, self._count)

    def low(self) -> int:
        """No event to come gets a time before this one, whichever stream it is of, known or not."""
        if not self._over:
            return int(self._marks[0])
        known = int(self.marks.min()) if self._count else NEVER
        unheard = NEVER if self.clock == NEVER else self.clock - self._ordering.silence
        return min(known, unheard) if self._count else unheard

    def advance(self, clock: int) -> None:
        """Moves the arrival clock on, if it is later, and with it the watermarks that go by it."""
        self.clock = max(self.clock, clock)
        if self.clock == NEVER:
            return
        silence = self.clock - self._ordering.silence
        np.maximum(self.marks, self.clock - self._lateness, out=self.marks)
        if self._ordering.silence < self._lateness:
            silent = self._is_silent(self.heard, self.clock)
            np.maximum(self.marks, silence, out=self.marks, where=silent)

    def judge(self, streams: NDArray[np.int32], times: Int64s, arrivals: Int64s, clocks: Int64s) -> Judged:
        """Judges events in their order, and moves the watermarks of their streams.

        `arrivals` are their own, `clocks` the arrival clock as each of them came.
        """
        if self._ordering.by == ARRIVAL:
            # Arrival times only grow, but when a hub's own clock is set back: then ours stands still.
            return self._judge_one(clocks.copy(), clocks, clocks, None, None)
        kept, late = self._late(times, arrivals)
        adjusted = np.where(late, arrivals - self._ordering.late, times) if late is not None else times
        if late is not None and self._ordering.on_late != ADJUST:
            kept = ~late if kept is None else kept & ~late
        if not self._over:
            judged = self._judge_one(adjusted, times, clocks, kept, late)
        else:
            judged = self._judge_many(streams, adjusted, times, clocks, kept, late)
        return judged

    @property
    def _lateness(self) -> int:
        return 0 if self._ordering.by == ARRIVAL else self._ordering.late

    def _late(self, times: Int64s, arrivals: Int64s) -> tuple[Bools | None, Bools | None]:
        """Which events are not early, and which are late; None for all, and for none."""
        ahead = times - arrivals
        kept = late = None
        if self._ordering.early is not None and len(ahead) and ahead.max() > self._ordering.early:
            kept = ahead <= self._ordering.early
        if len(ahead) and ahead.min() < -self._ordering.late:
            late = ahead < -self._ordering.late
        return kept, late

    def _judge_one(
        self, adjusted: Int64s, times: Int64s, clocks: Int64s, kept: Bools | None, late: Bools | None
    ) -> Judged:
        """One stream: what came before an event is what stands before it."""
        floors = clocks - self._lateness
        if self._ordering.silence < self._lateness and len(clocks):
            before = np.concatenate([self._heard[:1], clocks[:-1]])
            silent = self._is_silent(before, clocks)
            floors = np.where(silent, clocks - self._ordering.silence, floors)
        leads = self._leads(adjusted, kept)
        marks = np.empty(len(times) + 1, np.int64)
        marks[0] = self._marks[0]
        # Before event i: all leads before it, and all floors up to its own.
        marks[1:] = leads
        np.maximum(marks[:-1], floors, out=marks[:-1])
        np.maximum.accumulate(marks, out=marks)
        if len(times):
            self._marks[0], self._heard[0] = marks[-1], clocks[-1]
        return self._ordered(adjusted, times, marks[:-1], kept, late)

    def _judge_many(
        self,
        streams: NDArray[np.int32],
        adjusted: Int64s,
        times: Int64s,
        clocks: Int64s,
        kept: Bools | None,
        late: Bools | None,
    ) -> Judged:
        """Many streams: the same for each, over the events of one stream that lie together when sorted."""
        if not len(times):
            return Judged(times, None, None, None)
        order = _by_stream(streams)
        sorted_streams, sorted_clocks = streams[order], clocks[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = sorted_streams[1:] != sorted_streams[:-1]
        floors = sorted_clocks - self._lateness
        if self._ordering.silence < self._lateness:
            before = np.empty_like(sorted_clocks)
            before[1:] = sorted_clocks[:-1]
            before[first] = self._heard[sorted_streams[first]]
            silent = self._is_silent(before, sorted_clocks)
            floors = np.where(silent, sorted_clocks - self._ordering.silence, floors)
        leads = self._leads(adjusted, kept)[order]
        marks = floors.copy()
        marks[1:] = np.maximum(marks[1:], np.where(first[1:], NEVER, leads[:-1]))
        marks[first] = np.maximum(marks[first], self._marks[sorted_streams[first]])
        _running_maximum(marks, first)
        last = np.flatnonzero(np.append(first[1:], True))
        self._marks[sorted_streams[last]] = np.maximum(marks[last], leads[last])
        self._heard[sorted_streams[last]] = sorted_clocks[last]
        unsorted = np.empty_like(marks)
        unsorted[order] = marks
        return self._ordered(adjusted, times, unsorted, kept, late)

    def _is_silent(self, heard: Int64s, clock: int | Int64s) -> Bools:
        """Whether streams last heard then are silent now; one never heard is."""
        silent: Bools = clock - heard >= self._ordering.silence
        return silent

    def _leads(self, adjusted: Int64s, kept: Bools | None) -> Int64s:
        """The watermark that each event's own time makes."""
        lag = 0 if self._ordering.by == ARRIVAL else self._ordering.out_of_order
        leads = adjusted - lag
        return leads if kept is None else np.where(kept, leads, NEVER)

    def _ordered(
        self, adjusted: Int64s, times: Int64s, marks: Int64s, kept: Bools | None, late: Bools | None
    ) -> Judged:
        below = adjusted < marks
        if kept is not None:
            below &= kept
        disorder = below if below.any() else None
        drop = disorder is not None and self._ordering.on_out_of_order != ADJUST
        if kept is None and not drop:
            stamped = adjusted if disorder is None else np.where(disorder, marks, adjusted)
            return Judged(stamped, None, late, disorder)
        fates = np.full(len(times), KEPT, np.uint8)
        if kept is not None:
            fates[~kept] = EARLY
            if late is not None and self._ordering.on_late != ADJUST:
                fates[late] = LATE
        if drop:
            fates[disorder] = OUT_OF_ORDER
        elif disorder is not None:
            adjusted = np.where(disorder, marks, adjusted)
        good = fates == KEPT
        return Judged(
            np.where(good, adjusted, times),
            fates,
            None if late is None or self._ordering.on_late != ADJUST else late,
            None if disorder is None or drop else disorder,
            marks,
        )


def _by_stream(streams: NDArray[np.int32]) -> NDArray[np.intp]:
    """The events' order by stream, else as they came: by 16 bits at a time, which takes no comparing."""
    order = np.argsort(streams.astype(np.uint16), kind="stable")
    if int(streams.max()) >> 16:
        order = order[np.argsort((streams[order] >> 16).astype(np.uint16), kind="stable")]
    return order


def _running_maximum(values: Int64s, first: Bools) -> None:
    """The running maximum of each stretch, in place; stretches begin where `first` says.

    Each step looks twice as far back as the one before, so it takes as many as the longest stretch has bits.
    """
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(values)))
    places = np.arange(len(values)) - np.repeat(starts, lengths)
    reach = 1
    while reach < int(lengths.max()):
        behind = values[:-reach].copy()
        np.maximum(values[reach:], behind, out=values[reach:], where=places[reach:] >= reach)
        reach *= 2
