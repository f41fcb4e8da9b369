"""The windows of a schedule: all of one length, end to end, on a grid of UTC.

No time zone comes in: a day on which clocks are set forward or back has 24 hourly windows like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scoring_operator.times import parse_time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_YEAR = 9000  # beyond it windows have no ends that could be written


def window_time(text: str) -> datetime:
    """A time that may be a window's end; raises `ValueError`, also before 1970 and where no calendar goes."""
    try:
        time = parse_time(text)
    except OverflowError:
        raise ValueError(f"time {text!r} is out of range") from None
    if not EPOCH.year <= time.year <= LAST_YEAR:
        raise ValueError(f"time {text!r} is out of range")
    return time


@dataclass(frozen=True, slots=True)
class Grid:
    """Ends of windows: `offset` after 1970-01-01T00:00:00Z, and so many times `length` before or after."""

    length: timedelta
    offset: timedelta = timedelta(0)

    def at_or_before(self, instant: datetime) -> datetime:
        """The last end that is not later than `instant`."""
        first = EPOCH + self.offset
        return first + (instant - first) // self.length * self.length

    def at_or_after(self, instant: datetime) -> datetime:
        """The first end that is not earlier than `instant`."""
        end = self.at_or_before(instant)
        return end if end == instant else end + self.length

    def after(self, instant: datetime) -> datetime:
        """The first end that is later than `instant`."""
        return self.at_or_before(instant) + self.length

    def ends(self, first: datetime, last: datetime) -> list[datetime]:
        """All ends from `first` to `last`, which are ends themselves; none if `last` is earlier."""
        return [first + number * self.length for number in range(self.count(first, last))]

    def count(self, first: datetime, last: datetime) -> int:
        """How many those are."""
        return max(0, (last - first) // self.length + 1)
