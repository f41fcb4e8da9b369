"""What a form is: the columns of the table of forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    AnyArray = NDArray[Any]
    Arrays = Mapping[str, AnyArray]
    Prepared = Mapping[str, Any]


class Quick(NamedTuple):
    """A quicker way to an estimator's decisions, whose last bits depend on the processor and the block."""

    apply: Callable[[Prepared, Array], Array]
    """Columns (in, n) to decisions (n,)."""
    error: Callable[[Prepared, Array], float | Array]
    """How far both `apply`s can be from each other: one number, or one for each of the columns (in, n).

    inf where nothing can be promised."""


class Form(NamedTuple):
    """One kind of stage. Rows of readings stand beside each other: columns (width, n)."""

    shapes: Mapping[str, tuple[str, ...]]
    """Its arrays' shapes; `in` is the width of the rows it gets, other names stand for one size each."""
    prepare: Callable[[Arrays], Prepared]
    """What is worth computing once for a model. Raises ValueError for arrays that no training gives."""
    apply: Callable[[Prepared, Array], Array]
    """Columns (in, n) to columns (gives, n), or for an estimator to its decision function (n,).

    In fixed-order arithmetic (`scorer.model.arithmetic`): this is the stage's value, to the last bit."""
    width: Callable[[Prepared], int]
    """Numbers that `apply` needs for a row, for the block size."""
    gives: str = "in"
    """Which of the sizes in `shapes` is the width of the rows that it gives."""
    indexes: Mapping[str, str] = {}
    """Its arrays that hold indexes, as I32, and into which of the sizes. All others are F64."""
    passes_missing: bool = False
    """Whether a NaN stays where it is, and harms nothing else."""
    fills_missing: bool = False
    """Whether NaN becomes a number."""
    estimates: bool = False
    """Whether it ends a model."""
    quick: Quick | None = None
    scale: Callable[[Arrays], float] = lambda _: 0.0
    """An estimator's bound on its decision function where readings are usual: the unit of errors."""
    bounded: bool = False
    """Whether no decision is larger than the scale."""
    reach: Callable[[Prepared, Array], Array] | None = None
    """Beyond usual readings, columns (in, n) to the sum of the sizes of a decision's terms (n,).

    For an estimator whose terms grow and cancel there: nobody's decision is better than to their roundoff."""
    border_is_anomaly: bool = False
    """Whether a decision of exactly 0 is an anomaly: so in libsvm, where only f > 0 is an inlier."""
