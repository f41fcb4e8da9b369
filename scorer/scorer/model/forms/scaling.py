"""Transforms of each feature alone: StandardScaler, RobustScaler, MinMaxScaler, SimpleImputer.

Each does scikit-learn's own operations in its order. They are not folded into each other or the next stage:
that costs digits where a mean is large against the scale, and a forest compares single bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.model.forms.arrays import all_above_zero
from scorer.model.forms.form import Form

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared


def _standing(arrays: Arrays) -> Prepared:
    """Arrays (in,) as (in, 1): one number for each row of the columns."""
    return {name: array[:, None] for name, array in arrays.items()}


def _prepare_standardise(arrays: Arrays) -> Prepared:
    all_above_zero("scale", arrays["scale"])
    return _standing(arrays)


def _standardise(arrays: Prepared, columns: Array) -> Array:
    found: Array = columns - arrays["mean"]
    found /= arrays["scale"]
    return found


def _stretch(arrays: Prepared, columns: Array) -> Array:
    found: Array = columns * arrays["scale"]
    found += arrays["min"]
    return found


def _prepare_clip(arrays: Arrays) -> Prepared:
    if not arrays["low"][0] < arrays["high"][0]:
        raise ValueError("low is not below high")
    return arrays


def _clip(arrays: Prepared, columns: Array) -> Array:
    # Which zero is the smaller one differs between processors: + 0.0 leaves one of them.
    found: Array = np.minimum(np.maximum(columns, arrays["low"]), arrays["high"]) + 0.0
    return found


def _impute(arrays: Prepared, columns: Array) -> Array:
    return np.where(np.isnan(columns), arrays["statistics"], columns)


def _rows(arrays: Prepared) -> int:
    return max(len(array) for array in arrays.values())


_FEATURES = ("in",)

_STANDARDISING = Form(
    shapes={"mean": _FEATURES, "scale": _FEATURES},
    prepare=_prepare_standardise,
    apply=_standardise,
    width=_rows,
    passes_missing=True,
)
FORMS = {
    "standard_scaler": _STANDARDISING,
    # The same arithmetic: the mean is a median, the scale a range of quantiles.
    "robust_scaler": _STANDARDISING,
    "min_max_scaler": Form(
        shapes={"scale": _FEATURES, "min": _FEATURES},
        prepare=_standing,
        apply=_stretch,
        width=_rows,
        passes_missing=True,
    ),
    "clip": Form(
        shapes={"low": ("1",), "high": ("1",)},
        prepare=_prepare_clip,
        apply=_clip,
        width=_rows,
        passes_missing=True,
    ),
    "simple_imputer": Form(
        shapes={"statistics": _FEATURES},
        prepare=_standing,
        apply=_impute,
        width=_rows,
        fills_missing=True,
    ),
}
