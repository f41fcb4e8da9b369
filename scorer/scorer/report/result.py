"""A run's results as plain values: what the report's table, picture and page are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import numpy as np
import numpy.typing as npt

from scorer.contract.outcome import SCORED, Rows

NO_ROWS = Rows()


@dataclass(frozen=True)
class Series:
    """Scored readings of one sensor, by time: all arrays have one entry a reading."""

    time: npt.NDArray[np.datetime64]
    value: npt.NDArray[np.float64]
    anomaly: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]
    feature: str = "value"


@dataclass(frozen=True)
class SensorResult:
    """How one sensor went: Scored with its series, or Skipped, Failed or Undecided with a reason."""

    sensor: str
    state: str
    reason: str = ""
    message: str = ""
    rows: Rows = NO_ROWS
    anomalies: int = 0
    seconds: float = 0.0
    series: Series | None = None

    @property
    def share(self) -> float:
        """Anomalies among the scored rows, 0 to 1."""
        return self.anomalies / self.rows.scored if self.rows.scored else 0.0


@dataclass(frozen=True)
class Fault:
    """A fault that was put into a sensor's readings on purpose, and the times of the changed readings."""

    sensor: str
    kind: str
    times: npt.NDArray[np.datetime64]

    @property
    def start(self) -> np.datetime64:
        """Time of the first changed reading."""
        return self.times.min()  # type: ignore[no-any-return]

    @property
    def end(self) -> np.datetime64:
        """Time of the last changed reading."""
        return self.times.max()  # type: ignore[no-any-return]

    def spans(self, gap: np.timedelta64) -> list[tuple[np.datetime64, np.datetime64]]:
        """First and last time of each group of changed readings that lie no further apart than `gap`."""
        times = np.sort(self.times)
        groups = np.split(times, np.flatnonzero(np.diff(times) > gap) + 1)
        return [(group[0], group[-1]) for group in groups if len(group)]


@dataclass(frozen=True)
class Finding:
    """A fault, and how many of its readings were flagged."""

    fault: Fault
    flagged: int
    of: int

    @property
    def found(self) -> bool:
        """Most of it was flagged: an operator looking at the sensor sees it."""
        return self.of > 0 and 2 * self.flagged > self.of


@dataclass(frozen=True)
class RunResult:
    """One run: its window and its sensors in the run's order."""

    name: str
    start: datetime
    end: datetime
    sensors: tuple[SensorResult, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def rows(self) -> Rows:
        """Rows of all sensors together."""
        return reduce(Rows.plus, (sensor.rows for sensor in self.sensors), NO_ROWS)

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.rows.read == self.rows.scored + self.rows.rejected + self.rows.duplicate

    @property
    def anomalies(self) -> int:
        """Anomalies of all sensors together."""
        return sum(sensor.anomalies for sensor in self.sensors)

    def in_state(self, state: str) -> int:
        """How many sensors ended so."""
        return sum(sensor.state == state for sensor in self.sensors)

    def findings(self) -> list[Finding]:
        """For each injected fault, whether it was found."""
        series = {sensor.sensor: sensor.series for sensor in self.sensors}
        return [_finding(fault, series.get(fault.sensor)) for fault in self.faults]


def _finding(fault: Fault, series: Series | None) -> Finding:
    if series is None:
        return Finding(fault, 0, len(fault.times))
    changed = np.isin(series.time, fault.times)
    return Finding(fault, int(series.anomaly[changed].sum()), len(fault.times))


def worst_first(sensors: tuple[SensorResult, ...]) -> list[SensorResult]:
    """What needs a look first: sensors that were not scored, then by anomalies."""
    return sorted(sensors, key=lambda sensor: (sensor.state == SCORED, -sensor.anomalies, sensor.sensor))
