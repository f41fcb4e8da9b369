"""A run's time window: after `start`, up to and including `end`. All times are UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scorer.errors import InputError

HOUR = timedelta(hours=1)
LAST_HOUR = datetime.max.replace(tzinfo=UTC, minute=0, second=0, microsecond=0)
"""No time is later than this hour."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Window(NamedTuple):
    """The interval (start, end]: a reading stamped with its end belongs to it, one at its start does not."""

    start: datetime
    end: datetime

    def hours(self) -> Iterator[datetime]:
        """The hours whose readings may fall into the window, as their beginnings, in order.

        The hour beginning at h holds (h, h + 1 hour], like the window itself.
        """
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        while hour < self.end:
            yield hour
            if hour >= LAST_HOUR:
                return
            hour += HOUR

    def __str__(self) -> str:
        """ISO 8601's interval, `start/end`."""
        return f"{utc_text(self.start)}/{utc_text(self.end)}"


def window(start: str, end: str) -> Window:
    """A window from two RFC 3339 times. Raises InputError naming the one that is wrong."""
    found = Window(utc_time(start), utc_time(end))
    if found.start >= found.end:
        raise InputError(f"window starts {start} and ends {end}: wanted an end after the start")
    return found


def utc_time(text: str) -> datetime:
    """Reads `2026-01-01T12:00:00Z`: RFC 3339, UTC, whole seconds. Raises InputError."""
    if not _RFC3339.fullmatch(text):
        raise InputError(f"time {text[:40]!r} is not understood: wanted one like 2026-01-01T12:00:00Z")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"time {text!r} does not exist: {error}") from error


def utc_text(time: datetime) -> str:
    """Writes a time as `2026-01-01T12:00:00Z`."""
    # Not strftime: it writes the year 999 with three digits.
    return time.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def hour_folder(time: datetime) -> datetime:
    """Beginning of the hour that holds a reading of this time: 10:00:00 belongs to the one begun at 09:00."""
    last = time - timedelta(microseconds=1)
    return last.replace(minute=0, second=0, microsecond=0)
