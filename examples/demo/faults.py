"""Faults put into the readings on purpose, so that one sees whether the models find them.

The readings themselves hold none. A one-class SVM that knows one value of a sensor finds what lies outside
the range that it was trained on: a spike, a level shift. A wrong rhythm or a frozen value it cannot find.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.datetime64]
Readings = tuple[Times, npt.NDArray[np.float64]]
"""One sensor's times (UTC) and values, as `scorer.land` takes them."""


class Plan(NamedTuple):
    """One fault: so many readings (0: all) of (start, end] move by `shift` times the sensor's range."""

    sensor: str
    kind: str
    start: str
    end: str
    readings: int
    shift: float


PLANS = (
    Plan("device-1-tag-2", "spikes up", "2018-08-29T00:20", "2018-08-29T01:05", 8, 1.3),
    Plan("device-2-tag-4", "level shift", "2018-08-29T01:20", "2018-08-29T01:50", 0, 1.2),
    Plan("device-3-tag-1", "spikes down", "2018-08-29T02:05", "2018-08-29T02:50", 6, -1.3),
)


class Injected(NamedTuple):
    """What was changed: the times of the changed readings."""

    sensor: str
    kind: str
    times: Times


def inject(
    readings: Mapping[str, Readings], plans: tuple[Plan, ...] = PLANS
) -> tuple[dict[str, Readings], list[Injected]]:
    """The readings with the faults in them, and what was changed. The given arrays stay as they are."""
    faulty = dict(readings)
    injected = []
    for plan in plans:
        times, values = faulty[plan.sensor]
        start, end = np.datetime64(plan.start, "us"), np.datetime64(plan.end, "us")
        places = np.flatnonzero((times > start) & (times <= end))
        if plan.readings:
            places = places[np.linspace(0, len(places) - 1, plan.readings).astype(int)]
        moved = values.copy()
        moved[places] += plan.shift * float(np.ptp(values))
        faulty[plan.sensor] = (times, moved)
        injected.append(Injected(plan.sensor, plan.kind, times[places]))
    return faulty, injected


def write(injected: list[Injected], path: Path) -> None:
    """The record of what was changed, as `scorer report --faults` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    faults = [
        {
            "sensor": fault.sensor,
            "kind": fault.kind,
            "times": [f"{time}Z" for time in np.datetime_as_string(fault.times, unit="ms")],
        }
        for fault in injected
    ]
    path.write_text(json.dumps({"faults": faults}, indent=1), encoding="utf-8")
