from __future__ import annotations

from collections.abc import Sequence

import pytest

from scorer.ingest.state import State
from scorer.ingest.step import REASONS, step
from unit.ingest import reference
from unit.ingest.partitions import MINUTE, NOON, SECOND, columns_of, configured, numbered, taken, told, whole
from unit.ingest.reference import Event

ZERO = NOON - 720 * MINUTE
"""2026-01-01T00:00:00Z."""


def at(clock: str) -> int:
    """`10:40`: minutes and seconds after midnight."""
    minutes, seconds = map(int, clock.split(":"))
    return ZERO + minutes * MINUTE + seconds * SECOND


def noon(minute: int) -> int:
    """Minutes after noon."""
    return NOON + minute * MINUTE


# "Configuring event ordering policies", the table of five events: event time, arrival, System.Timestamp.
FIVE = [
    ("10:00", "10:40", "10:25"),
    ("10:30", "10:41", "10:30"),
    ("10:42", "10:42", "10:42"),
    ("10:38", "10:43", "10:38"),
    ("10:35", "10:45", "10:37"),
]
# "Understand time handling", the illustrated example: event time, arrival, device; minutes after noon.
TWELVE = [
    *((7, 7, 1), (8, 8, 2), (17, 11, 1), (8, 13, 3), (19, 16, 1), (12, 17, 3)),
    *((17, 18, 2), (20, 19, 2), (16, 21, 3), (23, 22, 2), (22, 24, 2), (21, 27, 3)),
]


def stamps(events: Sequence[Event], **how: object) -> list[int | None]:
    """`System.Timestamp` of each event by the engine: windows of 1 µs end where their event is."""
    given = configured({"value": "last"}, size="1us", **how)  # type: ignore[arg-type]
    found = {row["value"]: time for (_, time), row in told(whole(given, events)[0]).items()}
    return [found.get(event.value) for event in events]


def five() -> list[Event]:
    return numbered(Event(at(time), at(came), "1-1", n) for n, (time, came, _) in enumerate(FIVE))


def twelve() -> list[Event]:
    return numbered(
        Event(noon(time), noon(came), f"{device}-{n}", n, str(device))
        for n, (time, came, device) in enumerate(TWELVE)
    )


def test_the_five_events_of_the_documentation_get_the_timestamps_that_it_says() -> None:
    found = stamps(five(), lateArrival="15s", outOfOrder="5s")
    assert found == [at(stamp) for *_, stamp in FIVE]


def test_with_the_eight_seconds_of_its_older_text_the_fifth_is_in_order() -> None:
    # 10:42 − 8 s = 10:34, which 10:35 is not before: today's text says 5 s for the same table.
    found = stamps(five(), lateArrival="15s", outOfOrder="8s")
    assert found[4] == at("10:35")


def test_dropping_leaves_out_what_adjusting_moves() -> None:
    how = {"lateArrival": "15s", "outOfOrder": "5s", "onLateArrival": "Drop", "onOutOfOrder": "Drop"}
    assert stamps(five(), **how) == [None, at("10:30"), at("10:42"), at("10:38"), None]


ILLUSTRATED = {"lateArrival": "5m", "outOfOrder": "2m"}


def test_the_twelve_events_of_the_illustration() -> None:
    found = stamps(twelve(), **ILLUSTRATED)
    # The third is 6 minutes early; the sixth and ninth are moved to the watermark, the last one is late.
    assert found == [
        None if minute is None else noon(minute) for minute in (7, 8, None, 8, 19, 17, 17, 20, 18, 23, 22, 22)
    ]


def test_without_an_early_arrival_policy_an_early_event_raises_the_watermark() -> None:
    found = stamps(twelve(), earlyArrival=None, **ILLUSTRATED)
    # "The third event is not dropped, and the watermark is raised to 12:15. The fourth is adjusted to it."
    assert found[2:4] == [noon(17), noon(15)]


def test_with_substreams_fewer_events_are_adjusted() -> None:
    found = stamps(twelve(), over=True, **ILLUSTRATED)
    assert found == [
        None if minute is None else noon(minute) for minute in (7, 8, None, 8, 19, 12, 17, 20, 16, 23, 22, 22)
    ]


@pytest.mark.parametrize(
    ("over", "marks"),
    [
        (False, [5, 6, 6, 8, 17, 17, 17, 18, 18, 21, 21, 22]),
        (True, [5, 6, 6, 8, 17, 12, 15, 18, 16, 21, 21, 22]),
    ],
)
def test_the_watermark_after_each_of_the_twelve(over: bool, marks: list[int]) -> None:
    given = configured(over=over, **ILLUSTRATED)
    state = State(given)
    found = []
    for event in twelve():
        state = step(state, columns_of([event], state)).state
        stream = state.sensors.streams.index(event.stream if over else "")
        found.append(int(state.streams.marks[stream]))
    assert found == [noon(mark) for mark in marks]
    assert found == reference.told(twelve(), given).marks


def test_an_event_exactly_at_a_tolerance_is_within_it() -> None:
    events = numbered(
        [
            Event(NOON - 5 * SECOND, NOON, "a", 0),
            Event(NOON + 5 * MINUTE, NOON, "a", 1),
            Event(NOON + 5 * MINUTE - 2 * SECOND, NOON, "a", 2),
        ]
    )
    assert stamps(events, lateArrival="5s", outOfOrder="2s") == [event.time for event in events]
    beyond = [
        events[0]._replace(time=events[0].time - 1),
        events[1],
        events[2]._replace(time=events[2].time - 1),
    ]
    assert stamps(beyond, lateArrival="5s", outOfOrder="2s") == [event.time for event in events]


def test_dropped_events_are_given_back_with_their_reasons() -> None:
    given = configured(lateArrival="5s", onLateArrival="Drop", onOutOfOrder="Drop")
    events = numbered(
        [
            Event(NOON - 6 * SECOND, NOON, "a", 0),
            Event(NOON + 6 * MINUTE, NOON, "b", 1),
            Event(NOON, NOON, "a", 2),
            Event(NOON - 1, NOON, "a", 3),
        ]
    )
    state = State(given)
    dropped = taken(state, events)[0].dropped
    told_of = [
        (REASONS[reason], state.sensors.names[sensor], time, value)
        for reason, sensor, time, value in zip(
            dropped.reasons.tolist(),
            dropped.sensors.tolist(),
            dropped.times.tolist(),
            dropped.values[:, 0].tolist(),
            strict=True,
        )
    ]
    assert told_of == [
        ("Late", "a", NOON - 6 * SECOND, 0.0),
        ("Early", "b", NOON + 6 * MINUTE, 1.0),
        ("OutOfOrder", "a", NOON - 1, 3.0),
    ]
    assert dropped.messages.tolist() == [0, 1, 3]


def test_by_arrival_the_events_own_times_do_not_matter() -> None:
    given = configured({"value": "sum"}, size="10s", by="Arrival")
    events = numbered(Event(0, NOON + second * SECOND, "a", 1) for second in (1, 10, 11, 11))
    assert told(whole(given, events)[0]) == {
        ("a", NOON + 10 * SECOND): {"value": 2.0},
        ("a", NOON + 20 * SECOND): {"value": 2.0},
    }


def test_a_silent_partition_is_closed_by_the_clock_after_the_late_tolerance() -> None:
    given = configured(lateArrival="15s")
    state = taken(State(given), numbered([Event(NOON + SECOND, NOON + SECOND, "a", 1)]))[-1].state
    for second, closes in ((20, 0), (21, 1)):
        found = step(state, columns_of([], state), NOON + second * SECOND - 1 + second % 2 * 2)
        assert len(found.closed.sensors) == closes
    assert state.watermark == NOON + 6 * SECOND + 1


def test_a_silent_partition_waits_no_longer_than_idle_after() -> None:
    given = configured(lateArrival="1h", idleAfter="1m")
    state = taken(State(given), numbered([Event(NOON + SECOND, NOON + SECOND, "a", 1)]))[-1].state
    assert not len(step(state, columns_of([], state), NOON + 60 * SECOND).closed.sensors)
    assert len(step(state, columns_of([], state), NOON + 66 * SECOND).closed.sensors) == 1


def test_a_partition_that_never_had_an_event_is_silent_too() -> None:
    state = State(configured(lateArrival="1h", idleAfter="1m"))
    step(state, columns_of([], state), NOON)
    assert state.watermark == NOON - MINUTE


def test_a_silent_device_leaves_the_watermark_while_others_go_on() -> None:
    given = configured(over=True, lateArrival="1h", idleAfter="1m")
    quiet = Event(NOON + SECOND, NOON + SECOND, "quiet-1", 1, "quiet")
    busy = [
        Event(NOON + second * SECOND, NOON + second * SECOND, "busy-1", 1, "busy")
        for second in range(2, 120, 2)
    ]
    steps = taken(State(given), numbered([quiet, *busy]), range(1, 60))
    names = [{each.closed.names[place] for place in each.closed.sensors} for each in steps]
    first = next(number for number, found in enumerate(names) if "quiet-1" in found)
    # Its window ends 5 s after noon, and a minute later the clock is beyond that.
    assert busy[first - 1].arrival == NOON + 66 * SECOND
    assert steps[-1].state.watermark == busy[-1].arrival - MINUTE


def test_without_it_a_silent_device_holds_the_partition_back_by_the_late_tolerance() -> None:
    given = configured(over=True, lateArrival="10m")
    events = [Event(NOON, NOON, "quiet-1", 1, "quiet"), Event(NOON + MINUTE, NOON + MINUTE, "b-1", 1, "b")]
    state = taken(State(given), numbered(events))[-1].state
    assert state.watermark == NOON - 9 * MINUTE
