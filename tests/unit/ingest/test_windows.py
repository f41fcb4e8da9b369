from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from scorer.ingest.events import Events
from scorer.ingest.merge import merge
from scorer.ingest.settings import settings
from scorer.ingest.state import State
from scorer.ingest.step import step
from scorer.ingest.windows import Closed, Windows
from unit.ingest.partitions import (
    FOREVER,
    MINUTE,
    NOON,
    SECOND,
    configured,
    ended,
    numbered,
    taken,
    told,
    whole,
)
from unit.ingest.reference import Event

DAY = 86_400 * SECOND
MILLISECOND = 1_000


def ends(times: Sequence[int], size: str, offset: str = "0s") -> list[int]:
    """The end of each time's window."""
    given = configured(size=size, offset=offset)
    windows = Windows(given.windows, given.columns, 1)
    return [windows.end(number) for number in windows.numbers(np.array(times, np.int64)).tolist()]


def values(events: Sequence[tuple[int, float]], columns: Mapping[str, str]) -> dict[str, float]:
    """The columns of the one group of these events: microseconds after noon, and values."""
    given = configured(columns, size="1h", outOfOrder="9m", lateArrival="1h")
    every = numbered(Event(NOON + time, NOON + 100 * SECOND, "a", value) for time, value in events)
    (row,) = told(whole(given, every)[0]).values()
    return row


def test_a_window_holds_its_end_and_not_its_start() -> None:
    five = 5 * SECOND
    assert ends([NOON, NOON + 1, NOON + five, NOON + five + 1], "5s") == [
        NOON,
        NOON + five,
        NOON + five,
        NOON + 2 * five,
    ]


def test_an_offset_of_minus_one_millisecond_turns_that_about() -> None:
    five, whole_ = 5 * SECOND, [NOON, NOON + MILLISECOND, NOON + 5 * SECOND - MILLISECOND, NOON + 5 * SECOND]
    last = NOON + five - MILLISECOND
    assert ends(whole_, "5s", "-1ms") == [last, last, last, last + five]


@pytest.mark.parametrize("size", ["1s", "5m", "1h", "8h", "1d"])
def test_windows_are_aligned_to_midnight(size: str) -> None:
    midnight = NOON - DAY // 2
    assert ends([midnight, midnight - 1], size)[:1] == [midnight]
    assert ends([-1, 0, -DAY], size) == [0, 0, -DAY]


def test_a_week_is_one_from_monday_to_monday() -> None:
    (end,) = ends([NOON], "7d")  # a Thursday
    assert end == NOON + DAY // 2 + 3 * DAY


def test_what_is_in_a_window_and_when_it_closes() -> None:
    given = configured()
    events = numbered(
        Event(NOON + time, NOON + time, "a", 1) for time in (1, 5 * SECOND, 5 * SECOND, 5 * SECOND + 1)
    )
    steps = taken(State(given), events, range(1, 4))
    # At its very end a window is open still: another event of that time may come, and did.
    assert [each.closed.events for each in steps] == [0, 0, 0, 3]
    assert steps[-1].closed.ends.tolist() == [NOON + 5 * SECOND]


def test_windows_without_events_emit_nothing() -> None:
    events = numbered(Event(NOON + time, NOON + time, "a", 1) for time in (1, 60 * MINUTE))
    readings, _ = whole(configured(), events)
    assert readings.times.tolist() == [NOON + 5 * SECOND, NOON + 60 * MINUTE]


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("avg", 2.5),
        ("sum", 10.0),
        ("min", 1.0),
        ("max", 4.0),
        ("count", 4.0),
        ("stddev", math.sqrt(5 / 3)),
        ("first", 3.0),
        ("last", 1.0),
    ],
)
def test_aggregates(function: str, wanted: float) -> None:
    row = values([(2, 2), (1, 3), (3, 4), (4, 1)], {"x": function})
    assert row == {"x": pytest.approx(wanted, rel=1e-15)}


def test_of_two_events_at_one_time_the_earlier_arrival_is_first_and_the_later_last() -> None:
    assert values([(1, 5), (1, 6), (2, 7), (2, 8)], {"a": "first", "z": "last"}) == {"a": 5.0, "z": 8.0}


def test_the_deviation_of_one_value_is_none_and_far_from_zero_it_loses_no_digits() -> None:
    assert math.isnan(values([(1, 5)], {"x": "stddev"})["x"])
    far = values([(n, 1e9 + n % 2) for n in range(1, 101)], {"x": "stddev"})["x"]
    assert far == pytest.approx(math.sqrt(100 / 99 / 4), rel=1e-12)


def test_a_value_that_is_missing_counts_in_no_aggregate_of_it() -> None:
    given = settings(
        {
            "mapping": {"sensor": "s", "time": "t", "values": {"heat": "h", "press": "p"}},
            "window": {"size": "5s"},
            "columns": {
                "heat": "avg",
                "low": "min(press)",
                "spread": "stddev(press)",
                "from": "first(press)",
                "n": "count",
            },
        }
    )
    state = State(given)
    place = state.sensors.place("a")
    rows = np.array([[1, np.nan], [np.nan, 7], [3, np.nan], [np.nan, 9]])
    events = Events(
        np.arange(4),
        np.full(4, NOON),
        [""] * 4,
        np.arange(4, dtype=np.int32),
        np.full(4, NOON),
        np.full(4, place, np.int32),
        rows,
        [],
    )
    only_heat = events._replace(
        sequences=np.array([9]),
        enqueued=np.array([NOON + MINUTE]),
        messages=np.zeros(1, np.int32),
        times=np.array([NOON + MINUTE]),
        sensors=np.array([place], np.int32),
        values=rows[:1],
    )
    closed = [step(state, events).closed, step(state, only_heat, FOREVER).closed]
    first, second = told(merge({"0": closed}, given.columns)).values()
    assert first == {"heat": 2.0, "low": 7.0, "spread": pytest.approx(math.sqrt(2)), "from": 7.0, "n": 4.0}
    assert second["n"] == second["heat"] == 1.0
    assert all(math.isnan(second[name]) for name in ("low", "spread", "from"))


def test_sums_are_the_same_however_many_groups_share_the_memory() -> None:
    rng = np.random.default_rng(7)
    every = rng.normal(0, 1, 300).tolist()
    alone = values([(n + 1, value) for n, value in enumerate(every)], {"x": "sum"})["x"]
    given = configured({"x": "sum"}, size="1h")
    events = numbered(
        Event(NOON + 1, NOON + 1, f"s{sensor}", value) for value in every for sensor in range(40)
    )
    found = told(whole(given, events, [7, 1000, 1001])[0])
    assert {row["x"] for row in found.values()} == {alone}
    total = 0.0
    for value in every:
        total += value
    assert alone == total


def test_memory_of_closed_windows_is_used_again() -> None:
    state = State(configured(lateArrival="0s"))
    for minute in range(200):
        time = NOON + minute * MINUTE
        events = [Event(time, time, f"s{sensor}", 1) for sensor in range(300)]
        numbers = range(minute * 300, minute * 300 + 300)
        state = taken(state, [each._replace(sequence=n) for each, n in zip(events, numbers, strict=True)])[
            -1
        ].state
    assert state.windows.pages.count <= 4
    assert len(state.windows.open) == 1


def test_windows_far_apart_are_kept_side_by_side() -> None:
    given = configured(size="1s", lateArrival="20d", outOfOrder="9m", earlyArrival=None)
    times = [NOON - 19 * DAY, NOON - DAY, NOON - 500 * SECOND, NOON]
    events = [Event(times[n % 4], NOON, f"s{n}", 1) for n in range(1000)]
    # The oldest come first: later they would be out of order.
    events.sort(key=lambda event: event.time)
    state = taken(State(given), numbered(events))[-1].state
    assert len(state.windows.open) == 2
    assert ended(state).events == 500


def test_a_partition_cannot_close_a_group_twice() -> None:
    given = configured()
    state = taken(State(given), numbered([Event(NOON, NOON, "a", 1)]))[-1].state
    closed = ended(state)
    with pytest.raises(ValueError, match="twice"):
        merge({"0": [closed, closed]}, given.columns)


def test_no_readings_of_nothing() -> None:
    readings = merge({}, configured({"a": "avg", "n": "count"}).columns)
    assert (readings.names, readings.events) == ([], 0)
    assert {name: len(column) for name, column in readings.columns.items()} == {"a": 0, "n": 0}


def test_readings_of_thousands_of_years_are_in_order_too() -> None:
    names = [f"s{number}" for number in range(40)]
    ends_ = np.array([-(10**17), 0, 2 * 10**17])
    closed = Closed(
        names,
        np.repeat(np.arange(40)[::-1], 3),
        np.tile(ends_[::-1], 40),
        {"count": np.ones(120, np.uint32), "max.0": np.arange(120.0)},
    )
    readings = merge({"0": [closed]}, configured({"x": "max"}).columns)
    assert readings.names == sorted(names)
    assert readings.sensors.tolist() == np.repeat(np.arange(40), 3).tolist()
    assert readings.times.tolist() == ends_.tolist() * 40
