"""The stage Publish: one Job makes manifest, anomalies and _SUCCESS of what the operator has decided.

The verdict stands in the status before anything of this begins, and from then on no outcome is recorded any
more: so the decisions that are pinned for the Job follow from the status alone, and are the same whoever
makes them, however often. The Job may be made again as well, since publishing twice is publishing once. Only
when it has published, or failed for good, does the run end.
"""

from __future__ import annotations

from dataclasses import replace

from scoring_operator.chunks import Chunks
from scoring_operator.contract import Json, clean
from scoring_operator.decision import (
    Action,
    AskWhy,
    Decision,
    DeleteJob,
    Observation,
    Publish,
    ReadPods,
    Situation,
)
from scoring_operator.ending import pending_verdict, time_left, with_pending
from scoring_operator.outcomes import all_seen, published
from scoring_operator.phases import ended, running, suspended
from scoring_operator.records import PUBLISHES, JobRecord
from scoring_operator.spec import Spec
from scoring_operator.status import FAILED_CONDITION, MESSAGE_LIMIT, PUBLISH, Status, Verdict
from scoring_operator.tally import record_published
from scoring_operator.unread import Unread, told, unread

DECISIONS_VERSION = 1
STARVED_SECONDS = 2.0


def close(at: Situation, spec: Spec, status: Status, chunks: Chunks, verdict: Verdict) -> Decision:
    """The verdict on a run is reached: publish what there is, then end."""
    if verdict.reason == "JobRejected" and not status.decided:
        return ended(at, status, verdict)  # nothing is done, and the API would not take this Job either
    verdict = replace(verdict, message=clean(verdict.message, MESSAGE_LIMIT))
    status = replace(status, stage=PUBLISH, verdict=verdict, incarnations={}, pending_since=None)
    return publish(at, spec, status, chunks)


def publish(at: Situation, spec: Spec, status: Status, chunks: Chunks) -> Decision:
    """What a run needs that is being published."""
    seen = at.observed.jobs.get((PUBLISHES, status.publish_incarnation))
    strays = tuple(_strays(at, seen))
    status = replace(status, active_jobs=int(seen is not None and seen.job.unfinished))
    if seen is not None and not seen.job.unfinished:
        return _finished(at, spec, status, seen, strays)
    if spec.suspend:
        own = (DeleteJob(seen.job),) if seen is not None and not seen.job.terminating else ()
        return Decision(suspended(at, status), (*strays, *own))
    begun = at.run.status.stage == PUBLISH  # else the API's word is on a Job that scores
    if begun and at.observed.rejected:
        why = f"the API server will not take the Job that publishes: {at.observed.rejected}"
        return _unpublished(at, status, why)
    if seen is not None:
        return _going_on(at, spec, status, seen.job, strays)
    if not at.observed.allowance:
        return Decision(running(at, status), strays, after=STARVED_SECONDS)
    start = Publish(chunks, status.publish_incarnation, decisions(status, chunks))
    return Decision(running(at, status), (*strays, start))


def decisions(status: Status, chunks: Chunks) -> Json:
    """What the operator has decided, as the pod that publishes reads it: a function of the status alone.

    Places of the pinned list as ranges: at 100,000 sensors at most 600 kB, whatever the pattern.
    """
    if status.verdict is None:
        raise AssertionError("a run is published when the verdict on it is reached")
    return {
        "v": DECISIONS_VERSION,
        "total": status.total,
        "complete": status.verdict.complete,
        "reason": status.verdict.reason,
        "failed": status.failed_sensors.ranges(),
        "undecided": chunks.without(status.done).ranges(),
        "failures": [
            {"sensor": f.sensor, "state": f.state, "reason": f.reason, "message": f.message}
            for f in status.failures
            if f.state == "Failed"
        ],
    }


def _strays(at: Situation, wanted: Observation | None) -> list[Action]:
    """Deletions of all Jobs that nobody waits for any more."""
    others = (seen.job for seen in at.observed.jobs.values() if seen is not wanted)
    return [DeleteJob(job) for job in others if job.unfinished and not job.terminating]


def _going_on(
    at: Situation, spec: Spec, status: Status, job: JobRecord, strays: tuple[Action, ...]
) -> Decision:
    waiting = [] if job.terminating else [job]
    status = with_pending(at, spec, status, waiting, moved=False)
    asked = pending_verdict(at, spec, status, waiting) if waiting else None
    if isinstance(asked, AskWhy):
        return Decision(running(at, status), (*strays, asked))
    if asked:
        return _unpublished(at, status, asked.message)
    clocks = replace(spec, timeouts=replace(spec.timeouts, run=None))  # that one is for scoring
    return Decision(running(at, status), strays, after=time_left(at, clocks, status))


def _finished(
    at: Situation, spec: Spec, status: Status, seen: Observation, strays: tuple[Action, ...]
) -> Decision:
    """Take the Job's outcome; else wait, read its pods, make it again, give it up: in this order."""
    outcome, refused = published(seen.job, seen.pods)
    if outcome and (outcome.message or seen.pods_read or all_seen(seen.job, seen.pods)):
        status = record_published(status, outcome, at.settings.runtimes[spec.runtime].cpu_hour_price)
        if outcome.message is None:
            decision = _unpublished(at, status, outcome.failure)
        else:
            decision = ended(at, status, _verdict(status))
        return replace(decision, published=outcome, notes=refused)
    step = unread(at, seen)
    still = suspended if spec.suspend else running
    if not isinstance(step, Unread):
        return Decision(still(at, status), strays, after=step)
    if step is Unread.READ:
        return Decision(still(at, status), (*strays, ReadPods(seen.job)))
    notes = (*refused, told(seen, step))
    if step is Unread.LOST:
        return replace(_unpublished(at, status, notes[-1]), notes=notes)
    again = replace(status, publish_incarnation=seen.job.incarnation + 1)
    return Decision(still(at, again), strays, notes=notes, after=0.0)


def _unpublished(at: Situation, status: Status, why: str) -> Decision:
    """The end of a run that could not be published: why it failed before that stays the reason."""
    verdict = _verdict(status)
    sentence = f"publishing failed: {why}"
    if verdict.complete:
        verdict = Verdict(FAILED_CONDITION, "PublishFailed", f"{sentence}; {verdict.message}")
    else:
        verdict = replace(verdict, message=f"{verdict.message}; {sentence}")
    return ended(at, status, verdict)


def _verdict(status: Status) -> Verdict:
    if status.verdict is None:
        raise AssertionError("a run is published when the verdict on it is reached")
    return status.verdict
