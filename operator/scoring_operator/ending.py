"""How a run ends: the truth table, and its clocks. Pure functions of what is decided and what is allowed.

    all decided   over a limit   onExceeded   Jobs going on
    yes           no             any          -               Complete
    yes           yes            any          -               Failed
    no            yes            Continue     any             goes on
    no            yes            StopNew      yes             goes on, makes no further Jobs
    no            yes            StopNew      no              Failed
    no            yes            Abort        any             Failed

Complete has the reason AllSucceeded or SomeFailed; Failed TooManyFailedSensors or TooManySkippedSensors.
Before all are decided a run also ends when the API will not take its Jobs (JobRejected), when it has been
going on for longer than runSeconds (DeadlineExceeded), or when none of its pods starts for pendingSeconds
(PendingDeadlineExceeded). While it is suspended its clocks stand still.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from scoring_operator.decision import AskWhy, Situation
from scoring_operator.records import JobRecord
from scoring_operator.spec import Spec, allowed
from scoring_operator.status import COMPLETE_CONDITION, FAILED_CONDITION, Status, Verdict


def verdict(at: Situation, spec: Spec, status: Status, going_on: bool) -> Verdict | None:
    """How the run ends, None if it goes on. `going_on`: Jobs are unfinished, or their outcome is open."""
    over = exceeded(spec, status)
    if status.decided >= status.total:
        reason = "SomeFailed" if status.failed else "AllSucceeded"
        return over or Verdict(COMPLETE_CONDITION, reason, counted(status))
    if at.observed.rejected:
        return _failed("JobRejected", f"the API server will not take the run's Jobs: {at.observed.rejected}")
    if over and (spec.failures.on_exceeded == "Abort" or (stops_new(spec, status) and not going_on)):
        return over
    limit = spec.timeouts.run
    if limit is not None and status.stopwatch.elapsed(at.now) >= limit:
        return _failed("DeadlineExceeded", f"{counted(status)}; wanted all within {limit} s (runSeconds)")
    return None


def exceeded(spec: Spec, status: Status) -> Verdict | None:
    """Which of the run's limits is exceeded; further sensors cannot change it."""
    limits = spec.failures
    failures = allowed(limits.max_failed, status.total)
    if status.failed > failures:
        wanted = f"wanted at most {failures} failed (maxFailedSensors: {limits.max_failed})"
        return _failed("TooManyFailedSensors", f"{counted(status)}; {wanted}; {_most_common(status)}")
    if limits.max_skipped is None:
        return None
    skips = allowed(limits.max_skipped, status.total)
    if status.skipped > skips:
        wanted = f"wanted at most {skips} skipped (maxSkippedSensors: {limits.max_skipped})"
        return _failed("TooManySkippedSensors", f"{counted(status)}; {wanted}; {_reasons(status, 'Skipped')}")
    return None


def stops_new(spec: Spec, status: Status) -> bool:
    """Whether no further Jobs are to be made."""
    return spec.failures.on_exceeded == "StopNew" and exceeded(spec, status) is not None


def counted(status: Status) -> str:
    """The run's counts in words."""
    never = status.total - status.decided
    undecided = f", {never} not decided" if never else ""
    counts = f"{status.scored} scored, {status.skipped} skipped, {status.failed} failed{undecided}"
    return f"{counts} of {status.total} sensors"


def _failed(reason: str, message: str) -> Verdict:
    return Verdict(FAILED_CONDITION, reason, message)


def _most_common(status: Status) -> str:
    """The reasons that most sensors failed for, and the first sensor's sentence."""
    first = next((failure for failure in status.failures if failure.state == "Failed"), None)
    reasons = _reasons(status, "Failed")
    return f"{reasons}; first: {first.sensor}: {first.message}" if first else reasons


def _reasons(status: Status, state: str) -> str:
    counts = [(n, reason) for reason, n in status.reasons.items() if reason.startswith(f"{state}/")]
    worst = sorted(counts, key=lambda item: (-item[0], item[1]))[:3]
    return ", ".join(f"{n} {reason.removeprefix(f'{state}/')}" for n, reason in worst)


# Clocks -----------------------------------------------------------------------------------------------------


def time_left(at: Situation, spec: Spec, status: Status) -> float | None:
    """Seconds until one of the run's clocks runs out; None if it has none."""
    left = []
    if spec.timeouts.run is not None:
        left.append(spec.timeouts.run - status.stopwatch.elapsed(at.now))
    if spec.timeouts.pending is not None and status.pending_since is not None:
        left.append(spec.timeouts.pending - (at.now - status.pending_since).total_seconds())
    return max(0.0, min(left)) if left else None


def wait_until(spec: Spec, status: Status) -> datetime | None:
    """Until when the run waits for its readings: by its own clock, whichever pod does the waiting."""
    clock = status.stopwatch
    if spec.wait_for is None or clock.since is None:
        return None
    return clock.since + timedelta(seconds=spec.wait_for.timeout - clock.seconds)


def with_pending(
    at: Situation, spec: Spec, status: Status, jobs: Collection[JobRecord], moved: bool
) -> Status:
    """With the time since when unfinished `jobs` wait and no pod runs; `moved`: a Job has just ended."""
    waits = bool(jobs) and not moved and not any(job.runs for job in jobs)
    if spec.timeouts.pending is None or not waits:
        return replace(status, pending_since=None)
    # A pod that has failed did start: while its Job waits before the next attempt nobody lacks a node.
    pods = (pod for job in jobs for pod in at.observed.jobs[job.chunk, job.incarnation].pods)
    ends = (pod.ended for pod in pods if pod.started and pod.ended)
    return replace(status, pending_since=max((status.pending_since or at.now, *ends)))


def pending_verdict(
    at: Situation, spec: Spec, status: Status, jobs: Collection[JobRecord]
) -> Verdict | AskWhy | None:
    """What follows when no pod has started for too long: the scheduler is asked why, then the run fails."""
    limit = spec.timeouts.pending
    if (
        limit is None
        or status.pending_since is None
        or at.now - status.pending_since < timedelta(seconds=limit)
    ):
        return None
    if not at.observed.why:
        return AskWhy(min(jobs, key=lambda job: (job.created, job.name)))
    return _failed(
        "PendingDeadlineExceeded", f"no pod started for {limit} s (pendingSeconds); {at.observed.why}"
    )
