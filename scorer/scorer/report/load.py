"""Reads a run's results from the store alone: all attempts' outcomes, and the predictions that are drawn."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from scorer.contract.outcome import SCORED, Rows
from scorer.errors import InputError
from scorer.outcomes import Told, held, in_order, last_words, outcome_paths, read_outcome
from scorer.report.picture import PANELS
from scorer.report.result import Fault, RunResult, SensorResult, Series, worst_first
from scorer.storage import NotFoundError, Store
from scorer.stored import Stored, read_object
from scorer.window import Window, hour_folder


def load(
    store: Store, uid: str, name: str = "", window: Window | None = None, faults: Sequence[Fault] = ()
) -> RunResult:
    """The run with this UID. Raises InputError when there is none or it cannot be read, and StorageError.

    Without a name the UID serves; without a window the hours that hold the drawn readings.
    """
    told = last_words(_outcomes(store, uid))
    try:
        sensors = [_result(sensor) for sensor in told.values()]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"runs/{uid}/outcomes say of a sensor what cannot be: {error!r:.200}") from error
    wanted = {sensor.sensor for sensor in worst_first(tuple(sensors))[:PANELS]}
    wanted |= {fault.sensor for fault in faults}
    series = _all_series(store, {sensor: told[sensor] for sensor in told if sensor in wanted})
    results = tuple(replace(sensor, **series.get(sensor.sensor, {})) for sensor in sensors)
    start, end = window or _hours(results)
    return RunResult(name or f"run {uid}", start, end, results, tuple(faults))


def read_faults(path: Path) -> list[Fault]:
    """Faults from a file {"faults": [{"sensor", "kind", "times": [RFC 3339, ...]}]}. Raises InputError."""
    try:
        faults = json.loads(path.read_text(encoding="utf-8"))["faults"]
        return [Fault(fault["sensor"], fault["kind"], _times(fault["times"])) for fault in faults]
    except OSError as error:
        raise InputError(f"faults file {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        wanted = '{"faults": [{"sensor": ..., "kind": ..., "times": [...]}]}'
        raise InputError(f"faults file {path} is not {wanted}: {error!r}") from error


def _outcomes(store: Store, uid: str) -> list[Told]:
    paths = outcome_paths(store, uid)
    if not paths:
        raise InputError(
            f"no outcomes at runs/{uid}/outcomes: is {uid!r} the run's metadata.uid, and is this its store?"
        )
    return list(in_order(paths, lambda path: read_outcome(store, path), held))


def _result(told: Told) -> SensorResult:
    rows, anomalies = Rows(**told.get("rows", {})), told.get("anomalies", 0)
    if not all(type(count) is int for count in (*rows, anomalies)):
        raise TypeError(f"rows {rows}, anomalies {anomalies!r}")
    words = [
        told["sensor"],
        told["state"],
        told.get("reason", ""),
        told.get("message") or told.get("lost", ""),
    ]
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"words {words}")
    sensor, state, reason, message = words
    return SensorResult(sensor, state, reason, message, rows, anomalies, float(told["seconds"]))


def _all_series(store: Store, told: Mapping[str, Told]) -> dict[str, dict[str, Any]]:
    """What there is to draw of each scored sensor: its series, or a message in its place."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for sensor, said in told.items():
        if said["state"] == SCORED and "prediction" in said:
            paths[said["prediction"]].append(sensor)

    def read(path: str) -> dict[str, dict[str, Any]]:
        try:
            found = read_object(store, path, paths[path]).sensors
        except NotFoundError:
            found = {}
        return {sensor: _series(path, found.get(sensor), told[sensor]) for sensor in paths[path]}

    series: dict[str, dict[str, Any]] = {}
    for found in in_order(list(paths), read, lambda _: 0):
        series |= found
    return series


def _series(path: str, found: Stored | None, told: Told) -> dict[str, Any]:
    if found is None:
        return {"message": f"{path} is not there any more"}
    if found.metadata.get("fingerprint") != told.get("fingerprint"):
        return {"message": f"{path} was made anew by another run"}
    rows = found.rows
    if not rows.features or not len(rows.times):
        return {}
    time = rows.times.view("datetime64[us]")
    return {"series": Series(time, rows.values[:, 0], rows.flagged == 1, rows.scores, rows.features[0])}


def _hours(sensors: Sequence[SensorResult]) -> Window:
    """The whole hours that hold the readings; the current one where there are none."""
    times = [
        sensor.series.time for sensor in sensors if sensor.series is not None and len(sensor.series.time)
    ]
    if not times:
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        return Window(now, now + timedelta(hours=1))
    first, last = min(each[0] for each in times), max(each[-1] for each in times)
    return Window(hour_folder(_utc(first)), hour_folder(_utc(last)) + timedelta(hours=1))


def _utc(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


def _times(texts: Sequence[str]) -> np.typing.NDArray[np.datetime64]:
    moments = [datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) for text in texts]
    if not moments:
        raise ValueError("a fault without times")
    return np.array(moments, dtype="datetime64[us]")
