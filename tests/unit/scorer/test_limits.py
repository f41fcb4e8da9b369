"""Normal limits against the labels that they explain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import SGDOneClassSVM
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM

from estimators import Array, compiled, fitted, rows_of
from scorer.errors import InputError
from scorer.model import Model, anomalies, scores
from scorer.model.file import read_model, write_model, write_plugin_model
from scorer.model.limits import limits
from scoring import model_bytes

SCALED: tuple[Any, ...] = (StandardScaler(),)


def flagged(model: Model, values: Array) -> Array:
    return anomalies(model, scores(model, values[:, None])) == 1


def check(model: Model, values: Array) -> list[tuple[float, float]]:
    """Ends are the last normal values; every value is normal if and only if it is within an interval."""
    found = limits(model)
    for low, high in found:
        assert low <= high
        for end, outwards in ((low, -math.inf), (high, math.inf)):
            if math.isfinite(end):
                assert flagged(model, np.array([end, np.nextafter(end, outwards)])).tolist() == [False, True]
    inside = np.zeros(len(values), bool)
    for low, high in found:
        inside |= (low <= values) & (values <= high)
    assert np.array_equal(inside, ~flagged(model, values))
    return found


def around(rows: Array, count: int = 20_000) -> Array:
    middle, reach = float(np.median(rows)), 5 * float(np.ptp(rows))
    far = 10.0 ** np.linspace(-3, 99, 50)
    return np.concatenate([np.linspace(middle - reach, middle + reach, count), far, -far])


@pytest.mark.parametrize("transform", [(), SCALED, (MinMaxScaler(),), (RobustScaler(),), (PCA(whiten=True),)])
@pytest.mark.parametrize(
    "estimator",
    [
        OneClassSVM(nu=0.05),
        OneClassSVM(nu=0.2, gamma=300.0),
        OneClassSVM(nu=1e-4, gamma=0.01),
        OneClassSVM(kernel="linear", nu=0.1),
        OneClassSVM(kernel="poly", coef0=-1.0, degree=4, nu=0.1),
        OneClassSVM(kernel="sigmoid", coef0=-0.5, nu=0.2),
        SGDOneClassSVM(random_state=0),
        EllipticEnvelope(random_state=0),
        IsolationForest(n_estimators=20, contamination=0.1, random_state=0),
    ],
)
def test_a_value_is_normal_if_it_is_within_the_limits(transform: tuple[Any, ...], estimator: Any) -> None:
    rows = rows_of(1, 200)
    check(compiled(fitted(transform, estimator, rows), 1), around(rows))


def test_separate_clusters_have_intervals_of_their_own() -> None:
    rows = np.concatenate([rows_of(1, 100, centre=centre, spread=0.1) for centre in (-1000, 0, 7, 1e6)])
    found = check(compiled(OneClassSVM(nu=0.05, gamma=1.0).fit(rows), 1), rows.ravel())
    assert len(found) == 4


@pytest.mark.parametrize("height", [1e-7, 1e-9, -1e-9])
def test_not_even_the_narrowest_interval_is_missed(height: float) -> None:
    """A single kernel that just reaches the border, or just does not."""
    arrays = {"support_vectors": [[3.1]], "dual_coef": [1.0], "gamma": [0.5], "intercept": [height - 1.0]}
    model = read_model(write_model([("one_class_svm_rbf", arrays)], ["value"], {}))
    found = check(model, np.linspace(3.0, 3.2, 1001))
    assert len(found) == (height > 0)


@given(
    some.lists(some.floats(-50, 50), min_size=1, max_size=30),
    some.floats(-2, 3).map(lambda exponent: 10.0**exponent),
    some.floats(0.001, 0.9),
)
@settings(max_examples=60)
def test_limits_hold_for_any_vectors(vectors: list[float], gamma: float, share: float) -> None:
    count = len(vectors)
    arrays = {
        "support_vectors": np.array(vectors)[:, None],
        "dual_coef": np.ones(count),
        "intercept": [-share * count],
        "gamma": [gamma],
    }
    model = read_model(write_model([("one_class_svm_rbf", arrays)], ["value"], {}))
    check(model, np.concatenate([np.linspace(-60, 60, 5000), vectors]))


def test_limits_are_open_where_everything_is_normal() -> None:
    arrays = {"support_vectors": [[3.0]], "dual_coef": [1.0], "gamma": [0.5], "intercept": [0.1]}
    assert limits(read_model(write_model([("one_class_svm_rbf", arrays)], ["value"], {}))) == [
        (-math.inf, math.inf)
    ]
    arrays["intercept"] = [-2.0]
    assert limits(read_model(write_model([("one_class_svm_rbf", arrays)], ["value"], {}))) == []


def test_clipped_values_keep_the_label_of_the_end() -> None:
    rows = rows_of(1, 200)
    pipeline = fitted((MinMaxScaler(clip=True),), OneClassSVM(nu=0.01, gamma=0.01), rows)
    check(compiled(pipeline, 1), around(rows))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (read_model(model_bytes(features=("a", "b"))), "one feature: this one has 2 features"),
        (read_model(write_plugin_model("p", b"x", ["a"], {}, 1.0, False)), "has the plugin 'p'"),
        (
            compiled(fitted((Nystroem(n_components=3),), OneClassSVM(), rows_of(1)), 1),
            "not known behind nystroem",
        ),
        (
            compiled(fitted((*SCALED, RBFSampler(n_components=3)), SGDOneClassSVM(), rows_of(1)), 1),
            "not known for rbf_sampler_sgd",
        ),
    ],
)
def test_what_has_no_limits_says_so(model: Model, names: str) -> None:
    with pytest.raises(InputError, match=names):
        limits(model)
