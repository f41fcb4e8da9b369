"""Fitted steps of scikit-learn as stages: for each kind, which of its numbers the stage is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import SGDOneClassSVM
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM

from scorer.errors import InputError
from scorer.fit.trees import forest_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model.forms.form import AnyArray

    Stage = tuple[str, Mapping[str, AnyArray]]
    Array = NDArray[np.float64]

TOLERANCE = 1e-9
"""Of the model's scale: how far a compiled decision may be from scikit-learn's."""
ROUNDOFF = 1e-15
"""What scikit-learn's kernel values are wrong by; a kernel approximation multiplies it."""


class ExportError(InputError):
    """A pipeline that cannot be compiled, or a compiled one that is not equal to it."""


def _stage(form: str, **arrays: Any) -> Stage:
    return form, {name: np.asarray(array, float) for name, array in arrays.items()}


def _or(array: Array | None, width: int, otherwise: float) -> Array:
    return np.full(width, otherwise) if array is None else array


def _standard_scaler(step: Any) -> list[Stage]:
    width = step.n_features_in_
    mean = step.mean_ if step.with_mean else None
    return [
        _stage("standard_scaler", mean=_or(mean, width, 0.0), scale=_or(step.scale_, width, 1.0)),
    ]


def _robust_scaler(step: Any) -> list[Stage]:
    width = step.n_features_in_
    return [_stage("robust_scaler", mean=_or(step.center_, width, 0.0), scale=_or(step.scale_, width, 1.0))]


def _min_max_scaler(step: Any) -> list[Stage]:
    low, high = step.feature_range
    stretched = _stage("min_max_scaler", scale=step.scale_, min=step.min_)
    return [stretched, _stage("clip", low=[low], high=[high])] if step.clip else [stretched]


def _simple_imputer(step: Any) -> list[Stage]:
    if step.add_indicator:
        raise ExportError("SimpleImputer with add_indicator=True has no compiled form: wanted False")
    if not (isinstance(step.missing_values, float) and math.isnan(step.missing_values)):
        raise ExportError(f"SimpleImputer takes {step.missing_values!r} for missing: wanted NaN")
    try:
        statistics = np.asarray(step.statistics_, float)
    except (TypeError, ValueError) as error:
        raise ExportError("SimpleImputer fills in what is not a number: wanted numbers") from error
    if np.isnan(statistics).any():
        place = int(np.flatnonzero(np.isnan(statistics))[0])
        raise ExportError(
            f"SimpleImputer drops column {place}, which had no value: wanted one in each column"
        )
    return [_stage("simple_imputer", statistics=statistics)]


def _pca(step: Any) -> list[Stage]:
    scale = np.ones(len(step.components_))
    if step.whiten:
        # As scikit-learn does: of a component without variance nothing would be left to divide by.
        scale = np.maximum(np.sqrt(step.explained_variance_), np.finfo(float).eps)
    return [_stage("pca", mean=step.mean_, components=step.components_, scale=scale)]


def _nystroem_gamma(step: Any) -> float:
    if step.kernel != "rbf" or step.kernel_params:
        raise ExportError(
            f"Nystroem with kernel {step.kernel!r} has no compiled form: wanted 'rbf' and its gamma"
        )
    largest = float(np.abs(step.normalization_).max())
    if not largest * ROUNDOFF < TOLERANCE:
        raise ExportError(
            f"Nystroem's normalization is as large as {largest:.2g} and makes {largest * ROUNDOFF:.2g} of"
            f" roundoff: wanted less than {TOLERANCE:g}; give fewer components or a larger gamma"
        )
    return 1.0 / step.components_.shape[1] if step.gamma is None else float(step.gamma)


def _nystroem(step: Any) -> list[Stage]:
    gamma = _nystroem_gamma(step)
    arrays = {"components": step.components_, "normalization": step.normalization_, "gamma": [gamma]}
    return [_stage("nystroem", **arrays)]


def _sampler_factor(step: Any) -> float:
    return float((2.0 / step.n_components) ** 0.5)


def _rbf_sampler(step: Any) -> list[Stage]:
    arrays = {"weights": step.random_weights_, "offset": step.random_offset_}
    return [_stage("rbf_sampler", factor=[_sampler_factor(step)], **arrays)]


def _one_class_svm(step: Any) -> list[Stage]:
    if step.kernel not in ("rbf", "linear", "poly", "sigmoid"):
        raise ExportError(f"OneClassSVM with kernel {step.kernel!r} has no compiled form")
    if not isinstance(step.support_vectors_, np.ndarray):
        raise ExportError("OneClassSVM was fitted on a sparse matrix: wanted a dense one")
    vectors, weights, intercept = step.support_vectors_, step.dual_coef_[0], step.intercept_
    if step.kernel == "linear":
        largest = float(np.einsum("ij,ij->i", vectors, vectors).max())
        scale = float(np.abs(weights).sum() * largest + np.abs(intercept[0]))
        return [_plane("one_class_svm_linear", _combined(weights, vectors), intercept, scale)]
    # The number that gamma='scale' or 'auto' came to at fitting; scikit-learn keeps it nowhere else.
    gamma = float(step._gamma)
    if not gamma > 0:
        raise ExportError(f"OneClassSVM has gamma {gamma:g}: wanted a number above 0")
    of_kernel: dict[str, Any] = {}
    if step.kernel != "rbf":
        of_kernel["coef0"] = [step.coef0]
    if step.kernel == "poly":
        if step.degree < 1:
            raise ExportError(f"OneClassSVM has degree {step.degree}: wanted 1 or more")
        of_kernel["degree"] = [step.degree]
    arrays = {"support_vectors": vectors, "dual_coef": weights, "intercept": intercept, "gamma": [gamma]}
    return [_stage(f"one_class_svm_{step.kernel}", **arrays, **of_kernel)]


def _sgd_one_class_svm(step: Any) -> list[Stage]:
    return [_plane("sgd_one_class_svm", step.coef_.ravel(), -step.offset_, _sgd_scale(step))]


def _sgd_scale(step: Any) -> float:
    return math.hypot(*step.coef_.ravel()) + abs(float(step.offset_[0]))


def _plane(form: str, coef: Array, intercept: Array, scale: float) -> Stage:
    if not scale > 0:
        raise ExportError(f"{form} decides the same of every row: its coefficients and its offset are 0")
    return _stage(form, coef=coef, intercept=intercept, scale=[scale])


def _elliptic_envelope(step: Any) -> list[Stage]:
    if step.offset_ == 0:
        raise ExportError("EllipticEnvelope has offset 0: all its training rows were equal")
    arrays = {"location": step.location_, "precision": step.get_precision(), "offset": [step.offset_]}
    return [_stage("elliptic_envelope", **arrays)]


def _isolation_forest(step: Any) -> list[Stage]:
    if step.max_samples_ < 2:
        raise ExportError("IsolationForest was fitted on a single row: wanted more")
    return [("isolation_forest", forest_arrays(step))]


def _nystroem_sgd(approximation: Any, step: Any) -> Stage:
    """Features N K(x, c) and a plane w make the weights Nᵀw of K(x, c)."""
    return _stage(
        "nystroem_sgd_one_class_svm",
        support_vectors=approximation.components_,
        gamma=[_nystroem_gamma(approximation)],
        dual_coef=_combined(step.coef_.ravel(), approximation.normalization_),
        intercept=-step.offset_,
        scale=[_sgd_scale(step)],
    )


def _sampler_sgd(approximation: Any, step: Any) -> Stage:
    return _stage(
        "rbf_sampler_sgd_one_class_svm",
        weights=approximation.random_weights_,
        offset=approximation.random_offset_,
        dual_coef=step.coef_.ravel() * _sampler_factor(approximation),
        intercept=-step.offset_,
        scale=[_sgd_scale(step)],
    )


def _combined(weights: Array, vectors: Array) -> Array:
    """Σ wₖ vₖ of vectors (m, d), each sum rounded once."""
    return np.array([math.fsum(terms) for terms in (weights[:, None] * vectors).T.tolist()])


STEPS: Mapping[type, Callable[[Any], list[Stage]]] = {
    StandardScaler: _standard_scaler,
    MinMaxScaler: _min_max_scaler,
    RobustScaler: _robust_scaler,
    SimpleImputer: _simple_imputer,
    PCA: _pca,
    Nystroem: _nystroem,
    RBFSampler: _rbf_sampler,
    OneClassSVM: _one_class_svm,
    SGDOneClassSVM: _sgd_one_class_svm,
    IsolationForest: _isolation_forest,
    EllipticEnvelope: _elliptic_envelope,
}

PAIRS: Mapping[tuple[type, type], Callable[[Any, Any], Stage]] = {
    (Nystroem, SGDOneClassSVM): _nystroem_sgd,
    (RBFSampler, SGDOneClassSVM): _sampler_sgd,
}
"""Two steps that are one stage: ten times as fast as one after the other."""


def names(kinds: Sequence[type]) -> str:
    """Their names, for people."""
    return ", ".join(kind.__name__ for kind in kinds)
