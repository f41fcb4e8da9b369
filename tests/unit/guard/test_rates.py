"""A short form of the simulation (`python -m simulations.guard`): few sensors, fixed seeds."""

from __future__ import annotations

import pytest

from simulations.guard import NONE, clean_plans, false_alarms, real, simulated, windows_to_warning
from simulations.sensors import FAULTS, Plan
from simulations.vectors import NARROW, USUAL, all_seen, cases

SEED = 7
FAST = [plan for plan in clean_plans() if plan.hourly == 60 and plan.nu == 0.01]


def test_sensors_that_are_well_are_not_warned_of() -> None:
    rate = NONE
    for plan in FAST:
        rate = rate.plus(false_alarms(simulated(plan, 2), 3, 2, SEED))
    assert rate.sensor_days == 6 * len(FAST)
    assert not rate.warnings


@pytest.mark.parametrize(("features", "gamma"), [(1, 0.1), (10, "scale")])
def test_nor_are_those_with_models_that_scikit_learn_has_trained(features: int, gamma: float | str) -> None:
    rate = false_alarms(real(Plan("normal", 60, 24, 0.01), features, gamma, 2), 4, 2, SEED)
    assert not rate.warnings


SOONEST = {
    "flags ten times as much": 14,
    "flags everything": 3,
    "flags nothing": 72,
    "stuck at one value": 3,
    "out of its range": 3,
    "half of its rows missing": 7,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_warned_of_in_time(fault: str) -> None:
    found = windows_to_warning(Plan("normal", 60, 24, 0.05), fault, 3, 4, SEED)
    assert all(windows is not None and windows <= SOONEST[fault] for windows in found), found


def test_the_bound_on_a_rate_is_that_of_a_poisson_count() -> None:
    none = NONE._replace(sensor_days=2996)
    assert none.bound() == pytest.approx(1.0, rel=1e-3)


def test_many_vectors_are_told_of_models_that_flag_what_is_normal() -> None:
    narrow = [case for case in cases(NARROW, (60,)) if case.kind == "normal"]
    warned = [each for each in all_seen(narrow, SEED) if each.warned]
    assert len(warned) > len(narrow) / 2
    assert all(each.flagged >= 0.25 for each in warned), warned


def test_many_vectors_are_not_told_of_models_as_they_usually_are() -> None:
    usual = [case for case in cases(USUAL, (280,)) if case.nu in (0.01, 0.2)]
    assert [each for each in all_seen(usual, SEED) if each.warned] == []
