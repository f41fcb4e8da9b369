"""What alerts and rules name is there: series, runbooks, dashboards, a test of each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scorer.ingest.series import CATALOGUE as INGEST
from scoring_operator.metrics.catalogue import CATALOGUE as OPERATOR
from scoring_operator.metrics.catalogue import PROCESS

ROOT = Path(__file__).resolve().parents[3]
CHART, RUNBOOKS = ROOT / "charts/sensorscore", ROOT / "docs/runbooks"
CASES = ROOT / "tests/monitoring/rules"
CATALOGUE = OPERATOR.keys() | INGEST.keys()
Json = dict[str, Any]


def rules(file: str) -> list[Json]:
    loaded = yaml.safe_load((CHART / "files/rules" / f"{file}.yaml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


RULES = [*rules("alerts"), *rules("recording"), *rules("ingest")]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in RUNBOOKS.glob("Sensorscore*.md")}
SECTIONS = ["Meaning", "Impact", "What to look at", "Causes and mending", "When to silence"]


def series_in(text: str) -> set[str]:
    """Names of series in a query, as the catalogue has them."""
    for rule in RECORDED:
        text = text.replace(rule, "")
    names = set(re.findall(r"\b(?:sensorscore|process)_\w+", text))
    known = CATALOGUE | PROCESS.keys()
    return {name if name in known else re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def queries(page: str) -> str:
    return "\n".join(re.findall(r"```promql\n(.*?)```", page, re.DOTALL))


def test_the_alerts_are_those_that_are_promised() -> None:
    assert {name.removeprefix("Sensorscore") for name in ALERTS} == {
        *("RunMissed", "RunFailed", "SensorsFailing", "SensorsSkipped", "WindowLag", "PendingTooLong"),
        *("OperatorDown", "OperatorBlind", "ReconcileErrors", "ModelGuard", "CostOverBudget"),
        "SinkFailing",
        *("IngestWatermarkDelay", "IngestStalled", "IngestBadEvents"),
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert"))
def test_a_rule_asks_for_series_that_there_are(rule: Json) -> None:
    assert series_in(rule["expr"]) <= CATALOGUE | PROCESS.keys()
    assert set(re.findall(r"\b[a-z_]+:sensorscore_\w+:\w+", rule["expr"])) <= RECORDED
    assert "job=" not in rule["expr"], "how it is scraped is not known here"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_to_go_on(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard", "panel"}
    assert notes["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_names_the_panel_that_shows_it_and_the_panel_its_runbook(name: str) -> None:
    notes = ALERTS[name]["annotations"]
    documents = [json.loads(path.read_text()) for path in (CHART / "files/dashboards").glob("*.json")]
    (panels,) = (each["panels"] for each in documents if each["uid"] == notes["dashboard"])
    (panel,) = (each for each in panels if each["title"] == notes["panel"] and each["type"] != "row")
    assert f"{name}.md" in [link["url"].rpartition("/")[2] for link in panel.get("links", [])]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_firing_and_silent(name: str) -> None:
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))["tests"]
    fires = [
        each
        for case in cases
        for each in case.get("alert_rule_test", ())
        if each["alertname"] == name and each["exp_alerts"]
    ]
    silent = [
        each
        for case in cases
        for each in case.get("promql_expr_test", ())
        if f'alertname="{name}"' in each["expr"] and not each["exp_samples"]
    ]
    assert fires
    assert silent


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert PAGES.keys() == ALERTS.keys()
    contents = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for name, alert in ALERTS.items():
        assert f"[{name}]({name}.md) | {alert['labels']['severity']} |" in contents


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_what_one_needs_at_night(name: str) -> None:
    page = PAGES[name]
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS
    assert "```promql" in page
    assert "kubectl " in page


@pytest.mark.parametrize("name", [*PAGES, "README"])
def test_what_a_page_names_is_there(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert series_in(queries(page)) <= CATALOGUE | PROCESS.keys()
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page):
        assert (RUNBOOKS / link).exists(), link


def test_no_recorded_series_is_there_for_nobody() -> None:
    asked = "".join(rule["expr"] for rule in RULES)
    shown = "".join(path.read_text() for path in (CHART / "files/dashboards").glob("*.json"))
    documented = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    for name in RECORDED:
        assert name in asked or name in shown or name in documented, name
