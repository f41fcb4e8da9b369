"""For how long runs have been waiting for a pod to start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from scoring_operator.decision import Observation
from scoring_operator.resource import Run
from scoring_operator.status import FAILED, SUCCEEDED, SUSPENDED


@dataclass(frozen=True, slots=True)
class Moved:
    """When a run that has unfinished Jobs was last seen to move, and how many sensors were decided then."""

    decided: int
    at: datetime


def moved(run: Run, seen: Collection[Observation], before: Moved | None, now: datetime) -> Moved | None:
    """When the run last moved: one of its pods runs now, or Jobs ended since `before`; None: no Job waits.

    A Job that has ended does not stay in the view, so that two looks have to be compared. Of a run that is
    looked at for the first time the making of its oldest Job tells; of one with `pendingSeconds` its status.
    """
    jobs = [each.job for each in seen if each.job.unfinished]
    if run.status.phase in (SUSPENDED, SUCCEEDED, FAILED) or not jobs:
        return None
    decided = run.status.decided
    if any(job.runs for job in jobs) or (before is not None and before.decided != decided):
        return Moved(decided, now)
    since = before.at if before is not None else min(job.created for job in jobs)
    pods = (pod for each in seen for pod in each.pods)
    ends = [pod.ended for pod in pods if pod.started and pod.ended]
    return Moved(decided, run.status.pending_since or max((since, *ends)))
