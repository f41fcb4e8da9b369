"""The rbf kernel, K = exp(−γ |x − s|²): OneClassSVM, and SGDOneClassSVM after Nystroem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scorer.model.arithmetic import UNIT, exp, squared_distances
from scorer.model.forms.arrays import above_zero, standing_vectors
from scorer.model.forms.form import Form, Quick
from scorer.model.forms.kernel import (
    PLANE,
    SAFE,
    SUM,
    given_scale,
    in_blocks,
    in_groups,
    size,
    squared_lengths,
    weighted,
    width,
)

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared


def _prepare(arrays: Arrays) -> Prepared:
    """Makes the exponent one matrix product: [x, |x|², 1] · [2γs, −γ, −γ|s|²].

    The vectors' mean is subtracted from rows and vectors first: |x|² − 2xs + |s|² cancels, and loses as many
    digits as the values are far from 0 against their spread.
    """
    gamma = above_zero("gamma", arrays["gamma"])
    vectors = arrays["support_vectors"]
    centre = vectors.mean(axis=0)
    count, width = vectors.shape
    matrix = np.empty((count, width + 2))
    centred = matrix[:, :width]  # in place, for there may be megabytes of them
    np.subtract(vectors, centre, out=centred)
    squares = np.einsum("ij,ij->i", centred, centred)
    centred *= 2 * gamma
    matrix[:, width] = -gamma
    matrix[:, width + 1] = -gamma * squares
    prepared = weighted(arrays, functions=2 + 4)
    prepared["error"] += _error(np.abs(arrays["dual_coef"]), np.sqrt(gamma * squares), width)
    return prepared | {
        "vectors": standing_vectors(vectors),
        "gamma": gamma,
        "centre": centre[:, None],
        "product": matrix,
    }


def _error(sizes: Array, distances: Array, width: int) -> float:
    """What wrong exponents cost, for weights' sizes |αₖ| and distances b = √γ |s| from the centre.

    With d = width, a = √γ |x| and in units of roundoff, the matrix product's exponent is wrong by 3 of 2ab,
    d + 2 of a² and d + 3 of b² from rounding what goes into it, and by d + 2 of 2ab + a² + b² from its sum.
    Far out that is much, but there K is small: at most exp(−D²) with D = |a − b|, and a <= b + D. All in all
    it is [(6d + 19) b² + (6d + 18) b D + (2d + 4) D²] exp(−D²), where D exp(−D²) is at most 0.429 and
    D² exp(−D²) at most 0.368. The fixed-order exponent E is wrong by d + 4 of itself, and E exp(−E) is at
    most 0.368.
    """
    steep, flat = 6 * width + 19, 2 * width + 4
    if not steep * UNIT * np.max(distances) ** 2 < 0.01:  # the bound is of first order
        return math.inf
    largest = distances + 0.429
    largest *= distances
    largest *= steep
    largest += 0.368 * (flat + width + 4)
    return SAFE * UNIT * float(sizes @ largest)


def _rbf(arrays: Prepared, columns: Array) -> Array:
    def kernel(group: slice) -> Array:
        exponents = squared_distances(arrays["vectors"][:, group], columns)
        exponents *= -arrays["gamma"]
        return exp(exponents)

    return in_groups(arrays, columns, kernel)


def _quick(arrays: Prepared, columns: Array) -> Array:
    width, rows = columns.shape
    extended = np.empty((width + 2, rows))
    np.subtract(columns, arrays["centre"], out=extended[:width])
    squared_lengths(extended[:width], extended[width])
    extended[width + 1] = 1.0
    return in_blocks(arrays, extended, lambda kernel: np.exp(kernel, out=kernel))


_VECTORS = {"support_vectors": ("vectors", "in"), "gamma": ("1",)}
_ONE_CLASS = Form(
    shapes={**_VECTORS, **SUM},
    prepare=_prepare,
    apply=_rbf,
    width=width,
    estimates=True,
    quick=Quick(_quick, lambda arrays, _: arrays["error"]),
    scale=size,
    bounded=True,
    border_is_anomaly=True,
)

FORMS = {
    "one_class_svm_rbf": _ONE_CLASS,
    "nystroem_sgd_one_class_svm": _ONE_CLASS._replace(
        shapes={**_VECTORS, **PLANE}, scale=given_scale, bounded=False, border_is_anomaly=False
    ),
}
