"""Training: a scaled one-class SVM for a sensor, from its readings of a window, proved and registered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import sklearn
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.contract.outcome import SensorError
from scorer.contract.paths import readings_paths
from scorer.errors import InputError
from scorer.fit.export import export, prove
from scorer.fit.register import MODEL_TEMPLATE, Registered, register
from scorer.land import READINGS_TEMPLATE
from scorer.model import anomalies, scores
from scorer.model.file import read_model, write_model
from scorer.readings import Readings, read_readings
from scorer.storage import NotFoundError, Store
from scorer.window import Window

LEAST_ROWS = 20
"""Fewer readings than this give a border of chance."""
TOLERANCE = 1e-6
"""Of libsvm's solver. Its usual 1e-3 is coarse where the coefficients' sum, nu * rows, is small: with an hour
of a sensor and nu = 0.01 it leaves 6 % of the training readings outside instead of 1 %."""


class Settings(NamedTuple):
    """How to train. `nu` is the share of readings that may lie outside, `gamma` as in scikit-learn."""

    nu: float = 0.01
    gamma: float | str = "scale"
    features: tuple[str, ...] = ("value",)
    readings: str = READINGS_TEMPLATE
    models: str = MODEL_TEMPLATE


class Trained(NamedTuple):
    """A registered model, and what a user should know of it."""

    registered: Registered
    rows: int
    vectors: int
    flagged: float
    """Share of the training readings that the model calls anomalies."""
    warnings: tuple[str, ...]


DEFAULTS = Settings()


def train(store: Store, sensor: str, window: Window, how: Settings = DEFAULTS) -> Trained:
    """Trains on the sensor's readings of the window and registers the model.

    Raises SensorError, ExportError, RegisterError and StorageError.
    """
    readings = _readings(store, sensor, window, how)
    if readings.rows.scored < LEAST_ROWS:
        found = f"sensor {sensor} has {readings.rows.scored} usable readings in {window}"
        raise SensorError("NoReadings", f"{found}: wanted at least {LEAST_ROWS}")
    classifier = OneClassSVM(kernel="rbf", nu=how.nu, gamma=how.gamma, tol=TOLERANCE)
    fitted = Pipeline([("scaler", StandardScaler()), ("classifier", classifier)])
    fitted.fit(readings.values)
    stages = export(fitted)
    model = read_model(write_model(stages, how.features, {}))
    proof = prove(fitted, model, readings.values)
    flagged = float(anomalies(model, scores(model, readings.values)).mean())
    vectors = len(classifier.support_vectors_)
    about = {
        "sklearn": sklearn.__version__,
        "training": {
            "sensor": sensor,
            "window": str(window),
            "rows": readings.rows.scored,
            "flagged": flagged,
            "supportVectors": vectors,
            "nu": how.nu,
            "gamma": how.gamma,
        },
        "check": {"rows": proof.rows, "largestDifference": proof.largest},
    }
    registered = register(store, sensor, write_model(stages, how.features, about), how.models)
    warnings = degenerate(readings.rows.scored, how.nu, vectors, flagged)
    return Trained(registered, readings.rows.scored, vectors, flagged, warnings)


def degenerate(rows: int, nu: float, vectors: int, flagged: float) -> tuple[str, ...]:
    """Why a one-class SVM cannot tell normal from not, in sentences; none if it can.

    nu bounds the share of support vectors from below: with nu * rows < 1 a single one can carry the whole
    model, whose border then lies anywhere (https://github.com/scikit-learn/scikit-learn/issues/4195).
    """
    found = []
    if nu * rows < 1:
        least = math.ceil(1 / nu)
        found.append(
            f"nu = {nu:g} leaves no reading outside among {rows}: give {least} readings, or a larger nu"
        )
    if vectors == 1:
        found.append("one support vector carries the whole model: its border is of chance, raise nu or gamma")
    if flagged == 0 or flagged == 1:
        found.append(f"{flagged:.0%} of the training readings are flagged: the model tells nothing apart")
    return tuple(found)


def _readings(store: Store, sensor: str, window: Window, how: Settings) -> Readings:
    paths = readings_paths(how.readings, sensor, window)
    files = _present(store, paths)
    if not files:
        raise SensorError("NoReadings", f"sensor {sensor} has no readings: no file at {', '.join(paths[:3])}")
    return read_readings(files, how.features, window)


def _present(store: Store, paths: Sequence[str]) -> list[tuple[str, bytes]]:
    files = []
    for path in paths:
        try:
            files.append((path, store.get(path).data))
        except NotFoundError:
            continue
    return files


def check_settings(how: Settings) -> None:
    """Raises InputError naming the setting that scikit-learn would refuse."""
    if not 0 < how.nu <= 1:
        raise InputError(f"nu is {how.nu}: wanted a share above 0, at most 1")
    if not (
        how.gamma in ("scale", "auto")
        or (isinstance(how.gamma, float) and np.isfinite(how.gamma) and how.gamma > 0)
    ):
        raise InputError(f"gamma is {how.gamma!r}: wanted scale, auto or a number above 0")
