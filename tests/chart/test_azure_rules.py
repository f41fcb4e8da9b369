"""The rules as Azure's managed Prometheus takes them are the chart's rules."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from chart.rendering import CHART
from charts.azure_rules import LARGEST_GROUP, duration, template

ROOT = CHART.parents[1]
FILES = {file.name: file.read_text(encoding="utf-8") for file in (CHART / "files" / "rules").glob("*.yaml")}


def rules(files: dict[str, str]) -> list[dict[str, Any]]:
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_every_rule_is_there_with_its_own_expression() -> None:
    built = template(FILES, "https://example.com/")
    theirs = [rule for resource in built["resources"] for rule in resource["properties"]["rules"]]
    ours = rules(FILES)
    assert [rule["expression"] for rule in theirs] == [rule["expr"] for rule in ours]
    assert [rule.get("alert") or rule["record"] for rule in theirs] == [
        rule.get("alert") or rule["record"] for rule in ours
    ]
    alerts = [rule for rule in theirs if "alert" in rule]
    assert {rule["severity"] for rule in alerts} <= {0, 2, 3}
    assert all(
        rule["annotations"]["runbook_url"] == f"https://example.com/docs/runbooks/{rule['alert']}.md"
        for rule in alerts
    )
    names = [resource["name"] for resource in built["resources"]]
    assert len(names) == len(set(names))


def test_a_large_group_is_divided_as_azure_wants_it() -> None:
    many = [{"record": f"a:b:{number}", "expr": "[x]"} for number in range(LARGEST_GROUP + 1)]
    built = template({"a": yaml.safe_dump({"groups": [{"name": "g", "rules": many, "interval": "5m"}]})})
    sizes = [(each["name"], len(each["properties"]["rules"])) for each in built["resources"]]
    assert sizes == [("g-1", LARGEST_GROUP), ("g-2", 1)]
    properties = built["resources"][0]["properties"]
    assert properties["interval"] == "PT5M"
    # A bracket would begin an expression of the template.
    assert properties["rules"][0]["expression"] == "[[x]"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("5m", "PT5M"),
        ("0s", "PT0S"),
        ("90s", "PT1M30S"),
        ("1h30m", "PT1H30M"),
        ("1d", "PT24H"),
        ("2w", "PT336H"),
    ],
)
def test_durations(text: str, iso: str) -> None:
    assert duration(text) == iso


@pytest.mark.parametrize("text", ["", "5", "5 m", "1.5h", "100ms"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not one like 5m"):
        duration(text)


def test_the_command_prints_json() -> None:
    argv = [sys.executable, "-m", "charts.azure_rules"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["resources"]
