"""A fleet's readings: the same for the same seed, on a grid, with gaps that add up; a table replayed."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scorer.land import read_table
from scorer.simulate.readings import fleet_sensors, table_blocks, table_sensors
from scorer.simulate.settings import DAY, HOUR, SECOND, WAVE, Fleet, Gaps, Plan
from unit.simulate.given import ROUGH, made, readings_of, same, small_blocks

DATA = Path(__file__).resolve().parents[3] / "examples" / "azure-reference" / "sensor_data.csv"


def test_the_usual_fleet_is_the_references() -> None:
    simulated = made(Plan())
    readings = readings_of(simulated)
    assert simulated.sensors.names == [f"device-{of}-tag-{its}" for of in (1, 2, 3) for its in range(1, 6)]
    assert len(readings.times) == 15 * 720
    for sensor, (low, high) in enumerate([(10, 15), (30, 40), (60, 65), (80, 85), (100, 110)] * 3):
        values = readings.values[readings.sensors == sensor]
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high
        assert np.array_equal(values, np.round(values, 2))


def test_the_same_seed_gives_the_same_readings_and_another_others() -> None:
    assert same(readings_of(made()), readings_of(made()))
    assert not same(readings_of(made()), readings_of(made(ROUGH._replace(seed=8))))


def test_readings_lie_after_the_start_up_to_the_end_each_device_at_its_own_moment() -> None:
    plan = Plan(fleet=Fleet(devices=50, tags=2, length=60 * SECOND))
    readings = readings_of(made(plan))
    assert plan.fleet.start < readings.times.min()
    assert readings.times.max() <= plan.fleet.start + plan.fleet.length
    assert (np.diff(readings.times) >= 0).all()
    by_sensor = [readings.times[readings.sensors == sensor] for sensor in range(100)]
    assert all((np.diff(times) == 5 * SECOND).all() for times in by_sensor)
    assert np.array_equal(by_sensor[0], by_sensor[1])  # of one device
    assert len({int(times[0]) for times in by_sensor}) > 40


def test_aligned_devices_measure_at_the_same_moments() -> None:
    plan = Plan(fleet=Fleet(devices=50, length=60 * SECOND, aligned=True))
    times = readings_of(made(plan)).times
    assert np.unique(times - plan.fleet.start).tolist() == [5 * SECOND * (slot + 1) for slot in range(12)]


def test_further_tags_have_ranges_of_their_own() -> None:
    sensors = fleet_sensors(Fleet(devices=1, tags=7))
    assert (sensors.low[5], sensors.high[5]) == (130, 135)
    assert sensors.low[6] == 150


@pytest.mark.parametrize("missing", [0.0, 0.39, 1.0])
def test_readings_that_are_lost_are_counted(missing: float) -> None:
    simulated = made(Plan(gaps=Gaps(missing=missing)))
    there = sum(len(block.readings.times) for block in simulated.blocks)
    tally = simulated.tally
    assert tally["slots"] == 10_800 == there + tally["missing"]
    assert there == tally["readings"]
    assert tally["missing"] == pytest.approx(10_800 * missing, abs=200)


def test_a_device_in_an_outage_is_silent_with_all_its_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    plan = Plan(gaps=Gaps(outages=24.0, outage=300 * SECOND), fleet=Fleet(devices=20, aligned=True))
    simulated = made(plan)
    readings = readings_of(simulated)
    tally = simulated.tally
    assert tally["slots"] == tally["readings"] + tally["in outages"]
    assert tally["in outages"] % 5 == 0
    gaps = [np.diff(readings.times[readings.sensors == sensor]).max() for sensor in range(100)]
    assert max(gaps) >= 300 * SECOND
    assert gaps[::5] == gaps[1::5]


def test_what_is_lost_changes_no_value_of_what_is_left() -> None:
    whole, some = (readings_of(made(Plan(gaps=Gaps(missing=share)))) for share in (0.0, 0.5))
    values = dict(zip(zip(whole.sensors, whole.times, strict=True), whole.values, strict=True))
    assert all(
        values[key] == value
        for key, value in zip(zip(some.sensors, some.times, strict=True), some.values, strict=True)
    )


def test_a_wave_goes_up_and_down_once_a_day() -> None:
    plan = Plan(fleet=Fleet(devices=1, tags=1, every=60 * SECOND, length=DAY, signal=WAVE))
    values = readings_of(made(plan)).values
    by_hour = values.reshape(24, 60).mean(axis=1)
    assert 10 <= values.min() < values.max() <= 15
    assert np.ptp(by_hour) > 3
    assert np.count_nonzero(np.diff(np.sign(by_hour - 12.5))) <= 2


def test_blocks_are_bounded_whatever_the_fleet() -> None:
    simulated = made(Plan(fleet=Fleet(devices=1_000, tags=10, length=60 * SECOND)))
    blocks = [(len(block.readings.times), block.ends, block.readings.times) for block in simulated.blocks]
    assert max(count for count, _, _ in blocks) <= 65_536
    for (_, ends, times), (_, _, later) in itertools.pairwise(blocks):
        assert times[-1] < ends <= later[0]


def test_a_replayed_table_has_all_its_rows_in_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch, 1_000)
    table = read_table(DATA)
    sensors, tally = table_sensors(table), Counter[str]()
    blocks = list(table_blocks(table, None, tally))
    assert len(blocks) == 18
    assert tally["readings"] == 17_768
    found = {
        (sensors.names[sensor], time, value)
        for block in blocks
        for sensor, time, value in zip(*(column.tolist() for column in block.readings[:3]), strict=True)
    }
    wanted = {
        (name, int(time.astype("int64")), value)
        for name, (times, values) in table.items()
        for time, value in zip(times, values.tolist(), strict=True)
    }
    assert found == wanted
    assert all((np.diff(block.readings.times) >= 0).all() for block in blocks)


def test_a_replayed_table_can_be_moved() -> None:
    table = read_table(DATA)
    there, moved = (next(table_blocks(table, start, Counter())) for start in (None, 24 * HOUR))
    assert int(moved.readings.times[0]) == 24 * HOUR
    assert np.array_equal(np.diff(there.readings.times), np.diff(moved.readings.times))
