"""The estimators that `scorer train` offers, with their settings checked and named as a user names them.

Imports scikit-learn only where an estimator is made: a wrong option is told at once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scorer.errors import InputError

ESTIMATORS = ("OneClassSVM", "SGDOneClassSVM", "IsolationForest", "EllipticEnvelope")
KERNELS = {"OneClassSVM": ("rbf", "linear", "poly", "sigmoid"), "SGDOneClassSVM": ("rbf", "linear")}
"""The first one is the default. SGDOneClassSVM itself is linear: for rbf, random Fourier features stand
before it (https://scikit-learn.org/stable/modules/sgd.html#online-one-class-svm)."""
TOLERANCE = 1e-6
"""Of libsvm's solver. Its usual 1e-3 is coarse where the coefficients' sum, nu * rows, is small: with an hour
of a sensor and nu = 0.01 it leaves 6 % of the training readings outside instead of 1 %."""
MOST_ITERATIONS = 500_000
"""Of libsvm's solver: a hundred times what an RBF kernel takes. Without a bound a polynomial one may take an
hour for 300 readings; now it ends with a warning."""
FOURIER_FEATURES = 100
SEED = 0
"""Training again on the same readings must give the same model, or it would be registered as another."""


class Estimator(NamedTuple):
    """What to train. `nu` is the share of the training readings that may lie outside.

    None is the estimator's own default; a setting that it does not have is refused, not ignored.
    """

    name: str = "OneClassSVM"
    nu: float = 0.01
    kernel: str | None = None
    gamma: float | str | None = None
    tol: float | None = None


def check_estimator(wanted: Estimator) -> None:
    """Raises InputError naming the option that does not fit, what was found and what was wanted."""
    if wanted.name not in ESTIMATORS:
        raise InputError(f"--estimator is {wanted.name!r}: wanted one of {', '.join(ESTIMATORS)}")
    most = 1.0 if wanted.name in KERNELS else 0.5
    if not 0 < wanted.nu <= most:
        raise InputError(f"--nu is {wanted.nu}: {wanted.name} wants a share above 0, at most {most:g}")
    kernels = KERNELS.get(wanted.name, ())
    if wanted.kernel is not None and wanted.kernel not in kernels:
        wants = f"wants one of {', '.join(kernels)}" if kernels else "has none"
        raise InputError(f"--kernel is {wanted.kernel!r}: {wanted.name} {wants}")
    if wanted.gamma is not None:
        _check_gamma(wanted)
    if wanted.tol is not None:
        if wanted.name != "OneClassSVM":
            raise InputError(f"--tol is {wanted.tol}: {wanted.name} has none")
        if not 0 < wanted.tol < 1:
            raise InputError(f"--tol is {wanted.tol}: wanted a number above 0, below 1")


def pipeline(wanted: Estimator) -> Any:
    """The scikit-learn pipeline, not fitted yet."""
    from sklearn.covariance import EllipticEnvelope
    from sklearn.ensemble import IsolationForest
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.linear_model import SGDOneClassSVM
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    chosen = settings(wanted)
    scaler = ("scaler", StandardScaler())
    if wanted.name == "OneClassSVM":
        return Pipeline([scaler, ("classifier", OneClassSVM(max_iter=MOST_ITERATIONS, **chosen))])
    if wanted.name == "SGDOneClassSVM":
        kernel, gamma = chosen.pop("kernel"), chosen.pop("gamma", None)
        linear = SGDOneClassSVM(random_state=SEED, **chosen)
        if kernel == "linear":
            return Pipeline([scaler, ("classifier", linear)])
        features = RBFSampler(gamma=gamma, n_components=FOURIER_FEATURES, random_state=SEED)
        return Pipeline([scaler, ("features", features), ("classifier", linear)])
    if wanted.name == "IsolationForest":
        # Trees do not care for a feature's scale.
        return Pipeline([("classifier", IsolationForest(contamination=wanted.nu, random_state=SEED))])
    envelope = EllipticEnvelope(contamination=wanted.nu, random_state=SEED)
    return Pipeline([scaler, ("classifier", envelope)])


def settings(wanted: Estimator) -> dict[str, Any]:
    """The settings that count, with defaults filled in."""
    if wanted.name not in KERNELS:
        return {"nu": wanted.nu}
    kernel = wanted.kernel or KERNELS[wanted.name][0]
    chosen: dict[str, Any] = {"nu": wanted.nu, "kernel": kernel}
    if kernel != "linear":
        chosen["gamma"] = wanted.gamma if wanted.gamma is not None else "scale"
    if wanted.name == "OneClassSVM":
        chosen["tol"] = wanted.tol or TOLERANCE
    return chosen


def _check_gamma(wanted: Estimator) -> None:
    if wanted.name not in KERNELS:
        raise InputError(f"--gamma is {wanted.gamma!r}: {wanted.name} has none")
    if settings(wanted)["kernel"] == "linear":
        raise InputError(f"--gamma is {wanted.gamma!r}: the linear kernel has none")
    words = ("scale", "auto") if wanted.name == "OneClassSVM" else ("scale",)
    number = isinstance(wanted.gamma, float) and math.isfinite(wanted.gamma) and wanted.gamma > 0
    if not number and wanted.gamma not in words:
        raise InputError(f"--gamma is {wanted.gamma!r}: wanted {', '.join(words)} or a number above 0")
