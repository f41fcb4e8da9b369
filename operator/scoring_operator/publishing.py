"""The stage Publish: one Job makes manifest, anomalies and _SUCCESS of what the operator has decided.

The verdict stands in the status before anything of this begins, and from then on no outcome is recorded any
more: so the decisions that are pinned for the Job follow from the status alone, and are the same whoever
makes them, however often. The Job may be made again as well, since publishing twice is publishing once. Only
when it has published, or failed for good, does the run end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from scoring_operator.chunks import Chunks
from scoring_operator.contract import REASON, Json, Sent, clean
from scoring_operator.decision import Decision, Publish, Situation
from scoring_operator.outcomes import published
from scoring_operator.phases import ended, running, suspended
from scoring_operator.pins import keep_pinned
from scoring_operator.records import PUBLISHES
from scoring_operator.spec import Spec
from scoring_operator.staging import Again, GivenUp, Make, Over, StageJob, follow
from scoring_operator.status import (
    DELIVERED_CONDITION,
    FAILED_CONDITION,
    MESSAGE_LIMIT,
    PUBLISH,
    Status,
    Verdict,
)
from scoring_operator.tally import record_published

DECISIONS_VERSION = 1


def close(at: Situation, spec: Spec, status: Status, chunks: Chunks, verdict: Verdict) -> Decision:
    """The verdict on a run is reached: publish what there is, then end."""
    if verdict.reason == "JobRejected" and not status.decided:
        return ended(at, status, verdict)  # nothing is done, and the API would not take this Job either
    verdict = replace(verdict, message=clean(verdict.message, MESSAGE_LIMIT))
    status = replace(status, stage=PUBLISH, verdict=verdict, incarnations={}, pending_since=None)
    return publish(at, spec, status, chunks)


def publish(at: Situation, spec: Spec, status: Status, chunks: Chunks) -> Decision:
    """What a run needs that is being published."""
    told = partial(decisions, status, chunks)
    number = status.publish_incarnation
    stage = StageJob(
        *(PUBLISHES, "publishes", number, at.run.status.stage == PUBLISH, published, running),
        keep=lambda job: keep_pinned(at, [job], chunks, told()),
    )
    step = follow(at, spec, status, stage)
    match step:
        case Decision():
            return step
        case Make(strays):
            return Decision(running(at, status), (*strays, Publish(chunks, number, told())))
        case Again(strays, notes, cost):
            again = replace(status, publish_incarnation=number + 1, cost=status.cost + cost)
            calm = suspended if spec.suspend else running
            return Decision(calm(at, again), strays, notes=notes, after=0.0)
        case GivenUp(_, why, notes, cost):
            status = replace(status, cost=status.cost + cost)
            return replace(_unpublished(at, status, why), notes=notes)
        case Over(outcome, notes):
            status = record_published(status, outcome, at.settings.runtimes[spec.runtime].cpu_hour_price)
            if outcome.message is None:
                decision = _unpublished(at, status, outcome.failure)
            else:
                if spec.sinks:
                    status = at.having(
                        status, DELIVERED_CONDITION, *delivered(spec.sinks, outcome.message.sinks)
                    )
                decision = ended(at, status, _verdict(status))
            return replace(decision, published=outcome, notes=notes)


def decisions(status: Status, chunks: Chunks) -> Json:
    """What the operator has decided, as the pod that publishes reads it: a function of the status alone.

    Places of the pinned list as ranges: at 100,000 sensors at most 600 kB, whatever the pattern.
    """
    return left_by(status, chunks) | {
        "complete": _verdict(status).complete,
        "reason": _verdict(status).reason,
    }


def left_by(status: Status, chunks: Chunks) -> Json:
    """The same, of a run that has ended: what it has left undone."""
    return {
        "v": DECISIONS_VERSION,
        "total": status.total,
        "complete": False,
        "reason": "",
        "failed": status.failed_sensors.ranges(),
        "undecided": chunks.without(status.done).ranges(),
        "failures": [
            {"sensor": f.sensor, "state": f.state, "reason": f.reason, "message": f.message}
            for f in status.failures
            if f.state == "Failed"
        ],
    }


def delivered(wanted: Sequence[str], sent: Mapping[str, Sent]) -> tuple[bool, str, str]:
    """Whether a run's sinks have what they were to have, a reason, and the numbers in words."""
    told = [(name, sent.get(name)) for name in wanted]
    words = "; ".join(f"{name}: {_told(of)}" for name, of in told)
    if any(of is None for _, of in told):
        return False, "SinkGone", words
    reasons = [of.reason.partition(":")[0] for _, of in told if of and (of.deadlettered or of.reason)]
    if any(of.deadlettered for _, of in told if of):
        return False, "DeadLettered", words
    if reasons:
        return False, reasons[0] if REASON.fullmatch(reasons[0]) else "NotDelivered", words
    return True, "Delivered" if any(of.delivered for _, of in told if of) else "NothingToSend", words


def _told(sent: Sent | None) -> str:
    if sent is None:
        return "not sent to, it is offered to this namespace no more"
    counts = {
        "delivered": sent.delivered,
        "dead letters": sent.deadlettered,
        "suppressed": sent.suppressed,
        "skipped": sent.skipped,
    }
    words = ", ".join(f"{number} {what}" for what, number in counts.items() if number) or "nothing to send"
    return f"{words} ({sent.reason})" if sent.reason else words


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
