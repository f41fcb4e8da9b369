"""Horizontal bars, one a series, longest value first as the query sorts them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from local.preview import svg
from local.preview.data import Series
from local.preview.errors import UnsupportedError
from local.preview.fields import field
from local.preview.frame import Area
from local.preview.model import Panel
from local.preview.reduce import reduced

THICKEST = 22.0


def draw(panel: Panel, found: Sequence[Series], area: Area) -> str:
    """The bars, with names at their left and values at their right."""
    if panel.options.get("orientation") != "horizontal":
        raise UnsupportedError(f"panel {panel.title!r}: bars that are not horizontal")
    calc = panel.options["reduceOptions"]["calcs"][0]
    fields = [field(panel, series.name, series.ref) for series in found]
    values = [reduced(series.values, calc) for series in found]
    texts = [look.text(value) for look, value in zip(fields, values, strict=True)]
    most = max((value for value in values if not math.isnan(value)), default=0.0)
    names = min(area.width * 0.4, max(svg.width(look.name, 12) for look in fields) + 10)
    room = area.width - names - max(svg.width(text, 12) for text in texts) - 12
    each = min(THICKEST + 8, area.height / len(found))
    shown = max(1, int(area.height // max(each, 15)))
    pieces = []
    for place, (look, value, text) in enumerate(zip(fields, values, texts, strict=True)):
        if place >= shown:
            break
        top, thick = place * each, min(THICKEST, each - 3)
        fill = look.colour(value) if look.mode == "thresholds" else look.line_colour(place)
        high = look.maximum if look.maximum is not None else most
        length = room * min(1.0, max(0.0, value / high)) if high > 0 and not math.isnan(value) else 0.0
        middle = top + thick / 2 + 4
        pieces.append(svg.words(names - 8, middle, svg.shorten(look.name, 12, names - 10), anchor="end"))
        pieces.append(svg.box(names, top, room, thick, svg.GRID, round_=2, opacity=0.6))
        pieces.append(svg.box(names, top, max(length, 1.5), thick, fill, round_=2))
        pieces.append(svg.words(names + room + 8, middle, text))
    return "".join(pieces)
