"""The target of model files: read and evaluated as a pod does it."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import numpy as np

from estimators import APPROXIMATIONS, ESTIMATORS, TRANSFORMS, fitted, rows_of
from fuzz.mutate import as_model
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import Rows, SensorError
from scorer.fetch import undone
from scorer.fit.export import export
from scorer.guard.facts import read_facts
from scorer.guard.observe import observe
from scorer.model import anomalies, scores
from scorer.model.file import read_model, write_model, write_plugin_model
from scorer.readings import Readings
from scorer.window import window
from scoring import model_bytes

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
MODELS = ("ModelCorrupt", "ModelIncompatible")


@cache
def _model_files() -> tuple[bytes, ...]:
    rows = rows_of(3)
    names = ["a", "b", "c"]
    found = [model_bytes(), model_bytes(features=("a", "b"))]
    for estimator, transform in (
        *(("rbf", each) for each in ("alone", "standard", "min-max-clip", "robust", "pca-white", "imputed")),
        *((each, "standard") for each in ("linear", "poly-6", "sigmoid", "sgd", "forest-part", "ellipse")),
        ("forest", "alone"),
        ("sgd", "nystroem"),
        ("sgd", "sampler"),
    ):
        before = {**TRANSFORMS, **APPROXIMATIONS}[transform]
        pipeline = fitted(before, ESTIMATORS[estimator], rows)
        training = {"rows": 300, "flagged": 0.01, "valueRange": {"a": [0.0, 9.0]}, "rowsPerHour": 60.0}
        found.append(write_model(export(pipeline), names, {"training": training}))
    found.append(write_plugin_model("sklearn", b"\x00payload", names, {"training": {}}, 2.0, True, True))
    return tuple(found)


def _read_model(data: bytes, chance: Random) -> str:
    """As a pod does it: the model is read, rows are scored, and the guard looks on."""
    try:
        model = read_model(data, "v")
        rows = np.random.default_rng(chance.randrange(2**32)).normal(50, 10, (40, len(model.features)))
        rows[0] = chance.choice([0.0, 1e100, -1e100, 1e-300])
        if model.accepts_missing:
            rows[1] = np.nan
        found = scores(model, rows)
    except SensorError as error:
        sentence = undone("s1", error).message
        return refusal(error.reason, sentence, "sensor s1", among=MODELS)
    assert np.isfinite(found).all(), "a score that is not finite"
    flagged = anomalies(model, found)
    assert set(np.unique(flagged)) <= {0, 1}
    readings: Any = _all_scored(rows)
    told = observe(model, readings, flagged, SPAN)
    assert len(json.dumps(told)) <= 300
    read_facts(json.loads(json.dumps(told, allow_nan=False)))
    return READ


def _all_scored(rows: Any) -> Any:
    """As readings: all of them scored."""
    return Readings(np.arange(len(rows), dtype=np.int64), rows, Rows(len(rows), len(rows)), {})


TARGETS = (Target("models", 1800, _model_files, as_model, _read_model),)
