"""The phases of a run: which conditions hold, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from scoring_operator.decision import Action, Decision, DeleteJob, DeleteRun, Missing, Situation
from scoring_operator.resource import Spec
from scoring_operator.status import (
    BLOCKED_CONDITION,
    COMPLETE_CONDITION,
    FAILED,
    FAILED_CONDITION,
    PENDING,
    RUNNING,
    SUCCEEDED,
    SUSPENDED,
    SUSPENDED_CONDITION,
    Status,
)

LIST_MISSING = "SensorListMissing"
LOOK_FOR_LIST_SECONDS = 2.0


def waiting_for_sensors(at: Situation, status: Status, missing: Missing) -> Decision:
    """Wait a while for the list: `kubectl apply -f folder/` may create the run before its ConfigMap."""
    blocked = status.conditions.get(BLOCKED_CONDITION)
    since = blocked.since if blocked and blocked.status and blocked.reason == LIST_MISSING else at.now
    patience = at.settings.timing.sensors_grace_seconds
    left = (since + timedelta(seconds=patience) - at.now).total_seconds()
    if left <= 0:
        return failed(at, status, "InvalidSensors", f"{missing.message}; waited {patience} s for it")
    message = f"{missing.message}; waiting up to {patience} s for it"
    status = at.having(status, BLOCKED_CONDITION, True, LIST_MISSING, message)
    phase = status.phase if status.pinned else PENDING
    return Decision(replace(status, phase=phase), after=min(left, LOOK_FOR_LIST_SECONDS))


def suspended(at: Situation, status: Status) -> Status:
    """As a run is while `spec.suspend`."""
    message = "spec.suspend is true: its pods are stopped, what is decided stays"
    return replace(at.having(status, SUSPENDED_CONDITION, True, "Suspended", message), phase=SUSPENDED)


def running(at: Situation, status: Status) -> Status:
    """As a run is while it makes Jobs, or would if it could."""
    if status.holds(SUSPENDED_CONDITION):
        status = at.having(status, SUSPENDED_CONDITION, False, "Resumed", "spec.suspend is false")
    if trouble := at.observed.trouble:
        status = at.having(status, BLOCKED_CONDITION, True, trouble.reason, trouble.message)
    elif status.holds(BLOCKED_CONDITION):
        status = at.having(status, BLOCKED_CONDITION, False, "Unblocked", "the run goes on")
    return replace(status, phase=RUNNING)


def completed(at: Situation, spec: Spec, status: Status) -> Decision:
    """The truth table of the end, when all sensors are decided."""
    allowed = spec.failures_allowed(status.total)
    counts = f"{status.scored} scored, {status.skipped} skipped, {status.failed} failed"
    words = f"{counts} of {status.total} sensors"
    if status.failed > allowed:
        limit = f"wanted at most {allowed} failed (maxFailedSensors: {spec.max_failed_sensors})"
        return failed(at, status, "TooManyFailedSensors", f"{words}; {limit}; {_most_common(status)}")
    reason = "SomeFailed" if status.failed else "AllSucceeded"
    status = at.having(status, COMPLETE_CONDITION, True, reason, words)
    return _ended(at, replace(status, phase=SUCCEEDED))


def failed(at: Situation, status: Status, reason: str, message: str) -> Decision:
    """The end of a run that cannot be done, or in which too much failed."""
    status = at.having(status, FAILED_CONDITION, True, reason, message)
    return _ended(at, replace(status, phase=FAILED))


def after_the_end(at: Situation, status: Status) -> Decision:
    """Stop what still runs, and delete the run when its time to live is over."""
    jobs = (seen.job for seen in at.observed.jobs.values())
    stops: list[Action] = [DeleteJob(job) for job in jobs if job.unfinished and not job.terminating]
    spec = at.run.spec
    if isinstance(spec, str) or spec.ttl_seconds is None or status.completion is None:
        return Decision(status, tuple(stops))
    left = (status.completion + timedelta(seconds=spec.ttl_seconds) - at.now).total_seconds()
    if left <= 0:
        return Decision(status, (*stops, DeleteRun()))
    return Decision(status, tuple(stops), after=left)


def _ended(at: Situation, status: Status) -> Decision:
    for kind, reason in ((SUSPENDED_CONDITION, "Resumed"), (BLOCKED_CONDITION, "Unblocked")):
        if status.holds(kind):
            status = at.having(status, kind, False, reason, "the run has ended")
    return after_the_end(at, replace(status, completion=at.now, active_jobs=0, incarnations={}))


def _most_common(status: Status) -> str:
    """The reasons that most sensors failed for, and the first sensor's sentence."""
    failures = [(n, reason) for reason, n in status.reasons.items() if reason.startswith("Failed/")]
    worst = sorted(failures, key=lambda item: (-item[0], item[1]))[:3]
    counted = ", ".join(f"{n} {reason.removeprefix('Failed/')}" for n, reason in worst)
    first = next((failure for failure in status.failures if failure.state == "Failed"), None)
    return f"{counted}; first: {first.sensor}: {first.message}" if first else counted
