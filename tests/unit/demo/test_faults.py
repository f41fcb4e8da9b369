"""The demo's faults: where they were planned, of the kind that the models can find, and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.demo import faults
from scorer.land import read_table

CSV = Path(__file__).resolve().parents[3] / "examples" / "azure-reference" / "sensor_data.csv"
Readings = dict[str, faults.Readings]


@pytest.fixture(scope="module")
def readings() -> Readings:
    return read_table(CSV)


def test_only_planned_readings_change(readings: Readings) -> None:
    faulty, injected = faults.inject(readings)
    changed = {
        sensor: times[faulty[sensor][1] != values].tolist()
        for sensor, (times, values) in readings.items()
        if not np.array_equal(faulty[sensor][1], values)
    }
    assert changed == {fault.sensor: fault.times.tolist() for fault in injected}
    assert len(changed) == len(faults.PLANS) == 3


def test_times_stay_as_they_were(readings: Readings) -> None:
    faulty, _ = faults.inject(readings)
    assert all(np.array_equal(faulty[sensor][0], times) for sensor, (times, _) in readings.items())


def test_changed_values_lie_outside_of_what_a_model_was_trained_on(readings: Readings) -> None:
    faulty, injected = faults.inject(readings)
    for fault in injected:
        _, values = readings[fault.sensor]
        times, moved = faulty[fault.sensor]
        changed = moved[np.isin(times, fault.times)]
        assert ((changed < values.min()) | (changed > values.max())).all()


def test_faults_lie_in_the_scored_window_not_in_the_trained_hour(readings: Readings) -> None:
    _, injected = faults.inject(readings)
    window = (np.datetime64("2018-08-29T00:00"), np.datetime64("2018-08-29T03:00"))
    assert all((fault.times > window[0]).all() and (fault.times <= window[1]).all() for fault in injected)


def test_record_names_sensor_kind_and_times(readings: Readings, tmp_path: Path) -> None:
    _, injected = faults.inject(readings)
    faults.write(injected, tmp_path / "demo" / "faults.json")
    record = json.loads((tmp_path / "demo" / "faults.json").read_text(encoding="utf-8"))["faults"]
    assert [(fault["sensor"], fault["kind"], len(fault["times"])) for fault in record] == [
        (fault.sensor, fault.kind, len(fault.times)) for fault in injected
    ]
    assert record[0]["times"][0] == "2018-08-29T00:20:20.000Z"
