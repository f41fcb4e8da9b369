"""The forms a stage can have: for each, which arrays it is made of and one pure function that evaluates it.

A stage takes rows (n, width) and gives rows, the last one gives the decision function (n,). Estimators and
transforms are entries of one table, not classes: a new one is a new line in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Arrays = Mapping[str, Array]
    Prepared = Mapping[str, Array]


class Form(NamedTuple):
    """One kind of stage."""

    shapes: Mapping[str, tuple[str, ...]]
    """Its arrays' shapes; `in` is the width of the rows it gets, other names stand for one size each."""
    prepare: Callable[[Arrays], Prepared]
    """What is worth computing once for a model. Raises ValueError for arrays that no training gives."""
    apply: Callable[[Prepared, Array], Array]
    """Rows (n, in) to rows (n, in), or for an estimator to its decision function (n,)."""
    width: Callable[[Prepared], int]
    """Numbers a row needs in its widest intermediate, for the block size."""
    estimates: bool
    """Whether it ends a model."""
    scale: Callable[[Arrays], float] = lambda _: 0.0
    """An estimator's bound on its decision function."""
    border_is_anomaly: bool = False
    """Whether a decision of exactly 0 is an anomaly: so in libsvm, where only f > 0 is an inlier."""


def _prepare_standard_scaler(arrays: Arrays) -> Prepared:
    if not np.all(arrays["scale"] > 0):
        raise ValueError("scale holds a number that is not above 0")
    return arrays


def _standardise(arrays: Prepared, rows: Array) -> Array:
    # The same two operations as scikit-learn's, in its order: folding them into the next stage costs digits
    # where the mean is large against the scale.
    return (rows - arrays["mean"]) / arrays["scale"]


def _prepare_rbf(arrays: Arrays) -> Prepared:
    """Makes exp(-gamma |x - s|^2) one matrix product: the exponent is [x, -|x|^2/2, 1] . [s, 1, -|s|^2/2].

    Rows and vectors are multiplied by sqrt(2 gamma), and the support vectors' mean is subtracted from both
    first: |x|^2 - 2 x s + |s|^2 cancels, and loses as many digits as the values are far from 0 against their
    spread.
    """
    gamma = float(arrays["gamma"][0])
    if gamma <= 0:
        raise ValueError(f"gamma is {gamma}: wanted a number above 0")
    centre = arrays["support_vectors"].mean(axis=0)
    stretch = np.sqrt(2 * gamma)
    vectors = (arrays["support_vectors"] - centre) * stretch
    count, width = vectors.shape
    product = np.empty((width + 2, count))
    product[:width] = vectors.T
    product[width] = 1.0
    product[width + 1] = -0.5 * np.einsum("ij,ij->i", vectors, vectors)
    return {
        "centre": centre,
        "stretch": stretch[None],
        "product": product,
        "dual_coef": arrays["dual_coef"],
        "intercept": arrays["intercept"],
    }


def _rbf(arrays: Prepared, rows: Array) -> Array:
    count, width = rows.shape
    extended = np.empty((count, width + 2))
    centred = extended[:, :width]
    np.subtract(rows, arrays["centre"], out=centred)
    centred *= arrays["stretch"]
    np.einsum("ij,ij->i", centred, centred, out=extended[:, width])
    extended[:, width] *= -0.5
    extended[:, width + 1] = 1.0
    kernel = extended @ arrays["product"]
    np.exp(kernel, out=kernel)
    decision = kernel @ arrays["dual_coef"]
    decision += arrays["intercept"]
    return decision


def _rbf_scale(arrays: Arrays) -> float:
    # A kernel value is at most 1.
    return float(np.abs(arrays["dual_coef"]).sum() + np.abs(arrays["intercept"]).sum())


FORMS: dict[str, Form] = {
    "standard_scaler": Form(
        shapes={"mean": ("in",), "scale": ("in",)},
        prepare=_prepare_standard_scaler,
        apply=_standardise,
        width=lambda arrays: len(arrays["mean"]),
        estimates=False,
    ),
    "one_class_svm_rbf": Form(
        shapes={
            "support_vectors": ("vectors", "in"),
            "dual_coef": ("vectors",),
            "intercept": ("1",),
            "gamma": ("1",),
        },
        prepare=_prepare_rbf,
        apply=_rbf,
        width=lambda arrays: arrays["product"].shape[1] + arrays["product"].shape[0],
        estimates=True,
        scale=_rbf_scale,
        border_is_anomaly=True,
    ),
}
