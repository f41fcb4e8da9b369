"""Streams of events for property tests: of a few devices, in and out of order, late, early, repeated."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scorer.ingest.settings import FUNCTIONS, Settings
from unit.ingest.partitions import MINUTE, NOON, SECOND, configured, numbered
from unit.ingest.reference import Event

LATE = 15 * SECOND
# Values whose sums hang on the order in which they are added, in every way that floating point has.
VALUES = st.one_of(st.sampled_from([0.1, 0.2, 0.3, -0.0, 1e16, -1e16, 1.0]), st.floats(-1e9, 1e9))
ALL_COLUMNS = {function: function for function in FUNCTIONS}


@st.composite
def orderings(draw: st.DrawFn) -> dict[str, Any]:
    """How events are ordered, and the windows."""
    return {
        "lateArrival": draw(st.sampled_from(["0s", "5s", "15s", "5m"])),
        "outOfOrder": draw(st.sampled_from(["0s", "1s", "8s"])),
        "onLateArrival": draw(st.sampled_from(["Adjust", "Drop"])),
        "onOutOfOrder": draw(st.sampled_from(["Adjust", "Drop"])),
        "earlyArrival": draw(st.sampled_from([None, "5s", "5m"])),
        "idleAfter": draw(st.sampled_from([None, "2s", "10s"])),
        "size": draw(st.sampled_from(["1s", "5s", "7s"])),
        "offset": draw(st.sampled_from(["0s", "-1ms", "300ms"])),
        "over": draw(st.booleans()),
        "by": "Event",
    }


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    """Settings of every kind, of all aggregates."""
    given = draw(orderings())
    if draw(st.integers(0, 5)) == 0:
        given |= {"by": "Arrival", "over": False}
    return configured(ALL_COLUMNS, **given)


@st.composite
def streams(draw: st.DrawFn, most: int = 40) -> list[Event]:
    """A partition's events: arrivals mostly grow, sequence numbers but for what is delivered again."""
    devices = draw(st.integers(1, 4))
    events: list[Event] = []
    now = NOON
    for _ in range(draw(st.integers(0, most))):
        now += draw(st.sampled_from([0, 1, SECOND // 2, SECOND, 3 * SECOND, 20 * SECOND, -SECOND]))
        behind = draw(
            st.sampled_from(
                [0, 1, SECOND, 4 * SECOND, LATE, LATE + 1, 20 * SECOND, -SECOND, -6 * SECOND, -6 * MINUTE]
            )
        )
        device = draw(st.integers(1, devices))
        sensor = f"d{device}-{draw(st.integers(1, 2))}"
        events.append(Event(now - behind, now, sensor, draw(VALUES), f"d{device}"))
    events = numbered(events)
    for place in draw(st.lists(st.integers(0, max(len(events) - 1, 0)), max_size=2)) if events else []:
        events.insert(draw(st.integers(place + 1, len(events))), events[place])
    return events


def cuts(most: int = 5) -> st.SearchStrategy[list[float]]:
    """Where batches end, as shares of the whole."""
    return st.lists(st.floats(0, 1), max_size=most)


def places(shares: list[float], events: int) -> list[int]:
    """The same as places among so many events."""
    return [round(share * events) for share in shares]
