"""What ingest had to do in the synthetic day: two replicas that share a hub of four partitions.

The hub does not answer for half an hour, one replica is away for a while, devices of a batch have a clock
that is behind, and those of another send for an hour what cannot be used.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from monitoring.history import HOURS, OFFSET, SCRAPE, START, Recorder
from scorer.ingest.series import ERRORS, FATES, SERIES

EVENTS = 2_000.0
"""A second, in the hub, by and large."""
MOST = 6_000.0
"""A second, that two replicas take in."""
LATE_ARRIVAL = 300.0
PARTITIONS = 4
HUB_GONE, ONE_AWAY = (9.25, 9.75), (14.2, 14.6)
CLOCK_BEHIND, UNUSABLE = range(11, 13), range(18, 19)
"""Hours of the day."""
PREFIX = "sensorscore_ingest_"


def _replica(number: int) -> Recorder:
    return Recorder({"job": "sensorscore-ingest", "instance": f"10.244.1.{number}:8080"})


@dataclass
class Ingest:
    """Both replicas, and what waits in the hub."""

    replicas: list[Recorder] = field(default_factory=lambda: [_replica(4), _replica(9)])
    dice: random.Random = field(default_factory=lambda: random.Random(20260302))  # noqa: S311
    backlog: float = 0.0
    landed: float = -3600.0
    rows: float = 0.0


def _labels(names: Sequence[str]) -> list[dict[str, str]]:
    """All that a series of these labels has."""
    (name,) = names or ("",)
    return [{name: value} for value in {"fate": FATES, "kind": ERRORS}[name]] if name else [{}]


def lines() -> Iterator[str]:
    """The whole day in OpenMetrics' text form, without its end."""
    day = Ingest()
    for replica in day.replicas:
        for series in SERIES:
            for labels in _labels(series.labels):
                replica.set(series.name, 0, **labels)
        replica.set("process_start_time_seconds", START - 86_400)
    for tick in range(int(HOURS * 3600 / SCRAPE)):
        second = tick * SCRAPE + OFFSET
        _step(day, second)
        for number, replica in enumerate(day.replicas):
            if not (number == 1 and _within(second, ONE_AWAY)):
                replica.scrape(START + second)
    for replica in day.replicas:
        yield from replica.lines()


def _within(second: float, hours: tuple[float, float]) -> bool:
    return hours[0] <= second / 3600 < hours[1]


def _step(day: Ingest, second: float) -> None:
    """What comes, is taken and lands in the time before a scrape."""
    away, gone = _within(second, ONE_AWAY), _within(second, HUB_GONE)
    came = SCRAPE * EVENTS * (1 + 0.15 * math.sin(second / 13_000)) * day.dice.uniform(0.97, 1.03)
    taken = 0.0 if gone else min(day.backlog + came, MOST * SCRAPE / (2 if away else 1))
    shown = day.backlog
    day.backlog += came - taken
    behind = day.backlog / came * SCRAPE
    working = day.replicas[:1] if away else day.replicas
    for number, replica in enumerate(day.replicas):
        if away and number == 1:
            _begin_anew(replica, second)
            continue
        _take(day, replica, second, round(taken / len(working)))
        replica.set(f"{PREFIX}backlog_events", round((shown if gone else day.backlog) / len(working)))
        delay = LATE_ARRIVAL * 0.03 + behind + day.dice.uniform(1, 12)
        replica.set(f"{PREFIX}watermark_delay_seconds", delay)
        replica.set(f"{PREFIX}partitions", PARTITIONS / len(working))
        replica.set(f"{PREFIX}hub_partitions", PARTITIONS)
        replica.set(f"{PREFIX}late_arrival_seconds", LATE_ARRIVAL)
        replica.add("process_cpu_seconds_total", SCRAPE * 0.02 + taken / len(working) * 6e-5)
        busy = 60e6 if second % 3600 < 400 else 0.0
        replica.set("process_resident_memory_bytes", 210e6 + busy + day.dice.uniform(0, 9e6))
        if gone:
            replica.add(f"{PREFIX}errors_total", day.dice.choice((4, 5, 6)), kind="hub")
    _land(day, second, behind)


def _begin_anew(replica: Recorder, second: float) -> None:
    """Its pod is on another node: all is counted from 0 again."""
    for key in replica.now:
        replica.now[key] = 0.0
    replica.set("process_start_time_seconds", START + second)


def _take(day: Ingest, replica: Recorder, second: float, events: int) -> None:
    hour = int(second // 3600)
    late = round(events * (0.04 if hour in CLOCK_BEHIND else 0.001))
    unusable = round(events * (0.03 if hour in UNUSABLE else 0.0006))
    other = {
        "late": 0,  # they are adjusted
        "early": round(events * 0.0002),
        "out_of_order": round(events * 0.0008),
        "bad": round(events * 0.0003),
        "conversion": unusable,
        "duplicate": round(events * 0.01 * (day.dice.random() < 0.01)),
    }
    fates = {"windowed": events - sum(other.values()), **other}
    for fate, number in fates.items():
        replica.add(f"{PREFIX}events_total", number, fate=fate)
    for name, number in (
        ("input_events", events),
        ("late_events", late),
        ("early_events", other["early"]),
        ("out_of_order_events", other["out_of_order"]),
        ("bad_events", other["bad"]),
        ("conversion_errors", unusable),
        ("duplicate_events", other["duplicate"]),
        ("output_events", round(fates["windowed"] / 5)),
    ):
        replica.add(f"{PREFIX}{name}_total", number)
    day.rows += fates["windowed"] / 5


def _land(day: Ingest, second: float, behind: float) -> None:
    """The hours that are over by watermark: the first replica lands them."""
    first = day.replicas[0]
    while second - behind - 20 > day.landed + 3600:
        day.landed += 3600
        first.add(f"{PREFIX}landings_total")
        first.add(f"{PREFIX}landed_rows_total", round(day.rows))
        day.rows = 0.0
    for replica in day.replicas:
        replica.set(f"{PREFIX}landed_until_timestamp_seconds", START + day.landed)
