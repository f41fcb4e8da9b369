"""Fitted scikit-learn pipelines of every kind that compiles, and rows to compare them on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.export import export
from scorer.model import Model
from scorer.model.file import read_model, write_model

Array = np.ndarray[Any, np.dtype[np.float64]]

ESTIMATORS: Mapping[str, Any] = {
    "rbf": OneClassSVM(nu=0.05),
    "rbf-auto": OneClassSVM(nu=0.2, gamma="auto"),
    "rbf-narrow": OneClassSVM(nu=0.05, gamma=30.0),
    "rbf-wide": OneClassSVM(nu=0.001, gamma=0.01),
    "linear": OneClassSVM(kernel="linear", nu=0.1),
    "poly": OneClassSVM(kernel="poly", nu=0.1),
    "poly-1": OneClassSVM(kernel="poly", degree=1, coef0=1.0, nu=0.1),
    "poly-6": OneClassSVM(kernel="poly", degree=6, coef0=0.5, gamma=0.1, nu=0.1),
    "sigmoid": OneClassSVM(kernel="sigmoid", nu=0.1),
    "sigmoid-auto": OneClassSVM(kernel="sigmoid", gamma="auto", coef0=-0.3, nu=0.1),
    "sgd": SGDOneClassSVM(nu=0.1, random_state=0),
    "sgd-average": SGDOneClassSVM(nu=0.05, average=True, random_state=0),
    "forest": IsolationForest(n_estimators=30, random_state=0),
    "forest-part": IsolationForest(
        n_estimators=20, max_features=0.6, contamination=0.05, max_samples=60, random_state=1
    ),
    "ellipse": EllipticEnvelope(random_state=0),
    "ellipse-tight": EllipticEnvelope(contamination=0.01, assume_centered=True, random_state=0),
}

TRANSFORMS: Mapping[str, tuple[Any, ...]] = {
    "alone": (),
    "standard": (StandardScaler(),),
    "standard-mean": (StandardScaler(with_std=False),),
    "standard-std": (StandardScaler(with_mean=False),),
    "min-max": (MinMaxScaler(),),
    "min-max-clip": (MinMaxScaler((-2, 3), clip=True),),
    "robust": (RobustScaler(),),
    "robust-half": (RobustScaler(with_centering=False, quantile_range=(10, 90)),),
    "robust-centre": (RobustScaler(with_scaling=False),),
    "pca": (StandardScaler(), PCA(0.9)),
    "pca-white": (PCA(whiten=True),),
    "imputed": (SimpleImputer(), StandardScaler()),
}
APPROXIMATIONS: Mapping[str, tuple[Any, ...]] = {
    "nystroem": (StandardScaler(), Nystroem(n_components=12, random_state=0)),
    "nystroem-gamma": (StandardScaler(), Nystroem(n_components=20, gamma=2.0, random_state=0)),
    "sampler": (StandardScaler(), RBFSampler(n_components=40, random_state=0)),
    "sampler-narrow": (MinMaxScaler(), RBFSampler(n_components=15, gamma=3.0, random_state=0)),
    "sampler-pca": (StandardScaler(), RBFSampler(n_components=15, random_state=0), PCA(4)),
}


def rows_of(width: int, count: int = 300, seed: int = 7, centre: float = 50.0, spread: float = 3.0) -> Array:
    """Correlated normal rows about a centre, the spreads of the features unlike each other."""
    random = np.random.default_rng(seed)
    mixing = np.eye(width) + 0.3 * random.normal(size=(width, width))
    found: Array = centre + spread * random.normal(size=(count, width)) @ mixing * np.arange(1, width + 1)
    return found


def probes_of(rows: Array) -> Array:
    """The rows, rows further and further out, and the centre of them."""
    centre = rows.mean(axis=0)
    return np.concatenate([rows, *(centre + far * (rows[:40] - centre) for far in (0.0, 3.0, 30.0, 1e3))])


def fitted(transforms: tuple[Any, ...], estimator: Any, rows: Array) -> Any:
    """A pipeline of fresh copies of these steps, fitted."""
    return make_pipeline(*(clone(step) for step in transforms), clone(estimator)).fit(rows)


def compiled(pipeline: Any, width: int) -> Model:
    """The pipeline as a model that came out of its file."""
    return read_model(write_model(export(pipeline), [f"f{number}" for number in range(width)], {}))
