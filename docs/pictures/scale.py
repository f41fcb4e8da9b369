"""Draws `scale.png`: how long a run takes by its number of sensors, for three ways to divide it into Jobs.

    PYTHONPATH=. .venv/bin/python docs/pictures/scale.py

The arithmetic is that of `docs/scale.md`: a Job takes the Job controller's time, whatever is in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scorer.report.picture import ANOMALY, GRID, INK, PAPER, READING, SOFT

DEFAULT_RATE, RAISED_RATE = 3.4, 33.0
"""Jobs a second: the Job controller with its default limits, and with raised ones on two cores."""
WAYS = ((1, "one Job a sensor", ANOMALY), (100, "100 a Job", READING), (1000, "1,000 a Job", INK))
HOUR = 3600


def main() -> None:
    """Draws."""
    figure = Figure(figsize=(11, 4.2), dpi=150, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=0.08, right=0.8, top=0.9, bottom=0.15)
    for sensors_a_job, words, colour in WAYS:
        _way(axes, sensors_a_job, words, colour)
    axes.axhline(HOUR, color=SOFT, linewidth=1, linestyle=":")
    axes.annotate("an hour: the next run is due", (1100, HOUR * 1.15), color=SOFT, fontsize=9)
    axes.set(xscale="log", yscale="log", xlim=(1000, 1e6), ylim=(1, 1e6), facecolor=PAPER)
    axes.set_xlabel("sensors", color=INK)
    axes.set_ylabel("seconds of the Job controller's time", color=INK)
    title = "Each band: the Job controller with default limits (above) and with raised ones (below)"
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.grid(color=GRID, linewidth=0.6)
    for side in axes.spines.values():
        side.set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".png"), metadata={"Software": None})


def _way(axes: Axes, sensors_a_job: int, words: str, colour: str) -> None:
    sensors = np.geomspace(1000, 1e6, 50)
    jobs = sensors / sensors_a_job
    slow, fast = jobs / DEFAULT_RATE, jobs / RAISED_RATE
    axes.fill_between(sensors, fast, slow, color=colour, alpha=0.25, linewidth=0)
    axes.plot(sensors, slow, color=colour, linewidth=1.5)
    axes.plot(sensors, fast, color=colour, linewidth=1.5, linestyle="--")
    middle = float(np.sqrt(slow[-1] * fast[-1]))
    axes.annotate(words, (1.08e6, middle), color=colour, annotation_clip=False, va="center")


if __name__ == "__main__":
    main()
