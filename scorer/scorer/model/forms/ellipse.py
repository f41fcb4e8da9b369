"""EllipticEnvelope: f(x) = −(x − location)ᵀ P (x − location) − offset, with P the precision matrix.

Its `scale` is |offset|: the squared Mahalanobis distance of the border. Inside, |f| is at most that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.model.arithmetic import fold, product
from scorer.model.forms.form import Form

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared


def _prepare(arrays: Arrays) -> Prepared:
    precision = arrays["precision"]
    if not np.all(np.diagonal(precision) >= 0):
        raise ValueError("precision holds a number below 0 on its diagonal")
    return {
        "location": arrays["location"][:, None],
        "precision": precision,
        "offset": float(arrays["offset"][0]),
    }


def _distance(arrays: Prepared, columns: Array) -> Array:
    differences = columns - arrays["location"]
    terms = product(arrays["precision"], differences)
    terms *= differences
    found = fold(terms)
    np.negative(found, out=found)
    found -= arrays["offset"]
    return found


FORMS = {
    "elliptic_envelope": Form(
        shapes={"location": ("in",), "precision": ("in", "in"), "offset": ("1",)},
        prepare=_prepare,
        apply=_distance,
        width=lambda arrays: 3 * len(arrays["location"]),
        estimates=True,
        scale=lambda arrays: abs(float(arrays["offset"][0])),
    ),
}
