"""Estimators with a kernel: f(x) = Σ αₖ K(x, sₖ) + b, over the vectors s.

OneClassSVM with the kernels rbf, poly and sigmoid; and SGDOneClassSVM after a kernel approximation, which is
the same sum: with Nystroem's features N K(x, c) it is that of an rbf kernel with weights Nᵀw, with
RBFSampler's one of a kernel cos(x·s + o).

Each has two ways to its decisions. `apply` goes through the vectors one feature after the other, in fixed
order. `quick` makes the kernel's argument one matrix product, in blocks that stay in the level-2 cache, and
takes NumPy's own functions: ten times as fast, but for the last bits; `error` bounds by how much. The bounds
count units of roundoff u as usual (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3): a sum
of n terms is wrong by at most n·u of the sum of their sizes, in whichever order and with fused operations or
without. NumPy's exp is taken to be right within 2 u of its value, tanh and cos within 4 u of 1: more than it
documents.

`scale` is Σ|αₖ| · max|K| + |b|. |K| is at most 1 for rbf and sigmoid, and (γ max|s|² + |coef0|)^degree for
poly where |x| <= max|s|. After a kernel approximation it is ‖w‖ + |offset|, which comes along: features of
these two have a norm of about 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.model.arithmetic import UNIT, fold
from scorer.model.forms.arrays import above_zero

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared

BLOCK_BYTES = 512 * 1024
"""Of a block of kernel values: half the level-2 cache of the cores that one rents today."""
LEAST_BLOCK = 64
GROUP = 1024
"""Vectors whose kernel values stand in a block together. It bounds a block, and the error of the sum."""
SAFE = 1.05
"""Covers the bounds' terms of second order, and the roundoff of computing them."""


def in_groups(arrays: Prepared, columns: Array, kernel: Callable[[slice], Array]) -> Array:
    """The decisions (n,), for a `kernel` that gives the values (group, n) of a group of vectors."""
    found = np.zeros(columns.shape[1])
    weights = arrays["weights"]
    for start in range(0, len(weights), GROUP):
        group = slice(start, start + GROUP)
        values = kernel(group)
        values *= weights[group, None]
        found += fold(values)
    found += arrays["intercept"]
    return found


def in_blocks(arrays: Prepared, extended: Array, function: Callable[[Array], Array]) -> Array:
    """The decisions (n,) of extended columns (e, n): function(product · extended), weighted."""
    rows, count = extended.shape[1], min(len(arrays["weights"]), GROUP)
    blocks = max(1, round(rows * count * 8 / BLOCK_BYTES))
    size = max(LEAST_BLOCK, -(-rows // blocks))
    space = np.empty((count, min(size, rows)))
    if rows <= size:
        found = _block(arrays, extended, space, function)
    else:
        found = np.empty(rows)
        for start in range(0, rows, size):
            block = extended[:, start : start + size]
            found[start : start + size] = _block(arrays, block, space[:, : block.shape[1]], function)
    found += arrays["intercept"]
    return found


def _block(arrays: Prepared, block: Array, space: Array, function: Callable[[Array], Array]) -> Array:
    weights, matrix = arrays["weights"], arrays["product"]
    if len(weights) <= GROUP:
        found: Array = weights @ function(np.matmul(matrix, block, out=space))
        return found
    found = np.zeros(block.shape[1])
    for start in range(0, len(weights), GROUP):
        group = weights[start : start + GROUP]
        kernel = np.matmul(matrix[start : start + GROUP], block, out=space[: len(group)])
        found += group @ function(kernel)
    return found


def weighted(arrays: Arrays, functions: float) -> dict[str, Any]:
    """Weights and intercept, and what their sum may be wrong by.

    `functions` are the units of roundoff of 1 that the kernel's function may be wrong by with either way,
    together; 4 more are those of weighting, the end of the folding, and adding the intercept twice.
    """
    weights, intercept = arrays["dual_coef"], float(arrays["intercept"][0])
    total = float(fold(np.abs(weights)))
    group, groups = min(len(weights), GROUP), -(-len(weights) // GROUP)
    terms = group + math.log2(group) + 2 * groups + functions + 4
    return {
        "weights": weights,
        "intercept": intercept,
        "size": total,
        "terms": terms,
        "error": SAFE * UNIT * (terms * total + 4 * abs(intercept)),
    }


def squared_lengths(columns: Array, found: Array) -> Array:
    """|x|² of columns (d, n), into `found` (n,)."""
    np.multiply(columns[0], columns[0], out=found)
    for column in columns[1:]:
        found += column * column
    return found


def size(arrays: Arrays, largest: float = 1.0) -> float:
    """Σ|αₖ| · largest + |b|. In fixed order, for it decides about the grid of scores."""
    return float(fold(np.abs(arrays["dual_coef"]))) * largest + abs(float(arrays["intercept"][0]))


def given_scale(arrays: Arrays) -> float:
    """The scale that comes along. Raises ValueError if it is none."""
    return above_zero("scale", arrays["scale"])


def width(arrays: Prepared) -> int:
    """Numbers a row needs for the values of a group, and what they are computed from."""
    return 4 * min(len(arrays["weights"]), GROUP)


SUM = {"dual_coef": ("vectors",), "intercept": ("1",)}
"""The shapes of αₖ and b."""
PLANE = {**SUM, "scale": ("1",)}
"""The same, of a plane behind a kernel approximation."""
