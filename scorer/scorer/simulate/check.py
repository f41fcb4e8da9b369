"""Predictions of a simulation's time from a store, and the verdict on them as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from scorer.commands.console import table
from scorer.commands.said import Plain
from scorer.contract.outcome import SensorError
from scorer.contract.paths import SENSOR_TOKEN, SHARD_TOKEN, output_path
from scorer.errors import InputError
from scorer.prepare.discover import named_by
from scorer.shards import read_shard
from scorer.simulate.judge import Scored, Verdict, figures, kinds
from scorer.simulate.labels import Labels
from scorer.storage import NotFoundError, Store
from scorer.stored import MAX_PREDICTION_BYTES, read_file
from scorer.window import Window

if TYPE_CHECKING:
    from scorer.sensor_rows import SensorRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEAD = ("fault", "faults", "scored", "found", "by chance", "rows", "flagged", "recall", "")


def scored_rows(
    store: Store, template: str, span: Window, sensors: frozenset[str] | None
) -> Iterator[Scored]:
    """The rows with predictions of the window, of these sensors or of all; one object after the other.

    Raises InputError for a file that is no prediction, and StorageError.
    """
    start, end = (int((time - _EPOCH) / timedelta(microseconds=1)) for time in span)
    found = _of_shards if SHARD_TOKEN in template else _of_sensors
    try:
        for sensor, rows in found(store, template, span):
            if sensors is None or sensor in sensors:
                chosen = (rows.times > start) & (rows.times <= end)
                if chosen.any():
                    yield Scored(sensor, rows.times[chosen], rows.flagged[chosen] == 1)
    except SensorError as error:
        raise InputError(str(error)) from error


def _of_sensors(store: Store, template: str, span: Window) -> Iterator[tuple[str, SensorRows]]:
    paths = {output_path(template, SENSOR_TOKEN, hour): hour for hour in _hours(span)}
    for sensor in named_by(store, paths, "", Plain()):
        for hour in paths.values():
            path = output_path(template, sensor, hour)
            try:
                blob = store.get(path, MAX_PREDICTION_BYTES)
            except NotFoundError:
                continue
            yield sensor, read_file(path, blob.data)


def _of_shards(store: Store, template: str, span: Window) -> Iterator[tuple[str, SensorRows]]:
    for path in dict.fromkeys(output_path(template, "", hour) for hour in _hours(span)):
        before, _, after = path.partition(SHARD_TOKEN)
        pattern = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
        for entry in store.list(before.rpartition("/")[0]):
            if pattern.fullmatch(entry.path):
                yield from read_shard(entry.path, store.get(entry.path, MAX_PREDICTION_BYTES).data)


def _hours(span: Window) -> Iterator[Window]:
    for hour in span.hours():
        yield Window(hour, hour + timedelta(hours=1))


def span_of(labels: Labels) -> Window:
    """The time that the labels say the simulation was of. Raises InputError if they do not."""
    if labels.period is None:
        raise InputError("the labels do not say from when to when: wanted --window START/END")
    start, end = (_EPOCH + timedelta(microseconds=time) for time in labels.period)
    return Window(start, end)


def told(verdict: Verdict) -> str:
    """The verdict as a table and a few sentences."""
    lines: list[Sequence[object]] = [
        (
            kind.name,
            kind.faults,
            kind.scored,
            kind.found,
            f"{kind.by_chance:.1f}",
            kind.rows,
            kind.flagged,
            _percent(kind.flagged / kind.rows if kind.rows else math.nan),
            "" if kind.name == "all" else kind.verdict,
        )
        for kind in kinds(verdict)
    ]
    share = figures(verdict)
    lost = sum(seen.of - seen.rows for seen in verdict.faults)
    true = sum(seen.flagged for seen in verdict.faults)
    return "\n".join(
        [
            table(HEAD, lines),
            "",
            f"rows: {verdict.rows} of {len(verdict.sensors)} sensors, {verdict.flagged} flagged, {true} of "
            f"them rightly; precision {_percent(share['rowPrecision'])}, "
            f"recall {_percent(share['rowRecall'])}, F1 {share['rowF1']:.2f}",
            f"faults: recall {_percent(share['faultRecall'])} (an anomaly anywhere in its interval)",
            f"alarms, of flagged rows one after the other: {verdict.alarms}, {verdict.true_alarms} at a "
            f"fault; precision {_percent(share['alarmPrecision'])}",
            f"false alarms outside all faults: {verdict.false_in_quiet} of {verdict.quiet} rows, "
            f"{_percent(share['falseShare'])}",
            *([f"wrong rows without a prediction, not counted: {lost}"] if lost else []),
        ]
    )


def as_json(verdict: Verdict) -> dict[str, object]:
    """The verdict for programs."""
    return {
        "kinds": [kind._asdict() for kind in kinds(verdict)],
        **{name: None if np.isnan(value) else value for name, value in figures(verdict).items()},
        "rows": verdict.rows,
        "flagged": verdict.flagged,
        "alarms": verdict.alarms,
        "trueAlarms": verdict.true_alarms,
    }


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"
