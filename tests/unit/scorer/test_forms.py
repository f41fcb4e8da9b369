"""Compiled models against scikit-learn's own decision functions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.export import ExportError, export, prove
from scorer.land import read_table
from scorer.model import Model, anomalies, block_rows, scores
from scorer.model.file import read_model, write_model
from scoring import CSV

Array = np.ndarray[Any, np.dtype[np.float64]]
RANDOM = np.random.default_rng(7)


def compiled(fitted: Any, width: int) -> Model:
    return read_model(write_model(export(fitted), [f"f{number}" for number in range(width)], {}))


def fitted(rows: Array, scaler: StandardScaler | None = None, **settings: Any) -> Pipeline:
    steps = [("scaler", scaler)] if scaler else []
    return Pipeline([*steps, ("classifier", OneClassSVM(**settings))]).fit(rows)


def difference(pipeline: Any, rows: Array, width: int) -> float:
    model = compiled(pipeline, width)
    return float(np.abs(-scores(model, rows) - pipeline.decision_function(rows)).max() / model.scale)


@pytest.mark.parametrize(
    ("width", "nu", "gamma"),
    list(itertools.product((1, 3, 10), (0.001, 0.05, 0.5), ("scale", "auto", 0.01, 30.0))),
)
def test_decisions_are_those_of_scikit_learn(width: int, nu: float, gamma: float | str) -> None:
    rows = RANDOM.normal(50, 3, (400, width)) * np.arange(1, width + 1)
    pipeline = fitted(rows, StandardScaler(), nu=nu, gamma=gamma)
    probes = np.concatenate([rows, rows * 3, rows * -1e6, np.zeros((1, width))])
    assert difference(pipeline, probes, width) < 1e-12


@pytest.mark.parametrize("spread", [0.1, 0.01])
def test_unscaled_values_far_from_zero_lose_no_digits(spread: float) -> None:
    """Without centring, values 1000 ± 0.01 cost seven digits."""
    rows = RANDOM.normal(1000, spread, (300, 2))
    pipeline = fitted(rows, nu=0.05, gamma=1 / spread**2)
    assert difference(pipeline, rows, 2) < 1e-12


@pytest.mark.parametrize("scaler", [StandardScaler(with_mean=False), StandardScaler(with_std=False)])
def test_scalers_may_do_half(scaler: StandardScaler) -> None:
    rows = RANDOM.normal(5, 2, (100, 2))
    assert difference(fitted(rows, scaler, nu=0.1), rows, 2) < 1e-12


def test_labels_are_those_of_scikit_learn_on_the_reference() -> None:
    for times, found in read_table(CSV).values():
        early = times <= np.datetime64("2018-08-29T00:00:00")
        pipeline = fitted(found[early, None], StandardScaler(), nu=0.01)
        model = compiled(pipeline, 1)
        flagged = anomalies(model, scores(model, found[:, None]))
        assert np.array_equal(flagged == 1, pipeline.predict(found[:, None]) == -1)


def test_the_border_itself_is_an_anomaly_as_in_libsvm() -> None:
    pipeline = fitted(
        np.full((30, 1), 4.0), nu=1e-4
    )  # one support vector: its own value decides to exactly 0
    model = compiled(pipeline, 1)
    found = scores(model, np.full((1, 1), 4.0))
    assert found[0] == 0.0
    assert not np.signbit(found[0])
    assert anomalies(model, found)[0] == 1
    assert pipeline.predict([[4.0]])[0] == -1


def test_higher_is_more_anomalous() -> None:
    rows = RANDOM.normal(0, 1, (200, 1))
    model = compiled(fitted(rows, nu=0.05, gamma=0.1), 1)
    found = scores(model, np.array([[0.0], [2.0], [4.0], [1e100]]))
    assert np.all(np.diff(found) > 0)
    assert np.isfinite(found).all()


def test_scores_do_not_depend_on_their_neighbours_beyond_the_block() -> None:
    rows = RANDOM.normal(0, 1, (5000, 3))
    model = compiled(fitted(rows[:500], nu=0.05), 3)
    size = block_rows(model)
    whole = scores(model, rows)
    assert np.array_equal(whole[:size], scores(model, rows[:size]))
    assert np.allclose(whole[17:400], scores(model, rows[17:400]), rtol=0, atol=1e-13 * model.scale)
    assert len(scores(model, rows[:0])) == 0


def test_a_wrong_form_is_found_out() -> None:
    rows = RANDOM.normal(0, 1, (100, 1))
    model = compiled(fitted(rows, nu=0.05), 1)
    other = fitted(rows, nu=0.06)
    with pytest.raises(ExportError, match=r"differs from scikit-learn's by .*: wanted at most"):
        prove(other, model, rows)


@pytest.mark.parametrize(
    ("pipeline", "names"),
    [
        (EllipticEnvelope(), "EllipticEnvelope"),
        (OneClassSVM(kernel="poly"), "'poly'"),
        (Pipeline([("a", MinMaxScaler()), ("b", OneClassSVM())]), "MinMaxScaler"),
    ],
)
def test_what_has_no_form_is_named(pipeline: Any, names: str) -> None:
    with pytest.raises(ExportError, match=names):
        export(pipeline.fit(RANDOM.normal(0, 1, (50, 2))))
