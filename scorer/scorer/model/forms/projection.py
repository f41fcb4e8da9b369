"""Transforms that mix features: PCA, and the kernel approximations Nystroem and RBFSampler.

All in fixed-order arithmetic, which for hundreds of components is slower than a matrix product: a kernel
approximation before SGDOneClassSVM is compiled together with it (`nystroem_sgd_one_class_svm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scorer.model.arithmetic import cos, exp, product, squared_distances
from scorer.model.forms.arrays import above_zero, all_above_zero, standing_vectors
from scorer.model.forms.form import Form

if TYPE_CHECKING:
    from scorer.model.forms.form import Array, Arrays, Prepared


def _prepare_pca(arrays: Arrays) -> Prepared:
    if len(arrays["scale"]) > len(arrays["mean"]):
        raise ValueError("there are more components than features")
    all_above_zero("scale", arrays["scale"])
    return {
        "mean": arrays["mean"][:, None],
        "components": arrays["components"],
        "scale": arrays["scale"][:, None],
    }


def _pca(arrays: Prepared, columns: Array) -> Array:
    # Centred first. scikit-learn subtracts the mean's projection afterwards: digits are lost where values are
    # far from 0 against their spread.
    found = product(arrays["components"], columns - arrays["mean"])
    found /= arrays["scale"]
    return found


def _prepare_nystroem(arrays: Arrays) -> Prepared:
    return {
        "vectors": standing_vectors(arrays["components"]),
        "normalization": arrays["normalization"],
        "gamma": above_zero("gamma", arrays["gamma"]),
    }


def _nystroem(arrays: Prepared, columns: Array) -> Array:
    exponents = squared_distances(arrays["vectors"], columns)
    exponents *= -arrays["gamma"]
    return product(arrays["normalization"], exp(exponents))


def _prepare_sampler(arrays: Arrays) -> Prepared:
    return {
        "weights": np.ascontiguousarray(arrays["weights"].T),
        "offset": arrays["offset"][:, None],
        "factor": float(arrays["factor"][0]),
    }


def _sampler(arrays: Prepared, columns: Array) -> Array:
    angles = product(arrays["weights"], columns)
    angles += arrays["offset"]
    found = cos(angles)
    found *= arrays["factor"]
    return found


FORMS = {
    "pca": Form(
        shapes={"mean": ("in",), "components": ("out", "in"), "scale": ("out",)},
        prepare=_prepare_pca,
        apply=_pca,
        width=lambda arrays: 2 * len(arrays["scale"]) + len(arrays["mean"]),
        gives="out",
    ),
    "nystroem": Form(
        shapes={"components": ("out", "in"), "normalization": ("out", "out"), "gamma": ("1",)},
        prepare=_prepare_nystroem,
        apply=_nystroem,
        width=lambda arrays: 4 * len(arrays["normalization"]),
        gives="out",
    ),
    "rbf_sampler": Form(
        shapes={"weights": ("in", "out"), "offset": ("out",), "factor": ("1",)},
        prepare=_prepare_sampler,
        apply=_sampler,
        width=lambda arrays: 4 * len(arrays["offset"]),
        gives="out",
    ),
}
