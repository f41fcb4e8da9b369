"""A dashboard's JSON as typed values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.preview.errors import PreviewError, UnsupportedError
from local.preview.variables import interpolate

KINDS = ("stat", "timeseries", "table", "heatmap", "bargauge", "status-history")
FORMATS = ("time_series", "table", "heatmap")


@dataclass(frozen=True)
class Target:
    """One query of a panel; `instant`: of the range's end only."""

    ref: str
    expr: str
    legend: str
    instant: bool
    format: str


@dataclass(frozen=True)
class Panel:
    """A panel with its place in the grid of 24 columns.

    `points`: how many its graph has, 0: by its width; `smallest_step` between them as Grafana writes it.
    """

    id: int
    kind: str
    title: str
    description: str
    x: int
    y: int
    width: int
    height: int
    targets: tuple[Target, ...]
    points: int
    smallest_step: str
    defaults: Mapping[str, Any]
    overrides: tuple[Mapping[str, Any], ...]
    options: Mapping[str, Any]
    transformations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """A heading between panels."""

    title: str
    y: int


@dataclass(frozen=True)
class Variable:
    """A dashboard's variable; `definition`: a query, a data source's type or a constant."""

    name: str
    kind: str
    definition: str
    all_value: str


@dataclass(frozen=True)
class Dashboard:
    """All that is drawn."""

    uid: str
    title: str
    description: str
    start: str
    panels: tuple[Panel, ...]
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]


def load(file: Path) -> Dashboard:
    """The dashboard in a file. PreviewError: it is not one."""
    try:
        return dashboard(json.loads(file.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, KeyError) as error:
        raise PreviewError(f"{file} is no dashboard: {error!r}") from error


def dashboard(document: Mapping[str, Any]) -> Dashboard:
    """The typed form of a dashboard's JSON. UnsupportedError: it has a panel that the preview cannot draw."""
    pieces = list(_flat(document.get("panels") or ()))
    return Dashboard(
        uid=document["uid"],
        title=document["title"],
        description=document.get("description", ""),
        start=document["time"]["from"],
        panels=tuple(_panel(piece) for piece in pieces if piece["type"] != "row"),
        rows=tuple(Row(piece["title"], piece["gridPos"]["y"]) for piece in pieces if piece["type"] == "row"),
        variables=tuple(_variable(entry) for entry in document.get("templating", {}).get("list", ())),
    )


def queries(document: Mapping[str, Any], variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each query of each panel as (panel's title, expression) with `variables` put in.

    `variables` holds Grafana's own (`variables.intervals`), and values for those of the dashboard's that are
    not to be all there is; a value for a `=~` matcher is a regular expression. PreviewError: one is missing.
    """
    typed = dashboard(document)
    values = {**everything(typed), **variables}
    return [
        (panel.title, interpolate(target.expr, values)) for panel in typed.panels for target in panel.targets
    ]


def everything(typed: Dashboard) -> dict[str, str]:
    """What stands for each of a dashboard's variables where nothing is chosen."""
    return {
        variable.name: variable.definition if variable.kind == "constant" else variable.all_value
        for variable in typed.variables
    }


def _flat(panels: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels") or [])  # those of a collapsed row


def _panel(piece: Mapping[str, Any]) -> Panel:
    if piece["type"] not in KINDS:
        raise UnsupportedError(
            f"panel {piece.get('title')!r} is of type {piece['type']}; drawn are {', '.join(KINDS)}"
        )
    place = piece["gridPos"]
    configuration = piece.get("fieldConfig", {})
    return Panel(
        id=piece["id"],
        kind=piece["type"],
        title=piece.get("title", ""),
        description=piece.get("description", ""),
        x=place["x"],
        y=place["y"],
        width=place["w"],
        height=place["h"],
        targets=tuple(
            _target(piece, target) for target in piece.get("targets", ()) if not target.get("hide")
        ),
        points=piece.get("maxDataPoints", 0),
        smallest_step=piece.get("interval", ""),
        defaults=configuration.get("defaults", {}),
        overrides=tuple(configuration.get("overrides", ())),
        options=piece.get("options", {}),
        transformations=tuple(piece.get("transformations", ())),
    )


def _target(piece: Mapping[str, Any], target: Mapping[str, Any]) -> Target:
    form = target.get("format", "time_series")
    if form not in FORMATS or target.get("interval"):
        raise UnsupportedError(f"panel {piece.get('title')!r}: a query's format {form}, or a step of its own")
    return Target(
        ref=target["refId"],
        expr=target["expr"],
        legend=target.get("legendFormat", ""),
        instant=bool(target.get("instant")),
        format=form,
    )


def _variable(entry: Mapping[str, Any]) -> Variable:
    query = entry.get("query", "")
    definition = query.get("query", "") if isinstance(query, dict) else query
    return Variable(
        name=entry["name"],
        kind=entry["type"],
        definition=definition,
        all_value=entry.get("allValue") or "",
    )
