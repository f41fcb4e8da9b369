"""Stored scores: rounded to a grid, so that the last bits of a matrix product are not in them.

The same model and rows give other last bits with another number of rows in a block, another kernel of the
BLAS library, another set of instructions. A stored score is therefore a multiple of a power of two near
3e-10 of the model's scale; and a score that lies so near to the border between two multiples that those bits
could decide is one to compute again in fixed-order arithmetic (`scorer.model.scores`).

Beyond the scale, where only some estimators' decision functions reach, the grid grows with the score: 32 bits
of it are kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BITS = 32
"""Of a score as large as the scale. The grid is then 2.3e-10 to 4.7e-10 of the scale, rounding costs half of
it: less than a quarter of the tolerance of 1e-9."""
LARGEST = 2.0**1023
"""Of a decision. One that overflows stands there, with the sign that it had."""
SCALES = (1e-200, 1e200)
"""Scales outside of this are none that training gives; inside, no multiple of the grid is a subnormal."""


def grid_of(scale: float) -> float:
    """The grid of scores below the next power of two above `scale`."""
    return math.ldexp(1.0, math.frexp(scale)[1] - BITS)


def on_grid(
    decisions: Array, scale: float, error: float | Array, bounded: bool = False
) -> tuple[Array, NDArray[np.intp]]:
    """Decisions (n,) as stored scores, and the places (k,) of those whose rounding is in doubt.

    A score is a decision with its sign turned, rounded to the grid; it is 0.0, never -0.0. `error` bounds how
    far `decisions` may be from the fixed-order values, one number or (n,): a score is in doubt if it is
    nearer than twice that to the middle between two neighbours of the grid. Rounding is sound from once the
    error on, twice is for safety. At a power of two, where the grid changes, the power itself is on both.

    `bounded` says that no decision is larger than the scale but for roundoff, which saves looking. Overwrites
    `decisions`.
    """
    steps: float | Array = grid_of(scale)
    if not bounded and len(decisions) and not np.abs(decisions).max() < steps * 2.0**BITS:
        exponents = np.frexp(decisions)[1] - np.int32(math.frexp(scale)[1])
        steps = np.ldexp(steps, np.maximum(exponents, 0))
    # Exact, and so is all that follows: steps are powers of two.
    places = np.multiply(decisions, 1 / steps, out=decisions)
    stored = np.rint(places)
    np.subtract(places, stored, out=places)
    np.abs(places, out=places)
    doubtful = _beyond(places, 0.5 - 2 * error / steps)
    stored *= steps
    np.subtract(0.0, stored, out=stored)
    return stored, doubtful


def _beyond(places: Array, limit: float | Array) -> NDArray[np.intp]:
    """Where `places` (n,) are not within the limit, or are no numbers."""
    if isinstance(limit, float) and len(places) and places.max() <= limit:
        return _NONE  # most often so for an hour's rows
    return np.flatnonzero(~(places <= limit))


_NONE: NDArray[np.intp] = np.empty(0, np.intp)


def finite(decisions: Array) -> Array:
    """Decisions (n,) without infinities; one that is no number counts as the most anomalous."""
    if np.isfinite(decisions).all():
        return decisions
    return np.clip(np.where(np.isnan(decisions), -LARGEST, decisions), -LARGEST, LARGEST)
