"""Axes of graphs over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local.preview import svg, ticks, units
from local.preview.data import Range
from local.preview.frame import Area

AXIS_HEIGHT, TICK = 20.0, 11.0


@dataclass(frozen=True)
class Scale:
    """The values' axis: its ticks, whose first and last are its ends."""

    ticks: tuple[float, ...]
    unit: str
    decimals: int | None = None
    logarithmic: bool = False

    @property
    def low(self) -> float:
        """The lower end."""
        return self.ticks[0]

    @property
    def high(self) -> float:
        """The upper end."""
        return self.ticks[-1]

    def part(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1, kept within them."""
        if self.logarithmic:
            above = max(value, self.low)
            part = math.log(above / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, part))

    def texts(self) -> list[str]:
        """The words at the ticks."""
        return units.tick_texts(self.ticks, self.unit, self.decimals)


@dataclass(frozen=True)
class Plot:
    """The rectangle between the axes, and the scale of its values."""

    left: float
    right: float
    top: float
    bottom: float
    scale: Scale

    @classmethod
    def inside(cls, area: Area, scale: Scale) -> Plot:
        """What is left of an area beside its ticks' words."""
        left = max(svg.width(text, TICK) for text in scale.texts()) + 8
        return cls(left, area.width - 4, 6.0, area.height - AXIS_HEIGHT, scale)

    def x(self, time: float, spread: Range) -> float:
        """The place of a time (seconds since 1970)."""
        return self.left + (self.right - self.left) * (time - spread.start) / spread.span

    def y(self, value: float) -> float:
        """The place of a value."""
        return self.bottom - (self.bottom - self.top) * self.scale.part(value)


def value_axis(plot: Plot) -> str:
    """Lines across, with their values."""
    pieces = []
    for value, text in zip(plot.scale.ticks, plot.scale.texts(), strict=True):
        y = plot.y(value)
        pieces.append(svg.line(plot.left, y, plot.right, y, svg.GRID))
        pieces.append(svg.words(plot.left - 6, y + 4, text, size=TICK, fill=svg.SOFT, anchor="end"))
    return "".join(pieces)


def time_axis(plot: Plot, spread: Range) -> str:
    """Times (UTC) below the graph, with a line up for each."""
    pieces = []
    places = ticks.times(spread.start, spread.end, max(2, int((plot.right - plot.left) // 70)))
    for time, text in zip(places, _clock(places), strict=True):
        x = plot.x(time, spread)
        half = svg.width(text, TICK) / 2
        pieces.append(svg.line(x, plot.top, x, plot.bottom, svg.GRID))
        if plot.left - half <= x <= plot.right + 2 - half:
            pieces.append(svg.words(x, plot.bottom + 15, text, size=TICK, fill=svg.SOFT, anchor="middle"))
    return "".join(pieces)


def _clock(times: Sequence[float]) -> list[str]:
    """Hours and minutes; the day where one begins; seconds where ticks are that near."""
    near = len(times) > 1 and times[1] - times[0] < 60
    moments = [datetime.fromtimestamp(time, UTC) for time in times]
    return [
        f"{each:%m-%d}"
        if (each.hour, each.minute, each.second) == (0, 0, 0)
        else f"{each:%H:%M:%S}"
        if near
        else f"{each:%H:%M}"
        for each in moments
    ]
