"""Partitions of events for tests: settings, events as columns, batches, clocks, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scorer.ingest.accounting import Counts, total
from scorer.ingest.events import Events
from scorer.ingest.merge import Readings, merge
from scorer.ingest.settings import Settings, settings
from scorer.ingest.state import State
from scorer.ingest.step import Step, step
from scorer.ingest.windows import Closed
from unit.ingest.reference import Event

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z."""
FOREVER = NOON + 10**15


def configured(
    columns: Mapping[str, str] | None = None, over: bool = False, seconds: bool = False, **ordering: Any
) -> Settings:
    """Settings with windows of 5 s, unless `size` and `offset` say otherwise; times: texts or `seconds`."""
    window = {key: ordering.pop(key) for key in ("size", "offset") if key in ordering}
    corrections = ordering.pop("corrections", None)
    mapping: dict[str, Any] = {"sensor": "{Device}-{Tag}", "values": "Value", "time": "TS"}
    mapping |= {"timeForm": "Seconds"} if seconds else {}
    return settings(
        {
            "mapping": mapping | ({"over": ["Device"]} if over else {}),
            "window": {"size": "5s"} | window,
            "columns": columns or {"value": "avg", "count": "count"},
            "ordering": ordering,
            "corrections": corrections,
        }
    )


def columns_of(events: Sequence[Event], state: State) -> Events:
    """Events as they are decoded, one message each."""
    return Events(
        np.array([event.sequence for event in events], np.int64),
        np.array([event.arrival for event in events], np.int64),
        [str(event.sequence) for event in events],
        np.arange(len(events), dtype=np.int32),
        np.array([event.time for event in events], np.int64),
        np.array(
            [
                state.sensors.place(event.sensor, event.stream if state.settings.mapping.over else "")
                for event in events
            ],
            np.int32,
        ),
        np.array([[event.value] for event in events], np.float64).reshape(len(events), 1),
        [],
    )


def columns_of_messages(messages: Sequence[Sequence[Event]], first: int, state: State) -> Events:
    """Messages of several events each, with the sequence numbers from `first` on."""
    every = columns_of([event for message in messages for event in message], state)
    sizes = [len(message) for message in messages]
    sequences = np.arange(first, first + len(messages), dtype=np.int64)
    return every._replace(
        sequences=sequences,
        enqueued=np.array([message[0].arrival for message in messages], np.int64),
        offsets=list(map(str, sequences)),
        messages=np.repeat(np.arange(len(messages), dtype=np.int32), sizes),
    )


def numbered(events: Iterable[Event]) -> list[Event]:
    """The events with sequence numbers, from 0."""
    return [event._replace(sequence=number) for number, event in enumerate(events)]


def taken(
    state: State, events: Sequence[Event], cuts: Iterable[int] = (), now: int | None = None
) -> list[Step]:
    """Steps of the events, cut into batches; the last one knows the clock, perhaps."""
    edges = [0, *sorted(cuts), len(events)]
    steps = []
    for first, last in pairwise(edges):
        clock = now if last == len(events) else None
        steps.append(step(state, columns_of(events[first:last], state), clock))
        state = steps[-1].state
    return steps


def ended(state: State) -> Closed:
    """All windows that are open still."""
    return step(state, columns_of([], state), FOREVER).closed


def told(readings: Readings) -> dict[tuple[str, int], dict[str, float]]:
    """Readings by sensor and time."""
    names = [readings.names[place] for place in readings.sensors]
    rows = {
        (name, int(time)): {column: float(values[row]) for column, values in readings.columns.items()}
        for row, (name, time) in enumerate(zip(names, readings.times, strict=True))
    }
    assert len(rows) == len(names)
    return rows


def bits(readings: Readings) -> tuple[Any, ...]:
    """Readings as bytes."""
    columns = {name: values.tobytes() for name, values in readings.columns.items()}
    return list(readings.names), readings.sensors.tobytes(), readings.times.tobytes(), columns


def whole(
    given: Settings, events: Sequence[Event], cuts: Iterable[int] = (), now: int | None = None
) -> tuple[Readings, Counts]:
    """All windows of one partition's events, and what became of them."""
    steps = taken(State(given), events, cuts, now)
    closed = [each.closed for each in steps] + [ended(steps[-1].state)]
    return merge({"0": closed}, given.columns), total(*(each.counts for each in steps))
