"""What a model file says of the readings that it was trained on, for people and for the guard.

    sensor        whose readings
    window        start/end; the version is valid from its end on
    rows          rows that were used
    rowsPerHour   median over the whole hours of the window that have any
    flagged       share of the rows that the model calls anomalies
    valueRange    {feature: [smallest, largest]}
    longestConstant   {feature: seconds of its longest stretch of one value}

Training adds `settings`, and `supportVectors` where there are any. Of a model that was trained elsewhere the
readings are those that it was proved by; `trainedRows` is what it says itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.guard.observe import longest_constant
from scorer.window import HOUR, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings import Readings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Finding(NamedTuple):
    """Why a model cannot tell normal from not: a name to count by, and a sentence."""

    name: str
    message: str


def facts(
    sensor: str,
    window: Window,
    readings: Readings,
    features: Sequence[str],
    flagged: NDArray[np.int8],
) -> dict[str, Any]:
    """The facts of at least one row; `flagged` is (rows,) of 0 and 1."""
    return {
        "sensor": sensor,
        "window": str(window),
        "rows": readings.rows.scored,
        "rowsPerHour": rows_per_hour(readings.times, window),
        "flagged": float(flagged.mean()),
        "valueRange": _ranges(readings.values, features),
        "longestConstant": {
            name: longest_constant(readings.times, column)
            for name, column in zip(features, readings.values.T, strict=True)
        },
    }


def _ranges(values: NDArray[np.float64], features: Sequence[str]) -> dict[str, list[float]]:
    """Of the features that have a number at all: where a model fills in what is missing, some may not."""
    known = {name: column[~np.isnan(column)] for name, column in zip(features, values.T, strict=True)}
    return {name: [float(column.min()), float(column.max())] for name, column in known.items() if len(column)}


def rows_per_hour(times: NDArray[np.int64], window: Window) -> float:
    """Median of rows an hour (HH:00, HH+1:00], over the window's whole hours with any.

    Of a window without a whole hour, its rows by its length. `times` are microseconds since 1970.
    """
    counts = []
    for hour in window.hours():
        if hour >= window.start and hour + HOUR <= window.end:
            start, end = (np.int64((edge - _EPOCH) // _MICROSECOND) for edge in (hour, hour + HOUR))
            counts.append(int(np.searchsorted(times, end, "right") - np.searchsorted(times, start, "right")))
    if any(counts):
        return float(np.median([count for count in counts if count]))
    return len(times) / ((window.end - window.start) / HOUR)


FLAGS_MANY = 0.4
"""Of the training readings: a model that calls so many odd does not know what is normal."""


MANY_VECTORS = 0.4
"""Of the rows beyond those that nu gives away. A one-class SVM flags about as many of new normal readings as
its share of support vectors (docs/guard.md)."""


def findings(training: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What is wrong with a model that was trained so; none if it can tell normal from not.

    nu bounds the share of support vectors from below: with nu * rows < 1 a single one can carry the whole
    model, whose border then lies anywhere (https://github.com/scikit-learn/scikit-learn/issues/4195).
    Anything that is missing or of another kind is passed over: files come from elsewhere too.
    """
    found = []
    rows = _number(training.get("trainedRows", training.get("rows")))
    outside = _number(_settings(training).get("nu"))
    if 0 < outside * rows < 1:
        least = int(np.ceil(1 / outside))
        found.append(
            Finding(
                "NuTooSmall",
                f"nu = {outside:g} leaves no reading outside among {rows:g}: "
                f"give {least} readings, or a larger nu",
            )
        )
    if training.get("supportVectors") == 1:
        found.append(
            Finding(
                "OneSupportVector",
                "one support vector carries the whole model, its border is of chance: raise nu or gamma",
            )
        )
    vectors = _number(training.get("supportVectors"))
    if vectors > 1 and vectors > (outside + MANY_VECTORS * (1 - outside)) * rows > 0:
        found.append(
            Finding(
                "ManyVectors",
                f"{vectors:g} of {rows:g} readings became support vectors: it knows them by heart, will flag "
                f"about {min(vectors / rows, 1):.0%} of new normal ones, and is slow; lower gamma, or give "
                "more readings",
            )
        )
    flagged = training.get("flagged")
    if flagged in (0, 1) and not isinstance(flagged, bool):
        name = "FlagsEverything" if flagged else "FlagsNothing"
        found.append(
            Finding(name, f"{flagged:.0%} of the training readings are flagged: it tells nothing apart")
        )
    elif _number(flagged) > max(FLAGS_MANY, 5 * outside):
        found.append(
            Finding("FlagsMany", f"{_number(flagged):.0%} of the training readings are flagged: wanted few")
        )
    return tuple(found)


def _settings(training: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = training.get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _number(value: object) -> float:
    """The number, or 0 for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
