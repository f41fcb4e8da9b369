"""Dashboards' JSON read as Grafana reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.preview.errors import PreviewError, UnsupportedError
from local.preview.model import dashboard, load, queries
from local.preview.variables import interpolate, intervals, names, seconds, step
from unit.preview import given

VARIABLES = [
    {"name": "datasource", "type": "datasource", "query": "prometheus"},
    {"name": "namespace", "type": "query", "query": {"query": "label_values(up, n)"}, "allValue": ".*"},
    {"name": "runbooks", "type": "constant", "query": "docs/runbooks"},
]


def test_queries_are_told_with_variables_in_their_place() -> None:
    made = given.document(
        given.panel_json("stat", 'increase(x{n=~"$namespace"}[$__range])', "rate(y[${__rate_interval}])"),
        variables=VARIABLES,
    )
    assert queries(made, intervals(3600, 60, 15)) == [
        ("A panel", 'increase(x{n=~".*"}[3600s])'),
        ("A panel", "rate(y[75s])"),
    ]


def test_a_chosen_value_stands_before_all() -> None:
    made = given.document(given.panel_json("stat", 'x{n=~"$namespace"}'), variables=VARIABLES)
    assert queries(made, {"namespace": "north"}) == [("A panel", 'x{n=~"north"}')]


def test_panels_of_a_collapsed_row_are_panels() -> None:
    row = {"type": "row", "title": "More", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}
    made = dashboard(given.document({**row, "panels": [given.panel_json("stat")]}))
    assert [panel.title for panel in made.panels] == ["A panel"]
    assert [heading.title for heading in made.rows] == ["More"]


def test_a_hidden_query_is_not_asked() -> None:
    panel = given.panel_json("stat", "a", "b")
    panel["targets"][0]["hide"] = True
    assert [target.expr for target in given.given(panel).panels[0].targets] == ["b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "piechart"}, "of type piechart"),
        ({"targets": [{"refId": "A", "expr": "x", "interval": "1h"}]}, "a step of its own"),
    ],
)
def test_what_is_not_drawn_is_refused_by_name(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        given.given({**given.panel_json("stat"), **changes})


def test_a_file_that_is_no_dashboard_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text("{}")
    with pytest.raises(PreviewError, match=r"wrong\.json is no dashboard"):
        load(file)


@pytest.mark.parametrize("written", ["$name", "${name}", "${name:regex}"])
def test_a_variable_is_found_however_it_is_written(written: str) -> None:
    assert interpolate(f'x{{a="{written}"}}', {"name": "b"}) == 'x{a="b"}'
    assert names(written) == {"name"}


def test_a_variable_without_a_value_is_named() -> None:
    with pytest.raises(PreviewError, match=r"\$other has no value"):
        interpolate("$other", {"name": "b"})


@pytest.mark.parametrize(("text", "value"), [("15s", 15), ("5m", 300), ("24h", 86400), ("7d", 604800)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


def test_what_is_no_duration_is_named() -> None:
    with pytest.raises(PreviewError, match="'now'"):
        seconds("now")


@pytest.mark.parametrize(
    ("span", "points", "smallest", "wanted"),
    [(86400, 96, 15, 900), (3600, 96, 15, 30), (3600, 480, 15, 15), (604800, 96, 15, 7200)],
)
def test_a_step_is_round_and_not_below_a_scrape(
    span: float, points: int, smallest: float, wanted: float
) -> None:
    assert step(span, points, smallest) == wanted


def test_a_rate_interval_holds_four_scrapes_at_least() -> None:
    assert intervals(3600, 15, 15)["__rate_interval"] == "60s"
    assert intervals(86400, 900, 15)["__rate_interval"] == "915s"
    assert intervals(86400, 900, 15)["__interval_ms"] == "900000"
