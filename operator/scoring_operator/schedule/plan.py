"""Which windows get a run now: a pure function of the schedule, its mark and the clock.

The mark says which windows are settled: a run was made for them, or they were skipped. That a run is not
there says nothing, since runs are deleted when their time to live is over. The mark only ever goes forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scoring_operator.contract import rfc3339
from scoring_operator.schedule.rescore import MAX_HORIZON
from scoring_operator.schedule.settings import Schedule
from scoring_operator.schedule.windows import Grid

Span = tuple[datetime, datetime]  # the first and the last of ends that follow each other
KEPT = timedelta(seconds=MAX_HORIZON)  # how far back it is known which windows have got a run: for `rescore`
MAX_SPANS = 100  # of these, 4 kB: the oldest are forgotten


@dataclass(frozen=True, slots=True)
class Skip:
    """Windows that are too many or too old to be caught up with, by their ends.

    One of them may have a run all the same, made by a process that was killed before it could write the mark.
    """

    first: datetime
    last: datetime
    count: int  # less than lie between both if some of those had got a run before

    def __str__(self) -> str:
        """For people."""
        ends = f"ending {rfc3339(self.first)}" + (
            f" to {rfc3339(self.last)}" if self.last != self.first else ""
        )
        return f"{self.count} window{'s' if self.count != 1 else ''} {ends}"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a schedule has come."""

    last: datetime  # all windows that end then or earlier are settled
    ahead: frozenset[datetime] = frozenset()  # ends of later ones that are: the newest goes first
    skipped: int = 0  # how many were, ever
    last_skipped: str = ""  # and the last of them, for people
    runs: tuple[Span, ...] = ()  # which windows have got a run, of late; `last` says it of none

    def has_run(self, end: datetime) -> bool:
        """Whether a run is known to have been made for the window: settled ones may have been skipped."""
        return end in self.ahead or any(first <= end <= last for first, last in self.runs)

    def settled(self, end: datetime, grid: Grid) -> Mark:
        """With one window more; nothing changes if it was settled before."""
        if end <= self.last:
            return self
        return self._moved(self.last, self.ahead | {end}, grid)

    def passed_over(self, skip: Skip, grid: Grid) -> Mark:
        """With windows that nobody will make runs for."""
        told = replace(self, skipped=self.skipped + skip.count, last_skipped=str(skip))
        return told._moved(max(self.last, skip.last), self.ahead, grid)

    def _moved(self, last: datetime, ahead: frozenset[datetime], grid: Grid) -> Mark:
        """At the last end up to which nothing is missing."""
        runs = _with(self.runs, ahead, grid)
        while (following := grid.after(last)) in ahead:
            last = following
        return replace(self, last=last, ahead=frozenset(end for end in ahead if end > last), runs=runs)


def _with(runs: tuple[Span, ...], ends: frozenset[datetime], grid: Grid) -> tuple[Span, ...]:
    """With these windows too, and without what is too old, or too much, to be kept."""
    spans: list[Span] = []
    for first, last in sorted({*runs, *((end, end) for end in ends)}):
        if spans and first <= spans[-1][1] + grid.length:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    if not spans:
        return ()
    oldest = grid.at_or_after(spans[-1][1] - KEPT)
    return tuple((max(first, oldest), last) for first, last in spans[-MAX_SPANS:] if last >= oldest)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done: skip, then make the run of `live`, then those of `missed` in this order."""

    skip: Skip | None = None
    live: datetime | None = None  # the window that ended last
    missed: tuple[datetime, ...] = ()  # earlier ones, oldest first


def first_mark(schedule: Schedule, now: datetime) -> Mark:
    """The mark of a schedule that has none: nothing before its first window is its business."""
    grid = schedule.grid
    if schedule.start_from is not None:
        return Mark(grid.at_or_after(schedule.start_from))
    return Mark(newest(schedule, now) - grid.length)


def newest(schedule: Schedule, now: datetime) -> datetime:
    """The end of the last window that has ended, and its late data had time to come."""
    return schedule.grid.at_or_before(now - schedule.settle)


def due(schedule: Schedule, mark: Mark, now: datetime) -> Due:
    """What is to be done now; nothing, if the clock stands before the mark."""
    grid, live = schedule.grid, newest(schedule, now)
    first = grid.after(mark.last)
    if live < first:
        return Due()
    kept = max(first, live - schedule.catch_up.max_windows * grid.length)
    if schedule.catch_up.max_age is not None:
        kept = max(kept, min(live, grid.at_or_after(now - schedule.catch_up.max_age)))
    wanted = [end for end in grid.ends(kept, live) if end not in mark.ahead]
    missed = tuple(end for end in wanted if end != live)
    return Due(_skip(grid, mark, first, kept - grid.length), live if live in wanted else None, missed)


def _skip(grid: Grid, mark: Mark, first: datetime, last: datetime) -> Skip | None:
    count = grid.count(first, last) - sum(first <= end <= last for end in mark.ahead)
    return Skip(first, last, count) if count > 0 else None
