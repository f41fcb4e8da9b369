"""Which of a run's anomalies a sink is to hear of, and where each goes: pure functions of what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from scorer.contract.sinks import Debounce, Place, Sink
from scorer.sinks.event import Found
from scorer.window import Window

DELIVERED, DEADLETTERED, SUPPRESSED, SKIPPED = "delivered", "deadlettered", "suppressed", "skipped"
RESULTS = (DELIVERED, DEADLETTERED, SUPPRESSED, SKIPPED)
"""What can become of a sensor's anomalies. Suppressed: by the sink's rule. Skipped: it was not asked for."""

LEAST_AGE = timedelta(hours=2)
YEAR_1 = timedelta(days=366)

T = TypeVar("T")
Before = Callable[[str, Window], bool]
"""Whether a sensor had anomalies in an earlier window."""


def max_age(sink: Sink, span: Window) -> timedelta:
    """How long before its run was made a window may have ended: what is older is a backfill."""
    if sink.max_age_seconds is not None:
        return timedelta(seconds=sink.max_age_seconds)
    return max(2 * (span.end - span.start), LEAST_AGE)


def too_old(sink: Sink, span: Window, created: datetime) -> bool:
    """Whether the window is too old for the sink, by when its run was made: the same for all attempts."""
    return created - span.end > max_age(sink, span)


def passes(sink: Sink, found: Found, span: Window, before: Before) -> bool:
    """Whether what was found is enough for the sink."""
    if found.anomalies < sink.least_anomalies:
        return False
    if sink.least_score is not None and (found.score is None or found.score < sink.least_score):
        return False
    return _often_enough(sink.debounce, found.sensor, span, before)


def _often_enough(wanted: Debounce, sensor: str, span: Window, before: Before) -> bool:
    missing = wanted.least - 1  # this window has some
    left = wanted.of - 1
    for earlier in earlier_windows(span, left):
        if missing <= 0 or missing > left:
            break
        missing -= before(sensor, earlier)
        left -= 1
    return missing <= 0


def earlier_windows(span: Window, count: int) -> Iterable[Window]:
    """The windows before this one, as long as it, the latest first."""
    length = span.end - span.start
    for _ in range(count):
        if span.start.replace(tzinfo=None) - datetime.min < length + YEAR_1:
            return
        span = Window(span.start - length, span.start)
        yield span


def place_of(sink: Sink, found: Found) -> Place:
    """Where it goes: by the first route that matches, else to the sink's own place."""
    for route in sink.routes:
        if (not route.groups or found.group in route.groups) and (
            not route.owners or found.owner in route.owners
        ):
            return route.place
    return sink.place


def batches(items: Sequence[tuple[Place, T]], most: int) -> list[tuple[Place, list[T]]]:
    """Those of one place together, so many at most; places and items in the order in which they came."""
    of_place: dict[Place, list[T]] = {}
    for place, item in items:
        of_place.setdefault(place, []).append(item)
    return [
        (place, listed[first : first + most])
        for place, listed in of_place.items()
        for first in range(0, len(listed), most)
    ]
