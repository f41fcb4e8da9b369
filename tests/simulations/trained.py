"""The same with models that scikit-learn has trained: exported, read back and evaluated as a pod does it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.contract.outcome import Rows
from scorer.fit.export import export
from scorer.fit.facts import facts
from scorer.model import Model, anomalies, scores
from scorer.model.file import read_model, write_model
from scorer.readings import Readings
from scorer.window import window
from simulations.sensors import SERIES, Array, Hour, Plan

TRAINED = window("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
START = 1_767_225_600_000_000
"""Of the same, in microseconds since 1970."""
HOUR = 3_600_000_000


def hours(
    plan: Plan, features: int, gamma: float | str, count: int, chance: np.random.Generator
) -> Iterator[Hour]:
    """One sensor's windows, scored by a one-class SVM that was trained on its first day."""
    rows = plan.trained_rows
    series = [SERIES[plan.kind](rows + count * plan.hourly, plan.hourly, chance) for _ in range(features)]
    values = np.column_stack(series)
    model = _model(values[:rows], plan, gamma)
    flagged = anomalies(model, scores(model, np.ascontiguousarray(values[rows:])))
    for hour in range(count):
        part = slice(hour * plan.hourly, (hour + 1) * plan.hourly)
        yield Hour(model, values[rows:][part], flagged[part])


def _model(values: Array, plan: Plan, gamma: float | str) -> Model:
    names = [f"feature_{place}" for place in range(values.shape[1])]
    classifier = OneClassSVM(nu=plan.nu, gamma=gamma, tol=1e-6)
    fitted = Pipeline([("scaler", StandardScaler()), ("classifier", classifier)]).fit(values)
    stages = export(fitted)
    model = read_model(write_model(stages, names, {}))
    times = START + 1 + np.arange(len(values), dtype=np.int64) * (HOUR // plan.hourly)
    told = facts(
        "s",
        TRAINED,
        Readings(times, values, Rows(len(values), len(values)), {}),
        names,
        anomalies(model, scores(model, values)),
    )
    told["supportVectors"] = len(classifier.support_vectors_)
    return read_model(write_model(stages, names, {"training": told}))
