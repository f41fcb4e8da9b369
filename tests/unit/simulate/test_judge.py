"""Figures on detection: right by hand on small cases, and honest about what chance finds too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scorer.simulate.judge import (
    FOUND,
    NOT_FOUND,
    NOT_SCORED,
    PARTLY,
    Scored,
    figures,
    judge,
    kinds,
)
from scorer.simulate.labels import Label


def label(times: list[int], kind: str = "shift", sensor: str = "a") -> Label:
    return Label(sensor, kind, min(times) - 1, max(times), np.array(times))


def scored(flagged: list[int], rows: int = 100, sensor: str = "a") -> Scored:
    times = np.arange(rows)
    return Scored(sensor, times, np.isin(times, flagged))


def test_rows_faults_and_alarms_are_counted() -> None:
    verdict = judge(
        [scored([10, 11, 12, 50, 70]), scored([5], sensor="b")],
        [label([10, 11, 12, 13]), label([49, 51], "spike")],
    )
    assert figures(verdict) == {
        "rowPrecision": 3 / 6,  # 10, 11, 12 of six that are flagged
        "rowRecall": 3 / 6,  # of 10 to 13, 49 and 51
        "rowF1": 0.5,
        "alarmPrecision": 2 / 4,  # 10 to 12 and 50; not 70 and b's 5
        "faultRecall": 1.0,  # 50 is in the spikes' interval
        "falseShare": 2 / (200 - 4 - 3),
    }
    shift, spike, everything = kinds(verdict)
    assert (shift.rows, shift.flagged, shift.found, shift.verdict) == (4, 3, 1, FOUND)
    assert (spike.rows, spike.flagged, spike.found, spike.verdict) == (2, 0, 1, NOT_FOUND)
    assert (everything.name, everything.faults, everything.found, everything.rows) == ("all", 2, 2, 6)


def test_an_anomaly_somewhere_in_a_long_interval_is_said_to_be_chance_where_it_is() -> None:
    interval = list(range(1_000, 1_200))
    false = list(range(0, 3_000, 100))  # 1 %, in the interval as well
    (frozen,) = kinds(judge([scored(false, 3_000)], [label(interval, "frozen")]))
    assert (frozen.faults, frozen.found, frozen.verdict) == (1, 1, NOT_FOUND)
    assert frozen.by_chance == pytest.approx(1 - 0.99**200, abs=0.01)


@pytest.mark.parametrize(
    ("flagged", "verdict"), [(0, NOT_FOUND), (1, PARTLY), (10, PARTLY), (11, FOUND), (20, FOUND)]
)
def test_without_false_alarms_found_is_most_and_partly_is_any(flagged: int, verdict: str) -> None:
    wrong = list(range(10, 30))
    (kind,) = kinds(judge([scored(wrong[:flagged])], [label(wrong)]))
    assert kind.verdict == verdict


def test_what_was_not_scored_is_neither_found_nor_missed() -> None:
    verdict = judge([scored([])], [label([500, 501], sensor="b"), label([98, 99, 100, 101])])
    (kind,) = kinds(verdict)
    assert (kind.faults, kind.scored, kind.found, kind.rows) == (2, 1, 0, 2)
    assert sum(seen.of - seen.rows for seen in verdict.faults) == 4
    (unseen,) = kinds(judge([scored([])], [label([500])]))
    assert (unseen.verdict, unseen.scored) == (NOT_SCORED, 0)


def test_a_sensors_rows_may_come_in_several_pieces() -> None:
    whole = scored([10, 11, 60])
    pieces = [Scored("a", whole.times[part], whole.flagged[part]) for part in (slice(40), slice(40, 100))]
    faults = [label([10, 11]), label(list(range(35, 61)))]
    assert kinds(judge(pieces, faults)) == kinds(judge([whole], faults))


def test_an_aggregate_is_wrong_if_a_reading_in_its_window_is() -> None:
    """Windows (0, 5], (5, 10] and so on, stamped with their ends."""
    times = np.arange(5, 101, 5)
    faults = [Label("a", "spike", 9, 31, np.array([10, 11, 12, 31]))]
    verdict = judge([Scored("a", times, np.isin(times, [10, 15, 50]))], faults, window=5)
    (kind,) = kinds(verdict)
    assert (kind.rows, kind.flagged) == (3, 2)  # 10, 15 and 35
    assert verdict.quiet == 20 - 6  # (9, 35]
    assert verdict.true_alarms == 1


def test_nothing_at_all_has_no_figures() -> None:
    assert all(math.isnan(value) for name, value in figures(judge([], [])).items())
    assert kinds(judge([], [])) == []


def test_rows_without_faults_have_false_alarms_alone() -> None:
    verdict = judge([scored([1, 2, 50])], [])
    assert (verdict.alarms, verdict.true_alarms, verdict.false_in_quiet) == (2, 0, 3)
    assert figures(verdict)["rowPrecision"] == 0
