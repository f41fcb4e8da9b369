"""Dashboards and answers for the preview's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.preview.data import Range, Series
from local.preview.model import Dashboard, Panel, dashboard
from local.promql import QueryError, Sample
from local.promql import Series as Answer

HOUR = Range(7200.0, 10800.0, 15.0)


@dataclass
class Source:
    """Answers as given, whatever is asked; remembers what was."""

    samples: Sequence[Sample] = ()
    series: Sequence[Answer] = ()
    refuses: str = ""
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def query(self, expression: str, at: float | None = None) -> Sequence[Sample]:
        self.asked.append((expression, at))
        if self.refuses:
            raise QueryError(self.refuses)
        return self.samples

    def query_range(self, expression: str, start: float, end: float, step: float) -> Sequence[Answer]:
        self.asked.append((expression, start, end, step))
        if self.refuses:
            raise QueryError(self.refuses)
        return self.series


def document(*panels: Mapping[str, Any], variables: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A dashboard's JSON."""
    return {
        "uid": "given",
        "title": "Given",
        "time": {"from": "now-1h", "to": "now"},
        "panels": list(panels),
        "templating": {"list": list(variables)},
    }


def panel_json(kind: str, *exprs: str, **more: Any) -> dict[str, Any]:
    """A panel's JSON with a query for each expression."""
    instant = kind in ("stat", "table", "bargauge")
    form = {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series")
    targets = [
        {
            "refId": chr(65 + place),
            "expr": expr,
            "instant": instant,
            "format": form,
            "legendFormat": "{{name}}",
        }
        for place, expr in enumerate(exprs or ("up",))
    ]
    return {
        **{"id": 1, "type": kind, "title": "A panel", "description": "What it shows."},
        **{"gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}, "targets": targets},
        **more,
    }


def panel(kind: str, *exprs: str, **more: Any) -> Panel:
    """A panel."""
    return given(panel_json(kind, *exprs, **more)).panels[0]


def given(*panels: Mapping[str, Any]) -> Dashboard:
    """A dashboard."""
    return dashboard(document(*panels))


def series(
    name: str, *values: float, ref: str = "A", start: float = 7200.0, step: float = 600.0, **labels: str
) -> Series:
    """A series on a grid."""
    times = tuple(start + step * place for place in range(len(values)))
    return Series(name, ref, labels, times, values)
