"""Local times to UTC, a column at a time: where clocks were put forward or back, by a stated policy.

A time that no clock showed (put forward over it) does not exist. One that was shown twice (put back over it)
is taken as its earlier or its later occurrence, or refused. Which is which follows from the offsets before
and after a change: PEP 495's rule, with a table of the changes near the window in place of a look-up a row.
https://peps.python.org/pep-0495/
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.contract.work import LATER, REJECT
from scorer.readings.batch import AMBIGUOUS_TIME, NONEXISTENT_TIME, Span

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
# No zone changes its clocks twice within it.
_STEP = 6 * 3_600
NEAR = 2 * 86_400 * _SECOND
"""Microseconds beyond the window in which a local time can still be of it: no zone is further from UTC."""


class Changes(NamedTuple):
    """When a zone's clocks change: `offsets` has one more than `at`. Seconds, UTC."""

    at: NDArray[np.int64]
    offsets: NDArray[np.int64]


class Zone:
    """A time zone, for the times of one window. Its rules are read when the first local time is met."""

    def __init__(self, name: str, ambiguous: str, span: Span) -> None:
        self.name = name
        self.is_utc = name in ("UTC", "Etc/UTC")
        self._ambiguous = ambiguous
        self._span = span
        self._changes: Changes | None = None

    def utc(self, local: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
        """UTC of local times (both in microseconds since 1970), and their faults.

        A faulty time is given as the clock before the change would have it; one that is refused because it
        was shown twice, as either clock would if that puts it into the window. What is not near the window is
        only known not to be of it. Raises SensorError for a zone that is not known.
        """
        if self.is_utc:
            return local, None
        if self._changes is None:
            seconds = [edge // _SECOND for edge in (self._span.start - NEAR, self._span.end + NEAR)]
            self._changes = changes(zone_info(self.name), *seconds)
        earlier, later = both(local, self._changes)
        if np.array_equal(earlier, later):
            return earlier, None
        faults = np.where(earlier > later, NONEXISTENT_TIME, 0).astype(np.uint8)
        if self._ambiguous == REJECT:
            twice = earlier < later
            faults[twice] = AMBIGUOUS_TIME
            # Its file may lie where either puts it: each window that reads it says that it was rejected.
            here = twice & self._span.holds(later) & ~self._span.holds(earlier)
            return np.where(here, later, earlier), faults
        return np.maximum(earlier, later) if self._ambiguous == LATER else earlier, faults


def both(local: NDArray[np.int64], table: Changes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """UTC by the clock before a change, and by the clock after it: the same for all but a few times.

    The first is the later one for a time that does not exist, the earlier one for a time that does twice.
    """
    before, after = table.offsets[:-1], table.offsets[1:]
    by_before = np.searchsorted((table.at + np.maximum(before, after)) * _SECOND, local, "right")
    by_after = np.searchsorted((table.at + np.minimum(before, after)) * _SECOND, local, "right")
    offsets = table.offsets * _SECOND
    return local - offsets[by_before], local - offsets[by_after]


def changes(zone: ZoneInfo, start: int, end: int) -> Changes:
    """When the zone's clocks change between two times, in seconds since 1970."""
    at, offsets = [], [_offset(zone, start)]
    for step in range(start, end, _STEP):
        after = _offset(zone, min(step + _STEP, end))
        if after != offsets[-1]:
            at.append(_change(zone, step, min(step + _STEP, end), after))
            offsets.append(after)
    return Changes(np.array(at, np.int64), np.array(offsets, np.int64))


def _change(zone: ZoneInfo, low: int, high: int, after: int) -> int:
    """The first second with the offset `after`: one after `low`, and `high` at the latest."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
    return high


def zone_info(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises SensorError."""
    from zoneinfo import ZoneInfo  # here: most readings say their zone, or are in UTC

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise SensorError(
            "SchemaMismatch", f"readings.timeZone {name!r} is not known: wanted a name like Europe/Berlin"
        ) from error


def _offset(zone: ZoneInfo, second: int) -> int:
    try:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    except OverflowError:  # at the calendar's ends, where no clock changes
        return 0
    return int(offset.total_seconds()) if offset else 0
