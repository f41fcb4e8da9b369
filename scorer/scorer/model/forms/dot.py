"""Kernels that are a function of a dot product.

OneClassSVM's poly, K = (γ x·s + coef0)^degree, and sigmoid, K = tanh(γ x·s + coef0); SGDOneClassSVM after
RBFSampler, K = cos(x·s + o). Rows are not centred: errors are those of x·s, which the scale is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.model.arithmetic import UNIT, cos, fold, power, product, tanh
from scorer.model.forms.arrays import above_zero
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

MAX_DEGREE = 10_000


def _prepare_argument(arrays: Arrays, vectors: Array, offsets: Array | float) -> dict[str, Any]:
    """Of a kernel that is a function of x·v + o, for vectors v (m, in) and offsets o (m,)."""
    count, width = vectors.shape
    extended = np.empty((count, width + 1))
    extended[:, :width] = vectors
    extended[:, width] = offsets
    return weighted(arrays, functions=4 + 8) | {
        "product": extended,
        "longest": float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors).max())),
        "farthest": float(np.abs(offsets).max()),
    }


def _arguments(arrays: Prepared, columns: Array, group: slice) -> Array:
    matrix = arrays["product"][group]
    found = product(matrix[:, :-1], columns)
    found += matrix[:, -1:]
    return found


def _quick_argument(arrays: Prepared, columns: Array, function: Callable[[Array], Array]) -> Array:
    width, rows = columns.shape
    extended = np.empty((width + 1, rows))
    extended[:width] = columns
    extended[width] = 1.0
    return in_blocks(arrays, extended, function)


def _largest_argument(arrays: Prepared, columns: Array) -> Array:
    """A bound (n,) on the sum of the sizes of the terms of x·v + o."""
    found = np.sqrt(squared_lengths(columns, np.empty(columns.shape[1])))
    found *= arrays["longest"]
    found += arrays["farthest"]
    return found


def _bent_error(arrays: Prepared, columns: Array) -> Array:
    """Of tanh and cos, which change by no more than their argument does, and by 2 at most.

    The argument is wrong by (in + 3) u of the sum of its terms' sizes, with either way; cos reduces it by
    multiples of 2π, which costs one u more.
    """
    arguments = _largest_argument(arrays, columns)
    changes = np.minimum(2 * (len(columns) + 4) * UNIT * arguments, 2.0)
    error: Array = SAFE * arrays["size"] * changes + arrays["error"]
    return error


def _prepare_poly(arrays: Arrays) -> Prepared:
    degree = float(arrays["degree"][0])
    if degree != int(degree) or not 1 <= degree <= MAX_DEGREE:
        raise ValueError(f"degree is {degree}: wanted a whole number from 1 to {MAX_DEGREE}")
    vectors = above_zero("gamma", arrays["gamma"]) * arrays["support_vectors"]
    return _prepare_argument(arrays, vectors, float(arrays["coef0"][0])) | {"degree": int(degree)}


def _poly(arrays: Prepared, columns: Array) -> Array:
    return in_groups(
        arrays, columns, lambda group: power(_arguments(arrays, columns, group), arrays["degree"])
    )


def _quick_poly(arrays: Prepared, columns: Array) -> Array:
    return _quick_argument(arrays, columns, lambda kernel: power(kernel, arrays["degree"]))


def _poly_error(arrays: Prepared, columns: Array) -> Array:
    """The argument is wrong by (in + 3) u of a bound B, its power by degree times that and u, of B^degree."""
    terms = 2 * arrays["degree"] * (len(columns) + 4) + arrays["terms"]
    error: Array = SAFE * UNIT * (terms * _poly_reach(arrays, columns) + 4 * abs(arrays["intercept"]))
    return error


def _poly_reach(arrays: Prepared, columns: Array) -> Array:
    reach: Array = arrays["size"] * power(_largest_argument(arrays, columns), arrays["degree"])
    return reach


def _poly_scale(arrays: Arrays) -> float:
    longest = float(fold((arrays["support_vectors"] ** 2).T.copy()).max())
    bound = float(arrays["gamma"][0]) * longest + abs(float(arrays["coef0"][0]))
    largest = float(power(np.array([bound]), int(arrays["degree"][0]))[0])
    return size(arrays, largest)


def _prepare_sigmoid(arrays: Arrays) -> Prepared:
    vectors = above_zero("gamma", arrays["gamma"]) * arrays["support_vectors"]
    return _prepare_argument(arrays, vectors, float(arrays["coef0"][0]))


def _sigmoid(arrays: Prepared, columns: Array) -> Array:
    return in_groups(arrays, columns, lambda group: tanh(_arguments(arrays, columns, group)))


def _quick_sigmoid(arrays: Prepared, columns: Array) -> Array:
    return _quick_argument(arrays, columns, lambda kernel: np.tanh(kernel, out=kernel))


def _prepare_sampler(arrays: Arrays) -> Prepared:
    return _prepare_argument(arrays, arrays["weights"].T, arrays["offset"])


def _sampler(arrays: Prepared, columns: Array) -> Array:
    return in_groups(arrays, columns, lambda group: cos(_arguments(arrays, columns, group)))


def _quick_sampler(arrays: Prepared, columns: Array) -> Array:
    return _quick_argument(arrays, columns, lambda kernel: np.cos(kernel, out=kernel))


_VECTORS = {"support_vectors": ("vectors", "in"), "gamma": ("1",), "coef0": ("1",)}
_SIGMOID = Form(
    shapes={**_VECTORS, **SUM},
    prepare=_prepare_sigmoid,
    apply=_sigmoid,
    width=width,
    estimates=True,
    quick=Quick(_quick_sigmoid, _bent_error),
    scale=size,
    bounded=True,
    border_is_anomaly=True,
)

FORMS = {
    "one_class_svm_poly": _SIGMOID._replace(
        shapes={**_VECTORS, "degree": ("1",), **SUM},
        prepare=_prepare_poly,
        apply=_poly,
        quick=Quick(_quick_poly, _poly_error),
        scale=_poly_scale,
        bounded=False,
        reach=_poly_reach,
    ),
    "one_class_svm_sigmoid": _SIGMOID,
    "rbf_sampler_sgd_one_class_svm": _SIGMOID._replace(
        shapes={"weights": ("in", "vectors"), "offset": ("vectors",), **PLANE},
        prepare=_prepare_sampler,
        apply=_sampler,
        quick=Quick(_quick_sampler, _bent_error),
        scale=given_scale,
        bounded=False,
        border_is_anomaly=False,
    ),
}
