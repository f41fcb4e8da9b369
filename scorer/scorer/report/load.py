"""Reads a run's results from the store alone: all attempts' outcomes, and the predictions that are drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from scorer.columns import numbers
from scorer.contract.outcome import SCORED, UNDECIDED, Rows
from scorer.errors import InputError
from scorer.report.picture import PANELS
from scorer.report.result import Fault, RunResult, SensorResult, Series, worst_first
from scorer.storage import NotFoundError, Store
from scorer.window import Window, hour_folder

READERS = 16
"""Requests at the same time: what is waited for here is the network."""
MAX_OUTCOME_BYTES = 16 * 1024 * 1024
MAX_PREDICTION_BYTES = 256 * 1024 * 1024
_OWN = ("time", "prediction", "score")

Told = Mapping[str, Any]
"""What an outcome says of one sensor."""


def load(
    store: Store, uid: str, name: str = "", window: Window | None = None, faults: Sequence[Fault] = ()
) -> RunResult:
    """The run with this UID. Raises InputError when there is none or it cannot be read, and StorageError.

    Without a name the UID serves; without a window the hours that hold the drawn readings.
    """
    told = last_words(_outcomes(store, uid))
    sensors = [_result(sensor) for sensor in told.values()]
    wanted = {sensor.sensor for sensor in worst_first(tuple(sensors))[:PANELS]}
    wanted |= {fault.sensor for fault in faults}
    with ThreadPoolExecutor(READERS) as readers:
        drawn = readers.map(
            lambda sensor: _with_series(store, sensor, told[sensor.sensor], sensor.sensor in wanted), sensors
        )
    results = tuple(drawn)
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


def last_words(outcomes: Sequence[Told]) -> dict[str, Told]:
    """For each sensor, in the run's order, what the newest attempt that decided it says; else the newest."""
    told: dict[str, Told] = {}
    for outcome in sorted(outcomes, key=lambda outcome: (outcome["chunk"], outcome["attempt"])):
        alone = len(outcome["sensors"]) == 1
        for sensor in outcome["sensors"]:
            before = told.get(sensor["sensor"])
            if before is None or sensor["state"] != UNDECIDED or before["state"] == UNDECIDED:
                # A sensor alone in its pod cost all of the pod's time, not only that of its own work.
                seconds = outcome["stagesMs"]["total"] / 1000 if alone else sensor.get("seconds", 0.0)
                told[sensor["sensor"]] = {**sensor, "seconds": seconds}
    return told


def _outcomes(store: Store, uid: str) -> list[Told]:
    folder = f"runs/{uid}/outcomes"
    paths = [entry.path for entry in store.list(folder) if entry.path.endswith(".json")]
    if not paths:
        raise InputError(
            f"no outcomes at {folder}: is {uid!r} the run's metadata.uid, and is this its store?"
        )
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda path: _outcome(store, path), paths))


def _outcome(store: Store, path: str) -> Told:
    try:
        outcome = json.loads(store.get(path, MAX_OUTCOME_BYTES).data)
        if not isinstance(outcome, dict) or not isinstance(outcome["sensors"], list):
            raise TypeError("sensors")
        last_words([outcome])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not an outcome of the scorer: {error!r}") from error
    return outcome


def _result(told: Told) -> SensorResult:
    return SensorResult(
        sensor=told["sensor"],
        state=told["state"],
        reason=told.get("reason", ""),
        message=told.get("message", ""),
        rows=Rows(**told.get("rows", {})),
        anomalies=told.get("anomalies", 0),
        seconds=told["seconds"],
    )


def _with_series(store: Store, sensor: SensorResult, told: Told, wanted: bool) -> SensorResult:
    if not wanted or sensor.state != SCORED or "prediction" not in told:
        return sensor
    path = told["prediction"]
    try:
        blob = store.get(path, MAX_PREDICTION_BYTES)
    except NotFoundError:
        return replace(sensor, message=f"{path} is not there any more")
    if blob.metadata.get("fingerprint") != told.get("fingerprint"):
        return replace(sensor, message=f"{path} was made anew by another run")
    return replace(sensor, series=_series(path, blob.data))


def _series(path: str, data: bytes) -> Series:
    try:
        file = ParquetFile(pa.BufferReader(data))
        feature = next(column for column in file.schema_arrow.names if column not in _OWN)
        table = file.read(columns=[*_OWN, feature], use_threads=False)
        time, flagged, score, value = (numbers(table.column(column))[0] for column in (*_OWN, feature))
    except (pa.ArrowException, OSError, ValueError, KeyError, StopIteration) as error:
        raise InputError(f"{path} is not a prediction of the scorer: {error!r}") from error
    return Series(time.view("datetime64[us]"), value.astype(np.float64), flagged == 1, score, feature)


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
