"""What the alerts of this folder's tests are: the chart's own rules, with nothing changed but durations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring import scaled

RULES = sorted((Path(__file__).resolve().parents[2] / "charts/sensorscore/files/rules").glob("*.yaml"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rate(x[5m])", "rate(x[5000ms])"),
        ("increase(x[1h30m] offset 1d) > 3600", "increase(x[90000ms] offset 1440000ms) > 3600"),
        ("max_over_time(x[1h:5m])", "max_over_time(x[60000ms:5000ms])"),
        ('x{y="[5m] offset 1h"} offset -1m', 'x{y="[5m] offset 1h"} offset -1000ms'),
        ("namespace:sensorscore_x:increase1h > 2", "namespace:sensorscore_x:increase1h > 2"),
        ("x[30ms]", "x[1ms]"),
    ],
)
def test_durations_are_divided_and_nothing_else(before: str, after: str) -> None:
    assert scaled.expression(before) == after


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_file_keeps_all_but_its_durations(path: Path) -> None:
    text = path.read_text()
    assert _shape(scaled.rules(text)) == _shape(text)


def _shape(text: str) -> list[Any]:
    """All of a rule file, with a mark in each duration's place."""
    return [
        {
            **rule,
            "expr": scaled.without_durations(rule["expr"]),
            **{field: "DURATION" for field in scaled.FIELDS if field in rule},
        }
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]
