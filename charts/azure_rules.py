"""Writes the chart's rules as an ARM template for Azure's managed Prometheus, which knows no PrometheusRule.

    python -m charts.azure_rules > rules.json
    az deployment group create --resource-group GROUP --template-file rules.json --parameters workspace=ID

Form: https://learn.microsoft.com/azure/templates/microsoft.alertsmanagement/prometheusrulegroups; expressions
and texts are those of files/rules, unchanged, durations, severities and the size of groups are Azure's.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parent / "sensorscore" / "files" / "rules"
API = "2023-03-01"
LARGEST_GROUP = 20
SEVERITIES = {"critical": 0, "warning": 2, "info": 3}
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
Json = dict[str, Any]


def duration(text: str) -> str:
    """Prometheus' duration (1h30m) as ISO 8601 has it. ValueError: it is none, or no whole seconds."""
    if not re.fullmatch(r"([0-9]+[wdhms])+", text):
        raise ValueError(f"duration {text!r} is not one like 5m or 1h30m")
    total = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([wdhms])", text))
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number]
    return f"PT{''.join(parts) or '0S'}"


def template(files: Mapping[str, str], runbooks: str = "") -> Json:
    """The ARM template of rule files, by name; `runbooks` stands before each alert's page."""
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "workspace": {"type": "string", "metadata": {"description": "Id of the Azure Monitor workspace"}},
            "location": {"type": "string", "defaultValue": "[resourceGroup().location]"},
            "actionGroups": {
                "type": "array",
                "defaultValue": [],
                "metadata": {"description": "Ids of the action groups that alerts go to"},
            },
        },
        "variables": {
            "copy": [
                {
                    "name": "actions",
                    "count": "[length(parameters('actionGroups'))]",
                    "input": {"actionGroupId": "[parameters('actionGroups')[copyIndex('actions')]]"},
                }
            ]
        },
        "resources": [
            _resource(name, part, group.get("interval", "1m"), runbooks)
            for group in groups
            for name, part in _parts(group["name"], group["rules"])
        ],
    }


def _parts(name: str, rules: Sequence[Json]) -> Iterator[tuple[str, Sequence[Json]]]:
    for start in range(0, len(rules), LARGEST_GROUP):
        suffix = f"-{start // LARGEST_GROUP + 1}" if len(rules) > LARGEST_GROUP else ""
        yield f"{name}{suffix}", rules[start : start + LARGEST_GROUP]


def _resource(name: str, rules: Sequence[Json], interval: str, runbooks: str) -> Json:
    return {
        "type": "Microsoft.AlertsManagement/prometheusRuleGroups",
        "apiVersion": API,
        "name": name,
        "location": "[parameters('location')]",
        "properties": {
            "enabled": True,
            "scopes": ["[parameters('workspace')]"],
            "interval": duration(interval),
            "rules": [_alert(rule, runbooks) if "alert" in rule else _record(rule) for rule in rules],
        },
    }


def _record(rule: Json) -> Json:
    labels = {"labels": _texts(rule["labels"])} if "labels" in rule else {}
    return {"record": rule["record"], "expression": _text(rule["expr"]), "enabled": True, **labels}


def _alert(rule: Json, runbooks: str) -> Json:
    annotations = dict(rule["annotations"])
    if "runbook_url" in annotations:
        annotations["runbook_url"] = runbooks + annotations["runbook_url"]
    return {
        "alert": rule["alert"],
        "expression": _text(rule["expr"]),
        "for": duration(rule.get("for", "0s")),
        "severity": SEVERITIES[rule["labels"]["severity"]],
        "enabled": True,
        "labels": _texts(rule["labels"]),
        "annotations": _texts(annotations),
        "actions": "[variables('actions')]",
    }


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: _text(text) for name, text in texts.items()}


def _text(text: str) -> str:
    """A text that begins with a bracket would be an expression of the template."""
    return f"[{text}" if text.startswith("[") else text


def main() -> int:
    """Write the template to standard output; an argument is what stands before docs/runbooks/…"""
    files = {file.name: file.read_text(encoding="utf-8") for file in sorted(RULES.glob("*.yaml"))}
    json.dump(template(files, *sys.argv[1:2]), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
