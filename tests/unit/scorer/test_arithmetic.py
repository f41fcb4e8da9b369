"""Fixed-order functions against exact ones, and the errors that they promise."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from estimators import Array
from scorer.model.arithmetic import UNIT, cos, exp, fold, power, product, squared_distances, tanh

RANDOM = np.random.default_rng(3)


def spread(largest: float, count: int = 20_000) -> Array:
    return np.concatenate([RANDOM.uniform(-largest, largest, count), RANDOM.normal(0, 1, count), [0.0, -0.0]])


def exactly(values: Array) -> Array:
    """e to the powers, from 40 digits."""
    with localcontext() as context:
        context.prec = 40
        return np.array([float(Decimal(value).exp()) for value in values.tolist()])


def test_exp_is_within_four_units_of_roundoff() -> None:
    values = spread(700.0, 2_000)
    wanted = exactly(values)
    assert np.all(np.abs(exp(values.copy()) - wanted) <= 4 * UNIT * wanted)


@pytest.mark.parametrize("far", [-708.5, -1e5, -1e300, -math.inf])
def test_exp_of_what_is_far_below_is_as_good_as_zero(far: float) -> None:
    assert 0 <= exp(np.array([far]))[0] < 1e-300


@pytest.mark.parametrize(("ours", "theirs"), [(tanh, math.tanh), (cos, math.cos)])
def test_bounded_functions_are_within_eight_units_of_roundoff(ours: object, theirs: object) -> None:
    values = spread(20.0)
    wanted = np.array([theirs(value) for value in values.tolist()])  # type: ignore[operator]
    errors = np.abs(ours(values) - wanted)  # type: ignore[operator]
    assert np.all(errors <= UNIT * (8 + 0.5 * np.abs(values)))


def test_cos_of_a_large_angle_is_wrong_by_its_roundoff() -> None:
    values = np.concatenate([spread(1e6), spread(1e12)])
    wanted = np.array([math.cos(value) for value in values.tolist()])
    assert np.all(np.abs(cos(values) - wanted) <= UNIT * (8 + 0.5 * np.abs(values)))
    assert np.all(np.abs(cos(np.array([1e100, -1e300]))) <= 1)


def test_tanh_ends_at_one() -> None:
    assert tanh(np.array([-math.inf, -800.0, 800.0, math.inf])).tolist() == [-1.0, -1.0, 1.0, 1.0]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 100])
def test_fold_is_the_sum_over_the_first_axis(count: int) -> None:
    terms = RANDOM.normal(size=(count, 5))
    wanted = [math.fsum(column) for column in terms.T.tolist()]
    sizes = np.abs(terms).sum(axis=0)
    assert np.all(np.abs(fold(terms.copy()) - wanted) <= (math.log2(count) + 1) * UNIT * sizes)


def test_each_row_is_computed_without_regard_to_its_neighbours() -> None:
    matrix, columns = RANDOM.normal(size=(7, 5)), RANDOM.normal(size=(5, 103))
    vectors = np.ascontiguousarray(matrix.T)[:, :, None]
    for place in (slice(0, 1), slice(5, 9), slice(100, 103)):
        part = np.ascontiguousarray(columns[:, place])
        assert np.array_equal(product(matrix, columns)[:, place], product(matrix, part))
        found = squared_distances(vectors, columns)[:, place]
        assert np.array_equal(found, squared_distances(vectors, part))
        assert np.array_equal(exp(-found), exp(-squared_distances(vectors, part)))


def test_products_are_those_of_numpy() -> None:
    matrix, columns = RANDOM.normal(size=(7, 5)), RANDOM.normal(size=(5, 11))
    assert np.allclose(product(matrix, columns), matrix @ columns, rtol=0, atol=1e-14)
    wanted = ((matrix[:, None, :] - columns.T[None, :, :]) ** 2).sum(axis=2)
    found = squared_distances(np.ascontiguousarray(matrix.T)[:, :, None], columns)
    assert np.allclose(found, wanted, rtol=1e-14, atol=0)


@pytest.mark.parametrize("degree", [1, 2, 3, 7, 64, 100])
def test_power_is_within_its_degree_s_units_of_roundoff(degree: int) -> None:
    values = RANDOM.uniform(-2, 2, 1000)
    wanted = np.array([value**degree for value in values.tolist()])
    assert np.all(np.abs(power(values, degree) - wanted) <= (degree + 2) * UNIT * np.abs(wanted))
