"""Draws `data.png`: which readings belong to a window, and in which folders they lie.

PYTHONPATH=. .venv/bin/python docs/pictures/data.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from scorer.contract.paths import readings_paths
from scorer.report.picture import GRID, INK, PAPER, READING, SOFT
from scorer.window import window

SPAN = window("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z")
INSIDE = "#e3f1ec"
# Minutes after 09:00 at which there are readings. Those at the hours are what the picture is about.
MINUTES = (-8, -4, 0, 4, 8, 20, 32, 44, 56, 60, 64, 68)
LABELS = {0: "09:00:00", 60: "10:00:00"}


def main() -> None:
    """Draws both layouts, one below the other."""
    figure = Figure(figsize=(10, 3.6), dpi=150, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-43, 74)
    axes.set_ylim(0, 3.6)
    axes.axis("off")
    _window(axes)
    _layout(axes, 1.75, "hourly", "the hour (HH:00, HH+1:00]", asa=False)
    _layout(axes, 0.5, "asa", "the hour [HH:00, HH+1:00)", asa=True)
    figure.savefig(Path(__file__).with_suffix(".png"), metadata={"Software": None})


def _window(axes: Axes) -> None:
    axes.axvspan(0, 60, ymin=0.04, ymax=0.8, color=INSIDE, linewidth=0)
    axes.text(
        30, 3.3, "window  (09:00, 10:00]", ha="center", va="center", color=INK, fontsize=13, weight="bold"
    )
    for minute, text in LABELS.items():
        axes.plot((minute, minute), (0.15, 2.95), color=SOFT, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.text(minute, 3.05, text, ha="center", va="center", color=SOFT, fontsize=9)
    for height, inside, text in ((3.3, True, "read and scored"), (3.05, False, "of another window")):
        _reading(axes, -40.4, height, inside)
        axes.text(-38.8, height, text, va="center", color=INK, fontsize=9)


def _layout(axes: Axes, height: float, name: str, rule: str, asa: bool) -> None:
    """One layout: the folders as boxes, the readings in them, and what is read for the window."""
    axes.text(-41, height + 0.52, f"layout: {name}", color=INK, fontsize=12, weight="bold", va="center")
    axes.text(-41, height + 0.24, rule, color=SOFT, fontsize=9, va="center")
    read = [path.rpartition("/")[2] for path in readings_paths("{HH}", "", SPAN, asa=asa)]
    axes.text(
        -41,
        height - 0.02,
        f"reads {' and '.join(f'{hour}/' for hour in read)}",
        color=INK,
        fontsize=9,
        va="center",
    )
    # A folder's edge lies just before or just after the reading of the full hour.
    edge = -1.6 if asa else 1.6
    for folder, start, end in (("08", -11, edge), ("09", edge, 60 + edge), ("10", 60 + edge, 71)):
        chosen = folder in read
        axes.add_patch(
            FancyBboxPatch(
                (start + 0.35, height - 0.28),
                end - start - 0.7,
                0.92,
                boxstyle="round,pad=0,rounding_size=0.6",
                mutation_aspect=0.06,
                facecolor="none",
                edgecolor=READING if chosen else GRID,
                linewidth=1.8 if chosen else 1.2,
            )
        )
        axes.text((start + end) / 2, height + 0.42, f"{folder}/", ha="center", va="center", fontsize=11,
                  color=INK if chosen else SOFT, weight="bold" if chosen else "normal")  # fmt: skip
    for minute in MINUTES:
        _reading(axes, minute, height, inside=0 < minute <= 60)


def _reading(axes: Axes, minute: float, height: float, inside: bool) -> None:
    axes.plot(
        (minute,), (height,), "o", markersize=8, markeredgewidth=1.4,
        color=READING if inside else PAPER, markeredgecolor=READING if inside else SOFT,
    )  # fmt: skip


if __name__ == "__main__":
    main()
