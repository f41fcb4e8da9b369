"""Stream Analytics' semantics event by event, as its documentation tells them: slow, plain, and sharing
nothing with the engine but settings. What the engine does in columns must come to the same.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorer.ingest.settings import ADJUST, ARRIVAL, Settings

ZERO = -62_135_596_800_000_000


class Event(NamedTuple):
    """One event of a partition; one message each."""

    time: int
    arrival: int
    sensor: str
    value: float
    stream: str = ""
    sequence: int = -1


Group = tuple[str, int]


class Told(NamedTuple):
    """What becomes of events."""

    windows: Mapping[Group, list[Event]]
    """By sensor and end; with the times that they were given, in order of arrival."""
    fates: Counter[str]
    stamps: list[int | None]
    """`System.Timestamp` of each event; None if it was dropped."""
    marks: list[int]
    """The watermark of each event's stream after it."""


def told(events: Sequence[Event], settings: Settings) -> Told:
    """What becomes of a partition's events."""
    ordering = settings.ordering
    latest: dict[str, int] = {}
    marks: dict[str, int] = {}
    heard: dict[str, int] = {}
    windows: defaultdict[Group, list[Event]] = defaultdict(list)
    fates: Counter[str] = Counter()
    stamps: list[int | None] = []
    after: list[int] = []
    clock, last = -math.inf, -1
    for event in events:
        if event.sequence <= last:
            fates["duplicate"] += 1
            stamps.append(None)
            after.append(0)
            continue
        last = event.sequence
        clock = max(clock, event.arrival)
        stream = event.stream if settings.mapping.over else ""
        stamp = _stamp(event, ordering.by, clock)
        lateness = 0 if ordering.by == ARRIVAL else ordering.late
        floors = [marks.get(stream, -math.inf), clock - lateness]
        if _silent(heard, stream, clock, ordering.idle_after):
            floors.append(clock - ordering.silence)
        mark = max(floors)
        heard[stream] = clock
        fate = "windowed"
        if ordering.by != ARRIVAL:
            if ordering.early is not None and stamp - event.arrival > ordering.early:
                fate = "early"
            elif event.arrival - stamp > ordering.late:
                fates["late_adjusted" if ordering.on_late == ADJUST else ""] += 1
                fate = "windowed" if ordering.on_late == ADJUST else "late"
                stamp = event.arrival - ordering.late
            if fate == "windowed":
                seen = max(latest.get(stream, -math.inf), stamp)
                latest[stream] = seen
                if stamp < mark:
                    fates["out_of_order_adjusted" if ordering.on_out_of_order == ADJUST else ""] += 1
                    fate = "windowed" if ordering.on_out_of_order == ADJUST else "out_of_order"
                    stamp = mark
        lag = 0 if ordering.by == ARRIVAL else ordering.out_of_order
        if ordering.by == ARRIVAL:
            latest[stream] = stamp
        marks[stream] = max(mark, latest.get(stream, -math.inf) - lag)
        fates[fate] += 1
        stamps.append(int(stamp) if fate == "windowed" else None)
        after.append(int(marks[stream]))
        if fate == "windowed":
            windows[event.sensor, end(int(stamp), settings)].append(event._replace(time=int(stamp)))
    del fates[""]
    return Told(windows, fates, stamps, after)


def _stamp(event: Event, by: str, clock: float) -> float:
    return clock if by == ARRIVAL else event.time


def _silent(heard: Mapping[str, int], stream: str, clock: float, idle: int | None) -> bool:
    return idle is not None and clock - heard.get(stream, -math.inf) >= idle


def end(time: int, settings: Settings) -> int:
    """The end of the window (start, end] that a time lies in."""
    size, zero = settings.windows.size, ZERO + settings.windows.offset
    return zero + -((zero - time) // size) * size


def aggregate(function: str, group: Sequence[Event]) -> float:
    """An aggregate of a group, by the plainest way."""
    values = [event.value for event in group]
    by_time = sorted(group, key=lambda event: event.time)  # stable: in order of arrival
    match function:
        case "avg":
            return math.fsum(values) / len(values)
        case "sum":
            return math.fsum(values)
        case "stddev":
            mean = math.fsum(values) / len(values)
            squares = math.fsum((value - mean) ** 2 for value in values)
            return math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else math.nan
        case "first":
            return by_time[0].value
        case "last":
            return by_time[-1].value
    return {"min": min, "max": max, "count": len}[function](values)
