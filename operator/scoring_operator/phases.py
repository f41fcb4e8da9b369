"""The phases of a run: which conditions hold, whether its clock goes, and what is done when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from scoring_operator.contract import Waited, rfc3339
from scoring_operator.decision import Decision, DeleteJob, DeleteRun, Missing, Situation
from scoring_operator.ending import wait_until
from scoring_operator.spec import Spec
from scoring_operator.status import (
    BLOCKED_CONDITION,
    DELIVERED_CONDITION,
    DONE,
    FAILED,
    FAILED_CONDITION,
    PENDING,
    READINGS_CONDITION,
    RUNNING,
    SUCCEEDED,
    SUSPENDED,
    SUSPENDED_CONDITION,
    WAITING,
    WAITING_CONDITION,
    Status,
    Verdict,
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


def waiting_for_turn(at: Situation, status: Status, message: str) -> Decision:
    """As a run is before its turn. Its message stays what it was first: a thousand runs may stand in line."""
    if not status.holds(WAITING_CONDITION):
        status = at.having(status, WAITING_CONDITION, True, "Queued", message)
    return Decision(replace(status, phase=WAITING))


def waiting_for_readings(at: Situation, status: Status, *, spec: Spec) -> Status:
    """As a run is while a pod beside the scoring pool waits for its readings: its clock goes."""
    status = running(at, status)
    until = wait_until(spec, status)
    if spec.wait_for is None or until is None:
        raise AssertionError("a run waits for readings that names what it waits for")
    then = "scores what there is then" if spec.wait_for.on_timeout == "Score" else "fails then"
    message = f"waits for {spec.wait_for.marker} until {rfc3339(until)}, and {then}"
    status = at.having(status, READINGS_CONDITION, True, "NotThereYet", message)
    return replace(status, phase=WAITING)


def readings_waited_for(at: Situation, status: Status, how: Waited) -> Status:
    """As a run is after that."""
    if not status.holds(READINGS_CONDITION):
        return status
    reason, message = (
        ("TimedOut", "scores what there is") if how == "TimedOut" else ("Ready", "they are there")
    )
    return at.having(status, READINGS_CONDITION, False, reason, message)


def suspended(at: Situation, status: Status) -> Status:
    """As a run is while `spec.suspend`: its clocks stand still."""
    message = "spec.suspend is true: its pods are stopped, what is decided stays"
    status = at.having(status, SUSPENDED_CONDITION, True, "Suspended", message)
    if status.holds(BLOCKED_CONDITION):
        status = at.having(status, BLOCKED_CONDITION, False, "Unblocked", "it makes no pods while suspended")
    stopped = status.stopwatch.stopped(at.now)
    return replace(status, phase=SUSPENDED, stopwatch=stopped, pending_since=None)


def running(at: Situation, status: Status) -> Status:
    """As a run is while it makes Jobs, or would if it could."""
    if status.holds(SUSPENDED_CONDITION):
        status = at.having(status, SUSPENDED_CONDITION, False, "Resumed", "spec.suspend is false")
    if status.holds(WAITING_CONDITION):
        status = at.having(status, WAITING_CONDITION, False, "Begun", "it is the run's turn")
    if trouble := at.observed.trouble:
        status = at.having(status, BLOCKED_CONDITION, True, trouble.reason, trouble.message)
    elif status.holds(BLOCKED_CONDITION):
        status = at.having(status, BLOCKED_CONDITION, False, "Unblocked", "the run goes on")
    return replace(status, phase=RUNNING, stopwatch=status.stopwatch.going(at.now))


def failed(at: Situation, status: Status, reason: str, message: str) -> Decision:
    """The end of a run that cannot be done; nothing of it is published."""
    return ended(at, status, Verdict(FAILED_CONDITION, reason, message))


def ended(at: Situation, status: Status, verdict: Verdict) -> Decision:
    """The end: one of Complete and Failed becomes True, for ever."""
    status = at.having(status, verdict.condition, True, verdict.reason, verdict.message)
    status = _told_nobody(at, status, verdict.reason)
    for kind, reason in (
        (SUSPENDED_CONDITION, "Resumed"),
        (BLOCKED_CONDITION, "Unblocked"),
        (WAITING_CONDITION, "Begun"),
        (READINGS_CONDITION, "GivenUp"),
    ):
        if status.holds(kind):
            status = at.having(status, kind, False, reason, "the run has ended")
    status = replace(
        status,
        phase=SUCCEEDED if verdict.complete else FAILED,
        stage=DONE if status.begun else "",
        completion=at.now,
        stopwatch=status.stopwatch.stopped(at.now),
        active_jobs=0,
        incarnations={},
        verdict=None,
        pending_since=None,
    )
    return after_the_end(at, status)


def _told_nobody(at: Situation, status: Status, why: str) -> Status:
    """Whoever waits to hear what became of a run's anomalies hears it of one that was not published, too."""
    spec = at.run.spec
    if DELIVERED_CONDITION in status.conditions or not isinstance(spec, Spec) or not spec.sinks:
        return status
    message = f"it ended with {why} and was not published: its sinks may have been told nothing"
    return at.having(status, DELIVERED_CONDITION, False, "NotPublished", message)


def leaving(at: Situation) -> Decision:
    """Stop the Jobs of a run that is being deleted: a finalizer of somebody's may keep it, and so them."""
    return Decision(at.run.status, tuple(_stops(at)))


def _stops(at: Situation) -> Iterator[DeleteJob]:
    jobs = (seen.job for seen in at.observed.jobs.values())
    return (DeleteJob(job) for job in jobs if job.unfinished and not job.terminating)


def after_the_end(at: Situation, status: Status) -> Decision:
    """Stop what still runs, and delete the run when its time to live is over."""
    stops = tuple(_stops(at))
    spec = at.run.spec
    ttl = _ttl(spec, status) if isinstance(spec, Spec) else None
    if ttl is None or status.completion is None:
        return Decision(status, stops)
    left = (status.completion + timedelta(seconds=ttl) - at.now).total_seconds()
    if left <= 0:
        return Decision(status, (*stops, DeleteRun()))
    return Decision(status, stops, after=left)


def _ttl(spec: Spec, status: Status) -> int | None:
    """How long the run stays after its end; None: as long as nobody deletes it."""
    if status.holds(FAILED_CONDITION) and spec.failed_ttl_seconds is not None:
        return spec.failed_ttl_seconds
    return spec.ttl_seconds


def earliest(*seconds: float | None) -> float | None:
    """The least of those that there are."""
    return min((each for each in seconds if each is not None), default=None)
