"""States over time, a row a series: Grafana's status history."""

from __future__ import annotations

import math
from collections.abc import Sequence

from local.preview import svg
from local.preview.axes import AXIS_HEIGHT, Plot, Scale, time_axis
from local.preview.data import Range, Series
from local.preview.fields import field
from local.preview.frame import Area, Entry, legend_below
from local.preview.model import Panel

TALLEST = 44.0


def draw(panel: Panel, found: Sequence[Series], area: Area, spread: Range) -> str:
    """The cells, and what their colours mean."""
    fields = [field(panel, series.name, series.ref) for series in found]
    meanings = {text: svg.colour(name) for text, name in fields[0].mappings.values() if name}
    legend, below = legend_below([Entry(text, code) for text, code in meanings.items()], area.width)
    names = min(area.width * 0.3, max(svg.width(look.name, 12) for look in fields) + 10)
    bottom = area.height - below - 4 - AXIS_HEIGHT
    each = min(TALLEST, bottom / len(found))
    plot = Plot(names, area.width - 4, 0, min(bottom, each * len(found)), Scale((0.0, 1.0), ""))
    pieces = [time_axis(plot, spread)]
    for row, (series, look) in enumerate(zip(found, fields, strict=True)):
        name = svg.shorten(look.name, 12, names - 10)
        pieces.append(svg.words(names - 8, row * each + each / 2 + 4, name, anchor="end"))
        step = series.times[1] - series.times[0] if len(series.times) > 1 else spread.span
        for time, value in zip(series.times, series.values, strict=True):
            left, right = (plot.x(time - step, spread), plot.x(time, spread))
            left, right = max(plot.left, left), min(plot.right, right)
            if not math.isnan(value) and right > left:
                place = (left + 0.75, row * each + 1.5, right - left - 1.5, each - 3)
                pieces.append(svg.box(*place, look.colour(value), round_=2))
    return "".join(pieces) + svg.group(legend, 0, area.height - below)
