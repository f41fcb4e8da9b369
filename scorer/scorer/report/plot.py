"""One sensor's panel as inline SVG, coloured by the page's style so that it follows light and dark."""

from __future__ import annotations

from datetime import UTC, timedelta
from html import escape

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from scorer.report.picture import DOTS, thin
from scorer.report.result import Fault, RunResult, SensorResult, Series

WIDTH, HEIGHT = 380.0, 128.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 8.0, 6.0, 20.0


def plot(run: RunResult, sensor: SensorResult, faults: list[Fault]) -> str:
    """The panel's SVG element."""
    series = sensor.series
    label = f"Readings and anomalies of {escape(sensor.sensor)}"
    parts = [f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">']
    if series is None or not len(series.time):
        parts.append(_text(WIDTH / 2, HEIGHT / 2 - 6, "no readings scored", "middle"))
    else:
        scale = _Scale(run, series)
        parts += [_shade(scale, run, fault) for fault in faults]
        parts += [_rule(scale, tick) for tick in scale.ticks]
        parts.append(_readings(scale, series))
        parts.append(_anomalies(scale, series))
    parts += _hours(run)
    return "".join([*parts, "</svg>"])


class _Scale:
    """From times and values to the panel's coordinates."""

    def __init__(self, run: RunResult, series: Series) -> None:
        self.start = np.datetime64(run.start.astimezone(UTC).replace(tzinfo=None), "us")
        self.span = np.datetime64(run.end.astimezone(UTC).replace(tzinfo=None), "us") - self.start
        low, high = float(series.value.min()), float(series.value.max())
        margin = (high - low) * 0.07 or max(abs(high), 1.0) * 0.01
        self.low, self.high = low - margin, high + margin
        ticks = MaxNLocator(nbins=3, min_n_ticks=2).tick_values(self.low, self.high)
        self.ticks = [float(tick) for tick in ticks if self.low <= tick <= self.high]

    def x(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
        """Across the window."""
        return LEFT + (times - self.start) / self.span * (WIDTH - LEFT - RIGHT)

    def y(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Up from the lowest value."""
        return HEIGHT - BOTTOM - (values - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _shade(scale: _Scale, run: RunResult, fault: Fault) -> str:
    gap = np.timedelta64((run.end - run.start) / 75, "us")
    spans = np.array(fault.spans(gap), dtype="datetime64[us]")
    edges = np.clip(scale.x(spans) + np.array([-2.5, 2.5]), LEFT, WIDTH - RIGHT)
    sides = f'y="{TOP:g}" height="{HEIGHT - TOP - BOTTOM:g}"'
    return "".join(f'<rect class="fault" x="{a:.1f}" width="{b - a:.1f}" {sides}/>' for a, b in edges)


def _rule(scale: _Scale, tick: float) -> str:
    y = float(scale.y(np.array(tick)))
    line = f'<line class="rule" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(LEFT - 5, y + 3.4, f"{tick:g}", "end")


def _readings(scale: _Scale, series: Series) -> str:
    # A line of no length with round ends is a dot: one element for all, a tenth of the size of circles.
    kept = thin(np.flatnonzero(~series.anomaly), DOTS)
    dots = zip(scale.x(series.time[kept]), scale.y(series.value[kept]), strict=True)
    return f'<path class="reading" d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in dots)}"/>'


def _anomalies(scale: _Scale, series: Series) -> str:
    kept = thin(np.flatnonzero(series.anomaly), DOTS)
    times, values, scores = series.time[kept], series.value[kept], series.score[kept]
    clocks = np.datetime_as_string(times, unit="s")
    return "".join(
        f'<circle class="anomaly" cx="{x:.1f}" cy="{y:.1f}" r="2.9">'
        f"<title>{str(clock)[11:]} UTC, {series.feature} {value:g}, score {score:.3g}</title></circle>"
        for x, y, clock, value, score in zip(
            scale.x(times), scale.y(values), clocks, values, scores, strict=True
        )
    )


def _hours(run: RunResult) -> list[str]:
    """Four times below the panel: the window's ends and thirds."""
    span = run.end - run.start
    form = "%-d %b" if span > timedelta(days=2) else "%H:%M"
    parts = []
    for third in range(4):
        x = LEFT + third / 3 * (WIDTH - LEFT - RIGHT)
        time = (run.start + span * third / 3).astimezone(UTC)
        parts.append(_text(x, HEIGHT - 5, time.strftime(form), ("start", "middle", "middle", "end")[third]))
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
