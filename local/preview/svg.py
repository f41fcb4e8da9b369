"""Pieces of SVG as text, and how wide text is."""

from __future__ import annotations

from html import escape

INK, SOFT, FAINT, GRID, PAPER, PAGE, BORDER = (
    *("#24292e", "#5a6270", "#8a92a0", "#e6e8ec", "#ffffff", "#f4f5f5", "#e0e2e6"),
)
LINE = 15.0
"""Height of a line of text, pixels."""

NARROW, WIDE = set("iljtfrI.,:;|'!()[]{} -/1"), set("mwMWGOQD%@—")

# Grafana's names, as its light theme shows them.
HUES = {
    "green": ("#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D"),
    "red": ("#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A"),
    "orange": ("#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400"),
    "yellow": ("#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400"),
    "blue": ("#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4"),
    "purple": ("#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8"),
}
SHADES = ("super-light-", "light-", "", "semi-dark-", "dark-")
NAMED = {f"{shade}{hue}": codes[place] for hue, codes in HUES.items() for place, shade in enumerate(SHADES)}
PALETTE = (
    *("#56A64B", "#F2CC0C", "#3274D9", "#FF780A", "#E02F44", "#A352CC", "#37872D", "#E0B400"),
    *("#8AB8FF", "#FA6400", "#C4162A", "#8F3BB8", "#1F60C4", "#96D98D", "#CA95E5", "#5a6270"),
)


def colour(name: str) -> str:
    """The code of one of Grafana's named colours; a code is its own. KeyError: no such name."""
    if name == "text":
        return INK
    if name == "transparent":
        return "none"
    return name if name.startswith("#") else NAMED[name]


def width(text: str, size: float) -> float:
    """About how many pixels `text` takes in a sans-serif face of `size` pixels."""
    each = (0.31 if char in NARROW else 0.84 if char in WIDE else 0.57 for char in text)
    return size * sum(each) * 1.05


def shorten(text: str, size: float, room: float) -> str:
    """`text`, cut with an ellipsis to what fits into `room` pixels."""
    if width(text, size) <= room:
        return text
    while text and width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def words(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 12,
    fill: str = INK,
    anchor: str = "start",
    weight: int = 400,
) -> str:
    """A line of text whose baseline is at `y`."""
    extra = "" if anchor == "start" else f' text-anchor="{anchor}"'
    bold = "" if weight == 400 else f' font-weight="{weight}"'
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}"{extra}{bold}>'
        f"{escape(text)}</text>"
    )


def box(
    x: float,
    y: float,
    wide: float,
    high: float,
    fill: str,
    *,
    stroke: str = "",
    round_: float = 0,
    opacity: float = 1,
) -> str:
    """A filled rectangle."""
    extra = f' stroke="{stroke}"' if stroke else ""
    extra += f' rx="{number(round_)}"' if round_ else ""
    extra += f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    place = (
        f'x="{number(x)}" y="{number(y)}" width="{number(max(0.0, wide))}" height="{number(max(0.0, high))}"'
    )
    return f'<rect {place} fill="{fill}"{extra}/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, *, dash: str = "", thick: float = 1) -> str:
    """A straight line."""
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    extra += f' stroke-width="{number(thick)}"' if thick != 1 else ""
    place = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line {place} stroke="{stroke}"{extra}/>'


def group(inner: str, x: float, y: float) -> str:
    """Pieces moved to (x, y)."""
    return f'<g transform="translate({number(x)} {number(y)})">{inner}</g>'


def on(fill: str) -> str:
    """White or ink, whichever is read better on a background of that code."""
    if not fill.startswith("#"):
        return INK
    red, green, blue = (int(fill[place : place + 2], 16) for place in (1, 3, 5))
    return PAPER if 0.299 * red + 0.587 * green + 0.114 * blue < 165 else INK
