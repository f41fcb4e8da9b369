"""The bounds on the quick decisions' errors against real ones: rounding is sound only if they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from estimators import Array
from scorer.model import _quick_decisions, decisions
from scorer.model.file import read_model, write_model

FORMS = (
    "one_class_svm_rbf",
    "one_class_svm_poly",
    "one_class_svm_sigmoid",
    "nystroem_sgd_one_class_svm",
    "rbf_sampler_sgd_one_class_svm",
)


def arrays_of(form: str, vectors: Array, random: np.random.Generator, gamma: float) -> dict[str, Any]:
    """A model's arrays that no training has to have given."""
    count = len(vectors)
    found: dict[str, Any] = {
        "dual_coef": random.uniform(0, 1, count) * random.choice([1.0, 1e-3], count),
        "intercept": [-random.uniform(0, count)],
        "gamma": [gamma],
        "support_vectors": vectors,
    }
    if form in FORMS[1:3]:
        found["coef0"] = [random.normal()]
    if form == FORMS[1]:
        found["degree"] = [random.integers(1, 12)]
    if form == FORMS[3]:
        found["dual_coef"] = random.normal(0, 100, count)
    if form == FORMS[4]:
        found = {
            "dual_coef": random.normal(0, 1, count),
            "intercept": [1.0],
            "weights": vectors.T * np.sqrt(2 * gamma),
            "offset": random.uniform(0, 2 * np.pi, count),
        }
    if form in FORMS[3:]:
        found["scale"] = [1.0]
    return found


def precisely(form: str, arrays: dict[str, Any], rows: Array) -> Any:
    """The decision function in extended precision, term by term."""
    x = rows.astype(np.longdouble)
    if form == FORMS[4]:
        values = np.cos(x @ arrays["weights"].astype(np.longdouble) + arrays["offset"])
        return values @ arrays["dual_coef"].astype(np.longdouble) + arrays["intercept"][0]
    vectors = arrays["support_vectors"].astype(np.longdouble)
    gamma = np.longdouble(arrays["gamma"][0])
    if form in (FORMS[0], FORMS[3]):
        values = np.exp(-gamma * ((x[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2))
    else:
        arguments = gamma * (x @ vectors.T) + np.longdouble(arrays["coef0"][0])
        values = np.tanh(arguments) if form == FORMS[2] else arguments ** int(arrays["degree"][0])
    return values @ arrays["dual_coef"].astype(np.longdouble) + arrays["intercept"][0]


@pytest.mark.parametrize("form", FORMS)
@given(
    width=some.integers(1, 12),
    count=some.sampled_from((1, 2, 7, 60, 400, 1500)),
    gamma=some.floats(-4, 5).map(lambda exponent: 10.0**exponent),
    centre=some.sampled_from((0.0, 1.0, 1000.0, -1e6)),
    spread=some.floats(-3, 2).map(lambda exponent: 10.0**exponent),
    seed=some.integers(0, 1_000_000),
)
@settings(max_examples=40)
def test_real_errors_stay_within_half_of_what_is_rechecked(
    form: str, width: int, count: int, gamma: float, centre: float, spread: float, seed: int
) -> None:
    """Rows nearer than twice the bound to where rounding changes are computed again."""
    random = np.random.default_rng(seed)
    vectors = centre + spread * random.normal(size=(count, width))
    arrays = arrays_of(form, vectors, random, gamma)
    model = read_model(write_model([(form, arrays)], [f"f{number}" for number in range(width)], {}))
    far = centre + spread * random.normal(size=(20, width)) * 10.0 ** random.uniform(0, 5, (20, 1))
    rows = np.concatenate([vectors[:20], centre + spread * random.normal(size=(20, width)), far])
    with np.errstate(all="ignore"):
        quick, error = _quick_decisions(model, rows)
        exact, true = decisions(model, rows), precisely(form, arrays, rows)
    bound = np.broadcast_to(error, len(rows))
    assert np.all(np.abs(quick - exact) <= bound)
    # Where nothing is promised of the quick way, the fixed-order one is still right where it can be.
    assert np.all((np.abs(exact - true) <= bound) | ~np.isfinite(true.astype(float)))
