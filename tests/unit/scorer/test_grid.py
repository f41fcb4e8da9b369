"""Stored scores: the grid, and which of them are in doubt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from estimators import Array
from scorer.model.grid import LARGEST, finite, grid_of
from scorer.model.grid import on_grid as on_grid_in_place


def on_grid(decisions: Array, *how: Any, **known: bool) -> tuple[Array, Array]:
    return on_grid_in_place(decisions.copy(), *how, **known)


SCALES = (1.0, 0.99999, 3.7, 1e-9, 5e8)


@pytest.mark.parametrize("scale", SCALES)
def test_the_grid_is_a_power_of_two_near_3e_10_of_the_scale(scale: float) -> None:
    grid = grid_of(scale)
    assert math.frexp(grid)[0] == 0.5
    assert 2.3e-10 <= grid / scale <= 4.7e-10


def test_a_score_is_a_decision_with_its_sign_turned() -> None:
    stored, _ = on_grid(np.array([0.25, -0.5, 0.0, -0.0]), 1.0, 0.0)
    assert stored.tolist() == [-0.25, 0.5, 0.0, 0.0]
    assert not np.signbit(stored[2:]).any()


@given(some.sampled_from(SCALES), some.lists(some.floats(-1e9, 1e9), max_size=50))
def test_a_score_is_within_a_quarter_of_the_tolerance(scale: float, values: list[float]) -> None:
    decisions = np.array(values, float) * scale
    stored, _ = on_grid(decisions, scale, 0.0)
    assert np.all(np.abs(stored + decisions) <= 0.25e-9 * np.maximum(scale, np.abs(decisions)))
    again, _ = on_grid(-stored, scale, 0.0)
    assert np.array_equal(again, stored)


@given(
    some.sampled_from(SCALES),
    some.floats(-40.0, 40.0),
    some.floats(-1.0, 1.0),
    some.sampled_from((1e-16, 1e-13, 1e-11)),
)
def test_what_is_not_in_doubt_is_stored_alike_however_wrong_within_the_error(
    scale: float, place: float, wrong: float, error: float
) -> None:
    """Around powers of two and middles of the grid, inside the scale and far outside."""
    exact = math.copysign(2.0 ** (abs(place) - 5), place) * scale
    for near in (
        exact,
        math.copysign(2.0 ** math.floor(math.log2(abs(exact))), exact),
        exact + grid_of(scale) / 2,
    ):
        decisions = np.array([near])
        quick = decisions + wrong * error * scale
        stored, doubtful = on_grid(quick, scale, error * scale)
        assert len(doubtful) or stored[0] == on_grid(decisions, scale, 0.0)[0][0]


def test_few_are_in_doubt() -> None:
    decisions = np.random.default_rng(0).normal(size=100_000)
    _, doubtful = on_grid(decisions, 4.0, 4e-14)
    assert 0 < len(doubtful) < 100


@pytest.mark.parametrize("error", [math.inf, math.nan])
def test_without_a_bound_all_are_in_doubt(error: float) -> None:
    assert len(on_grid(np.array([0.1, 0.2]), 1.0, error)[1]) == 2


def test_a_bound_can_be_each_row_s_own() -> None:
    assert on_grid(np.array([0.1, 0.2, 0.3]), 1.0, np.array([0.0, math.inf, 0.0]))[1].tolist() == [1]


def test_what_is_no_number_is_in_doubt() -> None:
    with np.errstate(all="ignore"):
        _, doubtful = on_grid(np.array([0.1, math.nan, math.inf, -math.inf]), 1.0, 0.0)
    assert doubtful.tolist() == [1, 2, 3]


def test_a_stored_score_is_finite() -> None:
    decisions = np.array([math.nan, math.inf, -math.inf, 1.0])
    assert finite(decisions).tolist() == [-LARGEST, LARGEST, -LARGEST, 1.0]
    stored, _ = on_grid(finite(decisions), 1.0, 0.0)
    assert stored.tolist() == [LARGEST, -LARGEST, LARGEST, -1.0]


@given(some.lists(some.floats(-1, 1), max_size=50), some.floats(0, 1e-12))
def test_it_is_the_same_if_none_is_known_to_be_larger_than_the_scale(
    values: list[float], error: float
) -> None:
    found = on_grid(np.array(values, float), 1.5, error)
    known = on_grid(np.array(values, float), 1.5, error, bounded=True)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(found, known, strict=True))
