"""Sums, findings and the order in which sensors need a look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scorer.contract import Rows
from scorer.report.result import Fault, RunResult, SensorResult, worst_first


def test_sums_are_over_all_sensors(run: RunResult) -> None:
    assert run.rows == Rows(206, 200, 2, 4)
    assert run.adds_up
    assert run.anomalies == 8
    assert [run.in_state(state) for state in ("Scored", "Skipped", "Failed")] == [2, 1, 1]


def test_rows_that_do_not_add_up_are_seen(run: RunResult) -> None:
    lost = SensorResult("a", "Scored", rows=Rows(read=10, scored=8, rejected=1, duplicate=0))
    assert not replace(run, sensors=(lost,)).adds_up


def test_fault_is_found_when_most_of_it_is_flagged(run: RunResult) -> None:
    verdicts = [(finding.flagged, finding.of, finding.found) for finding in run.findings()]
    assert verdicts == [(3, 4, True), (0, 10, False)]


def test_fault_in_a_sensor_that_was_not_scored_is_missed(run: RunResult) -> None:
    fault = Fault("device-1-tag-4", "spikes", np.array(["2026-01-01T12:01"], "datetime64[us]"))
    (finding,) = RunResult(run.name, run.start, run.end, run.sensors, (fault,)).findings()
    assert (finding.flagged, finding.of, finding.found) == (0, 1, False)


def test_what_was_not_scored_comes_before_the_most_anomalies(run: RunResult) -> None:
    names = [sensor.sensor[-1] for sensor in worst_first(run.sensors)]
    assert names == ["3", "4", "2", "1"]


@pytest.mark.parametrize(
    ("minutes", "spans"),
    [
        ([5], [(5, 5)]),
        ([1, 2, 3], [(1, 3)]),
        ([1, 9, 10], [(1, 1), (9, 10)]),
        ([9, 1], [(1, 1), (9, 9)]),
        ([], []),
    ],
)
def test_changed_readings_close_together_are_one_span(
    minutes: list[int], spans: list[tuple[float, float]]
) -> None:
    noon = np.datetime64("2026-01-01T12:00", "us")
    fault = Fault("a", "spikes", noon + np.array(minutes, "timedelta64[m]"))
    minute = np.timedelta64(1, "m")
    found = fault.spans(2 * minute)
    assert [((start - noon) / minute, (end - noon) / minute) for start, end in found] == spans
