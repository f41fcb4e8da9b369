from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorer.ingest.accounting import Counts, arrival_hour, total
from scorer.ingest.events import Message, decode
from scorer.ingest.merge import merge
from scorer.ingest.settings import FUNCTIONS, Settings
from scorer.ingest.state import State, dump, load
from scorer.ingest.step import step
from unit.ingest import reference
from unit.ingest.partitions import (
    MINUTE,
    NOON,
    SECOND,
    bits,
    columns_of,
    columns_of_messages,
    configured,
    ended,
    numbered,
    taken,
    told,
    whole,
)
from unit.ingest.reference import Event
from unit.ingest.streams import all_settings, cuts, places, streams

EXAMPLES = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])


def agrees(row: Mapping[str, float], group: Sequence[Event]) -> None:
    """Whether the aggregates are those of the group: exactly, but for what adding up may do."""
    most = max(abs(event.value) for event in group)
    for function in FUNCTIONS:
        plain = reference.aggregate(function, group)
        if function in ("avg", "sum", "stddev"):
            assert row[function] == pytest.approx(plain, rel=1e-9, abs=most * len(group) * 1e-14, nan_ok=True)
        else:
            assert row[function] == plain, function


@EXAMPLES
@given(all_settings(), streams(), cuts())
def test_columns_come_to_the_same_as_events_one_by_one(
    how: Settings, events: list[Event], shares: list[float]
) -> None:
    wanted = reference.told(events, how)
    readings, counts = whole(how, events, places(shares, len(events)))
    found = told(readings)
    assert found.keys() == wanted.windows.keys()
    for group, row in found.items():
        agrees(row, wanted.windows[group])
    for fate in (
        "windowed",
        "late",
        "early",
        "out_of_order",
        "duplicate",
        "late_adjusted",
        "out_of_order_adjusted",
    ):
        assert getattr(counts, fate) == wanted.fates[fate], fate
    assert counts.adds_up
    assert counts.events == len(events)


@EXAMPLES
@given(all_settings(), streams(), cuts(), cuts())
def test_however_events_are_cut_into_batches_the_same_bits_come_out(
    how: Settings, events: list[Event], shares: list[float], others: list[float]
) -> None:
    first, second = State(how), State(how)
    one, other = (
        taken(state, events, places(cut, len(events))) for state, cut in ((first, shares), (second, others))
    )
    assert dump(one[-1].state) == dump(other[-1].state)
    assert one[-1].state.watermark == other[-1].state.watermark
    counts = [total(*(each.counts for each in steps)) for steps in (one, other)]
    assert counts[0] == counts[1]
    closed = [[*(each.closed for each in steps), ended(steps[-1].state)] for steps in (one, other)]
    assert bits(merge({"0": closed[0]}, how.columns)) == bits(merge({"0": closed[1]}, how.columns))


@EXAMPLES
@given(all_settings(), streams(), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_from_every_state_that_was_stored_the_rest_is_the_same(
    how: Settings, events: list[Event], shares: list[float]
) -> None:
    state = State(how)
    kept = [(0, dump(state), 0)]
    closed = []
    edges = [0, *sorted(places(shares, len(events))), len(events)]
    for first, last in pairwise(edges):
        found = step(state, columns_of(events[first:last], state))
        state = found.state
        closed.append(found.closed)
        kept.append((last, dump(state), len(closed)))
    final = dump(state)
    closed.append(ended(state))
    wanted = bits(merge({"0": closed}, how.columns))
    for place, stored, so_far in kept:
        again = load(stored, how)
        assert dump(again) == stored
        steps = taken(again, events[place:])
        assert dump(steps[-1].state) == final
        rest = [*(each.closed for each in steps), ended(steps[-1].state)]
        assert bits(merge({"0": [*closed[:so_far], *rest]}, how.columns)) == wanted


@EXAMPLES
@given(all_settings(), streams(), st.lists(st.floats(0, 1), max_size=6))
def test_when_the_clock_moves_on_changes_nothing_of_what_comes_out(
    how: Settings, events: list[Event], shares: list[float]
) -> None:
    events = sorted(set(events), key=lambda event: event.sequence)
    arrivals = [event.arrival for event in events]
    wanted, counts = whole(how, events)
    state = State(how)
    steps = []
    edges = [0, *sorted(places(shares, len(events))), len(events)]
    for first, last in pairwise(edges):
        # What the hub says of a partition with nothing more in it: no later than whatever comes after.
        clock = min(arrivals[last:], default=NOON)
        steps.append(step(state, columns_of(events[first:last], state), clock))
        state = steps[-1].state
    found = merge({"0": [*(each.closed for each in steps), ended(state)]}, how.columns)
    assert bits(found) == bits(wanted)
    assert total(*(each.counts for each in steps)) == counts


@EXAMPLES
@given(all_settings(), st.lists(streams(12), min_size=1, max_size=4), st.randoms())
def test_the_order_of_partitions_does_not_matter(
    how: Settings, partitions: list[list[Event]], chance: object
) -> None:
    closed = {}
    for number, events in enumerate(partitions):
        steps = taken(State(how), events)
        closed[str(number)] = [*(each.closed for each in steps), ended(steps[-1].state)]
    wanted = bits(merge(closed, how.columns))
    shuffled = list(closed.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert bits(merge(dict(shuffled), how.columns)) == wanted


@EXAMPLES
@given(all_settings(), st.lists(streams(12), min_size=2, max_size=3))
def test_what_partitions_say_of_one_group_is_that_of_all_its_events(
    how: Settings, partitions: list[list[Event]]
) -> None:
    closed = {}
    every: list[tuple[tuple[str, int], Event]] = []
    for number, events in enumerate(partitions):
        steps = taken(State(how), events)
        closed[str(number)] = [*(each.closed for each in steps), ended(steps[-1].state)]
        groups = reference.told(events, how).windows
        every += [(group, event) for group, inside in groups.items() for event in inside]
    every.sort(key=lambda one: one[0])
    wanted = {
        group: [event for _, event in inside] for group, inside in groupby(every, key=lambda one: one[0])
    }
    found = told(merge(closed, how.columns))
    assert found.keys() == wanted.keys()
    for group, row in found.items():
        agrees(row, wanted[group])


@EXAMPLES
@given(all_settings(), streams(), cuts())
def test_nothing_that_is_closed_is_opened_again(
    how: Settings, events: list[Event], shares: list[float]
) -> None:
    steps = taken(State(how), events, places(shares, len(events)))
    low = -(2**62)
    seen: set[tuple[str, int]] = set()
    for each in steps:
        groups = [
            (each.closed.names[place], end)
            for place, end in zip(each.closed.sensors.tolist(), each.closed.ends.tolist(), strict=True)
        ]
        assert seen.isdisjoint(groups)
        assert all(end >= low for _, end in groups)
        seen.update(groups)
    readings, _ = whole(how, events)
    # What is before the partition's watermark was all given out.
    early = {group for group in told(readings) if group[1] < steps[-1].state.watermark}
    assert early <= seen


@EXAMPLES
@given(all_settings(), streams(), st.lists(st.integers(1, 5), min_size=40, max_size=40), cuts())
def test_messages_of_several_events_come_to_the_same_too(
    how: Settings, events: list[Event], sizes: list[int], shares: list[float]
) -> None:
    rest = sorted(set(events), key=lambda event: event.sequence)
    messages: list[list[Event]] = []
    for size in sizes:
        if rest:
            # All events of a message arrive with it.
            messages.append([event._replace(arrival=rest[0].arrival) for event in rest[:size]])
            rest = rest[size:]
    state = State(how)
    closed, counts = [], []
    edges = [0, *sorted(places(shares, len(messages))), len(messages)]
    for first, last in pairwise(edges):
        found = step(state, columns_of_messages(messages[first:last], first, state))
        closed.append(found.closed)
        counts.append(found.counts)
    found_rows = told(merge({"0": [*closed, ended(state)]}, how.columns))
    wanted = reference.told([event for message in messages for event in message], how)
    assert found_rows.keys() == wanted.windows.keys()
    for group, row in found_rows.items():
        agrees(row, wanted.windows[group])
    assert total(*counts).windowed == wanted.fates["windowed"]
    assert total(*counts).adds_up


def test_events_that_were_taken_already_are_duplicates() -> None:
    events = numbered(Event(NOON + n, NOON + n, "a", n) for n in range(6))
    state = taken(State(configured()), events[:4])[-1].state
    again = step(state, columns_of([*events[1:4], *events[3:], events[5]], state))
    assert again.counts == Counts(messages=7, events=7, windowed=2, duplicate=5)
    assert again.state.sequence == 5
    assert again.state.offset == "5"


def test_messages_that_the_hub_had_no_more_are_counted_as_missed() -> None:
    events = [Event(NOON, NOON, "a", 1)._replace(sequence=number) for number in (7, 8, 11, 12, 20)]
    steps = taken(State(configured()), events, [3])
    assert [each.counts.missed for each in steps] == [2, 7]


def test_counts_go_by_the_hour_of_arrival_until_they_are_settled() -> None:
    hour = 60 * MINUTE
    given_ = configured(lateArrival="2h")
    arrivals = (NOON, NOON + 1, NOON + hour, NOON + hour + 1)
    events = numbered(Event(NOON - SECOND, arrival, "a", 1) for arrival in arrivals)
    state = taken(State(given_), events)[-1].state
    first = arrival_hour(NOON)
    assert {at: counts.events for at, counts in state.ledger.items()} == {
        first: 1,
        first + 1: 2,
        first + 2: 1,
    }
    assert list(state.settle(NOON + hour)) == [first, first + 1]
    assert list(state.ledger) == [first + 2]


@pytest.mark.parametrize("over", [False, True])
def test_nothing_at_all_is_a_step_too(over: bool) -> None:
    state = State(configured(over=over))
    found = step(state, columns_of([], state), NOON)
    assert found.counts == Counts()
    assert not len(found.closed.sensors)
    assert dump(load(dump(found.state), state.settings)) == dump(found.state)


def test_a_message_that_comes_again_is_a_duplicate_with_all_that_is_in_it() -> None:
    given_ = configured()
    state = State(given_)
    good = {"TS": "2026-01-01T12:00:00Z", "Device": 1, "Tag": 1, "Value": 1}
    bodies = [json.dumps([good, good | {"Value": "x"}, good]).encode(), b"{", json.dumps(good).encode()]
    messages = [Message(number, "", NOON, body) for number, body in enumerate(bodies)]
    first = step(state, decode(messages[:2], given_.mapping, state.sensors))
    assert [letter.reason for letter in first.letters] == ["NotANumber", "BrokenJSON"]
    assert first.counts == Counts(messages=2, events=4, windowed=2, bad=2)
    again = step(first.state, decode(messages, given_.mapping, state.sensors))
    assert again.letters == []
    assert again.counts == Counts(messages=3, events=5, windowed=1, duplicate=4)


def test_a_clock_that_was_ahead_makes_events_out_of_order_and_loses_none() -> None:
    given_ = configured(lateArrival="5s")
    state = taken(State(given_), numbered([Event(NOON, NOON, "a", 1)]), now=NOON + MINUTE)[-1].state
    later = step(state, columns_of([Event(NOON + SECOND, NOON + SECOND, "a", 2)._replace(sequence=1)], state))
    assert later.counts == Counts(messages=1, events=1, windowed=1, out_of_order_adjusted=1)
    assert ended(later.state).ends.tolist() == [NOON + MINUTE - 5 * SECOND]
