"""A compiled model: a list of stages with their arrays, without code, and how to evaluate it.

The stages are those of a scikit-learn pipeline, exported at registration (`scorer.fit`) and proved equal to
it there. A model that cannot be compiled is a plugin's: its file holds what the plugin's runtime reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.model.forms import FORMS
from scorer.model.grid import finite, on_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model.forms.form import Form, Prepared

    Array = NDArray[np.float64]

BLOCK_BYTES = 512 * 1024
"""Of a block's widest stage: half the level-2 cache of the cores that one rents today."""
LEAST_BLOCK = 64


class PluginPart(NamedTuple):
    """What a plugin makes a model of: the plugin's name and bytes that only it understands."""

    name: str
    payload: bytes


class Model(NamedTuple):
    """Ready to evaluate, by its stages or by its plugin: one of both is there.

    `scale` bounds the decision function's size where readings are usual: errors are counted in units of it.
    """

    features: tuple[str, ...]
    stages: tuple[tuple[str, Prepared], ...]
    scale: float
    version: str
    sha256: str
    metadata: Mapping[str, Any]
    border_is_anomaly: bool
    """Whether a score of exactly the threshold is an anomaly: each estimator has its rule."""
    block: int = LEAST_BLOCK
    """Rows that go through the transforms together."""
    accepts_missing: bool = False
    """Whether values may be NaN: a stage fills them in."""
    plugin: PluginPart | None = None
    threshold: float = 0.0
    """The score from which on a row is an anomaly: the zero of every form's decision function, if the run
    does not give the sensor a border of its own."""


def scores(model: Model, rows: Array) -> Array:
    """The stored anomaly score of each row of (n, features): higher is more anomalous.

    It is the decision function of scikit-learn with its sign turned, rounded to the model's grid; the border
    is `threshold`. The same bits come from every processor, and from any selection of the rows. Raises
    SensorError for a plugin's model.
    """
    form, _ = _estimator(model)
    with np.errstate(all="ignore"):
        found, error = _quick_decisions(model, rows)
        stored, doubtful = on_grid(found, model.scale, error, form.bounded)
        if len(doubtful):
            exact = _fixed_order_decisions(model, rows[doubtful])
            stored[doubtful] = on_grid(finite(exact), model.scale, 0.0)[0]
    return stored


def decisions(model: Model, rows: Array) -> Array:
    """The decision function of rows (n, features), not rounded, in fixed-order arithmetic alone."""
    with np.errstate(all="ignore"):
        return _fixed_order_decisions(model, rows)


def _fixed_order_decisions(model: Model, rows: Array) -> Array:
    form, arrays = _estimator(model)
    size = block_rows(model.stages)
    found = np.empty(len(rows))
    for start in range(0, len(rows), size):
        columns = _transformed(model, rows[start : start + size])
        found[start : start + size] = form.apply(arrays, columns)
    return found


def units(model: Model, rows: Array, found: Array) -> Array:
    """What differences from another evaluation's decisions `found` (n,) are counted in: (n,).

    The scale; where a decision or the terms that it is the sum of are larger, these.
    """
    form, arrays = _estimator(model)
    sizes = np.maximum(np.abs(found), model.scale)
    if form.reach is None:
        return sizes
    with np.errstate(all="ignore"):
        return np.maximum(sizes, form.reach(arrays, _transformed(model, rows)))


def _quick_decisions(model: Model, rows: Array) -> tuple[Array, float | Array]:
    """The decision function (n,), the quickest way, and a bound on how far it is from `decisions`."""
    form, arrays = _estimator(model)
    if form.quick is None:
        return _fixed_order_decisions(model, rows), 0.0
    if len(rows) <= model.block:
        columns = _transformed(model, rows)
        return form.quick.apply(arrays, columns), form.quick.error(arrays, columns)
    starts = range(0, len(rows), model.block)
    parts = [_quick_decisions(model, rows[start : start + model.block]) for start in starts]
    errors = [error for _, error in parts]
    joined = errors[0] if isinstance(errors[0], float) else np.concatenate(errors)
    return np.concatenate([found for found, _ in parts]), joined


def _estimator(model: Model) -> tuple[Form, Prepared]:
    if model.plugin:
        raise SensorError(
            "ModelIncompatible",
            f"model is made for the plugin {model.plugin.name!r}: wanted a runtime that has it",
        )
    form, arrays = model.stages[-1]
    return FORMS[form], arrays


def _transformed(model: Model, rows: Array) -> Array:
    """Rows (n, features) as the columns (width, n) that the estimator gets."""
    columns = np.ascontiguousarray(rows.T)
    for form, arrays in model.stages[:-1]:
        columns = FORMS[form].apply(arrays, columns)
    return columns


def block_rows(stages: Sequence[tuple[str, Prepared]]) -> int:
    """Rows that go through these stages together."""
    widest = max((FORMS[form].width(arrays) for form, arrays in stages), default=1)
    return max(LEAST_BLOCK, BLOCK_BYTES // (8 * widest))


def stored_scores(model: Model, raw: Array) -> Array:
    """Anomaly scores (n,) as they are stored: rounded to the model's grid, finite, and never -0.0.

    For scores that a plugin gives: higher is more anomalous, the border is `threshold`. One that is no number
    counts as the most anomalous.
    """
    return on_grid(finite(np.negative(raw, dtype=np.float64)), model.scale, 0.0)[0]


def anomalies(model: Model, stored: Array) -> NDArray[np.int8]:
    """1 where a stored score says anomaly, else 0; what lies on the border is as the estimator has it."""
    flagged = stored >= model.threshold if model.border_is_anomaly else stored > model.threshold
    return flagged.view(np.int8)
