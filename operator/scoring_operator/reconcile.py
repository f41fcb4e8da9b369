"""What to do next for one run: a pure function of what is wanted, seen and recorded, and of the time.

    run, observed, settings, now  →  wanted status, actions

It knows no Kubernetes client, no clock and no memory: called again with the same input it says the same, and
after a restart it goes on from what the API holds. Whoever calls it writes the status first and acts then, so
that nothing is done that is not recorded (a Job made again under its next incarnation, an outcome counted).

The way through it: guards (gone, ended, refused, replaced) → has it begun: its turn, its list → the stage
that it is in: `preparing`, `scoring`, `publishing`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from scoring_operator.chunks import Chunks, InStore, SensorListError
from scoring_operator.decision import Decision, Missing, Observed, PinSensors, Sensors, Situation, Unusable
from scoring_operator.jobs import sensors_config_map_name
from scoring_operator.phases import (
    after_the_end,
    failed,
    leaving,
    suspended,
    waiting_for_sensors,
    waiting_for_turn,
)
from scoring_operator.preparing import needs_preparing, prepare, stored_chunks
from scoring_operator.publishing import publish
from scoring_operator.refusals import refusal
from scoring_operator.resource import Run
from scoring_operator.scoring import score
from scoring_operator.settings import Settings
from scoring_operator.spec import Spec
from scoring_operator.status import PREPARE, PUBLISH, SCORE, Pinned, Status
from scoring_operator.stopping import count_stopped
from scoring_operator.tally import estimate_nodes
from scoring_operator.turns import Forbidden, Waits, replaced_by, turn


def reconcile(run: Run, observed: Observed, settings: Settings, now: datetime) -> Decision:
    """Decide what a run needs; see the module's head."""
    at = Situation(run, observed, settings, now)
    return estimate_nodes(at, count_stopped(at, _decided(at)))


def _decided(at: Situation) -> Decision:
    run = at.run
    status = replace(run.status, observed_generation=run.generation)
    if run.deleting:
        return leaving(at)
    if status.ended:
        return after_the_end(at, status)
    if isinstance(run.spec, str):
        return failed(at, status, "InvalidSpec", run.spec)
    if refused := refusal(at, run.spec):
        return failed(at, status, *refused)
    if status.stage != PUBLISH and (successor := replaced_by(at)):
        return failed(at, status, "Replaced", f"run {successor} of its concurrencyGroup takes its place")
    if not status.begun and (not_yet := _not_yet(at, run.spec, status)):
        return not_yet
    match _listed(at, run.spec, status):
        case None:
            return Decision(status, (PinSensors(),))
        case Missing() as missing:
            return waiting_for_sensors(at, status, missing)
        case Unusable() as unusable:
            return failed(at, status, "InvalidSensors", unusable.message)
        case InStore() as listed:
            return prepare(at, run.spec, _begun(at, run.spec, status, listed), listed)
        case Chunks() as chunks:
            status = _begun(at, run.spec, status, chunks)
            stage = {PREPARE: prepare, PUBLISH: publish}.get(status.stage, score)
            return stage(at, run.spec, status, chunks)


def _listed(at: Situation, spec: Spec, status: Status) -> Sensors | None:
    """The run's sensors: of a list in the store by what the status says of it, else as they were found."""
    try:
        return stored_chunks(status, spec) or at.observed.sensors
    except SensorListError as error:
        return Unusable(f"status.sensorSet: {error}")


def _not_yet(at: Situation, spec: Spec, status: Status) -> Decision | None:
    """What keeps a run from beginning."""
    if spec.suspend:
        return Decision(suspended(at, status))
    match turn(at, spec):
        case Waits(message):
            return waiting_for_turn(at, status, message)
        case Forbidden(message):
            return failed(at, status, "ConcurrencyForbidden", message)
    return None


def _begun(at: Situation, spec: Spec, status: Status, listed: Chunks | InStore) -> Status:
    """With its inputs in the status: from now on the run holds to them, and to this instant's models.

    What only a pod can find out, the stage Prepare adds before there is a Job that scores.
    """
    if status.begun:
        return status
    runtime = at.settings.runtimes[spec.runtime]
    status = replace(status, stage=SCORE, start=at.now, image=runtime.image, currency=at.settings.currency)
    if isinstance(listed, Chunks):
        sensors = listed.sensors
        pinned = Pinned(len(sensors), sensors.sha256, sensors_config_map_name(at.run))
        status = replace(status, pinned=pinned, jobs=len(listed), models_as_of=at.now)
    return replace(status, stage=PREPARE) if needs_preparing(spec, listed) else status
