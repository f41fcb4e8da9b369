"""Simulated sensors: readings of several kinds, models for them, and faults. Every one has its seed.

A series is made whole, training first and then the windows, so that both come from one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from scorer.contract.outcome import Rows
from scorer.guard.observe import longest_constant
from scorer.model import Model
from scorer.readings import Readings

Array = NDArray[np.float64]
Flags = NDArray[np.int8]
Series = Callable[[int, float, np.random.Generator], Array]
"""(rows, rows an hour, chance) → values."""


def ar(r: float) -> Series:
    """An AR(1) process with this correlation between one row and the next."""

    def series(rows: int, hourly: float, chance: np.random.Generator) -> Array:
        noise = chance.normal(size=rows) * np.sqrt(1 - r * r)
        noise[0] = chance.normal()
        return cast(Array, lfilter([1.0], [1.0, -r], noise))

    return series


def wave(height: float, hours: float, noise: float = 1.0, step: float = 0.0) -> Series:
    """A sine wave with noise, of a random phase; rounded to `step`, if that is not 0."""

    def series(rows: int, hourly: float, chance: np.random.Generator) -> Array:
        turns = np.arange(rows) / (hourly * hours) + chance.random()
        values = height * np.sin(2 * np.pi * turns) + noise * chance.normal(size=rows)
        return np.round(values / step) * step if step else values

    return series


def _slow(rows: int, hourly: float, chance: np.random.Generator) -> Array:
    return 0.7 * ar(np.exp(-1 / hourly))(rows, hourly, chance) + 0.7 * chance.normal(size=rows)


SERIES: dict[str, Series] = {
    "normal": lambda rows, _, chance: chance.normal(size=rows),
    "uniform, 2 decimals": lambda rows, _, chance: chance.uniform(10, 15, rows).round(2),
    "log-normal": lambda rows, _, chance: chance.lognormal(size=rows),
    "AR(1) 0.5": ar(0.5),
    "AR(1) 0.9": ar(0.9),
    "AR(1) 0.97": ar(0.97),
    "AR(1) 0.99": ar(0.99),
    "daily, 2 sigma": wave(2.0, 24),
    "daily, 10 sigma": wave(10.0, 24),
    "daily, in steps": wave(2.0, 24, noise=0.05, step=0.5),
    "drift, 0.25 sigma": wave(0.25, 100),
    "hour-long swings": _slow,
}


class Plan(NamedTuple):
    """One cell of a simulation: what the sensors are like, and how their models were trained."""

    kind: str
    hourly: int
    """Readings an hour, on average: the number of each hour is Poisson's."""
    trained_hours: int
    nu: float
    """The share that the model is made to flag."""

    @property
    def trained_rows(self) -> int:
        """Rows of the training."""
        return self.hourly * self.trained_hours

    def __str__(self) -> str:
        return f"{self.kind}, {self.hourly} an hour, trained on {self.trained_hours} h, nu {self.nu:g}"


class Hour(NamedTuple):
    """One window of a sensor."""

    model: Model
    values: Array
    flagged: Flags


def hours(plan: Plan, count: int, chance: np.random.Generator) -> Iterator[Hour]:
    """One sensor's windows. Its model flags what lies beyond two quantiles of its training rows.

    That is what a one-class SVM of one feature comes to; the two rows on the border are its support vectors.
    """
    sizes = chance.poisson(plan.hourly, count)
    values = SERIES[plan.kind](plan.trained_rows + int(sizes.sum()), plan.hourly, chance)
    trained, rest = values[: plan.trained_rows], values[plan.trained_rows :]
    ordered = np.sort(trained)
    outside = plan.nu * len(trained) / 2
    low, high = ordered[int(outside)], ordered[len(trained) - 1 - int(outside + 0.5)]
    flagged = ((rest < low) | (rest > high)).astype(np.int8)
    beyond = int(((trained < low) | (trained > high)).sum())
    model = stand_in(plan, trained, beyond, beyond + 2)
    for part, labels in zip(
        np.split(rest, np.cumsum(sizes)[:-1]), np.split(flagged, np.cumsum(sizes)[:-1]), strict=True
    ):
        yield Hour(model, part, labels)


def stand_in(plan: Plan, trained: Array, flagged: int, vectors: int) -> Model:
    """All of a model that the guard looks at."""
    times = np.arange(len(trained), dtype=np.int64) * 3_600_000_000 // plan.hourly
    training = {
        "rows": len(trained),
        "rowsPerHour": float(plan.hourly),
        "flagged": flagged / len(trained),
        "supportVectors": vectors,
        "valueRange": {"value": [float(trained.min()), float(trained.max())]},
        "longestConstant": {"value": longest_constant(times, trained)},
    }
    return Model(("value",), (), 1.0, "v", "a" * 64, {"training": training}, border_is_anomaly=False)


def readings(hour: Hour) -> Readings:
    """The hour's rows as a pod reads them."""
    rows = len(hour.values)
    times = np.arange(rows, dtype=np.int64)
    return Readings(times, hour.values.reshape(rows, -1), Rows(rows, rows), {})


Fault = Callable[[Hour, np.random.Generator], Hour]


def _ten_times(hour: Hour, chance: np.random.Generator) -> Hour:
    training = hour.model.metadata["training"]
    usual = max(training["flagged"], training["supportVectors"] / training["rows"])
    more = chance.random(len(hour.flagged)) < 9 * usual / (1 - usual)
    return hour._replace(flagged=(hour.flagged | more).astype(np.int8))


def _stuck(hour: Hour, chance: np.random.Generator) -> Hour:
    return hour._replace(values=np.full_like(hour.values, 1.25), flagged=np.zeros_like(hour.flagged))


def _all(hour: Hour, chance: np.random.Generator) -> Hour:
    return hour._replace(flagged=np.ones_like(hour.flagged))


def _half(hour: Hour, chance: np.random.Generator) -> Hour:
    here = chance.random(len(hour.values)) < 0.5
    return hour._replace(values=hour.values[here], flagged=hour.flagged[here])


def _shifted(hour: Hour, chance: np.random.Generator) -> Hour:
    low, high = hour.model.metadata["training"]["valueRange"]["value"]
    values = hour.values + (high - low)
    return hour._replace(values=values, flagged=(hour.flagged | (values > high)).astype(np.int8))


def _none(hour: Hour, chance: np.random.Generator) -> Hour:
    return hour._replace(flagged=np.zeros_like(hour.flagged))


FAULTS: dict[str, tuple[Fault, str]] = {
    "flags ten times as much": (_ten_times, "FlagRate"),
    "flags everything": (_all, "AllFlagged"),
    "flags nothing": (_none, "FlagRate"),
    "stuck at one value": (_stuck, "ConstantValue"),
    "out of its range": (_shifted, "OutsideTrainingRange"),
    "half of its rows missing": (_half, "MissingRows"),
}
"""What goes wrong, and the reason that should be told."""
