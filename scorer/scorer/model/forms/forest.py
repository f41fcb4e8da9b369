"""IsolationForest: f(x) = −2^(−(Σ path lengths) / denominator) − offset.

A step function: one bit of a row decides which way it goes. So rows become float32 as in scikit-learn's
trees and are compared with float64 thresholds, and everything is fixed-order arithmetic: there is no error to
bound. It takes about as long as scikit-learn's own.

The nodes of all trees stand one after the other, a tree's from its root downwards: `left` is the index of a
node's left child and the right child is the next one; a leaf is its own left child. `path` is what a leaf
adds: its depth and the average path length of the training rows in it.

`scale` is 1 + |offset|.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.model.arithmetic import exp, fold
from scorer.model.forms.arrays import above_zero
from scorer.model.forms.form import Form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model.forms.form import Array, Arrays, Prepared

MAX_DEPTH = 64
"""Of a tree: scikit-learn's have log2(max_samples) at most."""
MAX_TREES = 10_000
_LN_2 = float.fromhex("0x1.62e42fefa39efp-1")


def _prepare(arrays: Arrays) -> Prepared:
    """Raises ValueError for nodes out of which a row could not find, or could find to nowhere.

    A child stands after its parent, so there is no way back. All indexes are in their range already.
    """
    left, roots = arrays["left"], arrays["roots"]
    nodes = np.arange(len(left), dtype=left.dtype)
    inner = left != nodes
    if np.any(left < nodes) or np.any(left[inner] >= len(left) - 1):
        raise ValueError("left holds a node that is no later one, or the last one")
    if len(roots) > MAX_TREES:
        raise ValueError(f"there are {len(roots)} trees: wanted at most {MAX_TREES}")
    if np.any(arrays["path"] < 0):
        raise ValueError("path holds a number below 0")
    return {
        "feature": arrays["feature"].astype(np.intp),
        # A row at a leaf stays there: nothing is above.
        "threshold": np.where(inner, arrays["threshold"], np.inf),
        "left": left.astype(np.intp),
        "path": arrays["path"],
        "roots": roots.astype(np.intp)[:, None],
        "depth": _depth(left, inner, roots),
        "denominator": above_zero("denominator", arrays["denominator"]),
        "offset": float(arrays["offset"][0]),
    }


def _depth(left: NDArray[np.int32], inner: NDArray[np.bool_], roots: NDArray[np.int32]) -> int:
    level = np.unique(roots)
    for depth in range(MAX_DEPTH + 1):
        level = level[inner[level]]
        if not len(level):
            return depth
        level = np.unique(np.concatenate([left[level], left[level] + 1]))
    raise ValueError(f"trees are more than {MAX_DEPTH} deep")


def _forest(arrays: Prepared, columns: Array) -> Array:
    rows = np.arange(columns.shape[1])
    values = columns.astype(np.float32)
    found = np.repeat(arrays["roots"], len(rows), axis=1)
    for _ in range(arrays["depth"]):
        above = values[arrays["feature"][found], rows] > arrays["threshold"][found]
        found = arrays["left"][found]
        found += above
    exponents = fold(arrays["path"][found])
    exponents /= -arrays["denominator"]
    exponents *= _LN_2
    decisions = exp(exponents)
    np.negative(decisions, out=decisions)
    decisions -= arrays["offset"]
    return decisions


FORMS = {
    "isolation_forest": Form(
        shapes={
            "feature": ("nodes",),
            "threshold": ("nodes",),
            "left": ("nodes",),
            "path": ("nodes",),
            "roots": ("trees",),
            "denominator": ("1",),
            "offset": ("1",),
        },
        indexes={"feature": "in", "left": "nodes", "roots": "nodes"},
        prepare=_prepare,
        apply=_forest,
        width=lambda arrays: 5 * len(arrays["roots"]),
        estimates=True,
        scale=lambda arrays: 1 + abs(float(arrays["offset"][0])),
    )
}
