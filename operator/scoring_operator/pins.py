"""When to look whether the ConfigMaps that a run's pods mount are still there.

A pod whose ConfigMap somebody has deleted waits for it without an end, and nothing else tells of it. So it is
looked for when a Job takes longer than others do: seldom, and in a run whose Jobs are short never.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from scoring_operator.chunks import Chunks, SensorSet
from scoring_operator.contract import Json
from scoring_operator.decision import KeepPinned, Situation
from scoring_operator.records import JobRecord


def keep_pinned(
    at: Situation, waiting: Iterable[JobRecord], chunks: Chunks, decisions: Json | None = None
) -> tuple[KeepPinned, ...]:
    """The look that is due, if it is; `waiting` are the run's unfinished Jobs."""
    mounted = decisions is not None or isinstance(chunks.sensors, SensorSet)  # not a list in the store
    return (KeepPinned(chunks, decisions),) if mounted and look_is_due(at, waiting) else ()


def look_is_due(at: Situation, waiting: Iterable[JobRecord]) -> bool:
    """Whether one of these Jobs takes long, and nobody has looked for a while."""
    long_ago = at.now - timedelta(seconds=at.settings.timing.resync_seconds)
    return at.observed.unchecked and any(job.created <= long_ago for job in waiting)
