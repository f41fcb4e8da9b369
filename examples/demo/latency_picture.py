"""The latency of a run's Jobs as one picture: for each stage, how many Jobs took how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from examples.demo.latency import Stage, seconds

INK, SOFT, PAPER, EMPTY = "#1c2733", "#66788a", "#ffffff", "#f3f5f7"
SHADES = "Blues"
CELL, HEAD, FOOT, LEFT, RIGHT = 0.62, 0.66, 0.72, 1.1, 1.9
"""Inches: a cell's width, and the margins."""
ROW, DPI, WORDS = 0.42, 160, 4.3
DARK = 0.55
"""Of the fullest cell: from here on its number is written in white."""

PROCESS = ("import", "read", "score", "write")
"""The stages that the pod's own clock measures."""


def draw(found: Sequence[Stage], title: str, path: Path) -> None:
    """Write the picture as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure_of(found, title).savefig(path, metadata={"Software": None})


def figure_of(found: Sequence[Stage], title: str) -> Figure:
    """The picture, not yet drawn: a row for each stage, a column for each bucket that is in use."""
    bounds = used(found)
    # The words at the foot want some room, however few the columns.
    width = LEFT + max(CELL * len(bounds), WORDS) + RIGHT
    height = HEAD + ROW * len(found) + FOOT
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes(
        (LEFT / width, FOOT / height, CELL * len(bounds) / width, ROW * len(found) / height)
    )
    figure.text(0.35 / width, 1 - 0.36 / height, title, color=INK, size=11, weight="bold")
    _cells(axes, found, bounds)
    _sides(axes, found, bounds)
    _foot(figure, width, height)
    return figure


def used(found: Sequence[Stage]) -> list[float]:
    """The buckets' upper bounds from the first to the last that holds a Job, of any stage."""
    bounds = [bound for bound, _ in found[0].buckets] if found else []
    filled = [place for stage in found for place, (_, jobs) in enumerate(stage.buckets) if jobs]
    return bounds[min(filled) : max(filled) + 1] if filled else bounds[:1]


def _cells(axes: Axes, found: Sequence[Stage], bounds: Sequence[float]) -> None:
    rows = [[jobs for bound, jobs in stage.buckets if bound in bounds] for stage in found]
    most = max((jobs for row in rows for jobs in row), default=0) or 1
    shown = [[jobs / most if jobs else math.nan for jobs in row] for row in rows]
    axes.set_facecolor(EMPTY)
    axes.pcolormesh(shown, cmap=SHADES, vmin=-0.15, vmax=1.1, edgecolors=PAPER, linewidth=2)
    for place, row in enumerate(rows):
        for column, jobs in enumerate(row):
            if jobs:
                colour = PAPER if jobs / most > DARK else INK
                axes.text(
                    column + 0.5, place + 0.5, str(jobs), color=colour, size=8, ha="center", va="center"
                )


def _sides(axes: Axes, found: Sequence[Stage], bounds: Sequence[float]) -> None:
    axes.set_xticks(
        [place + 0.5 for place in range(len(bounds))], [_bound(bound) for bound in bounds], size=8, color=SOFT
    )
    places = [place + 0.5 for place in range(len(found))]
    axes.set_yticks(places, [stage.name for stage in found], size=9, color=INK)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for place, stage in zip(places, found, strict=True):
        words = f"p50 {seconds(stage.quantiles[0])}, p95 {seconds(stage.quantiles[1])}"
        axes.text(len(bounds) + 0.25, place, words, size=8, color=SOFT, va="center")


def _foot(figure: Figure, width: float, height: float) -> None:
    words = (
        "Jobs by the upper bound of their bucket. pending, start, total: by Kubernetes' clocks, ± 1 s; "
        f"{', '.join(PROCESS)}: by the pod's own."
    )
    figure.text(0.35 / width, 0.2 / height, words, size=7, color=SOFT, wrap=True)


def _bound(value: float) -> str:
    return "more" if math.isinf(value) else f"≤ {value * 1000:g} ms" if value < 1 else f"≤ {value:g} s"
