"""Faults: each kind does what its name says, to those readings alone that are labelled."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from scorer.errors import InputError
from scorer.simulate.columns import joined
from scorer.simulate.faults import SPIKES, injected, planned
from scorer.simulate.readings import Block, Readings, fleet_blocks, fleet_sensors
from scorer.simulate.settings import (
    DRIFT,
    FROZEN,
    KINDS,
    MINUTE,
    NOISE,
    SECOND,
    SHIFT,
    SPIKE,
    Faults,
    Fleet,
    Gaps,
    Plan,
)
from unit.simulate.given import ROUGH, made, readings_of, small_blocks

PLAN = Plan(faults=Faults(tuple(1 for _ in KINDS), 10 * MINUTE, 1.5))


def clean(plan: Plan) -> Readings:
    return readings_of(made(plan._replace(faults=Faults())))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [100, 65_536])
def test_a_fault_changes_its_sensors_readings_as_its_kind_says(
    kind: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch, block)
    plan = PLAN._replace(faults=PLAN.faults._replace(counts=tuple(int(each == kind) for each in KINDS)))
    simulated = made(plan)
    readings, before = readings_of(simulated), clean(plan)
    (fault,) = simulated.faults
    rows = np.flatnonzero(readings.faults == 0)
    within = (
        (readings.sensors == fault.sensor) & (readings.times > fault.start) & (readings.times <= fault.end)
    )
    assert within[rows].all()
    assert np.array_equal(np.delete(readings.values, rows), np.delete(before.values, rows))
    moved = readings.values[rows] - before.values[rows]
    spread = simulated.sensors.high[fault.sensor] - simulated.sensors.low[fault.sensor]
    assert abs(fault.size) == pytest.approx(1.5 * spread)
    assert len(rows) == (SPIKES if kind == SPIKE else within.sum())
    if kind in (SPIKE, SHIFT):
        assert moved == pytest.approx(np.full(len(rows), fault.size), abs=0.011)
    elif kind == DRIFT:
        assert abs(moved[0]) < 0.05 * abs(fault.size)
        assert moved[-1] == pytest.approx(fault.size, rel=0.02)
        assert (np.diff(moved * np.sign(fault.size)) > -0.011).all()
    elif kind == FROZEN:
        assert set(readings.values[rows]) == {fault.level}
        assert simulated.sensors.low[fault.sensor] <= fault.level <= simulated.sensors.high[fault.sensor]
    else:
        assert kind == NOISE
        assert moved.std() == pytest.approx(abs(fault.size) / 2, rel=0.25)
        assert abs(moved.mean()) < abs(fault.size) / 4


def test_faults_lie_after_the_clean_part_and_never_two_at_once_at_a_sensor() -> None:
    fleet = Fleet(devices=2, tags=2)
    wanted = Faults((4,) * len(KINDS), 2 * MINUTE, clean=20 * MINUTE)
    end = fleet.start + fleet.length
    found = planned(wanted, fleet_sensors(fleet), fleet.start, end, 1)
    assert sorted(fault.kind for fault in found) == sorted([*KINDS] * 4)
    assert min(fault.start for fault in found) >= fleet.start + 20 * MINUTE
    assert max(fault.end for fault in found) <= end
    for sensor in range(4):
        its = sorted((fault.start, fault.end) for fault in found if fault.sensor == sensor)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(its))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Faults((9,) * len(KINDS), 10 * MINUTE), "more than there is room for"),
        (Faults((1, 0, 0, 0, 0), 61 * MINUTE), "longer than the readings"),
        (Faults((1, 0, 0, 0, 0), 10 * MINUTE, clean=55 * MINUTE), "longer than the readings"),
    ],
)
def test_faults_without_room_are_refused(wanted: Faults, said: str) -> None:
    fleet = Fleet(devices=1, tags=1)
    with pytest.raises(InputError, match=said):
        planned(wanted, fleet_sensors(fleet), fleet.start, fleet.start + fleet.length, 0)


def test_no_faults_need_no_room() -> None:
    assert planned(Faults(), fleet_sensors(Fleet()), 0, 1, 0) == []


def test_a_spike_waits_for_the_next_reading_however_blocks_are_cut() -> None:
    plan = Plan(
        fleet=Fleet(1, 1, SECOND, length=600 * SECOND),
        gaps=Gaps(missing=0.9),
        faults=Faults((1, 0, 0, 0, 0), 300 * SECOND),
    )
    sensors = fleet_sensors(plan.fleet)
    (whole,) = fleet_blocks(plan, sensors, Counter())
    faults = planned(plan.faults, sensors, plan.fleet.start, plan.fleet.start + plan.fleet.length, 0)
    (at_once,) = injected([whole], faults, 0, 2)
    single = [
        Block(0, Readings(*(column[row : row + 1] for column in whole.readings)), 0)
        for row in range(len(whole.readings.times))
    ]
    apart = joined(*(block.readings for block in injected(single, faults, 0, 2)))
    assert np.array_equal(at_once.readings.faults, apart.faults)
    assert np.array_equal(at_once.readings.values, apart.values)
    assert 1 <= np.count_nonzero(apart.faults == 0) <= SPIKES


def test_the_readings_given_stay_as_they_are() -> None:
    plan, sensors = PLAN, fleet_sensors(PLAN.fleet)
    (block,) = fleet_blocks(plan, sensors, Counter())
    before = block.readings.values.copy()
    faults = planned(plan.faults, sensors, plan.fleet.start, plan.fleet.start + plan.fleet.length, 0)
    list(injected([block], faults, 0, 2))
    assert np.array_equal(block.readings.values, before)
    assert (block.readings.faults == -1).all()


def test_labels_name_exactly_the_readings_that_were_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    plan = ROUGH._replace(network=ROUGH.network._replace(skew=0))
    simulated = made(plan)
    readings = readings_of(simulated)
    found = simulated.labels()
    wrong = readings.faults >= 0
    names = np.array(simulated.sensors.names)
    assert sorted((label.sensor, time) for label in found.faults for time in label.times.tolist()) == sorted(
        zip(names[readings.sensors[wrong]].tolist(), readings.times[wrong].tolist(), strict=True)
    )
    assert sorted(label.kind for label in found.faults) == sorted([*KINDS] * 2)
    assert all(label.start < label.times[0] <= label.times[-1] <= label.end for label in found.faults)


def test_a_fault_that_met_no_reading_has_no_label() -> None:
    simulated = made(PLAN._replace(gaps=Gaps(missing=1.0)))
    readings_of(simulated)
    assert simulated.labels().faults == []
    assert "0 of 5 faults in 0 readings" in simulated.account()
