"""The normal limits of a model with one feature: an explanation for people, made of the model's own labels.

Labels come from scores, never from limits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.errors import InputError
from scorer.model import anomalies, decisions, scores
from scorer.model.grid import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scorer.model import Model
    from scorer.model.forms.form import Prepared

    Array = NDArray[np.float64]

FARTHEST = 1e100
"""Of a reading. What is normal there is normal without limit."""
MOST_POINTS = 1 << 20
MAX_DEGREE = 32
_STEP = 1 / 16  # of a kernel's standard deviation, to begin with
_FINEST = 1e-6  # of it: a narrower interval is one of less than a stored score's grid


def limits(model: Model) -> list[tuple[float, float]]:
    """The intervals of values that the model labels normal, ascending, both ends included; inf for no limit.

    An end is the last normal value: the next floating-point number is an anomaly. All intervals are found for
    rbf kernels (the decision function's second derivative is at most 2γ Σ|αₖ|, so that between two points it
    cannot reach the border unseen; what is narrower than 1e-6 of the kernel's width is not looked for),
    planes, ellipses, polynomials and forests. Between points of a sigmoid kernel's grid an interval narrower
    than a sixteenth of a kernel's width could be missed.

    Raises InputError for a model with more features, one behind a kernel approximation that is a stage of its
    own, and one of a plugin.
    """
    if model.plugin or len(model.features) != 1:
        found = f"the plugin {model.plugin.name!r}" if model.plugin else f"{len(model.features)} features"
        raise InputError(f"normal limits are for a compiled model with one feature: this one has {found}")
    slope, start = _affine(model.stages[:-1])
    form, arrays = model.stages[-1]
    if form not in _POINTS:
        raise InputError(f"normal limits are not known for {form}")
    inner = (_POINTS[form](arrays) - start) / slope if slope else np.empty(0)
    points = _unique(np.concatenate([inner, [-FARTHEST, 0.0, FARTHEST]]))
    if "vectors" in arrays and slope:  # of an rbf kernel
        deviation = 1 / _wide(arrays) / abs(slope)
        points = _refined(model, points, arrays["size"] / deviation**2, deviation)
    return _intervals(points, _normal(model, points), model)


def _affine(stages: Sequence[tuple[str, Prepared]]) -> tuple[float, float]:
    """Slope and start of what the transforms make of a value, but for its clipping."""
    slope, start = 1.0, 0.0
    for form, arrays in stages:
        numbers = {name: float(np.ravel(array)[0]) for name, array in arrays.items() if np.size(array) == 1}
        match form:
            case "standard_scaler" | "robust_scaler":
                slope, start = slope / numbers["scale"], (start - numbers["mean"]) / numbers["scale"]
            case "min_max_scaler":
                slope, start = slope * numbers["scale"], start * numbers["scale"] + numbers["min"]
            case "pca":
                factor = numbers["components"] / numbers["scale"]
                slope, start = slope * factor, (start - numbers["mean"]) * factor
            case "clip" | "simple_imputer":
                pass
            case _:
                raise InputError(f"normal limits are not known behind {form}")
    return slope, start


# Points between which a decision function changes its sign once at most, or where to begin to look.


def _wide(arrays: Prepared) -> float:
    """Of an rbf kernel, one by its standard deviation."""
    return math.sqrt(2 * arrays["gamma"])


def _radial_points(arrays: Prepared) -> Array:
    """A grid over all places to which a vector's kernel reaches, up to where the intercept outweighs it."""
    size, intercept = arrays["size"], abs(arrays["intercept"])
    least = max(intercept / 2 / size, 1e-300) if size else 1.0
    reach = math.sqrt(max(-math.log(min(least, 1.0)), 1.0) / arrays["gamma"])
    vectors = np.sort(arrays["vectors"].ravel())
    apart = np.flatnonzero(np.diff(vectors) > 2 * reach)
    starts = vectors[np.concatenate([[0], apart + 1])] - reach
    ends = vectors[np.concatenate([apart, [len(vectors) - 1]])] + reach
    counts = np.ceil((ends - starts) * _wide(arrays) / _STEP).astype(int) + 2
    if counts.sum() > MOST_POINTS:
        raise InputError("normal limits would need too many points: the kernel is narrow against the values")
    return np.concatenate([np.linspace(*place) for place in zip(starts, ends, counts, strict=True)])


def _bent_points(arrays: Prepared) -> Array:
    """Where each vector's argument is 0, and steps from there that double."""
    matrix = arrays["product"]
    slopes, offsets = matrix[:, 0], matrix[:, 1]
    used = slopes != 0
    steps = np.concatenate([-(2.0 ** np.arange(6, -5, -1)), [0.0], 2.0 ** np.arange(-4, 7)])
    steps = np.concatenate([steps, np.linspace(-2, 2, 65)])
    return np.asarray((steps[:, None] - offsets[used]) / slopes[used]).ravel()


def _poly_points(arrays: Prepared) -> Array:
    """Where the polynomial's derivative is 0: between two such points it is monotone."""
    degree, matrix = arrays["degree"], arrays["product"]
    if degree > MAX_DEGREE:
        raise InputError(f"normal limits are known up to degree {MAX_DEGREE}: this kernel has {degree}")
    slopes, offset = matrix[:, 0], matrix[0, 1]
    powers = range(degree - 1, -1, -1)
    factors = arrays["weights"] * slopes
    found = [
        math.comb(degree - 1, power) * float((factors * slopes**power).sum()) * offset ** (degree - 1 - power)
        for power in powers
    ]
    return np.real(np.roots(found)) if np.isfinite(found).all() else np.empty(0)


def _forest_points(arrays: Prepared) -> Array:
    """Between two thresholds a forest decides the same."""
    thresholds = _unique(arrays["threshold"])
    return thresholds[:-1] + np.diff(thresholds) / 2


_POINTS: dict[str, Any] = {
    "one_class_svm_rbf": _radial_points,
    "nystroem_sgd_one_class_svm": _radial_points,
    "one_class_svm_sigmoid": _bent_points,
    "one_class_svm_poly": _poly_points,
    "one_class_svm_linear": lambda _: np.empty(0),
    "sgd_one_class_svm": lambda _: np.empty(0),
    "elliptic_envelope": lambda arrays: arrays["location"].ravel(),
    "isolation_forest": _forest_points,
}


def _refined(model: Model, points: Array, curvature: float, deviation: float) -> Array:
    """More points wherever the decision function could reach the border between two of the same sign.

    Over a distance h it is at most curvature · h²/8 from the straight line between its values. Between points
    further apart than the grid's, no kernel reaches.
    """
    found = decisions(model, points[:, None])
    while len(points) < MOST_POINTS:
        widths = np.diff(points)
        nearest = np.minimum(np.abs(found[:-1]), np.abs(found[1:]))
        unseen = nearest <= curvature * widths**2 / 8 + grid_of(model.scale)
        unseen &= np.sign(found[:-1]) == np.sign(found[1:])
        unseen &= (widths > _FINEST * deviation) & (widths < 2 * _STEP * deviation)
        if not unseen.any():
            break
        middles = points[:-1][unseen] + widths[unseen] / 2
        points = np.concatenate([points, middles])
        found = np.concatenate([found, decisions(model, middles[:, None])])
        order = np.argsort(points, kind="stable")
        points, found = points[order], found[order]
    return points


def _normal(model: Model, values: Array) -> NDArray[np.bool_]:
    flagged = anomalies(model, scores(model, values[:, None]))
    return np.logical_not(flagged)


def _intervals(points: Array, normal: NDArray[np.bool_], model: Model) -> list[tuple[float, float]]:
    """From one label to the other by bisection, to the last bit."""
    changes = np.flatnonzero(normal[:-1] != normal[1:])
    low, high = _ordered(points[changes]), _ordered(points[changes + 1])
    starts_normal = normal[changes]
    while np.any(high - low > 1):
        middle = low + (high - low) // 2
        same = _normal(model, _number(middle)) == starts_normal
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    ends = _number(np.where(starts_normal, low, high)).tolist()
    if normal[0]:
        ends.insert(0, -math.inf)
    if normal[-1]:
        ends.append(math.inf)
    return list(zip(ends[::2], ends[1::2], strict=True))


def _ordered(values: Array) -> NDArray[np.int64]:
    """Numbers as whole numbers that count all floating-point numbers in order.

    0 is one of the points, so that what is compared has one sign, and differences fit.
    """
    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _number(places: NDArray[np.int64]) -> Array:
    """The other way round."""
    return np.where(places < 0, np.int64(-(2**63)) - places, places).view(np.float64) + 0.0


def _unique(values: Array) -> Array:
    return np.unique(values[np.isfinite(values) & (np.abs(values) <= FARTHEST)])
