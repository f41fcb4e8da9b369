"""A dashboard as one picture, and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from local import promql
from local.preview import bargauge, heatmap, history, stat, svg, tables, timeseries
from local.preview.data import Range, Series, Source, ask
from local.preview.frame import Area, card, content_area, said
from local.preview.model import Dashboard, Panel

WIDTH, COLUMNS, CELL, GAP, HEAD, MARGIN = 1240.0, 24, 38.0, 8.0, 58.0, 12.0
FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; background: {page}; font-family: {font}; }}
main {{ max-width: {width:.0f}px; margin: 0 auto; }} nav {{ padding: 10px 12px 0; font-size: 13px; }}
nav a {{ margin-right: 16px; }} svg {{ display: block; width: 100%; height: auto; }}</style></head>
<body><main><nav>{links}</nav>
{picture}
</main></body></html>
"""


@dataclass(frozen=True)
class Picture:
    """A dashboard as SVG; its panels that had no data, and those whose query was refused, with the reason."""

    svg: str
    empty: tuple[str, ...]
    refused: tuple[str, ...]


def picture(dashboard: Dashboard, source: Source, spread: Range, values: Mapping[str, str]) -> Picture:
    """Asks for all panels and draws them. OSError: nobody answers."""
    empty, refused, pieces = [], [], [_head(dashboard, spread)]
    column = (WIDTH - 2 * MARGIN + GAP) / COLUMNS
    for row in dashboard.rows:
        y = HEAD + row.y * CELL
        pieces.append(svg.words(MARGIN + 2, y + 21, row.title, size=15, weight=600))
    for panel in dashboard.panels:
        width, height = panel.width * column - GAP, panel.height * CELL - GAP
        area = content_area(width, height)
        try:
            found = ask(panel, source, spread, values)
        except promql.QueryError as error:
            refused.append(f"{panel.title}: {error}")
            content = said(area, str(error), svg.colour("dark-red"))
        else:
            found = [each for each in found if panel.kind != "timeseries" or not math.isnan(each.last)]
            if not found:
                empty.append(panel.title)
            content = drawn(panel, found, area, spread)
        place = (MARGIN + panel.x * column, HEAD + panel.y * CELL)
        pieces.append(svg.group(card(panel, width, height, content), *place))
    bottom = max((panel.y + panel.height for panel in dashboard.panels), default=0)
    return Picture(_whole("".join(pieces), HEAD + bottom * CELL + MARGIN), tuple(empty), tuple(refused))


def drawn(panel: Panel, found: Sequence[Series], area: Area, spread: Range) -> str:
    """A panel's content; a panel without data says why, if the dashboard knows."""
    if not found:
        return said(area, panel.defaults.get("noValue") or "No data")
    if panel.kind == "stat":
        return stat.draw(panel, found, area)
    if panel.kind == "table":
        return tables.draw(panel, found, area)
    if panel.kind == "bargauge":
        return bargauge.draw(panel, found, area)
    over_time = {"timeseries": timeseries.draw, "heatmap": heatmap.draw, "status-history": history.draw}
    return over_time[panel.kind](panel, found, area, spread)


def page(dashboard: Dashboard, drawing: Picture, others: Sequence[tuple[str, str]]) -> str:
    """An HTML page around the picture; `others`: (title, file) of all dashboards."""
    links = "".join(f'<a href="{escape(file)}">{escape(title)}</a>' for title, file in others)
    return PAGE.format(
        title=escape(dashboard.title),
        page=svg.PAGE,
        font=FONT,
        width=WIDTH,
        links=links,
        picture=drawing.svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1),
    )


def _head(dashboard: Dashboard, spread: Range) -> str:
    start, end = (datetime.fromtimestamp(bound, UTC) for bound in (spread.start, spread.end))
    when = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    return "".join(
        (
            svg.words(MARGIN + 2, 26, dashboard.title, size=19, weight=600),
            svg.words(WIDTH - MARGIN - 2, 26, when, size=12, fill=svg.SOFT, anchor="end"),
            svg.words(MARGIN + 2, 46, svg.shorten(dashboard.description, 12, WIDTH - 30), fill=svg.SOFT),
        )
    )


def _whole(content: str, height: float) -> str:
    wide, high = svg.number(WIDTH), svg.number(height)
    size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'font-family="{FONT}">{svg.box(0, 0, WIDTH, height, svg.PAGE)}{content}</svg>'
    )
