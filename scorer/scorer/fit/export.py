"""A fitted scikit-learn pipeline as a list of stages, proved equal to it on real readings.

"Equal" is |difference| <= 1e-9 * scale, where scale bounds the decision function: relative to the value
itself it would mean nothing near the border, which is where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.errors import InputError
from scorer.model import anomalies, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model import Model
    from scorer.model.forms import Arrays

TOLERANCE = 1e-9
"""Of the model's scale. GEMM and libsvm differ by 1e-16 to 1e-13 of it."""


class ExportError(InputError):
    """A pipeline that cannot be compiled, or a compiled one that is not equal to it."""


class Proof(NamedTuple):
    """How near the compiled model is to scikit-learn: rows compared, largest difference in units of scale."""

    rows: int
    largest: float


def export(fitted: Any) -> list[tuple[str, Arrays]]:
    """The stages of a fitted Pipeline or a lone estimator. Raises ExportError for a step without a form."""
    steps = [step for _, step in fitted.steps] if isinstance(fitted, Pipeline) else [fitted]
    stages = []
    for step in steps:
        if step is None or step == "passthrough":
            continue
        exporter = _EXPORTERS.get(type(step))
        if exporter is None:
            known = ", ".join(kind.__name__ for kind in _EXPORTERS)
            raise ExportError(f"{type(step).__name__} has no compiled form: wanted one of {known}")
        stages.append(exporter(step))
    return stages


def prove(fitted: Any, model: Model, rows: NDArray[np.float64]) -> Proof:
    """Compares decisions and labels on the rows, and on the same rows moved outwards, where faults will be.

    Raises ExportError if a decision differs by more than the tolerance, or a label by more than the border
    explains.
    """
    centre = rows.mean(axis=0)
    probes = np.concatenate([rows, centre + 3 * (rows - centre), centre + 30 * (rows - centre)])
    wanted = -np.asarray(fitted.decision_function(probes))
    found = scores(model, probes)
    allowed = TOLERANCE * model.scale
    largest = float(np.abs(found - wanted).max())
    if not largest <= allowed:
        raise ExportError(
            f"compiled decision differs from scikit-learn's by {largest:.3g}: wanted at most {allowed:.3g}"
        )
    differing = (anomalies(model, found) == 1) != (np.asarray(fitted.predict(probes)) == -1)
    if np.any(differing & (np.abs(wanted) > allowed)):
        raise ExportError(f"compiled labels differ from scikit-learn's in {differing.sum()} rows")
    return Proof(len(probes), largest / model.scale)


def _standard_scaler(step: StandardScaler) -> tuple[str, Arrays]:
    width = step.n_features_in_
    mean = np.zeros(width) if step.mean_ is None or not step.with_mean else step.mean_
    scale = np.ones(width) if step.scale_ is None else step.scale_
    return "standard_scaler", {"mean": np.asarray(mean, float), "scale": np.asarray(scale, float)}


def _one_class_svm(step: OneClassSVM) -> tuple[str, Arrays]:
    if step.kernel != "rbf":
        raise ExportError(f"OneClassSVM with kernel {step.kernel!r} has no compiled form: wanted 'rbf'")
    arrays: Mapping[str, Any] = {
        "support_vectors": step.support_vectors_,
        "dual_coef": step.dual_coef_[0],
        "intercept": step.intercept_,
        # The number that gamma='scale' or 'auto' came to at fitting; scikit-learn keeps it nowhere else.
        "gamma": [step._gamma],
    }
    return "one_class_svm_rbf", {name: np.asarray(array, float) for name, array in arrays.items()}


_EXPORTERS: dict[type, Callable[[Any], tuple[str, Arrays]]] = {
    StandardScaler: _standard_scaler,
    OneClassSVM: _one_class_svm,
}
