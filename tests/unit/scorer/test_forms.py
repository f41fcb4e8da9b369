"""Compiled models against scikit-learn's own decision functions and labels."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

from estimators import APPROXIMATIONS, ESTIMATORS, TRANSFORMS, Array, compiled, fitted, probes_of, rows_of
from scorer.fit.export import TOLERANCE
from scorer.land import read_table
from scorer.model import Model, anomalies, decisions, scores, units
from scoring import CSV

SVMS = [name for name, estimator in ESTIMATORS.items() if isinstance(estimator, OneClassSVM)]
ALL = list(itertools.product(TRANSFORMS, ESTIMATORS))


def fitted_quietly(transforms: tuple[Any, ...], estimator: Any, rows: Array) -> Any:
    """Some pairs of step and estimator are not sensible: they still have to be computed alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.filterwarnings("ignore", "The covariance matrix associated to your dataset", UserWarning)
        return fitted(transforms, estimator, rows)


def difference(model: Model, pipeline: Any, rows: Array) -> float:
    """Of the fixed-order decisions, in units of the model's scale."""
    wanted = pipeline.decision_function(rows)
    return float((np.abs(decisions(model, rows) - wanted) / units(model, rows, wanted)).max())


def check(pipeline: Any, rows: Array, allowed: float) -> None:
    """Decisions within `allowed`, stored scores within the tolerance, labels equal but at the border."""
    model, probes = compiled(pipeline, rows.shape[1]), probes_of(rows)
    assert difference(model, pipeline, probes) < allowed
    wanted, stored = pipeline.decision_function(probes), scores(model, probes)
    assert np.all(np.abs(stored + wanted) <= TOLERANCE * units(model, probes, wanted))
    differing = (anomalies(model, stored) == 1) != (pipeline.predict(probes) == -1)
    assert not np.any(differing & (np.abs(wanted) > TOLERANCE * model.scale))


@pytest.mark.parametrize(("transform", "estimator"), ALL)
@pytest.mark.parametrize("width", [1, 4])
def test_decisions_and_labels_are_those_of_scikit_learn(width: int, transform: str, estimator: str) -> None:
    rows = rows_of(width)
    check(fitted_quietly(TRANSFORMS[transform], ESTIMATORS[estimator], rows), rows, 2e-12)


@pytest.mark.parametrize(("approximation", "estimator"), list(itertools.product(APPROXIMATIONS, ESTIMATORS)))
@pytest.mark.parametrize("width", [1, 4])
def test_so_are_they_behind_a_kernel_approximation(width: int, approximation: str, estimator: str) -> None:
    """Which multiplies scikit-learn's own roundoff by its normalization, and the ellipse its condition."""
    rows = rows_of(width)
    check(fitted_quietly(APPROXIMATIONS[approximation], ESTIMATORS[estimator], rows), rows, TOLERANCE)


@pytest.mark.parametrize("estimator", [*SVMS, "sgd", "forest", "ellipse"])
@pytest.mark.parametrize("transform", ["alone", "standard", "robust", "pca", "pca-white"])
@pytest.mark.parametrize("width", [1, 4])
def test_values_far_from_zero_lose_no_digits(width: int, transform: str, estimator: str) -> None:
    """1000 ± 0.01: without centring, that costs seven digits. scikit-learn's PCA loses three of its own."""
    rows = rows_of(width, centre=1000.0, spread=0.01)
    check(fitted_quietly(TRANSFORMS[transform], ESTIMATORS[estimator], rows), rows, 1e-10)


@pytest.mark.parametrize(
    ("width", "nu", "gamma"),
    list(itertools.product((1, 3, 10), (0.001, 0.05, 0.5), ("scale", "auto", 0.01, 30.0))),
)
def test_rbf_is_that_of_scikit_learn_for_any_settings(width: int, nu: float, gamma: float | str) -> None:
    rows = rows_of(width, 400)
    check(fitted((StandardScaler(),), OneClassSVM(nu=nu, gamma=gamma), rows), rows, 1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 8, 17])
@pytest.mark.parametrize("coef0", [0.0, 1.0, -0.5])
def test_poly_is_that_of_scikit_learn_for_any_degree(degree: int, coef0: float) -> None:
    rows = rows_of(3)
    svm = OneClassSVM(kernel="poly", degree=degree, coef0=coef0, gamma=0.2, nu=0.1)
    check(fitted_quietly((StandardScaler(),), svm, rows), rows, 1e-12)


def test_more_vectors_than_a_group_holds_add_up() -> None:
    rows = rows_of(2, 2600)
    check(fitted((StandardScaler(),), OneClassSVM(nu=0.5, tol=0.1), rows), rows, 1e-12)


@given(
    some.sampled_from(SVMS),
    some.integers(1, 6),
    some.floats(-1e6, 1e6),
    some.floats(1e-3, 1e3),
    some.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_it_holds_for_any_location_and_spread(
    estimator: str, width: int, centre: float, spread: float, seed: int
) -> None:
    rows = rows_of(width, 80, seed, centre, spread)
    check(fitted_quietly((StandardScaler(),), ESTIMATORS[estimator], rows), rows, 1e-10)


def test_labels_are_those_of_scikit_learn_on_the_reference() -> None:
    for times, found in read_table(CSV).values():
        early = times <= np.datetime64("2018-08-29T00:00:00")
        pipeline = fitted((StandardScaler(),), OneClassSVM(nu=0.01), found[early, None])
        model = compiled(pipeline, 1)
        flagged = anomalies(model, scores(model, found[:, None]))
        assert np.array_equal(flagged == 1, pipeline.predict(found[:, None]) == -1)


@pytest.mark.parametrize("transform", ["standard", "min-max", "robust", "pca-white"])
def test_a_forest_sees_the_same_bits_behind_a_scaler(transform: str) -> None:
    rows = rows_of(3, 500)
    pipeline = fitted(TRANSFORMS[transform], IsolationForest(n_estimators=50, random_state=0), rows)
    assert difference(compiled(pipeline, 3), pipeline, rows) < 1e-15


def test_a_forest_sees_float32_and_no_more() -> None:
    rows = np.float64(np.float32(rows_of(1, 100)))
    pipeline = fitted((), IsolationForest(n_estimators=20, random_state=0), rows)
    threshold = pipeline[-1].estimators_[0].tree_.threshold[0]
    near = np.array([[np.nextafter(threshold, side)] for side in (-np.inf, np.inf)] + [[threshold], [1e39]])
    assert difference(compiled(pipeline, 1), pipeline, near[:3]) < 1e-15
    assert np.isfinite(scores(compiled(pipeline, 1), near)).all()


@pytest.mark.parametrize(
    ("estimator", "border"),
    [
        ("rbf", True),
        ("linear", True),
        ("poly", True),
        ("sigmoid", True),
        ("sgd", False),
        ("forest", False),
        ("ellipse", False),
    ],
)
def test_each_estimator_has_its_rule_for_the_border(estimator: str, border: bool) -> None:
    model = compiled(fitted_quietly((), ESTIMATORS[estimator], rows_of(2)), 2)
    assert anomalies(model, np.array([0.0]))[0] == border
    assert anomalies(model, np.array([-1e-30, 1e-30])).tolist() == [0, 1]


def test_the_border_itself_is_an_anomaly_as_in_libsvm() -> None:
    pipeline = OneClassSVM(nu=1e-4).fit(np.full((30, 1), 4.0))  # one vector, which decides to exactly 0
    model = compiled(pipeline, 1)
    found = scores(model, np.full((1, 1), 4.0))
    assert found[0] == 0.0
    assert not np.signbit(found[0])
    assert anomalies(model, found)[0] == 1
    assert pipeline.predict([[4.0]])[0] == -1


def test_a_forest_s_border_of_many_equal_rows_is_normal_as_in_scikit_learn() -> None:
    rows = np.repeat([[1.0], [2.0], [9.0]], [50, 45, 5], axis=0)
    pipeline = IsolationForest(n_estimators=20, contamination=0.5, random_state=0).fit(rows)
    model = compiled(pipeline, 1)
    assert np.array_equal(anomalies(model, scores(model, rows)) == 1, pipeline.predict(rows) == -1)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
def test_missing_values_are_filled_in_as_at_training(strategy: str) -> None:
    rows = rows_of(3)
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    imputer = SimpleImputer(strategy=strategy, fill_value=48.0 if strategy == "constant" else None)
    pipeline = fitted((StandardScaler(), imputer), OneClassSVM(nu=0.1), rows)
    model = compiled(pipeline, 3)
    assert model.accepts_missing
    assert difference(model, pipeline, rows) < 1e-12


@pytest.mark.parametrize(
    ("steps", "accepts"),
    [
        ((SimpleImputer(), StandardScaler()), True),
        ((MinMaxScaler(clip=True), SimpleImputer()), True),
        ((StandardScaler(),), False),
        ((), False),
    ],
)
def test_a_model_says_whether_it_takes_missing_values(steps: tuple[Any, ...], accepts: bool) -> None:
    pipeline = fitted(steps, SGDOneClassSVM(random_state=0), rows_of(2))
    assert compiled(pipeline, 2).accepts_missing == accepts


def test_higher_is_more_anomalous() -> None:
    model = compiled(OneClassSVM(nu=0.05, gamma=0.1).fit(rows_of(1, 200, centre=0.0, spread=1.0)), 1)
    found = scores(model, np.array([[0.0], [2.0], [4.0], [1e100]]))
    assert np.all(np.diff(found) > 0)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_reading_that_a_file_may_hold_has_a_finite_score(estimator: str) -> None:
    model = compiled(fitted_quietly((), ESTIMATORS[estimator], rows_of(2)), 2)
    far = np.array(list(itertools.product((0.0, 1e100, -1e100, 1e-300), repeat=2)))
    assert np.isfinite(scores(model, far)).all()
    assert len(scores(model, far[:0])) == 0


def test_a_pipeline_may_hold_pipelines_and_nothing() -> None:
    rows = rows_of(2)
    inner = make_pipeline(StandardScaler(), "passthrough")
    pipeline = make_pipeline(inner, None, OneClassSVM(nu=0.1)).fit(rows)
    model = compiled(pipeline, 2)
    assert [form for form, _ in model.stages] == ["standard_scaler", "one_class_svm_rbf"]
    assert difference(model, pipeline, rows) < 1e-12
