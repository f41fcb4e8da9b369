"""What became of every event, hour by hour: from `_SUCCESS`, the schedule's runs and what the sink got."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from examples.demo.errors import DemoError
from examples.stream.stream import Stream
from scorer.ingest.accounting import Counts, total

_HEAD = (
    "HOUR",
    "EVENTS",
    "WINDOWED",
    "LATE",
    "BAD",
    "TWICE",
    "OTHER",
    "READINGS",
    "RUN",
    "SCORED",
    "ANOMALIES",
    "SENT",
)


class Hour(NamedTuple):
    """One hour of the stream."""

    start: datetime
    arrived: Counts
    """Events that the hub got in it."""
    readings: int
    """Rows that landed."""
    phase: str
    """Of its run, as the next three."""
    scored: int
    sensors: int
    anomalies: int
    sent: int
    """Of them events that the sink got: one for each sensor."""


class Alarm(NamedTuple):
    """What the sink got of a sensor's window."""

    id: str
    sensor: str
    end: datetime


def alarms(stream: Stream) -> list[Alarm]:
    """What the receiver was sent, each id once: delivery is at least once."""
    found: dict[str, Alarm] = {}
    for post in stream.received():
        told = json.loads(post["body"])
        for event in told if isinstance(told, list) else [told]:
            found[event["id"]] = Alarm(event["id"], event["subject"], datetime.fromisoformat(event["time"]))
    return list(found.values())


def account(stream: Stream) -> list[Hour]:
    """All hours of the stream, which have landed and been scored. DemoError if one has not."""
    got = alarms(stream)
    return [_hour(stream, number, got) for number in range(stream.plan.hours)]


def _hour(stream: Stream, number: int, got: Sequence[Alarm]) -> Hour:
    success, run = stream.success(number), stream.run(number)
    if success is None or run is None:
        raise DemoError(f"hour {stream.hour(number):%H:%M} has not landed, or has no run")
    status: dict[str, Any] = run.get("status") or {}
    counts = status.get("counts") or {}
    end = stream.hour(number + 1)
    return Hour(
        stream.hour(number),
        Counts(**success["arrived"]),
        success["readings"]["rows"],
        str(status.get("phase", "")),
        int(counts.get("scored", 0)),
        int(counts.get("total", 0)),
        int(status.get("anomalies", 0)),
        sum(alarm.end == end for alarm in got),
    )


def check(hours: Iterable[Hour], sent: int) -> None:
    """Each of so many events that were sent is accounted for. DemoError if not."""
    counted = total(*(hour.arrived for hour in hours))
    if not counted.adds_up or counted.events - counted.duplicate != sent:
        raise DemoError(f"{sent} events were sent, and counted are {counted}: please report it")


def table(hours: Sequence[Hour]) -> list[str]:
    """A line for each hour, and one for all."""
    whole = total(*(hour.arrived for hour in hours))
    rows = [_HEAD, *(_cells(hour) for hour in hours)]
    sums = [
        sum(each)
        for each in zip(*((hour.readings, hour.anomalies, hour.sent) for hour in hours), strict=True)
    ]
    rows.append(("all", *_events(whole), f"{sums[0]:,}", "", "", f"{sums[1]:,}", f"{sums[2]:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = (0, _HEAD.index("RUN"))
    return [
        "  ".join(
            text.ljust(width) if place in left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cells(hour: Hour) -> tuple[str, ...]:
    run = (hour.phase or "none", f"{hour.scored}/{hour.sensors}", f"{hour.anomalies:,}", f"{hour.sent:,}")
    return (f"{hour.start:%H:%M}", *_events(hour.arrived), f"{hour.readings:,}", *run)


def _events(counts: Counts) -> tuple[str, ...]:
    named = (counts.events, counts.windowed, counts.late, counts.bad, counts.duplicate)
    return tuple(f"{number:,}" for number in (*named, named[0] - sum(named[1:])))
