"""The stage Prepare: a Job waits for a run's readings, and finds its sensors where the operator never looks.

A run goes through it whose sensors are in the store, or that has `readings.waitFor`. The Job's pod runs
beside the scoring pool, which stays empty meanwhile. What it finds lies in the store; its message says how
many sensors there are, and by the status alone that holds this the run's chunks are divided, ever after.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from scoring_operator.chunks import Chunks, InStore, SensorListError, StoredSensors, divide
from scoring_operator.contract import PrepareMessage
from scoring_operator.decision import Decision, Prepare, Situation
from scoring_operator.ending import wait_until
from scoring_operator.outcomes import prepared
from scoring_operator.phases import (
    ended,
    failed,
    readings_waited_for,
    running,
    suspended,
    waiting_for_readings,
)
from scoring_operator.pins import look_is_due
from scoring_operator.records import PREPARES
from scoring_operator.scoring import score
from scoring_operator.spec import Spec
from scoring_operator.staging import Again, GivenUp, Make, Over, StageJob, Still, follow
from scoring_operator.status import (
    COMPLETE_CONDITION,
    DELIVERED_CONDITION,
    PREPARE,
    SCORE,
    Pinned,
    Status,
    Stopwatch,
    Verdict,
)
from scoring_operator.tally import record_prepared

SAID_BY_PODS = ("InvalidSensors", "ReadingsNotReady")  # reasons that say what is wrong with the run itself


def needs_preparing(spec: Spec, listed: Chunks | InStore) -> bool:
    """Whether a run goes through this stage."""
    return isinstance(listed, InStore) or spec.wait_for is not None


def stored_chunks(status: Status, spec: Spec) -> Chunks | None:
    """The chunks of a run whose list lies in the store; None if it does not, or is not found yet."""
    pinned = status.pinned
    if pinned is None or not pinned.in_store:
        return None
    stored = StoredSensors(pinned.total, pinned.sha256, pinned.shards)
    return divide(stored, spec.output, spec.sensors_per_job)


def prepare(at: Situation, spec: Spec, status: Status, listed: Chunks | InStore) -> Decision:
    """What a run needs that is being prepared."""
    still: Still = partial(waiting_for_readings, spec=spec) if spec.wait_for else running
    number = status.prepare_incarnation
    source = listed if isinstance(listed, InStore) else None
    mounts = source is not None and source.left is not None

    def make(status: Status) -> Prepare:
        return Prepare(number, wait_until(spec, status), source)

    stage = StageJob(
        *(PREPARES, "prepares", number, at.run.status.stage == PREPARE, prepared, still),
        # What is there already is left alone: made again is only what the pod mounts, if it is gone.
        keep=lambda job: (make(still(at, status)),) if mounts and look_is_due(at, [job]) else (),
    )
    step = follow(at, spec, status, stage)
    match step:
        case Decision():
            return step
        case Make(strays):
            status = still(at, status)
            return Decision(status, (*strays, make(status)))
        case Again(strays, notes, cost):
            again = replace(status, prepare_incarnation=number + 1, cost=status.cost + cost)
            calm = suspended if spec.suspend else still
            return Decision(calm(at, again), strays, notes=notes, after=0.0)
        case GivenUp(reason, why, notes, cost):
            status = replace(status, cost=status.cost + cost)
            own = ("JobRejected", "PendingDeadlineExceeded")
            return replace(_unprepared(at, status, reason, why, own), notes=notes)
        case Over(outcome, notes):
            status = record_prepared(status, outcome, at.settings.runtimes[spec.runtime].cpu_hour_price)
            if outcome.message is None:
                reason, _, why = outcome.failure.partition(": ")
                decision = _unprepared(at, status, reason, why, SAID_BY_PODS)
            else:
                decision = _done(at, spec, status, listed, outcome.message)
            return replace(decision, prepared=outcome, notes=(*notes, *decision.notes))


def _done(
    at: Situation, spec: Spec, status: Status, listed: Chunks | InStore, message: PrepareMessage
) -> Decision:
    """Readings are there, sensors are known: the run goes on to score, with the models of this instant."""
    if isinstance(listed, InStore):
        if message.sensors is None:
            return _unprepared(at, status, "PodFailed", "it says nothing of the sensors that it was to find")
        found = message.sensors
        if not found.total:
            return _nothing_to_score(at, spec, status, message)
        status = replace(status, pinned=Pinned(found.total, found.sha256, "", found.shards))
        try:
            listed = stored_chunks(status, spec) or listed
        except SensorListError as error:
            return _unprepared(at, replace(status, pinned=None), "PodFailed", str(error))
    if isinstance(listed, InStore):
        raise AssertionError("a list in the store is divided by what the status says of it")
    status = replace(
        readings_waited_for(at, status, message.waited),
        stage=SCORE,
        jobs=len(listed),
        start=at.now,
        models_as_of=at.now,
        stopwatch=Stopwatch(0, at.now),
        pending_since=None,
    )
    return score(at, spec, status, listed)


def _nothing_to_score(at: Situation, spec: Spec, status: Status, message: PrepareMessage) -> Decision:
    """The end of a run of which nothing is left: none of its sensors is in `sensors.only`."""
    if not spec.sensors.only:
        return _unprepared(at, status, "PodFailed", "it found no sensors; wanted at least one")
    status = readings_waited_for(at, status, message.waited)
    why = f"none of the sensors is in {spec.sensors.only}: there was nothing to score"
    if spec.sinks:
        status = at.having(status, DELIVERED_CONDITION, True, "NothingToSend", why)
    return ended(at, status, Verdict(COMPLETE_CONDITION, "AllSucceeded", why))


def _unprepared(at: Situation, status: Status, reason: str, why: str, own: tuple[str, ...] = ()) -> Decision:
    """The end of a run that could not be prepared: nothing is scored, and nothing published.

    `own` are those reasons that are the run's own as well.
    """
    if reason in own:
        return failed(at, status, reason, why)
    return failed(at, status, "PrepareFailed", f"preparing failed: {reason}: {why}")
