"""Rules as they would be on a faster clock: every duration divided, nothing else changed.

So an alert that waits for fifteen minutes is seen to fire within fifteen seconds, by the very expression that
people install. Numbers that are compared stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

FACTOR = 60
"""A minute is a second."""

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
FIELDS = ("for", "keep_firing_for")
# Where PromQL takes a duration: in brackets and after `offset`; texts in quotes are passed over.
_TEXT = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_PLACE = re.compile(rf"(?P<text>{_TEXT})|\[[^\]]*\]|\boffset\s+[-\w]+")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+)(ms|[smhdw])")


def rules(text: str, factor: int = FACTOR) -> str:
    """A rule file with its durations divided by `factor`; its groups have Prometheus' own pace."""
    content = yaml.safe_load(text)
    for group in content["groups"]:
        group.pop("interval", None)
        group["rules"] = [_rule(rule, factor) for rule in group["rules"]]
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def expression(promql: str, factor: int = FACTOR) -> str:
    """PromQL with its durations divided."""
    return _each_duration(promql, lambda found: duration(found, factor))


def without_durations(promql: str) -> str:
    """PromQL with a mark in each duration's place: equal before and after, if only durations differ."""
    return _each_duration(promql, lambda _: "DURATION")


def duration(text: str, factor: int) -> str:
    """A duration divided, to the millisecond, and never nothing."""
    whole = sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text))
    return f"{max(1, whole // factor)}ms" if whole else text


def _rule(rule: dict[str, Any], factor: int) -> dict[str, Any]:
    waits = {field: duration(str(rule[field]), factor) for field in FIELDS if field in rule}
    return {**rule, "expr": expression(rule["expr"], factor), **waits}


def _each_duration(promql: str, change: Any) -> str:
    def place(found: re.Match[str]) -> str:
        if found["text"]:
            return found[0]
        return _DURATION.sub(lambda each: change(each[0]), found[0])

    return _PLACE.sub(place, promql)
