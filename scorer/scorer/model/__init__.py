"""A compiled model: a list of stages with their arrays, without code, and how to evaluate it.

The stages are those of a scikit-learn pipeline, exported at registration (`scorer.fit`) and proved equal to
it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.model.forms import FORMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model.forms import Prepared

BLOCK_BYTES = 512 * 1024
"""Of a block's widest intermediate: half the level-2 cache of the cores that one rents today."""
LEAST_BLOCK = 64


class Model(NamedTuple):
    """Ready to evaluate. `scale` bounds the decision function's size: errors are counted in units of it."""

    features: tuple[str, ...]
    stages: tuple[tuple[str, Prepared], ...]
    scale: float
    version: str
    sha256: str
    metadata: Mapping[str, Any]

    @property
    def threshold(self) -> float:
        """The score from which on a row is an anomaly. The zero of every form's decision function."""
        return 0.0


def scores(model: Model, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The anomaly score of each row of (n, features): higher is more anomalous, the border is `threshold`.

    It is the decision function of scikit-learn with its sign turned.
    """
    found = np.empty(len(rows))
    size = block_rows(model)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        for form, arrays in model.stages:
            block = FORMS[form].apply(arrays, block)
        np.negative(block, out=found[start : start + size])
    found += 0.0  # -0.0 becomes 0.0: equal scores have equal bytes
    return found


def anomalies(model: Model, found: NDArray[np.float64]) -> NDArray[np.int8]:
    """1 where a score says anomaly, else 0; what lies exactly on the border is as the estimator has it."""
    last = FORMS[model.stages[-1][0]]
    flagged = found >= model.threshold if last.border_is_anomaly else found > model.threshold
    return flagged.astype(np.int8)


def block_rows(model: Model) -> int:
    """Rows that are evaluated together: one size for a model, so that scores depend on nothing else."""
    widest = max(FORMS[form].width(arrays) for form, arrays in model.stages)
    return max(LEAST_BLOCK, BLOCK_BYTES // (8 * widest))
