"""Checks of a stage's arrays, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scorer.model.forms.form import Array


def standing_vectors(vectors: Array) -> Array:
    """Vectors (m, d) as (d, m, 1), as `squared_distances` wants them."""
    return np.ascontiguousarray(vectors.T)[:, :, None]


def above_zero(name: str, array: Array) -> float:
    """The one number of an array (1,). Raises ValueError if it is not above 0."""
    value = float(array[0])
    if value <= 0:
        raise ValueError(f"{name} is {value}: wanted a number above 0")
    return value


def all_above_zero(name: str, array: Array) -> None:
    """Raises ValueError if a number of an array is not above 0."""
    if not np.all(array > 0):
        raise ValueError(f"{name} holds a number that is not above 0")
