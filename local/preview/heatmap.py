"""A histogram's buckets over time: the darker a cell, the more fell into it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from local.preview import svg, units
from local.preview.axes import Plot, Scale, time_axis
from local.preview.data import Range, Series
from local.preview.errors import UnsupportedError
from local.preview.frame import Area
from local.preview.model import Panel

SCHEMES = {"Oranges": ((255, 245, 235), (253, 141, 60), (127, 39, 4))}
KEY_HEIGHT = 22.0


def buckets(found: Sequence[Series]) -> list[tuple[float, tuple[float, ...]]]:
    """(upper bound, number within that bucket alone at each time), lowest bound first.

    Prometheus' buckets hold all that is below their bound; a difference below 0 is rounding: none.
    """
    ordered = sorted(found, key=lambda series: float(series.labels["le"]))
    below = [0.0] * (len(ordered[0].times) if ordered else 0)
    alone = []
    for series in ordered:
        counts = [0.0 if math.isnan(value) else value for value in series.values]
        alone.append(
            (
                float(series.labels["le"]),
                tuple(max(0.0, now - low) for now, low in zip(counts, below, strict=True)),
            )
        )
        below = counts
    return alone


def draw(panel: Panel, found: Sequence[Series], area: Area, spread: Range) -> str:
    """Cells, axes, and the key of the colours."""
    if panel.options.get("calculate"):
        raise UnsupportedError(f"panel {panel.title!r}: a heat map of values that are no buckets")
    rows = buckets(found)
    unit = panel.options.get("yAxis", {}).get("unit", "")
    names = ["+Inf" if math.isinf(bound) else units.text(bound, unit) for bound, _ in rows]
    left = max(svg.width(name, 11) for name in names) + 8
    plot = Plot(left, area.width - 4, 4, area.height - 20 - KEY_HEIGHT, Scale((0.0, float(len(rows))), ""))
    most = max((count for _, counts in rows for count in counts), default=0.0)
    high = (plot.bottom - plot.top) / len(rows)
    pieces = [time_axis(plot, spread)]
    for place, ((_, counts), name) in enumerate(zip(rows, names, strict=True)):
        top = plot.bottom - (place + 1) * high
        if place % max(1, math.ceil(11 / high)) == 0:
            pieces.append(svg.words(left - 6, top + 4, name, size=10, fill=svg.SOFT, anchor="end"))
        pieces.append(svg.line(plot.left, top, plot.right, top, svg.GRID))
        pieces += _cells(plot, found[0].times, counts, top, high, most, spread, panel)
    return "".join(pieces) + _key(panel, most, area)


def _cells(
    plot: Plot,
    times: Sequence[float],
    counts: Sequence[float],
    top: float,
    high: float,
    most: float,
    spread: Range,
    panel: Panel,
) -> list[str]:
    step = times[1] - times[0] if len(times) > 1 else spread.span
    cells = []
    for time, count in zip(times, counts, strict=True):
        left, right = max(plot.left, plot.x(time - step, spread)), min(plot.right, plot.x(time, spread))
        if count >= most * 1e-4 and count > 0.01 and right > left:
            fill = _shade(panel, count / most)
            cells.append(svg.box(left + 0.5, top + 0.5, right - left - 1, high - 1, fill))
    return cells


def _shade(panel: Panel, part: float) -> str:
    """The colour of a part of the largest count; the square root lets small ones be seen, as in Grafana."""
    wanted = panel.options.get("color", {})
    scheme = wanted.get("scheme", "")
    if scheme not in SCHEMES:
        raise UnsupportedError(f"panel {panel.title!r}: the colours {scheme!r}")
    place = min(1.0, part) ** float(wanted.get("exponent", 0.5)) * 2
    low, high = SCHEMES[scheme][int(min(place, 1.0))], SCHEMES[scheme][int(min(place, 1.0)) + 1]
    share = place - int(min(place, 1.0))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))


def _key(panel: Panel, most: float, area: Area) -> str:
    y, wide, parts = area.height - KEY_HEIGHT + 8, 160.0, 16
    pieces = [
        svg.box(24 + place * wide / parts, y, wide / parts, 8, _shade(panel, (place + 0.5) / parts))
        for place in range(parts)
    ]
    pieces.append(svg.words(20, y + 8, "0", size=10, fill=svg.SOFT, anchor="end"))
    pieces.append(svg.words(28 + wide, y + 8, units.text(round(most), "short"), size=10, fill=svg.SOFT))
    return "".join(pieces)
