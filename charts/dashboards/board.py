"""A whole dashboard: its head, variables and links, and the panels in their places."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from charts.dashboards.panels import SOURCE, Spec, build

TAG = "sensorscore"
COLUMNS = 24
RUNBOOKS = "docs/runbooks"
"""Where the alerts' runbooks are; the chart puts its `runbookBaseUrl` before it."""

LABELS = {
    "cluster": ("Cluster", "label_values(sensorscore_operator_build_info, cluster)"),
    "namespace": ("Namespace", "label_values(sensorscore_runs, namespace)"),
    "schedule": ("Schedule", 'label_values(sensorscore_runs{namespace=~"$namespace"}, schedule)'),
}


@dataclass(frozen=True)
class Section:
    """Panels under one heading, laid out from left to right, in lines as high as their highest."""

    title: str
    panels: Sequence[Spec]


@dataclass(frozen=True)
class Board:
    """A dashboard; `labels`: which of `LABELS` one can choose by; `start`: `now-24h`, say.

    `scope`: the series whose labels' values one chooses from, if they are not the operator's.
    """

    name: str
    title: str
    description: str
    labels: Sequence[str]
    sections: Sequence[Section]
    start: str = "now-24h"
    runbooks: bool = False
    scope: str = ""


def text(board: Board) -> str:
    """The dashboard's JSON, the same whenever it is made."""
    made = dashboard.Dashboard(board.title).uid(f"sensorscore-{board.name}").description(board.description)
    made.tags([TAG]).timezone("utc").time(board.start, "now").refresh("1m").editable().version(1)
    made.tooltip(model.DashboardCursorSync.CROSSHAIR).link(_link_to_others())
    for variable in _variables(board):
        made.with_variable(variable)
    for what, place in _places(board.sections):
        if isinstance(what, Section):
            made.with_row(dashboard.Row(what.title).id(_number(what.title)).grid_pos(place))
        else:
            made.with_panel(build(what, _number(what.title), place))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _number(title: str) -> int:
    """A panel's id: the same for as long as its title is, so that a link to it outlives panels before it."""
    return zlib.crc32(title.encode()) % 1_000_000 + 1


def _places(sections: Sequence[Section]) -> Iterator[tuple[Section | Spec, model.GridPos]]:
    """Each heading and panel with its place in the grid."""
    y = 0
    for section in sections:
        yield section, model.GridPos(x=0, y=y, w=COLUMNS, h=1)
        y, x, high = y + 1, 0, 0
        for panel in section.panels:
            if x + panel.width > COLUMNS:
                y, x, high = y + high, 0, 0
            yield panel, model.GridPos(x=x, y=y, w=panel.width, h=panel.height)
            x, high = x + panel.width, max(high, panel.height)
        y += high


def _variables(
    board: Board,
) -> Iterator[dashboard.DatasourceVariable | dashboard.QueryVariable | dashboard.ConstantVariable]:
    yield dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    for name in board.labels:
        label, query = LABELS[name]
        if board.scope:
            query = f"label_values({board.scope}, {name})"
        asked: dict[str, object] = {"query": query, "refId": f"variable-{name}"}
        variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(asked)
        variable.include_all(True).all_value(".*").multi(True).sort(model.VariableSort.ALPHABETICAL_ASC)
        every = model.VariableOption(selected=True, text="All", value="$__all")
        yield variable.current(every).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    if board.runbooks:
        yield dashboard.ConstantVariable("runbooks").value(RUNBOOKS)


def _link_to_others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Sensorscore").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(True).keep_time(True).as_dropdown(False).icon("external link")
