"""One large number, or a few side by side."""

from __future__ import annotations

from collections.abc import Sequence

from local.preview import svg
from local.preview.data import Series
from local.preview.errors import UnsupportedError
from local.preview.fields import field
from local.preview.frame import Area
from local.preview.model import Panel
from local.preview.reduce import reduced


def draw(panel: Panel, found: Sequence[Series], area: Area) -> str:
    """The numbers, coloured by their thresholds."""
    if panel.options.get("graphMode", "area") != "none":
        raise UnsupportedError(f"panel {panel.title!r}: a graph behind a number")
    wide = area.width / len(found)
    calc = panel.options["reduceOptions"]["calcs"][0]
    named = panel.options.get("textMode") == "value_and_name" or len(found) > 1
    pieces = []
    for place, series in enumerate(found):
        look = field(panel, series.name, series.ref)
        value = reduced(series.values, calc)
        text = look.text(value)
        size = min(
            34.0, (area.height - (18 if named else 4)) * 0.8, 34 * (wide - 8) / max(1, svg.width(text, 34))
        )
        middle = area.height / 2 + size * 0.33 - (9 if named else 0)
        fill = {"none": svg.INK}.get(panel.options.get("colorMode", "value"), _ink(look.colour(value)))
        x = (place + 0.5) * wide
        pieces.append(svg.words(x, middle, text, size=size, fill=fill, anchor="middle", weight=600))
        if named:
            name = svg.shorten(look.name, 11, wide - 8)
            pieces.append(
                svg.words(x, middle + size * 0.3 + 13, name, size=11, fill=svg.SOFT, anchor="middle")
            )
    return "".join(pieces)


def _ink(code: str) -> str:
    """Light colours are not read on paper: their darker sister."""
    for codes in svg.HUES.values():
        if code in codes:
            return codes[-1] if code != codes[-2] else code
    return code
