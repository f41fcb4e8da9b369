"""Facts and windows that tests of the guard share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from scorer.guard.facts import Facts, read_facts
from scorer.guard.judge import Judged, Records, judge
from scorer.window import Window

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "0123456789ab"


def hour(number: int, hours: int = 1) -> Window:
    """The window that begins so many hours after the first one."""
    start = ZERO + timedelta(hours=number)
    return Window(start, start + timedelta(hours=hours))


def told(**changes: Any) -> dict[str, Any]:
    """What was observed of an hour of a sensor that is well: 3 of 280 rows flagged, 1 % in training."""
    usual = {"m": MODEL, "n": 280, "f": 3, "g": 3, "r": 0, "k": 1, "o": 0, "x": 280.0, "t": [1440, 14, 16]}
    changed = {**usual, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def facts(**changes: Any) -> Facts:
    """The same, read."""
    return read_facts(told(**changes))


WELL: Mapping[str, Any] = {}
SPIKES = {"f": 60, "g": 55}
ALL = {"f": 280, "g": 1}
STUCK = {"f": 0, "g": 0, "c": ["value", 1.5, 60]}
OUTSIDE = {"f": 280, "g": 1, "o": 280}
FEW = {"n": 140, "f": 1, "g": 1}


def watch(*windows: Mapping[str, Any] | None, state: Mapping[str, Records] | None = None) -> list[Judged]:
    """One sensor's hours through the guard, one after the other; None is an hour without."""
    known: Mapping[str, Records] = state or {}
    judged = []
    for number, changes in enumerate(windows):
        if changes is not None:
            judged.append(judge(known, hour(number), {"s": facts(**changes)}))
            known = judged[-1].state
    return judged


def reasons(judged: list[Judged]) -> list[str]:
    """Warnings that began, in order."""
    return [finding.reason for each in judged for finding in each.warnings]
