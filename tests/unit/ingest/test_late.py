"""Events that correct windows which were closed: what becomes of them, and what their windows come to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.ingest.accounting import total
from scorer.ingest.merge import merge
from scorer.ingest.settings import Settings
from scorer.ingest.state import State
from scorer.ingest.windows import Closed
from unit.ingest.partitions import MINUTE, NOON, SECOND, bits, configured, ended, numbered, taken
from unit.ingest.reference import Event
from unit.ingest.streams import ALL_COLUMNS, cuts, orderings, places, streams

HORIZON = 60 * MINUTE
POLICIES = {"onLateArrival": "Correct", "onOutOfOrder": "Correct"}


def correcting(horizon: int = HORIZON, **more: object) -> Settings:
    return configured(ALL_COLUMNS, corrections={"horizon": f"{horizon}us"}, **POLICIES | more)


def patient(settings: Settings) -> Settings:
    """The same, but windows wait for all that comes."""
    ordering = settings.ordering._replace(late=2**48, out_of_order=2**48, idle_after=None)
    return settings._replace(ordering=ordering)


def all_of(settings: Settings, events: list[Event], at: list[int]) -> list[Closed]:
    """What a partition closes, and what corrects it, in their order."""
    state = State(settings)
    found: list[Closed] = []
    for each in taken(state, events, at):
        found += [each.closed, *([each.late] if each.late is not None else [])]
    return [*found, ended(state)]


@given(orderings(), st.lists(streams(), min_size=1, max_size=3), cuts())
def test_corrected_windows_are_to_the_bit_as_if_nobody_had_been_late(
    how: dict[str, object], partitions: list[list[Event]], shares: list[float]
) -> None:
    settings = correcting(**how | POLICIES)
    parts = {
        str(name): all_of(settings, events, places(shares, len(events)))
        for name, events in enumerate(partitions)
    }
    whole = {str(name): all_of(patient(settings), events, []) for name, events in enumerate(partitions)}
    assert bits(merge(parts, settings.columns)) == bits(merge(whole, settings.columns))


@given(orderings(), streams(), cuts(), cuts())
def test_how_late_events_are_cut_into_batches_changes_nothing(
    how: dict[str, object], events: list[Event], some: list[float], others: list[float]
) -> None:
    settings = correcting(**how | {"onLateArrival": "Correct"})
    one, two = (
        merge({"0": all_of(settings, events, places(shares, len(events)))}, settings.columns)
        for shares in (some, others)
    )
    assert bits(one) == bits(two)


@given(orderings(), streams())
def test_each_event_has_one_fate(how: dict[str, object], events: list[Event]) -> None:
    settings = correcting(MINUTE, **how | {"onOutOfOrder": "Correct"})
    steps = taken(State(settings), events, [len(events) // 2])
    counts = total(*(each.counts for each in steps))
    assert counts.adds_up
    assert counts.corrected == sum(len(each.late.ends) for each in steps if each.late is not None)


def fates(settings: Settings, *events: Event) -> tuple[int, int, int, int]:
    """Windowed, corrected, late and out of order."""
    steps = taken(State(settings), numbered(events))
    counts = total(*(each.counts for each in steps))
    return counts.windowed, counts.corrected, counts.late, counts.out_of_order


def at(behind: int, arrival: int = NOON + 2 * HORIZON) -> Event:
    return Event(arrival - behind, arrival, "d1-1", 1.0)


def test_what_is_within_the_horizon_corrects_and_what_is_beyond_it_is_late() -> None:
    settings = correcting(lateArrival="5s")
    assert fates(settings, at(HORIZON)) == (0, 1, 0, 0)
    assert fates(settings, at(HORIZON + 1)) == (0, 0, 1, 0)


def test_out_of_order_beyond_the_horizon_is_dropped_as_that() -> None:
    settings = correcting(MINUTE, lateArrival="1h")
    assert fates(settings, at(0), at(MINUTE)) == (1, 1, 0, 0)
    assert fates(settings, at(0), at(MINUTE + 1)) == (1, 0, 0, 1)


def test_while_its_own_window_is_open_an_event_goes_there() -> None:
    settings = correcting(lateArrival="1h", size="60s")
    assert fates(settings, at(0), at(SECOND), at(30 * SECOND), at(90 * SECOND)) == (3, 1, 0, 0)


def test_a_policy_of_drop_beside_it_still_drops() -> None:
    settings = correcting(onLateArrival="Drop", lateArrival="5s")
    assert fates(settings, at(0), at(6 * SECOND), at(5 * SECOND)) == (1, 1, 1, 0)


def test_corrections_move_no_watermark() -> None:
    settings = correcting(lateArrival="5s")
    state = State(settings)
    taken(state, numbered([at(0)]))
    before = state.watermark
    taken(state, [at(MINUTE)._replace(sequence=1)])
    assert state.watermark == before
