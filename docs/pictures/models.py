"""Draws `models.png`: a sensor's readings against what its model calls normal, and why.

    PYTHONPATH=. .venv/bin/python docs/pictures/models.py

The readings are the example's with the demo's spikes put in; the model is the one of `docs/models.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import DateFormatter, HourLocator
from matplotlib.figure import Figure

from examples.demo.faults import inject
from scorer.fit.estimators import Estimator
from scorer.fit.train import Settings, train
from scorer.land import land, read_table
from scorer.model import Model, anomalies, scores
from scorer.model.file import read_model
from scorer.model.limits import limits
from scorer.report.picture import ANOMALY, GRID, INK, PAPER, READING, SOFT
from scorer.storage.memory import MemoryStore
from scorer.window import window

ROOT = Path(__file__).resolve().parents[2]
SENSOR = "device-1-tag-2"
HOUR = window("2018-08-28T23:00:00Z", "2018-08-29T00:00:00Z")
NORMAL = "#e3f1ec"
PLACE = (("data", "axes fraction"), "offset points")
"""How a text stands to what it is of: beside a value, below the upper edge."""


def main() -> None:
    """Trains, scores and draws."""
    readings, _ = inject(read_table(ROOT / "examples" / "azure-reference" / "sensor_data.csv"))
    times, values = readings[SENSOR]
    store = MemoryStore()
    land(store, {SENSOR: (times, values)})
    trained = train(store, SENSOR, HOUR, Settings(Estimator(gamma=0.1))).registered
    model = read_model(store.get(f"models/{SENSOR}/{trained.version}/model.safetensors").data)
    figure = Figure(figsize=(11, 4.2), dpi=150, facecolor=PAPER)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1, 2, width_ratios=(3, 1), wspace=0.05)
    grid.update(left=0.06, right=0.985, top=0.87, bottom=0.13)
    left = figure.add_subplot(grid[0])
    right = figure.add_subplot(grid[1], sharey=left)
    _readings(left, model, times, values)
    _score(right, model, left.get_ylim())
    for axes in (left, right):
        _frame(axes, model)
    figure.savefig(Path(__file__).with_suffix(".png"), metadata={"Software": None})


def _readings(axes: Axes, model: Model, times: Any, values: Any) -> None:
    flagged = anomalies(model, scores(model, values[:, None])) == 1
    axes.plot(times[~flagged], values[~flagged], ".", ms=4, mew=0, color=READING, alpha=0.8, zorder=3)
    axes.plot(times[flagged], values[flagged], "o", ms=5, color=ANOMALY, mec=PAPER, mew=0.6, zorder=4)
    start, end = (np.datetime64(edge.replace(tzinfo=None), "us") for edge in HOUR)
    axes.set_xlim(start, times.max())
    low, high = values.min(), values.max()
    axes.set_ylim(low - 0.1 * (high - low), high + 0.2 * (high - low))
    axes.axvline(end, color=SOFT, lw=0.8, ls=(0, (4, 3)), zorder=2)
    about = {"fontsize": 9, "color": SOFT, "va": "top"}
    axes.annotate("trained on this hour", (start, 1), (6, -6), *PLACE, **about)
    axes.annotate("scored", (end, 1), (6, -6), *PLACE, **about)
    axes.set_title(
        f"{SENSOR}: {int(flagged.sum())} of {len(values):,} readings lie outside what is normal to its model",
        loc="left",
        fontsize=11,
        color=INK,
        fontweight="bold",
    )
    axes.xaxis.set_major_locator(HourLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.set_ylabel("value", fontsize=9, color=SOFT)


def _score(axes: Axes, model: Model, edges: tuple[float, float]) -> None:
    places = np.linspace(*edges, 1000)
    found = scores(model, places[:, None])
    axes.plot(found, places, color=SOFT, lw=1.4, zorder=3)
    odd = found >= model.threshold
    axes.plot(np.where(odd, found, np.nan), places, color=ANOMALY, lw=1.8, zorder=4)
    axes.axvline(model.threshold, color=INK, lw=0.8, zorder=2)
    axes.set_xlim(-0.35 * found.max(), 1.1 * found.max())
    top = {"va": "top", "fontsize": 9}
    axes.annotate("normal", (0, 1), (-6, -6), *PLACE, color=SOFT, ha="right", **top)
    axes.annotate("anomaly", (0, 1), (6, -6), *PLACE, color=ANOMALY, **top)
    for low, high in limits(model):
        told = f"normal:\n{low:.2f} to {high:.2f}"
        axes.text(found.max(), (low + high) / 2, told, fontsize=9, color=INK, ha="right", va="center")
    axes.set_title("score of a value", loc="left", fontsize=11, color=INK, fontweight="bold")
    axes.tick_params(labelleft=False)


def _frame(axes: Axes, model: Model) -> None:
    for low, high in limits(model):
        axes.axhspan(low, high, color=NORMAL, lw=0, zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=SOFT, labelsize=9, length=0)
    axes.grid(axis="y", color=GRID, lw=0.6, zorder=1)


if __name__ == "__main__":
    main()
