"""Which corrected hours get a run now: a pure function of what the store has, the mark and the clock.

What was found comes from another container, which has rights in the store and none in Kubernetes: it is
untrusted. It names hours and numbers; where an hour's list lies follows from the schedule alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from scoring_operator.contract import ContractError, Json, clean, rfc3339
from scoring_operator.contract.untrusted import a_text, check_head, objects, shown
from scoring_operator.schedule.rescore import HOUR, Rescore
from scoring_operator.schedule.windows import Grid, window_time

VERSION = 1
MAX_BYTES = 262_144  # 31 days of hours have 80 kB
MAX_CHANGES = 1000
MAX_COUNT = 999_999  # its digits are in a run's name
WHY_BYTES = 500
HOURS = Grid(HOUR)


@dataclass(frozen=True, slots=True)
class Change:
    """The hour that ends then was corrected so many times."""

    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look at the store has found, and why it did not see all, if so."""

    found: tuple[Change, ...]
    error: str = ""


def read_changes(path: Path) -> Changes:
    """What the other container has left; nothing and why, if it cannot be understood."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return Changes((), f"what was found in the store cannot be read: {error.strerror}")
    try:
        return parse_changes(data)
    except ContractError as error:
        return Changes((), f"what was found in the store is not understood: {error}")


def parse_changes(data: bytes) -> Changes:
    """Raises `ContractError` for all but `{"v": 1, "error": "", "changes": [{"end": …, "count": …}]}`."""
    if len(data) > MAX_BYTES:
        raise ContractError(f"it has more than {MAX_BYTES} bytes")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"it is not JSON: {clean(str(error), 80)}") from None
    if not isinstance(told, dict):
        raise ContractError(f"it is {shown(told)}; wanted an object")
    check_head(told, v=VERSION)
    changes = [_change(each) for each in objects(told, "changes")]
    ends = {change.end for change in changes}
    if len(changes) > MAX_CHANGES or len(ends) < len(changes):
        raise ContractError(f"changes are {len(changes)} of {len(ends)} hours; wanted each once")
    return Changes(tuple(changes), clean(a_text(told, "error"), WHY_BYTES))


def _change(told: Json) -> Change:
    text, count = a_text(told, "end"), told.get("count")
    try:
        end = window_time(text)
    except ValueError:
        raise ContractError(f"end is {shown(text)}; wanted a time such as 2026-01-01T00:00:00Z") from None
    if HOURS.at_or_before(end) != end:
        raise ContractError(f"end is {shown(text)}; wanted a full hour")
    if type(count) is not int or not 0 < count <= MAX_COUNT:
        raise ContractError(f"count is {shown(count)}; wanted 1 to {MAX_COUNT}")
    return Change(end, count)


@dataclass(frozen=True, slots=True)
class Mark:
    """What was done: for which of its corrections an hour was last scored again, and how much this hour."""

    counts: Mapping[datetime, int] = field(default_factory=dict)  # by the hour's end
    hour: datetime | None = None  # the hour of the clock in which runs were last made
    made: int = 0  # and how many then

    def left(self, rescore: Rescore, now: datetime) -> int:
        """How many runs may still be made in this hour of the clock."""
        made = self.made if self.hour == HOURS.at_or_before(now) else 0
        return max(0, rescore.max_per_hour - made)

    def settled(self, change: Change, rescore: Rescore, now: datetime) -> Mark:
        """With a run more. Of hours beyond the horizon nothing needs to be known any longer."""
        hour = HOURS.at_or_before(now)
        made = self.made if self.hour == hour else 0
        counts = {end: count for end, count in self.counts.items() if end > now - rescore.horizon}
        return replace(self, counts={**counts, change.end: change.count}, hour=hour, made=made + 1)


def due(changes: Changes, mark: Mark, rescore: Rescore, now: datetime) -> list[Change]:
    """The corrected hours without a run for it, oldest first: they are the first that leave the horizon."""
    return sorted(
        (
            change
            for change in changes.found
            if now - rescore.horizon < change.end <= now and change.count > mark.counts.get(change.end, 0)
        ),
        key=lambda change: change.end,
    )


def mark_data(mark: Mark) -> dict[str, str]:
    """The mark as a ConfigMap has it."""
    counts = " ".join(f"{rfc3339(end)}={count}" for end, count in sorted(mark.counts.items()))
    told = {"rescored": counts}
    if mark.hour is not None:
        told |= {"hour": rfc3339(mark.hour), "made": str(mark.made)}
    return told


def parse_mark(data: Mapping[str, str]) -> Mark:
    """The mark; raises `ValueError` naming the key that is not as this wrote it."""
    key = "rescored"
    try:
        pairs = [pair.partition("=") for pair in data.get(key, "").split()]
        counts = {window_time(end): int(count) for end, _, count in pairs}
        key = "hour"
        hour = window_time(data[key]) if data.get(key) else None
        key = "made"
        return Mark(counts, hour, int(data.get(key, "0")))
    except ValueError:
        raise ValueError(f"data.{key} is {shown(data.get(key))}") from None
