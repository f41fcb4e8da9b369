from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.guard.judge import MODELS, judge
from scorer.guard.tracks import REMEMBERED
from scorer.guard.words import REASONS, UNUSUAL
from unit.guard.given import ALL, FEW, MODEL, OUTSIDE, SPIKES, STUCK, WELL, facts, hour, reasons, watch

OTHER = "ba9876543210"


@pytest.mark.parametrize(
    ("fault", "reason", "windows"),
    [
        (STUCK, "ConstantValue", 3),
        (OUTSIDE, "OutsideTrainingRange", 3),
        (ALL, "AllFlagged", 3),
        (SPIKES, "FlagRate", 7),
        (FEW, "MissingRows", 4),
    ],
)
def test_a_fault_is_a_warning_once_it_has_lasted(fault: Mapping[str, Any], reason: str, windows: int) -> None:
    judged = watch(WELL, WELL, *[fault] * 9)
    assert reasons(judged) == [reason]
    assert [bool(each.warnings) for each in judged].index(True) == 2 + windows - 1
    assert [finding.reason for finding in judged[-1].ongoing] == [reason]


@pytest.mark.parametrize("fault", [STUCK, OUTSIDE, ALL, SPIKES, FEW])
def test_one_or_two_odd_windows_are_none(fault: Mapping[str, Any]) -> None:
    assert not reasons(watch(WELL, fault, WELL, WELL, WELL, fault, fault, *[WELL] * 8, fault))


def test_four_odd_windows_of_six_are_enough_for_what_cannot_be_mistaken() -> None:
    assert reasons(watch(OUTSIDE, OUTSIDE, WELL, OUTSIDE, WELL, OUTSIDE)) == ["OutsideTrainingRange"]


def test_one_odd_window_is_a_note() -> None:
    judged = watch(WELL, SPIKES, WELL)
    assert [[finding.reason for finding in each.notes] for each in judged] == [[], [UNUSUAL], []]
    assert judged[1].notes[0].message.startswith("sensor s flagged 21 % of its 280 readings in this window")


def test_a_window_that_flags_everything_is_a_note_even_of_an_unknown_training() -> None:
    assert [finding.reason for finding in watch({**ALL, "t": None})[0].notes] == [UNUSUAL]


def test_what_a_warning_tells_is_no_note() -> None:
    assert not any(each.notes for each in watch(*[SPIKES] * 9)[6:])


def test_a_sensor_that_flags_nothing_is_told_after_three_days() -> None:
    judged = watch(*[{"f": 0, "g": 0}] * 80)
    began = [number for number, each in enumerate(judged) if each.warnings]
    assert began == [71]
    assert judged[71].warnings[0].reason == "FlagRate"
    assert "flagged only 0 %" in judged[71].warnings[0].message


def test_nothing_flagged_is_no_news_where_little_was_expected() -> None:
    assert not reasons(watch(*[{"f": 0, "g": 0, "t": [1440, 0, 1]}] * 80))


def test_a_week_end_without_flags_is_no_news() -> None:
    assert not reasons(watch(*[WELL] * 5, *[{"f": 0, "g": 0}] * 63, *[WELL] * 5))


def test_a_model_that_was_trained_to_flag_much_may() -> None:
    assert not reasons(watch(*[{"f": 60, "g": 50, "t": [280, 60, 20]}] * 30))


def test_support_vectors_count_as_flagged_in_training() -> None:
    assert not reasons(watch(*[{"f": 60, "g": 50, "t": [280, 3, 59]}] * 30))


def test_a_value_that_was_as_constant_in_training_is_no_fault() -> None:
    usual = {**STUCK, "c": ["value", 1.5, 12_000]}
    assert not reasons(watch(*[usual] * 9))
    assert reasons(watch(*[usual] * 12)) == ["ConstantValue"]


def test_of_an_unknown_training_it_must_be_the_same_value() -> None:
    steps = [{**STUCK, "c": ["value", float(level), None]} for level in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert not reasons(watch(*steps))
    assert reasons(watch(*steps, steps[-1])) == ["ConstantValue"]


def test_one_cause_is_one_warning() -> None:
    outside = {**OUTSIDE, "c": ["value", 99.0, 60]}
    assert reasons(watch(*[outside] * 12)) == ["ConstantValue"]


def test_a_warning_that_comes_every_night_is_one() -> None:
    day = [FEW] * 8 + [WELL] * 16
    judged = watch(*day * 4)
    assert reasons(judged) == ["MissingRows"]
    assert judged[-1].ongoing


def test_a_warning_is_over_after_a_day_without_and_may_come_again() -> None:
    judged = watch(*[ALL] * 4, *[WELL] * 23)
    assert judged[-1].ongoing
    judged = watch(*[ALL] * 4, *[WELL] * 24, *[ALL] * 4)
    assert not judged[27].ongoing
    assert reasons(judged) == ["AllFlagged"] * 2


def test_a_long_silence_ends_what_was_there_before() -> None:
    assert not reasons(watch(ALL, ALL, *[None] * 30, ALL, ALL))


def test_a_new_model_version_starts_anew() -> None:
    assert not reasons(watch(ALL, ALL, {**ALL, "m": OTHER}, {**ALL, "m": OTHER}))


def test_an_old_version_that_comes_back_goes_on() -> None:
    assert reasons(watch(ALL, ALL, {"m": OTHER}, ALL)) == ["AllFlagged"]


def test_few_versions_of_a_sensor_are_remembered() -> None:
    judged = watch(*[{"m": f"{number:012x}"} for number in range(9)])
    assert sorted(judged[-1].state["s"]) == [f"{number:012x}" for number in range(9 - MODELS, 9)]


def test_windows_older_than_what_is_remembered_change_nothing() -> None:
    state = watch(*[WELL] * (REMEMBERED + 3))[-1].state
    judged = judge(state, hour(0), {"s": facts(**ALL)})
    assert (judged.state, judged.notes) == (state, [])


def test_windows_before_1970_are_passed_over() -> None:
    assert judge({}, hour(-24 * 365 * 57), {"s": facts()}).state == {}


def test_a_window_that_is_scored_again_replaces_what_it_said() -> None:
    state = watch(*[OUTSIDE] * 3)[-1].state
    judged = judge(state, hour(2), {"s": facts()})
    assert not judged.warnings
    assert judged.state == watch(OUTSIDE, OUTSIDE, WELL)[-1].state


def test_other_sensors_stay_as_they_are() -> None:
    state = watch(WELL)[-1].state
    assert judge(state, hour(1), {"other": facts()}).state["s"] == state["s"]


def test_sparse_sensors_need_more_windows() -> None:
    sparse = {"n": 6, "f": 6, "g": 1, "x": 6.0}
    assert not reasons(watch(*[sparse] * 4))
    assert reasons(watch(*[sparse] * 5)) == ["AllFlagged"]


def test_dependent_rows_need_more_windows() -> None:
    assert not reasons(watch(*[{**ALL, "u": 40}] * 4))
    assert reasons(watch(*[{**ALL, "u": 40}] * 5)) == ["AllFlagged"]


KINDS = st.sampled_from([WELL, SPIKES, ALL, STUCK, OUTSIDE, FEW, {"f": 0, "g": 0}, {"m": OTHER}])


@given(st.lists(KINDS, min_size=1, max_size=60))
def test_judging_a_window_twice_changes_nothing_and_tells_the_same(windows: list[Mapping[str, Any]]) -> None:
    for number, judged in enumerate(watch(*windows)):
        again = judge(judged.state, hour(number), {"s": facts(**windows[number])})
        assert again == judged


@given(st.lists(KINDS, min_size=1, max_size=REMEMBERED), st.randoms(use_true_random=False))
def test_remembered_windows_may_come_in_any_order(windows: list[Mapping[str, Any]], chance: Any) -> None:
    before = [WELL] * 3
    shuffled = list(enumerate(windows, start=3))
    chance.shuffle(shuffled)
    state = watch(*before)[-1].state
    for number, changes in shuffled:
        state = judge(state, hour(number), {"s": facts(**{**changes, "m": MODEL})}).state
    ordered = watch(*before, *[{**changes, "m": MODEL} for changes in windows])[-1].state
    assert state == ordered


@given(st.lists(KINDS, max_size=80))
def test_a_warning_begins_once_until_it_is_over(windows: list[Mapping[str, Any]]) -> None:
    active: set[str] = set()
    for judged in watch(*[{**changes, "m": MODEL} for changes in windows]):
        began = {finding.reason for finding in judged.warnings}
        ongoing = {finding.reason for finding in judged.ongoing}
        assert not began & active - {"FlagRate"}
        assert ongoing <= active
        active = began | ongoing
        assert active <= set(REASONS.values())


@given(KINDS, st.text("abcdefghij-", min_size=63, max_size=63))
def test_sentences_are_short(fault: Mapping[str, Any], sensor: str) -> None:
    state: dict[str, Any] = {}
    for number in (*range(6), *range(70, 76)):
        judged = judge(state, hour(number), {sensor: facts(**fault)})
        state = judged.state
        for finding in (*judged.warnings, *judged.ongoing, *judged.notes):
            assert finding.message.startswith(f"sensor {sensor} ")
            assert len(finding.message.encode()) <= 256
