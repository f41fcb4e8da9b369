"""The report as one picture: a panel for each sensor with its readings, anomalies and injected faults."""

from __future__ import annotations

import math
from datetime import UTC
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from scorer.report.result import Fault, RunResult, SensorResult, worst_first
from scorer.report.words import count, period, shortened, state_words, summary

PANELS = 60
"""More panels than this cannot be read; the worst are shown."""
DOTS = 2_000
"""More readings than this in a panel are a smear, and slow to draw; every n-th is shown."""

INK, SOFT, GRID, PAPER = "#1c2733", "#66788a", "#e6eaee", "#ffffff"
READING, ANOMALY, FAULT = "#7d93a8", "#d6336c", "#ffd666"

# Inches.
WIDTH, ROW, GAP, HEAD, FOOT, SIDE = 13.2, 1.28, 0.52, 1.28, 0.62, 0.62
DPI = 160

DAY = 86_400
"""Seconds; matplotlib counts time in days since 1970."""


def draw(run: RunResult, path: Path) -> None:
    """Write the picture as a PNG."""
    figure_of(run).savefig(path, metadata={"Software": None})


def figure_of(run: RunResult) -> Figure:
    """The picture, not yet drawn."""
    shown = panels_of(run)
    columns = columns_for(len(shown))
    rows = max(1, math.ceil(len(shown) / columns))
    height = HEAD + rows * ROW + (rows - 1) * GAP + FOOT
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        rows,
        columns,
        left=SIDE / WIDTH,
        right=1 - 0.3 / WIDTH,
        top=1 - HEAD / height,
        bottom=FOOT / height,
        hspace=GAP / ROW,
        wspace=0.17,
    )
    window = (run.start.timestamp() / DAY, run.end.timestamp() / DAY)
    for place, sensor in enumerate(shown):
        # Column by column, so that device-1's sensors stand below each other.
        column, row = divmod(place, rows)
        axes = figure.add_subplot(grid[row, column])
        last = row == rows - 1 or place == len(shown) - 1
        _frame(axes, window, last)
        _panel(axes, sensor, [fault for fault in run.faults if fault.sensor == sensor.sensor], window)
    _head(figure, run, len(shown), height)
    return figure


def panels_of(run: RunResult) -> list[SensorResult]:
    """The sensors that get a panel: all in the run's order, or the worst where there are too many."""
    if len(run.sensors) <= PANELS:
        return list(run.sensors)
    return worst_first(run.sensors)[:PANELS]


def columns_for(panels: int) -> int:
    """How many panels stand side by side."""
    if panels <= 3:
        return max(panels, 1)
    return 3 if panels <= 24 else 4


def days(times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Times as matplotlib counts them."""
    return (times - np.datetime64(0, "us")) / np.timedelta64(1, "D")


def thin(kept: npt.NDArray[np.intp], limit: int) -> npt.NDArray[np.intp]:
    """Every n-th of these indices, so that at most `limit` are left."""
    return kept[:: max(1, math.ceil(len(kept) / limit))]


def _panel(axes: Axes, sensor: SensorResult, faults: list[Fault], window: tuple[float, float]) -> None:
    place = axes.transAxes
    name = axes.text(0, 1.07, sensor.sensor, transform=place, fontsize=9, fontweight="bold", color=INK)
    note = axes.text(1, 1.07, state_words(sensor), transform=place, fontsize=8.5, ha="right", color=SOFT)
    _fit(name, note.get_window_extent().x0 - 0.1 * DPI)
    series = sensor.series
    if series is None or not len(series.time):
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no readings scored", transform=axes.transAxes, ha="center", va="center", color=SOFT
        )
        return
    times = days(series.time)
    for start, end in shaded(faults, window):
        axes.axvspan(start, end, color=FAULT, alpha=0.5, lw=0, zorder=0)
    normal = thin(np.flatnonzero(~series.anomaly), DOTS)
    axes.plot(times[normal], series.value[normal], ".", ms=3.2, color=READING, mew=0, alpha=0.75, zorder=2)
    odd = series.anomaly
    axes.plot(times[odd], series.value[odd], "o", ms=4.6, color=ANOMALY, mec=PAPER, mew=0.6, zorder=3)


def _fit(text: Text, right: float) -> None:
    """Shorten a text until it ends before this place on the canvas, in pixels."""
    whole = text.get_text()
    for length in range(len(whole), 3, -1):
        text.set_text(shortened(whole, length))
        if text.get_window_extent().x1 <= right:
            return


def shaded(faults: list[Fault], window: tuple[float, float]) -> list[tuple[float, float]]:
    """What to shade, in matplotlib's days; a margin makes a single changed reading visible."""
    margin = (window[1] - window[0]) / 150
    gap = np.timedelta64(int(2 * margin * DAY * 1e6), "us")
    spans = [span for fault in faults for span in fault.spans(gap)]
    edges = days(np.array(spans, dtype="datetime64[us]").reshape(-1, 2))
    return [(float(start) - margin, float(end) + margin) for start, end in edges]


def _frame(axes: Axes, window: tuple[float, float], last: bool) -> None:
    axes.set_facecolor(PAPER)
    axes.set_xlim(*window)
    axes.margins(y=0.1)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT, pad=3)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    locator = AutoDateLocator(minticks=3, maxticks=7, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    long = window[1] - window[0] > 2
    clock = DateFormatter("%-d %b" if long else "%H:%M", tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(clock)
    axes.tick_params(axis="x", labelbottom=last, length=3, color=GRID)


def _head(figure: Figure, run: RunResult, shown: int, height: float) -> None:
    left = SIDE / WIDTH
    figure.text(left, 1 - 0.36 / height, run.name, fontsize=17, fontweight="bold", color=INK, va="center")
    figure.text(
        left, 1 - 0.70 / height, f"{period(run)} · {summary(run)}", fontsize=10, color=SOFT, va="center"
    )
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=".", ls="", ms=7, color=READING, mew=0, label="reading"),
        Line2D([], [], marker="o", ls="", ms=6, color=ANOMALY, mec=PAPER, mew=0.6, label="anomaly"),
    ]
    if run.faults:
        handles.append(Patch(facecolor=FAULT, alpha=0.45, label="injected fault"))
    figure.legend(
        handles=handles,
        loc="center right",
        bbox_to_anchor=(1 - 0.26 / WIDTH, 1 - 0.36 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=10,
        labelcolor=INK,
        handletextpad=0.4,
        columnspacing=1.6,
    )
    foot = "Times are UTC. Each panel has its own scale; its right-hand note is anomalies of scored readings."
    if shown < len(run.sensors):
        worst = f"Of {count(len(run.sensors))} sensors, the {shown} that most need a look"
        foot = f"{worst}: not scored, or with most anomalies. {foot}"
    figure.text(left, 0.17 / height, foot, fontsize=8.5, color=SOFT, va="center")
