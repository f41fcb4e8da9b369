"""A small run as the report sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from scorer.contract import Rows
from scorer.report.result import Fault, RunResult, SensorResult, Series

START, END = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 15, tzinfo=UTC)
MakeSensor = Callable[..., SensorResult]


def scored(name: str, anomalies: int = 2, readings: int = 100) -> SensorResult:
    """A sensor with its first readings flagged, one reading a minute."""
    time = np.datetime64("2026-01-01T12:01", "us") + np.arange(readings) * np.timedelta64(60, "s")
    flagged = np.arange(readings) < anomalies
    series = Series(time, np.linspace(10.0, 15.0, readings), flagged, flagged.astype(float))
    rows = Rows(readings + 3, readings, 1, 2)
    return SensorResult(name, "Scored", rows=rows, anomalies=anomalies, seconds=0.25, series=series)


@pytest.fixture
def sensor() -> MakeSensor:
    return scored


@pytest.fixture
def run() -> RunResult:
    first = scored("device-1-tag-1", anomalies=3)
    assert first.series is not None
    found = Fault("device-1-tag-1", "spikes", first.series.time[:4])
    missed = Fault("device-1-tag-2", "level shift", first.series.time[50:60])
    sensors = (
        first,
        scored("device-1-tag-2", anomalies=5),
        SensorResult("device-1-tag-3", "Skipped", "NoModel", "there is no model <yet>"),
        SensorResult("device-1-tag-4", "Failed", "ModelCorrupt", "sha256 differs"),
    )
    return RunResult("hourly", START, END, sensors, (found, missed))
