"""The stream as one picture: each sensor's readings as they landed, what was injected, found and sent."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from examples.stream.account import Alarm, Hour
from examples.stream.clock import HOUR
from scorer.storage import Store

INK, SOFT, PAPER, LINE = "#1c2733", "#66788a", "#ffffff", "#9fb0c0"
FAULT, FLAGGED, SENT = "#ffd9a0", "#d0342c", "#7b2d8b"
WIDTH, LANE, HEAD, FOOT, LEFT, RIGHT, DPI = 13.0, 0.36, 1.1, 0.75, 1.35, 0.3, 130
SHARE = 0.8
"""Of a lane's height that its readings take."""

_MICROSECONDS = 3_600_000_000
"""In an hour."""

Times = np.typing.NDArray[np.datetime64]


class Lane(NamedTuple):
    """One sensor's predictions."""

    times: Times
    values: np.typing.NDArray[np.float64]
    flagged: np.typing.NDArray[np.bool_]


def lanes(store: Store, hours: Sequence[Hour]) -> dict[str, Lane]:
    """Each sensor's, of all hours."""
    found: dict[str, list[Any]] = {}
    for hour in hours:
        for entry in store.list(f"predictions/{hour.start:%Y/%m/%d/%H}"):
            if entry.path.endswith(".parquet"):
                sensor = entry.path.rpartition("/")[2].removesuffix(".parquet")
                table = pq.read_table(
                    io.BytesIO(store.get(entry.path).data), columns=["time", "value", "prediction"]
                )
                found.setdefault(sensor, []).append([column.to_numpy() for column in table.columns])
    joined = {
        sensor: [np.concatenate(each) for each in zip(*parts, strict=True)] for sensor, parts in found.items()
    }
    return {
        sensor: Lane(times, values, flags == 1) for sensor, (times, values, flags) in sorted(joined.items())
    }


def draw(
    found: Mapping[str, Lane], hours: Sequence[Hour], labels: Path, got: Sequence[Alarm], path: Path
) -> None:
    """Write the picture as a PNG. `labels` is the simulator's file of what was injected."""
    faults = json.loads(labels.read_text(encoding="utf-8"))["faults"]
    path.parent.mkdir(parents=True, exist_ok=True)
    figure_of(found, hours, faults, got).savefig(path, metadata={"Software": None})


def figure_of(
    found: Mapping[str, Lane],
    hours: Sequence[Hour],
    faults: Sequence[Mapping[str, Any]],
    got: Sequence[Alarm],
) -> Figure:
    """The picture, not yet drawn: a lane for each sensor, the hours side by side, their counts above them."""
    height = HEAD + LANE * len(found) + FOOT
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    inner = (WIDTH - LEFT - RIGHT) / WIDTH
    axes = figure.add_axes((LEFT / WIDTH, FOOT / height, inner, LANE * len(found) / height))
    title = f"{sum(hour.arrived.events for hour in hours):,} events in, {len(got)} alarms out"
    figure.text(0.25 / WIDTH, 1 - 0.34 / height, title, color=INK, size=13, weight="bold")
    _scales(axes, list(found), hours)
    for place, (sensor, lane) in enumerate(found.items()):
        _lane(axes, place, lane, [each for each in faults if each["sensor"] == sensor])
        _sent(axes, place, [alarm for alarm in got if alarm.sensor == sensor])
    for hour in hours:
        _head(axes, hour)
    _foot(figure, height)
    return figure


def _scales(axes: Axes, sensors: Sequence[str], hours: Sequence[Hour]) -> None:
    axes.set_xlim(_at(hours[0].start), _at(hours[-1].start + HOUR))
    axes.set_ylim(len(sensors), 0)
    axes.set_yticks([place + 0.5 for place in range(len(sensors))], sensors, size=8, color=INK)
    edges = [*(hour.start for hour in hours), hours[-1].start + HOUR]
    axes.set_xticks([_at(edge) for edge in edges], [f"{edge:%H:%M}" for edge in edges])
    axes.tick_params(length=0, labelsize=8, colors=INK)
    for hour in hours[1:]:
        axes.axvline(_at(hour.start), color=SOFT, linewidth=0.8)
    for place in range(1, len(sensors)):
        axes.axhline(place, color="#e3e8ed", linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color("#c3ccd5")


def _lane(axes: Axes, place: int, lane: Lane, faults: Sequence[Mapping[str, Any]]) -> None:
    times = lane.times.astype("datetime64[us]").astype(np.int64) / _MICROSECONDS
    low, high = np.min(lane.values), np.max(lane.values)
    heights = place + 0.5 + SHARE * (0.5 - (lane.values - low) / max(high - low, 1e-9))
    for fault in faults:
        start, end = (_at(datetime.fromisoformat(fault[edge])) for edge in ("start", "end"))
        axes.fill_between([start, end], place, place + 1, color=FAULT, linewidth=0, zorder=0)
        axes.text(end, place + 0.5, f" {fault['kind']}", size=7, color=INK, va="center", zorder=4)
    axes.plot(times, heights, color=LINE, linewidth=0.4, zorder=1)
    axes.plot(times[lane.flagged], heights[lane.flagged], ".", color=FLAGGED, markersize=3, zorder=2)


def _sent(axes: Axes, place: int, got: Sequence[Alarm]) -> None:
    ends = [_at(alarm.end) for alarm in got]
    axes.plot(ends, [place + 0.5] * len(ends), "<", color=SENT, markersize=6, zorder=5, clip_on=False)


def _head(axes: Axes, hour: Hour) -> None:
    counts = hour.arrived
    lost = [f"{number:,} {name}" for name, number in _fates(hour).items() if number]
    words = (
        f"{counts.events:,} events: {counts.windowed:,} windowed{''.join(f', {each}' for each in lost)}\n"
        f"run {hour.phase or 'none'}: {hour.scored}/{hour.sensors} sensors, "
        f"{hour.anomalies:,} anomalies, {hour.sent} sent"
    )
    middle = _at(hour.start + HOUR / 2)
    axes.text(middle, -0.3, words, size=7, color=INK, ha="center", va="bottom", linespacing=1.5)


def _fates(hour: Hour) -> dict[str, int]:
    counts = hour.arrived
    return {
        "late": counts.late,
        "bad": counts.bad,
        "twice": counts.duplicate,
        "out of order": counts.out_of_order,
    }


def _at(time: datetime) -> float:
    """Hours since 1970."""
    return time.timestamp() / HOUR.total_seconds()


def _foot(figure: Figure, height: float) -> None:
    parts = (
        ("■", FAULT, "injected"),
        ("●", FLAGGED, "anomaly"),
        ("◀", SENT, "sent to the sink, of the hour before"),
    )
    at = LEFT
    for sign, colour, words in parts:
        figure.text(at / WIDTH, 0.22 / height, sign, color=colour, size=10)
        figure.text((at + 0.2) / WIDTH, 0.23 / height, words, color=SOFT, size=8)
        at += 0.5 + 0.075 * len(words)
    figure.text(at / WIDTH, 0.23 / height, "each lane on its own scale", color=SOFT, size=8)
