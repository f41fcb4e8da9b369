"""Tables made of several queries of one moment, merged on their labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.preview import svg
from local.preview.data import Series
from local.preview.errors import UnsupportedError
from local.preview.fields import Field, field
from local.preview.frame import Area
from local.preview.model import Panel

ROW = 26.0
KNOWN = ("merge", "organize")


@dataclass(frozen=True)
class Column:
    """A column: what its cells say, and which have a colour of their own."""

    look: Field
    cells: tuple[str, ...]
    colours: tuple[str, ...]
    numeric: bool


def draw(panel: Panel, found: Sequence[Series], area: Area) -> str:
    """Heads and rows; a last line says how many rows found no room."""
    columns = _ordered(panel, _columns(panel, found))
    widths = _widths(columns, area.width)
    rows = len(columns[0].cells)
    shown = min(rows, max(1, int((area.height - ROW) // ROW)))
    pieces, x = [], 0.0
    for column, wide in zip(columns, widths, strict=True):
        anchor, at = ("end", x + wide - 8) if column.numeric else ("start", x + 6)
        head = svg.shorten(column.look.name, 12, wide - 10)
        pieces.append(svg.words(at, 16, head, fill=svg.SOFT, anchor=anchor, weight=600))
        filled = column.look.custom.get("cellOptions", {}).get("type") == "color-background"
        for row in range(shown):
            top = ROW + row * ROW
            colour = column.colours[row]
            if filled and colour:
                pieces.append(svg.box(x + 1, top + 1, wide - 2, ROW - 2, colour, round_=2))
            ink = svg.on(colour) if filled and colour else colour or svg.INK
            text = svg.shorten(column.cells[row], 12, wide - 10)
            pieces.append(svg.words(at, top + 17, text, fill=ink, anchor=anchor))
        x += wide
    pieces += [
        svg.line(0, ROW + row * ROW, area.width, ROW + row * ROW, svg.GRID) for row in range(shown + 1)
    ]
    if shown < rows:
        pieces.append(svg.words(area.width, area.height, f"+{rows - shown} rows", size=11, anchor="end"))
    return "".join(pieces)


def _columns(panel: Panel, found: Sequence[Series]) -> dict[str, Column]:
    kinds = [change["id"] for change in panel.transformations]
    if set(kinds) - set(KNOWN) or (len(panel.targets) > 1 and "merge" not in kinds):
        raise UnsupportedError(f"panel {panel.title!r}: a table by the transformations {kinds}")
    labels = sorted({label for series in found for label in series.labels if label != "__name__"})
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for series in found:
        key = tuple(series.labels.get(label, "") for label in labels)
        rows.setdefault(key, {})[series.ref] = series.last
    order = _order(panel, labels, rows)
    change = _organize(panel)
    columns: dict[str, Column] = {}
    for place, label in enumerate(labels):
        look = field(panel, change.get("renameByName", {}).get(label, label), "")
        texts = tuple(look.mappings.get(key[place], (key[place], ""))[0] or key[place] for key in order)
        columns[label] = Column(look, texts, ("",) * len(order), numeric=False)
    for target in panel.targets:
        name = f"Value #{target.ref}" if len(panel.targets) > 1 else "Value"
        look = field(panel, change.get("renameByName", {}).get(name, name), target.ref)
        values = [rows[key].get(target.ref, math.nan) for key in order]
        coloured = look.custom.get("cellOptions", {}).get("type", "auto") != "auto"
        columns[name] = Column(
            look,
            tuple("" if math.isnan(value) else look.text(value) for value in values),
            tuple(look.colour(value) if coloured and not math.isnan(value) else "" for value in values),
            numeric=True,
        )
    hidden = change.get("excludeByName", {})
    return {name: column for name, column in columns.items() if not hidden.get(name)}


def _order(
    panel: Panel, labels: Sequence[str], rows: Mapping[tuple[str, ...], Mapping[str, float]]
) -> list[tuple[str, ...]]:
    """The rows' keys, sorted as the panel's options say."""
    keys = sorted(rows)
    for wanted in reversed(panel.options.get("sortBy") or []):
        name, down = wanted["displayName"], bool(wanted.get("desc"))
        rename = _organize(panel).get("renameByName", {})
        source = next((old for old, new in rename.items() if new == name), name)
        if source in labels:
            place = labels.index(source)
            keys.sort(key=lambda key, place=place: key[place], reverse=down)  # type: ignore[misc]
        else:
            ref = source.removeprefix("Value #") if "#" in source else panel.targets[0].ref
            keys.sort(key=lambda key, ref=ref: rows[key].get(ref, -math.inf), reverse=down)  # type: ignore[misc]
    return keys


def _ordered(panel: Panel, columns: Mapping[str, Column]) -> list[Column]:
    places = _organize(panel).get("indexByName", {})
    return [columns[name] for name in sorted(columns, key=lambda name: places.get(name, len(places)))]


def _organize(panel: Panel) -> Mapping[str, Mapping[str, str]]:
    return next((change["options"] for change in panel.transformations if change["id"] == "organize"), {})


def _widths(columns: Sequence[Column], room: float) -> list[float]:
    """Each column by its widest cell, all of them together as wide as the panel."""
    wanted = [
        max([svg.width(column.look.name, 12) * 1.08, *(svg.width(cell, 12) for cell in column.cells)]) + 18
        for column in columns
    ]
    return [wide * room / sum(wanted) for wide in wanted]
