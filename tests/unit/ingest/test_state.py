from __future__ import annotations

import zlib

import numpy as np
import pytest

from scorer.ingest.settings import Settings
from scorer.ingest.state import State, StateError, dump, dump_parts, load
from scorer.ingest.step import step
from unit.ingest.partitions import MINUTE, NOON, SECOND, columns_of, configured, ended, numbered, taken
from unit.ingest.reference import Event
from unit.ingest.streams import ALL_COLUMNS

EXTREMES = {"value": "avg", "low": "min", "high": "max", "n": "count"}


def filled(given: Settings, sensors: int, each: int = 1) -> State:
    """So many sensors with so many events in one open window."""
    rng = np.random.default_rng(1)
    events = [
        Event(NOON + 1, NOON + 1, f"device-{sensor}-1", float(rng.normal()), str(sensor))
        for sensor in range(sensors)
        for _ in range(each)
    ]
    return taken(State(given), numbered(events))[-1].state


def test_a_state_of_nothing_is_stored_and_gone_on_from() -> None:
    given = configured()
    state = load(dump(State(given)), given)
    assert (state.sequence, state.offset, state.ledger) == (-1, "", {})
    assert taken(state, numbered([Event(NOON, NOON, "a", 1)]))[-1].state.sequence == 0


def test_position_clock_watermark_and_counts_are_in_it() -> None:
    given = configured(lateArrival="1m", outOfOrder="3s")
    state = taken(State(given), numbered([Event(NOON, NOON + SECOND, "a", 1)]))[-1].state
    state = step(state, columns_of([], state), NOON + 5 * SECOND).state
    found = load(dump(state), given)
    assert (found.sequence, found.offset) == (0, "0")
    assert found.streams.clock == NOON + 5 * SECOND
    assert found.watermark == state.watermark == NOON - 3 * SECOND
    assert found.ledger == state.ledger


def test_what_is_stored_does_not_hang_on_the_order_in_which_sensors_were_met() -> None:
    given = configured(ALL_COLUMNS)
    events = [Event(NOON + 1, NOON + 1, f"s{number}", number) for number in range(20)]
    first = taken(State(given), numbered(events))[-1].state
    second = taken(State(given), numbered(reversed(events)))[-1].state
    assert dump(first) == dump(second)


@pytest.mark.parametrize("over", [False, True])
def test_sensors_and_streams_of_which_nothing_is_open_are_left_out(over: bool) -> None:
    given = configured(over=over, lateArrival="5s", outOfOrder="0s")
    gone = [Event(NOON, NOON, f"gone{n}-1", 1, f"gone{n}") for n in range(50)]
    here = Event(NOON + MINUTE, NOON + MINUTE, "here-1", 1, "here")
    state = taken(State(given), numbered([*gone, here]))[-1].state
    assert b"here-1" in dump(state)
    assert b"gone" not in dump(state)


def test_a_group_of_one_event_is_stored_as_its_value() -> None:
    given = configured(EXTREMES)
    one, two = len(dump(filled(given, 1000))), len(dump(filled(given, 1000, 2)))
    names = len(dump(filled(configured({"n": "count"}), 1000)))
    # A bit for the sensor stands beside it; with two events sum, extremes, count, and which those are.
    assert one - names <= 1000 * 8 + 100
    assert two - names <= 1000 * (3 * 8 + 4) + 200


def test_a_window_of_few_sensors_does_not_store_a_bit_for_all() -> None:
    given = configured({"n": "count"}, outOfOrder="1m")
    lone = Event(NOON + 6 * SECOND, NOON + 6 * SECOND, "device-7-1", 1, "7")._replace(sequence=2000)
    before = dump(filled(given, 2000))
    after = dump(taken(filled(given, 2000), [lone])[-1].state)
    assert 0 < len(after) - len(before) < 60


def test_parts_are_the_whole() -> None:
    state = filled(configured(ALL_COLUMNS), 300, 3)
    parts = list(dump_parts(state))
    assert b"".join(parts) == dump(state)
    assert len(parts) > 5


def test_tolerances_may_change_from_one_start_to_the_next() -> None:
    stored = dump(filled(configured(lateArrival="5s"), 3))
    assert ended(load(stored, configured(lateArrival="5m", onLateArrival="Drop"))).events == 3


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (configured(size="10s"), "window"),
        (configured(offset="1s"), "window"),
        (configured({"value": "max", "count": "count"}), "columns"),
        (configured(over=True), "over"),
        (configured(by="Arrival"), "by"),
    ],
)
def test_a_state_of_other_settings_is_refused(other: Settings, said: str) -> None:
    stored = dump(filled(configured(), 3))
    with pytest.raises(StateError, match=f"made with {said}"):
        load(stored, other)


def test_columns_may_get_other_names() -> None:
    stored = dump(filled(configured({"a": "avg", "b": "min"}), 3))
    assert ended(load(stored, configured({"least": "min", "mean": "avg"}))).events == 3


def test_each_broken_byte_is_noticed() -> None:
    given = configured(ALL_COLUMNS)
    stored = dump(filled(given, 3, 2))
    for place in range(0, len(stored), 7):
        broken = bytearray(stored)
        broken[place] ^= 0x10
        with pytest.raises(StateError):
            load(bytes(broken), given)
    for length in (0, 7, 19, 100, len(stored) - 1):
        with pytest.raises(StateError):
            load(stored[:length], given)


def test_a_state_of_another_version_is_refused() -> None:
    given = configured()
    stored = dump(State(given)).replace(b'"version":2', b'"version":1')[:-4]
    with pytest.raises(StateError, match="version 1"):
        load(stored + zlib.crc32(stored).to_bytes(4, "little"), given)
