"""Jobs that are deleted: what their pods cost is counted once, whenever the operator is killed.

Nobody sees the end of such pods: what they cost is estimated, in the status that is written before any of
them is deleted. Of what is seen from then on the written status itself says whether it is counted:

    the run has ended                            all of it
    the run is in a later stage than the Job     it is
    its chunk is recorded, or to be made again   it is, with what became of it
    `status.stopping` has it                     it is; its stage goes on: the run is suspended

A Job in `stopping` adds nothing more to the cost, also if it ends before it is deleted and its outcome is
recorded. It is stopped for good: a run that is resumed meanwhile goes on when it is. It leaves the set in a
status that is written before a Job of its name is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scoring_operator.decision import Decision, DeleteJob, Situation
from scoring_operator.outcomes import Usage, usage
from scoring_operator.ranges import RangeSet
from scoring_operator.records import PREPARES, PUBLISHES, JobRecord
from scoring_operator.spec import Spec
from scoring_operator.status import PREPARE, PUBLISH, SCORE, SUSPENDED_CONDITION, Cost, Status
from scoring_operator.tally import cost_of

STOPS_AT_A_TIME = 200  # Jobs: the status has to hold them, and their cost is counted when they are stopped


def to_stop(at: Situation, spec: Spec, jobs: Iterable[JobRecord]) -> list[DeleteJob] | None:
    """Deletions, while a run is suspended, of its stage's unfinished `jobs`; None if it is not.

    It still is after `spec.suspend` as long as one that is counted as stopped is not deleted.
    """
    status = at.run.status
    here = [job for job in jobs if not job.terminating]
    begun = [job for job in here if status.stops(job.chunk)]
    if not spec.suspend:
        return [DeleteJob(job) for job in begun] if begun and status.holds(SUSPENDED_CONDITION) else None
    further = [job for job in here if not status.stops(job.chunk)]
    return [DeleteJob(job) for job in (*begun, *further[: max(0, STOPS_AT_A_TIME - len(begun))])]


def count_stopped(at: Situation, decision: Decision) -> Decision:
    """With what the pods of Jobs cost that are to be deleted, as far as that is not counted yet."""
    before, status = at.run.status, decision.status
    if before.ended or at.run.deleting:
        return decision
    deleted = (action.job for action in decision.actions if isinstance(action, DeleteJob))
    new = [job for job in deleted if _counts(before, job) and job.chunk not in status.done]
    if not new and not before.stopping.spans:
        return decision
    cost = sum((_estimated(at, job) for job in new), status.cost)
    return replace(decision, status=replace(status, cost=cost, stopping=_stopping(at, status, new)))


def _counts(status: Status, job: JobRecord) -> bool:
    """Whether what a Job costs is still to be counted, by the written status alone."""
    return _current(status, job) and not status.stops(job.chunk)


def _current(status: Status, job: JobRecord) -> bool:
    """Whether it is a Job of the stage that the run is in, and its outcome is open."""
    stage, incarnation = {
        PREPARES: (PREPARE, status.prepare_incarnation),
        PUBLISHES: (PUBLISH, status.publish_incarnation),
    }.get(job.chunk, (SCORE, status.incarnations.get(job.chunk, 0)))
    return (status.stage, job.incarnation) == (stage, incarnation) and job.chunk not in status.done


def _estimated(at: Situation, job: JobRecord) -> Cost:
    """What a Job's pods cost up to now.

    Of a pod that runs it is the time since its Job was made, or since the pod before it ended, whose end was
    seen.
    """
    spec = at.run.spec
    runtime = at.settings.runtimes.get(spec.runtime) if isinstance(spec, Spec) else None
    if runtime is None:
        return Cost()
    seen = at.observed.jobs.get((job.chunk, job.incarnation))
    pods = seen.pods if seen is not None else ()
    cost = cost_of(usage(job, pods), runtime.cpu_hour_price)
    if not job.runs:
        return cost
    since = max((job.created, *(pod.ended for pod in pods if pod.ended)))
    seconds = max(0, int((at.now - since).total_seconds()))
    guess = cost_of(Usage(seconds, seconds * job.cpu_milli), runtime.cpu_hour_price)
    return cost + replace(guess, estimated=seconds)


def _stopping(at: Situation, status: Status, new: Iterable[JobRecord]) -> RangeSet:
    """With the new ones and without those that are gone or recorded.

    While a run is suspended they leave it when others come or all are gone: that is a few writes, not one for
    each.
    """
    before, spec = at.run.status, at.run.spec
    if status.ended or status.stage != before.stage:
        return RangeSet()
    added = [job.place for job in new]
    current = {seen.job.place for seen in at.observed.jobs.values() if _current(status, seen.job)}
    kept = [place for place in before.stopping if place in current]
    if kept and not added and isinstance(spec, Spec) and spec.suspend:
        return before.stopping
    return RangeSet.of([*kept, *added])
