"""A fitted scikit-learn pipeline as a list of stages, proved equal to it on real readings.

"Equal" is |difference| <= 1e-9 * scale, where scale bounds the decision function where readings are usual:
relative to the value itself it would mean nothing near the border, which is where it matters. Far outside,
where decisions of some estimators exceed the scale, they take its place.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from scorer.fit.steps import PAIRS, STEPS, TOLERANCE, ExportError, names
from scorer.model import anomalies, scores, units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scorer.fit.steps import Stage
    from scorer.model import Model

__all__ = ["TOLERANCE", "ExportError", "Proof", "export", "prove"]


class Proof(NamedTuple):
    """How near the compiled model is to scikit-learn: rows compared, largest difference in units of scale."""

    rows: int
    largest: float


def export(fitted: Any) -> list[Stage]:
    """The stages of a fitted Pipeline or a lone estimator. Raises ExportError for a step without a form."""
    steps = list(_steps(fitted, ""))
    stages: list[Stage] = []
    while steps:
        name, step = steps.pop(0)
        following = type(steps[0][1]) if steps else type(None)
        try:
            if pair := PAIRS.get((type(step), following)):
                stages.append(pair(step, steps.pop(0)[1]))
            elif type(step) in STEPS:
                stages += STEPS[type(step)](step)
            else:
                known = names(list(STEPS))
                raise ExportError(f"{type(step).__name__} has no compiled form: wanted one of {known}")
        except ExportError as error:
            instead = "the model can be registered for the scikit-learn runtime as it is"
            raise ExportError(f"step {name}: {error}; {instead}") from error
    return stages


def _steps(fitted: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(fitted, Pipeline):
        for own, step in fitted.steps:
            yield from _steps(step, f"{name}.{own}" if name else own)
    elif fitted is not None and not (isinstance(fitted, str) and fitted == "passthrough"):
        yield name or type(fitted).__name__, fitted


def prove(fitted: Any, model: Model, rows: NDArray[np.float64]) -> Proof:
    """Compares decisions and labels on the rows, and on the same rows moved outwards, where faults will be.

    Rows may hold NaN if the model takes them. Raises ExportError if a decision differs by more than the
    tolerance, or a label by more than the border explains.
    """
    centre = np.nanmean(rows, axis=0)
    probes = np.concatenate([rows, centre + 3 * (rows - centre), centre + 30 * (rows - centre)])
    with warnings.catch_warnings():
        # Arrays have no names. The features' order is that of the model's file.
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        wanted = -np.asarray(fitted.decision_function(probes))
        flagged = np.asarray(fitted.predict(probes)) == -1
    found = scores(model, probes)
    largest = float((np.abs(found - wanted) / units(model, probes, wanted)).max())
    if not largest <= TOLERANCE:
        raise ExportError(
            f"compiled decision differs from scikit-learn's by {largest:.3g} of its scale:"
            f" wanted at most {TOLERANCE:g}"
        )
    differing = (anomalies(model, found) == 1) != flagged
    if np.any(differing & (np.abs(wanted) > TOLERANCE * model.scale)):
        raise ExportError(f"compiled labels differ from scikit-learn's in {differing.sum()} rows")
    return Proof(len(probes), largest)
