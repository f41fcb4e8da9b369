"""What the guard is to know of one sensor's window: a few facts, taken while the pod has the rows at hand.

They are a JSON object of at most 300 bytes in ASCII, because they travel in a blob's metadata. What the model
file does not say of its training is left out; nothing here ever fails on what it says.

    m   first 12 characters of the model file's SHA-256 (of that and the border, if the run gives one): whose
        facts these are
    n   rows scored         f   of them flagged     g   runs of flagged rows that follow each other
    r   rows rejected       u   dependence of the rows: so many of them tell as much as one (1: independent)
    k   features            o   rows with a value outside the range seen in training
    c   [feature, value, seconds]: one that never changed, and how long it did not in training (null: unknown)
    x   rows expected       t   [rows, flagged, support vectors] of the training
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.window import HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model import Model
    from scorer.readings import Readings
    from scorer.window import Window

    Array = NDArray[np.float64]

MAX_BYTES = 300
MAX_NAME = 48
"""Of a feature's name, in bytes of JSON: enough to know it by."""
MAX_COUNT = 10**9
"""A larger number of rows or seconds is no measurement."""
LARGEST = sys.float_info.max
LOOKED_AT = 1024
DEPENDENT = 16
"""Rows and features whose dependence is measured: more say the same, and a pod's time is dear."""
BLOCKS = 8


def observe(
    model: Model, readings: Readings, flagged: NDArray[np.integer[Any]], window: Window
) -> dict[str, Any]:
    """The facts of the window's rows; `flagged` is (rows,) of 0 and 1."""
    told = model.metadata.get("training")
    training: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    values = readings.values
    rows, features = values.shape
    seen: dict[str, Any] = {
        "m": _whose(model),
        "n": rows,
        "f": int(np.count_nonzero(flagged)),
        "g": int(np.count_nonzero(flagged[1:] > flagged[:-1]) + np.count_nonzero(flagged[:1])),
        "r": readings.rows.rejected,
        "k": features,
    }
    if rows:
        seen |= _of_values(model.features, values, training)
    hourly = _number(training.get("rowsPerHour"), 0.0)
    if hourly is not None:
        seen["x"] = min(round(hourly * ((window.end - window.start) / HOUR), 1), float(MAX_COUNT))
    # What training flagged says nothing of another border.
    if not model.threshold and (counts := _training_counts(training)):
        seen["t"] = counts
    return seen


def _whose(model: Model) -> str:
    """A model with another border than its own flags other rows: its windows are not those of the model."""
    if not model.threshold:
        return model.sha256[:12]
    return hashlib.sha256(f"{model.sha256}/{model.threshold!r}".encode()).hexdigest()[:12]


def _of_values(features: tuple[str, ...], values: Array, training: Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    dependence = max(_dependence(column) for column in values[:LOOKED_AT, :DEPENDENT].T)
    if dependence >= 1.5:
        seen["u"] = round(dependence)
    ranges = _ranges(features, training)
    outside: NDArray[np.bool_] | None = None
    # Lists, because most models have one feature: numpy's calls would take longer than the numbers.
    smallest, largest = (edge.tolist() for edge in _edges(values))
    for place, name in enumerate(features):
        low, high = ranges.get(name, (-math.inf, math.inf))
        if smallest[place] < low or largest[place] > high:
            column = values[:, place]
            beyond = (column < low) | (column > high)
            outside = beyond if outside is None else outside | beyond
        # What never changed in training either is no fault.
        if smallest[place] == largest[place] and low < high and len(values) > 1:
            seen.setdefault("c", [_short(name), float(f"{smallest[place]:.6g}"), _longest(name, training)])
    if ranges:
        seen["o"] = 0 if outside is None else int(np.count_nonzero(outside))
    return seen


def _edges(values: Array) -> tuple[Array, Array]:
    """Smallest and largest value of each feature, NaN passed over: a model may accept it."""
    columns = values.T  # each feature's values stand one after the other
    return np.fmin.reduce(columns, axis=1), np.fmax.reduce(columns, axis=1)


def _longest(name: str, training: Mapping[str, Any]) -> int | None:
    """Seconds for which the feature kept one value in training."""
    told = training.get("longestConstant")
    seconds = _number(told.get(name), 0.0) if isinstance(told, Mapping) else None
    return None if seconds is None else round(seconds)


def longest_constant(times: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Seconds of the longest stretch with one value; `times` in microseconds and `values`, both (rows,)."""
    if len(times) < 2:
        return 0.0
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    ends = np.append(begins[1:], len(times)) - 1
    return float((times[ends] - times[begins]).max()) / 1e6


def _dependence(values: Array) -> float:
    """How many rows tell as much as one independent row: the integrated autocorrelation time of (rows,).

    The larger of two estimates: of an AR(1) process by its first autocorrelation r, (1 + r) / (1 - r), and by
    the variance of batch means, which sees what is slower (Flegal and Jones, 2010, Annals of Statistics 38).
    At most the number of rows.
    """
    rows = len(values)
    if rows < 2 * BLOCKS:
        return 1.0
    centred = values - values.sum() / rows
    squares = float(centred @ centred)
    if not 0 < squares < math.inf:  # NaN too
        return 1.0
    first = min(max(float(centred[1:] @ centred[:-1]) / squares, 0.0), 1 - 1 / rows)
    size = rows // BLOCKS
    sums = centred[: BLOCKS * size].reshape(BLOCKS, size).sum(axis=1)
    slow = float(sums @ sums) / size / (BLOCKS - 1) * rows / squares
    return min(float(rows), max((1 + first) / (1 - first), slow))


def _ranges(features: tuple[str, ...], training: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Smallest and largest training value of the features for which they are known."""
    found: dict[str, tuple[float, float]] = {}
    told = training.get("valueRange")
    if not isinstance(told, Mapping):
        return found
    for name in features:
        edges = told.get(name)
        if isinstance(edges, list) and len(edges) == 2:
            low, high = (_number(edge, -LARGEST, LARGEST) for edge in edges)
            if low is not None and high is not None and low <= high:
                found[name] = low, high
    return found


def _training_counts(training: Mapping[str, Any]) -> list[int] | None:
    rows, share = _number(training.get("rows"), 1.0), _number(training.get("flagged"), 0.0, 1.0)
    if rows is None or share is None:
        return None
    vectors = _number(training.get("supportVectors"), 0.0) or 0.0
    return [int(rows), round(share * rows), min(int(vectors), int(rows))]


def _number(value: object, least: float, most: float = MAX_COUNT) -> float | None:
    """A finite number within the bounds, None for anything else: files come from elsewhere too."""
    if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
        return float(value)
    return None


def _short(name: str) -> str:
    """As much of the name as fits and can be shown."""
    name = "".join(character if character.isprintable() else "?" for character in name)
    while len(json.dumps(name)) > MAX_NAME:
        name = name[: -max(1, len(name) // 8)]
    return name
