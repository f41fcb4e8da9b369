"""What the stages of one Job, prepare and publish, share: it is waited for, read, made again, given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from scoring_operator.decision import (
    Action,
    AskWhy,
    Decision,
    DeleteJob,
    Observation,
    ReadPods,
    Situation,
)
from scoring_operator.disruptions import given_up
from scoring_operator.ending import pending_verdict, time_left, with_pending
from scoring_operator.outcomes import StageMessage, StageOutcome, all_seen
from scoring_operator.phases import suspended
from scoring_operator.records import JobRecord, PodRecord
from scoring_operator.spec import Spec
from scoring_operator.status import Cost, Status
from scoring_operator.stopping import to_stop
from scoring_operator.tally import cost_of_lost
from scoring_operator.unread import Unread, told, unread

STARVED_SECONDS = 2.0
M = TypeVar("M", bound=StageMessage)
Still = Callable[[Situation, Status], Status]


@dataclass(frozen=True, slots=True)
class StageJob(Generic[M]):
    """A stage's one Job: which it is, what its pods say, what the run is like while it goes on.

    `begun`: the run was in this stage before, so that the API's word on a Job is on this one. `keep`: what is
    to be kept for its pods.
    """

    number: int
    does: str
    incarnation: int
    begun: bool
    read: Callable[[JobRecord, Sequence[PodRecord]], tuple[StageOutcome[M] | None, tuple[str, ...]]]
    still: Still
    keep: Callable[[JobRecord], tuple[Action, ...]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Make:
    """There is no such Job: it is to be made."""

    strays: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """What it said is lost: it is to be made under its next incarnation."""

    strays: tuple[Action, ...]
    notes: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will never be done. `cost` is what it cost if it has ended; one that is deleted is counted then."""

    reason: str
    why: str
    notes: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class Over(Generic[M]):
    """It has ended, and how is known."""

    outcome: StageOutcome[M]
    notes: tuple[str, ...]


def follow(
    at: Situation, spec: Spec, status: Status, stage: StageJob[M]
) -> Decision | Make | Again | GivenUp | Over[M]:
    """What a stage's Job needs; a Decision if that is all there is to do now."""
    seen = at.observed.jobs.get((stage.number, stage.incarnation))
    strays = tuple(_strays(at, seen))
    status = replace(status, active_jobs=int(seen is not None and seen.job.unfinished))
    if seen is not None and not seen.job.unfinished:
        return _finished(at, spec, status, stage, seen, strays)
    own = to_stop(at, spec, [seen.job] if seen is not None else ())
    if own is not None:
        return Decision(suspended(at, status), (*strays, *own))
    if stage.begun and at.observed.rejected:
        return GivenUp(
            "JobRejected", f"the API server will not take the Job that {stage.does}: {at.observed.rejected}"
        )
    if seen is not None:
        limit = at.settings.limits.disruptions_per_chunk
        if cause := given_up(seen.pods, limit, spec.backoff_limit):
            return GivenUp(*cause)
        return _going_on(at, spec, status, stage, seen.job, strays)
    if not at.observed.allowance:
        return Decision(stage.still(at, status), strays, after=STARVED_SECONDS)
    return Make(strays)


def _strays(at: Situation, wanted: Observation | None) -> list[Action]:
    """Deletions of all Jobs that nobody waits for any more."""
    others = (seen.job for seen in at.observed.jobs.values() if seen is not wanted)
    return [DeleteJob(job) for job in others if job.unfinished and not job.terminating]


def _going_on(
    at: Situation,
    spec: Spec,
    status: Status,
    stage: StageJob[M],
    job: JobRecord,
    strays: tuple[Action, ...],
) -> Decision | GivenUp:
    waiting = [] if job.terminating else [job]
    status = with_pending(at, spec, status, waiting, moved=False)
    asked = pending_verdict(at, spec, status, waiting) if waiting else None
    still = stage.still(at, status)
    actions = (*strays, *stage.keep(job))
    if isinstance(asked, AskWhy):
        return Decision(still, (*actions, asked))
    if asked:
        return GivenUp(asked.reason, asked.message)
    clocks = replace(spec, timeouts=replace(spec.timeouts, run=None))  # that one is for scoring
    return Decision(still, actions, after=time_left(at, clocks, status))


def _finished(
    at: Situation,
    spec: Spec,
    status: Status,
    stage: StageJob[M],
    seen: Observation,
    strays: tuple[Action, ...],
) -> Decision | Again | GivenUp | Over[M]:
    """Take the Job's outcome; else wait, read its pods, make it again, give it up: in this order."""
    outcome, refused = stage.read(seen.job, seen.pods)
    if outcome and (outcome.message or seen.pods_read or all_seen(seen.job, seen.pods)):
        return Over(outcome, refused)
    step = unread(at, seen)
    still = suspended if spec.suspend else stage.still
    if not isinstance(step, Unread):
        return Decision(still(at, status), strays, after=step)
    if step is Unread.READ:
        return Decision(still(at, status), (*strays, ReadPods(seen.job)))
    notes = (*refused, told(seen, step))
    price = at.settings.runtimes[spec.runtime].cpu_hour_price
    cost = cost_of_lost(status, [(seen.job, seen.pods)], price)
    if step is Unread.LOST:
        return GivenUp("OutcomeLost", notes[-1], notes, cost)
    return Again(strays, notes, cost)
