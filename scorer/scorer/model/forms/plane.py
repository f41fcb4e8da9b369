"""Estimators with a plane: the linear OneClassSVM and SGDOneClassSVM, both f(x) = w·x + b.

Their `scale` comes with them: it is made of what the fitted estimator knows and the plane does not say.

- OneClassSVM: Σ|αₖ| · max|s|² + |ρ|, over its support vectors s: |f(x)| is at most that for |x| <= max|s|.
- SGDOneClassSVM: ‖w‖ + |offset|: |f(x)| is at most that for |x| <= 1, about what a scaler before it makes.

Rows are not centred: f is wanted to 1e-9 of the scale, which holds the same products as the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.model.arithmetic import product
from scorer.model.forms.arrays import above_zero
from scorer.model.forms.form import Form

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared


def _prepare(arrays: Arrays) -> Prepared:
    return {"coef": arrays["coef"][None, :], "intercept": float(arrays["intercept"][0])}


def _plane(arrays: Prepared, columns: Array) -> Array:
    found: Array = product(arrays["coef"], columns)[0]
    found += arrays["intercept"]
    return found


def _form(border_is_anomaly: bool) -> Form:
    return Form(
        shapes={"coef": ("in",), "intercept": ("1",), "scale": ("1",)},
        prepare=_prepare,
        apply=_plane,
        width=lambda arrays: 2 + arrays["coef"].shape[1],
        estimates=True,
        scale=lambda arrays: above_zero("scale", arrays["scale"]),
        border_is_anomaly=border_is_anomaly,
    )


FORMS = {
    "one_class_svm_linear": _form(border_is_anomaly=True),
    "sgd_one_class_svm": _form(border_is_anomaly=False),
}
