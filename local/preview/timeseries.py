"""Lines and bars over time, stacked or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from local.preview import svg, ticks, units
from local.preview.axes import Plot, Scale, time_axis, value_axis
from local.preview.data import Range, Series
from local.preview.errors import UnsupportedError
from local.preview.fields import Field, field
from local.preview.frame import Area, Entry, legend_below, legend_beside
from local.preview.model import Panel
from local.preview.reduce import SUMS, reduced


@dataclass(frozen=True)
class Drawn:
    """A series, how it looks, and the values that it stands on (0 where it is not stacked)."""

    series: Series
    field: Field
    colour: str
    tops: tuple[float, ...]
    floors: tuple[float, ...]


def draw(panel: Panel, found: Sequence[Series], area: Area, spread: Range) -> str:
    """The graph with axes and legend."""
    drawn = _stacked(panel, found)
    legend, room, below = _legend(panel, drawn, area)
    graph = Area(area.width - room, area.height - below)
    scale = _scale(drawn, panel)
    plot = Plot.inside(graph, scale)
    pieces = [value_axis(plot), time_axis(plot, spread)]
    pieces += [_limits(plot, drawn)] if drawn else []
    order = reversed(drawn) if _is_stacked(panel) else drawn
    pieces += [_one(plot, each, spread) for each in order]
    where = (area.width - room + 14, 2.0) if room else (0.0, area.height - below + 2)
    return "".join(pieces) + svg.group(legend, *where)


def _is_stacked(panel: Panel) -> bool:
    mode = panel.defaults.get("custom", {}).get("stacking", {}).get("mode", "none")
    if mode not in ("none", "normal"):
        raise UnsupportedError(f"panel {panel.title!r}: stacking by {mode}")
    return bool(mode == "normal")


def _stacked(panel: Panel, found: Sequence[Series]) -> list[Drawn]:
    stacked = _is_stacked(panel)
    grounds: dict[float, float] = {}
    drawn = []
    for place, series in enumerate(found):
        look = field(panel, series.name, series.ref)
        alone = not stacked or look.custom.get("stacking", {}).get("mode") == "none"
        floors = tuple(0.0 if alone else grounds.get(time, 0.0) for time in series.times)
        tops = tuple(
            floor + (0.0 if not alone and math.isnan(value) else value)
            for floor, value in zip(floors, series.values, strict=True)
        )
        if not alone:
            grounds.update(zip(series.times, tops, strict=True))
        drawn.append(Drawn(series, look, look.line_colour(place), tops, floors))
    return drawn


def _scale(drawn: Sequence[Drawn], panel: Panel) -> Scale:
    first = drawn[0].field if drawn else field(panel, "", "")
    values = [value for each in drawn for value in each.tops]
    if first.custom.get("thresholdsStyle", {}).get("mode", "off") != "off":
        values += [bound for bound, _ in first.steps if math.isfinite(bound)]
    low, high = ticks.extent(values) or (0.0, 1.0)
    if first.custom.get("scaleDistribution", {}).get("type") == "log":
        above = [value for value in values if value > 0] or [1.0]
        places = ticks.powers(min(above), max(above), first.unit)
        return Scale(tuple(places), first.unit, first.decimals, logarithmic=True)
    low = min(0.0, low) if first.minimum is None else first.minimum
    high = max(high, first.custom.get("axisSoftMax", high)) if first.maximum is None else first.maximum
    return Scale(tuple(ticks.linear(low, high, first.unit)), first.unit, first.decimals)


def _legend(panel: Panel, drawn: Sequence[Drawn], area: Area) -> tuple[str, float, float]:
    """The legend, the room that it takes beside the graph, and below it."""
    wanted = panel.options.get("legend", {})
    calcs = wanted.get("calcs") or []
    entries = [
        Entry(
            each.field.name,
            each.colour,
            tuple(
                units.text(reduced(each.series.values, calc), each.field.unit, each.field.decimals)
                for calc in calcs
            ),
        )
        for each in drawn
    ]
    if wanted.get("displayMode") == "hidden" or not drawn:
        return "", 0.0, 0.0
    if wanted.get("placement") == "right":
        pieces, wide = legend_beside(entries, [SUMS[calc] for calc in calcs], area)
        return pieces, wide + 14, 0.0
    if calcs:
        raise UnsupportedError(f"panel {panel.title!r}: a legend with sums below its graph")
    pieces, high = legend_below(entries, area.width)
    return pieces, 0.0, high + 4


def _limits(plot: Plot, drawn: Sequence[Drawn]) -> str:
    """The thresholds as dashed lines."""
    look = drawn[0].field
    if look.custom.get("thresholdsStyle", {}).get("mode", "off") == "off":
        return ""
    return "".join(
        svg.line(plot.left, plot.y(bound), plot.right, plot.y(bound), svg.colour(name), dash="6 4", thick=1.5)
        for bound, name in look.steps
        if math.isfinite(bound) and plot.scale.low <= bound <= plot.scale.high
    )


def _one(plot: Plot, each: Drawn, spread: Range) -> str:
    if each.field.custom.get("drawStyle", "line") == "bars":
        return _bars(plot, each, spread)
    return _line(plot, each, spread)


def _bars(plot: Plot, each: Drawn, spread: Range) -> str:
    """Bars that end at their time: what an increase over the step before it is."""
    times = each.series.times
    step = times[1] - times[0] if len(times) > 1 else spread.span
    gap = min(2.0, (plot.x(times[0] + step, spread) - plot.x(times[0], spread)) * 0.1)
    path = []
    for time, top, floor in zip(times, each.tops, each.floors, strict=True):
        if math.isnan(top) or top <= floor:
            continue
        left = max(plot.left, plot.x(time - step, spread) + gap / 2)
        right = min(plot.right, plot.x(time, spread) - gap / 2)
        if right > left:
            y1, y2 = plot.y(top), plot.y(floor)
            path.append(
                f"M{svg.number(left)} {svg.number(y2)}V{svg.number(y1)}H{svg.number(right)}V{svg.number(y2)}Z"
            )
    return f'<path d="{"".join(path)}" fill="{each.colour}" fill-opacity="0.85"/>' if path else ""


def _line(plot: Plot, each: Drawn, spread: Range) -> str:
    look = each.field
    stepped = look.custom.get("lineInterpolation") == "stepAfter"
    stroke, fill = [], []
    for piece in _unbroken(each, float(look.custom.get("spanNulls") or 0) / 1000):
        inside = [point for point in piece if point[0] >= spread.start - 1]
        ups = [(plot.x(time, spread), plot.y(top)) for time, top, _ in inside]
        downs = [(plot.x(time, spread), plot.y(floor)) for time, _, floor in reversed(inside)]
        if len(ups) == 1:
            stroke.append(f"M{svg.number(ups[0][0] - 1.5)} {svg.number(ups[0][1])}h3")
        elif ups:
            there = _path(ups, "after" if stepped else "straight")
            back = _path(downs, "before" if stepped else "straight")
            stroke.append(there)
            fill.append(f"{there}L{back[1:]}Z")
    opacity = float(look.custom.get("fillOpacity", 0)) / 100
    pieces = (
        f'<path d="{"".join(fill)}" fill="{each.colour}" fill-opacity="{opacity:.2f}"/>' if opacity else ""
    )
    dash = ' stroke-dasharray="6 4"' if look.custom.get("lineStyle", {}).get("fill") == "dash" else ""
    thick = svg.number(float(look.custom.get("lineWidth", 1)) + 0.4)
    style = f'fill="none" stroke="{each.colour}" stroke-width="{thick}"{dash}'
    return f'{pieces}<path d="{"".join(stroke)}" {style}/>'


def _unbroken(each: Drawn, longest: float) -> list[list[tuple[float, float, float]]]:
    """The series in pieces without a gap, of the points that are; `longest` seconds of gap are bridged."""
    times = each.series.times
    step = times[1] - times[0] if len(times) > 1 else 0.0
    pieces: list[list[tuple[float, float, float]]] = []
    for point in zip(times, each.tops, each.floors, strict=True):
        if math.isnan(point[1]):
            continue
        if not pieces or point[0] - pieces[-1][-1][0] > max(step * 1.5, longest):
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _path(points: Sequence[tuple[float, float]], steps: Literal["straight", "after", "before"]) -> str:
    """A line through points, straight or in steps: along and then up (`after`), or up and then along."""
    pieces = []
    last = ""
    for place, (at, height) in enumerate(points):
        x, y = svg.number(at), svg.number(height)
        up = f"V{y}" if y != last else ""
        if place == 0:
            pieces.append(f"M{x} {y}")
        elif steps == "straight":
            pieces.append(f"L{x} {y}" if up else f"H{x}")
        else:
            pieces.append(f"H{x}{up}" if steps == "after" else f"{up}H{x}")
        last = y
    return "".join(pieces)
