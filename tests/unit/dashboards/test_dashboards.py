"""The dashboards: whole, of series that there are, and what Grafana and Azure's portal can show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from charts.dashboards.__main__ import FOLDER, texts
from local.preview.model import KINDS, dashboard
from local.preview.units import text
from local.preview.variables import names
from scorer.ingest.series import CATALOGUE as INGEST
from scoring_operator.metrics.catalogue import CATALOGUE as OPERATOR
from scoring_operator.metrics.catalogue import PROCESS

register_default_plugins()  # the panels' and the data source's own types
ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = OPERATOR | INGEST
FILES = sorted(FOLDER.glob("*.json"))
DOCUMENTS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
GRAFANAS = {"__range", "__range_s", "__rate_interval", "__interval", "__interval_ms", "__url_time_range"}
OF_PROMETHEUS = {"ALERTS": {"alertname", "alertstate"}, **{name: set() for name in PROCESS}}
OF_TARGETS = {"cluster", "namespace", "job", "instance"}
SERIES = re.compile(r"\b((?:sensorscore|process)_\w+|ALERTS)\b(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")

Panel = dict[str, Any]


def panels() -> Iterator[tuple[str, Panel]]:
    for name, document in DOCUMENTS.items():
        yield from ((name, panel) for panel in document["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    for name, panel in panels():
        yield from ((f"{name}: {panel['title']}", target["expr"]) for target in panel["targets"])


PANELS = [pytest.param(panel, id=f"{name}: {panel['title']}") for name, panel in panels()]
EXPRESSIONS = [pytest.param(expr, id=f"{title} {place}") for place, (title, expr) in enumerate(expressions())]


def test_files_are_what_the_python_says() -> None:
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == texts(), "run `make dashboards`"


def test_files_are_the_same_whenever_they_are_made() -> None:
    assert texts() == texts()


@pytest.mark.parametrize(("name", "document"), DOCUMENTS.items())
def test_a_dashboard_can_be_found_by_its_uid(name: str, document: Panel) -> None:
    assert document["uid"] == f"sensorscore-{name}"
    assert document["title"].startswith("Sensorscore / ")
    assert "sensorscore" in document["tags"]
    assert document["timezone"] == "utc"
    assert not document.get("id")


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_ids_are_unique(document: Panel) -> None:
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_titles_are_unique_in_a_dashboard(document: Panel) -> None:
    titles = [panel["title"] for panel in document["panels"]]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_panels_do_not_overlap(document: Panel) -> None:
    places = [panel["gridPos"] for panel in document["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, f"{one} and {other}"


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_what_one_can_choose_by_is_used_and_all_that_is_used_is_there(document: Panel) -> None:
    there = {variable["name"] for variable in document["templating"]["list"]}
    queries = [target["expr"] for panel in document["panels"] for target in panel.get("targets", ())]
    used = set().union(*map(names, queries)) - GRAFANAS
    links = names(json.dumps([panel.get("links") for panel in document["panels"]]))
    assert used <= there
    assert there - {"datasource", "runbooks"} == used
    assert ("runbooks" in there) == ("runbooks" in links or "${runbooks}" in json.dumps(document["panels"]))


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_why_it_may_be_empty(panel: Panel) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"].endswith((".", "scores others."))
    assert text(1.5, defaults["unit"])
    assert defaults["noValue"]
    assert defaults["thresholds"]["steps"][0]["value"] is None


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_chosen_data_source(panel: Panel) -> None:
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == wanted
    assert all(target["datasource"] == wanted for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])


@pytest.mark.parametrize("panel", PANELS)
def test_series_have_names_for_people(panel: Panel) -> None:
    if panel["type"] in ("timeseries", "bargauge", "heatmap", "status-history"):
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_is_one_that_grafana_and_the_portal_have(panel: Panel) -> None:
    assert panel["type"] in KINDS
    assert not {"alert", "libraryPanel", "pluginVersion"} & set(panel)


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_a_query_is_of_series_that_the_operator_has_by_labels_that_they_have(expr: str) -> None:
    found = SERIES.findall(expr)
    assert found
    for name, matchers in found:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= labels_of(name) | OF_TARGETS, f"{name} has no {labels - labels_of(name)}"


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_a_query_of_ours_keeps_to_the_chosen_clusters(expr: str) -> None:
    for name, matchers in SERIES.findall(expr):
        if name not in PROCESS:
            assert 'cluster=~"$cluster"' in matchers


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_what_counts_is_asked_for_what_was_added(expr: str) -> None:
    for match in SERIES.finditer(expr):
        name = match[1]
        if name.endswith(("_total", "_bucket", "_sum", "_count")):
            assert re.search(r"(increase|rate)\($", expr[: match.start()]), f"{name} as it stands"
            assert expr[match.end() :].startswith("["), f"{name} without a range"


def test_summing_is_by_labels_that_something_has() -> None:
    known = set().union(*(series.labels for series in CATALOGUE.values())) | OF_TARGETS
    known |= {"le", "alertname", "severity"}
    for _, expr in expressions():
        for labels in BY.findall(expr):
            assert set(labels.replace(" ", "").split(",")) <= known


def test_links_lead_to_dashboards_and_runbooks_that_are_there() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    uids = {document["uid"] for document in DOCUMENTS.values()}
    assert set(re.findall(r"/d/([\w-]+)", text)) <= uids
    runbooks = set(re.findall(r"\$\{runbooks\}/(\w+)\.md", text))
    assert runbooks
    for runbook in runbooks:
        assert (ROOT / "docs" / "runbooks" / f"{runbook}.md").is_file(), runbook


def test_every_alert_leads_to_a_dashboard_that_is_there() -> None:
    rules = every_rule()
    named = set(re.findall(r"^\s*dashboard: [\"']?([\w-]+)", rules, flags=re.MULTILINE))
    assert named
    assert named <= {document["uid"] for document in DOCUMENTS.values()}


def test_every_alert_has_a_panel_that_leads_to_its_runbook() -> None:
    rules = every_rule()
    alerts = set(re.findall(r"^\s*-?\s*alert: (\w+)", rules, flags=re.MULTILINE))
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert alerts <= set(re.findall(r"\$\{runbooks\}/(\w+)\.md", text))


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_it_is_all_of_grafanas_own_types(document: Panel) -> None:
    read = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    assert kept(document, read) == []


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_the_preview_can_read_it(document: Panel) -> None:
    assert dashboard(document).panels


def every_rule() -> str:
    """The chart's rule files, one after the other."""
    folder = ROOT / "charts/sensorscore/files/rules"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml")))


def kept(before: Any, after: Any, path: str = "") -> list[str]:
    """Where `after` lacks something of `before`, or has it otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [(f"{path}/{key}", value, after.get(key)) for key, value in before.items() if value != []]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(f"{path}/{place}", *pair) for place, pair in enumerate(zip(before, after, strict=True))]
    else:
        return [] if before == after else [path]
    return [wrong for where, one, other in pairs for wrong in kept(one, other, where)]


def labels_of(name: str) -> set[str]:
    """The labels of a series, by the name under which it is asked for."""
    if name in OF_PROMETHEUS:
        return set(OF_PROMETHEUS[name])
    if name in CATALOGUE and CATALOGUE[name].kind != "histogram":
        return set(CATALOGUE[name].labels)
    whole, _, part = name.rpartition("_")
    assert whole in OPERATOR, f"neither the operator nor ingest has a series {name}"
    assert OPERATOR[whole].kind == "histogram", name
    return set(OPERATOR[whole].labels) | ({"le"} if part == "bucket" else set())
