"""What every panel has: its card, title, legend, and what it says when there is nothing to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from local.preview import svg
from local.preview.model import Panel

HEAD, PAD = 30.0, 10.0


@dataclass(frozen=True)
class Area:
    """Where a panel's content is drawn, in pixels of its own."""

    width: float
    height: float


@dataclass(frozen=True)
class Entry:
    """A line of a legend: name, the code of its colour, and its sums in words."""

    name: str
    colour: str
    sums: tuple[str, ...] = ()


def card(panel: Panel, width: float, height: float, content: str) -> str:
    """The panel's card around its content; its description is what a pointer over it shows."""
    title = svg.shorten(panel.title, 13, width - 2 * PAD)
    return "".join(
        (
            f"<g><title>{escape(panel.description)}</title>",
            svg.box(0.5, 0.5, width - 1, height - 1, svg.PAPER, stroke=svg.BORDER, round_=3),
            svg.words(PAD, 20, title, size=13, weight=600),
            "</g>",
            svg.group(content, PAD, HEAD),
        )
    )


def content_area(width: float, height: float) -> Area:
    """What is left of a card for its content."""
    return Area(width - 2 * PAD, height - HEAD - PAD)


def said(area: Area, text: str, fill: str = svg.SOFT) -> str:
    """A sentence in the middle of a panel: why there is nothing, or what went wrong."""
    lines: list[str] = []
    for word in text.split():
        tried = f"{lines[-1]} {word}" if lines else word
        if lines and svg.width(tried, 12) <= area.width - 12:
            lines[-1] = tried
        else:
            lines.append(word)
    fitting = lines[: max(1, int(area.height // svg.LINE))]
    top = (area.height - len(fitting) * svg.LINE) / 2 + 11
    return "".join(
        svg.words(area.width / 2, top + place * svg.LINE, each, fill=fill, anchor="middle")
        for place, each in enumerate(fitting)
    )


def legend_below(entries: Sequence[Entry], width: float, most: int = 2) -> tuple[str, float]:
    """A legend in lines below a graph, at most `most` of them, and its height."""
    x, row, pieces = 0.0, 0, []
    for place, entry in enumerate(entries):
        name = svg.shorten(entry.name, 11, width - 20)
        needed = svg.width(name, 11) + 30
        if x and x + needed > width:
            if row + 1 == most:
                pieces.append(
                    svg.words(width, row * 16 + 12, f"+{len(entries) - place}", size=11, anchor="end")
                )
                break
            x, row = 0.0, row + 1
        pieces.append(svg.box(x, row * 16 + 7, 12, 4, entry.colour, round_=1))
        pieces.append(svg.words(x + 16, row * 16 + 12, name, size=11, fill=svg.SOFT))
        x += needed
    return "".join(pieces), (row + 1) * 16.0 if entries else 0.0


def legend_beside(entries: Sequence[Entry], heads: Sequence[str], area: Area) -> tuple[str, float]:
    """A legend as a table to the right of a graph, with a column for each sum; and its width."""
    wide = max((svg.width(entry.name, 11) for entry in entries), default=0) + 24
    columns = [
        max([svg.width(head, 11), *(svg.width(entry.sums[place], 11) for entry in entries)]) + 14
        for place, head in enumerate(heads)
    ]
    name_width = min(wide, max(60.0, area.width * 0.5 - sum(columns)))
    total = name_width + sum(columns)
    shown = entries[: max(1, int((area.height - 18) // 17))]
    ends = [name_width + sum(columns[: place + 1]) for place in range(len(heads))]
    pieces = [
        svg.words(end, 11, head, size=11, fill=svg.SOFT, anchor="end", weight=600)
        for end, head in zip(ends, heads, strict=True)
    ]
    for row, entry in enumerate(shown):
        y = 18 + row * 17.0
        pieces.append(svg.line(0, y, total, y, svg.GRID))
        pieces.append(svg.box(0, y + 7, 12, 4, entry.colour, round_=1))
        pieces.append(svg.words(16, y + 12.5, svg.shorten(entry.name, 11, name_width - 18), size=11))
        pieces += [
            svg.words(end, y + 12.5, text, size=11, anchor="end")
            for end, text in zip(ends, entry.sums, strict=True)
        ]
    return "".join(pieces), total
