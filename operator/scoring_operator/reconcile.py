"""What to do next for one run: a pure function of what is wanted, seen and recorded, and of the time.

    run, observed, settings, now  →  wanted status, actions

It knows no Kubernetes client, no clock and no memory: called again with the same input it says the same, and
after a restart it goes on from what the API holds. Whoever calls it writes the status first and acts then, so
that nothing is done that is not recorded (a Job made again under its next incarnation, an outcome counted).

The way through it: guards (gone, ended, refused, no list yet) → look at the Jobs → record their outcomes →
end, stop or start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from scoring_operator.chunks import Chunk, SensorSet, chunk_count, chunk_of
from scoring_operator.decision import (
    Action,
    CreateJob,
    Decision,
    DeleteJob,
    Missing,
    Observation,
    Observed,
    PinSensors,
    ReadPods,
    Situation,
    Unusable,
)
from scoring_operator.jobs import sensors_config_map_name
from scoring_operator.outcomes import ChunkOutcome, all_seen, decide, lost, read_pods
from scoring_operator.phases import after_the_end, completed, failed, running, suspended, waiting_for_sensors
from scoring_operator.records import JobRecord
from scoring_operator.resource import Run, Spec
from scoring_operator.settings import Settings
from scoring_operator.status import Pinned, Status
from scoring_operator.tally import record

INCARNATIONS = 3  # Jobs of one chunk whose outcome may be lost before its sensors are Failed/OutcomeLost
OPEN_INCARNATIONS = 1000  # chunks being made again at once; more wait: the status has to hold them
STARVED_SECONDS = 2.0  # when to look again if other runs use up what the operator may have unfinished


def reconcile(run: Run, observed: Observed, settings: Settings, now: datetime) -> Decision:
    """Decide what a run needs; see the module's head."""
    at = Situation(run, observed, settings, now)
    status = replace(run.status, observed_generation=run.generation)
    if run.deleting:
        return Decision(run.status)  # its Jobs and pods go with it
    if status.ended:
        return after_the_end(at, status)
    if isinstance(run.spec, str):
        return failed(at, status, "InvalidSpec", run.spec)
    if refusal := _refusal(at, run.spec):
        return failed(at, status, *refusal)
    if status.pinned is None and run.spec.suspend:
        return Decision(suspended(at, status))
    match observed.sensors:
        case None:
            return Decision(status, (PinSensors(),))
        case Missing() as missing:
            return waiting_for_sensors(at, status, missing)
        case Unusable() as unusable:
            return failed(at, status, "InvalidSensors", unusable.message)
        case SensorSet() as sensors:
            return _with_sensors(at, run.spec, _pin(at, run.spec, status, sensors), sensors)


def _refusal(at: Situation, spec: Spec) -> tuple[str, str] | None:
    """Why the run can never be done, if so: a reason and a sentence."""
    namespace, stores = at.run.namespace, at.settings.stores
    offered = sorted(name for name, store in stores.items() if store.offered_to(namespace))
    if spec.store not in offered:
        wanted = f"wanted one that is offered to namespace {namespace}: {', '.join(offered) or 'none is'}"
        return "UnknownStore", f"spec.store is {spec.store!r}; {wanted}"
    if spec.runtime not in at.settings.runtimes:
        wanted = f"wanted one of: {', '.join(sorted(at.settings.runtimes))}"
        return "UnknownRuntime", f"spec.runtime is {spec.runtime!r}; {wanted}"
    pinned, sensors = at.run.status.pinned, at.observed.sensors
    if pinned and isinstance(sensors, SensorSet) and sensors.sha256 != pinned.sha256:
        digests = f"found sha256 {sensors.sha256[:12]}, wanted {pinned.sha256[:12]}"
        return "InvalidSensors", f"the sensor list changed while the run went on: {digests}"
    return None


def _pin(at: Situation, spec: Spec, status: Status, sensors: SensorSet) -> Status:
    """With the sensor list in the status: from now on the run holds to it."""
    if status.pinned:
        return status
    return replace(
        status,
        pinned=Pinned(len(sensors), sensors.sha256, sensors_config_map_name(at.run)),
        jobs=chunk_count(len(sensors), spec.sensors_per_job),
        start=at.now,
    )


def _with_sensors(at: Situation, spec: Spec, status: Status, sensors: SensorSet) -> Decision:
    found = _look(at, spec, status, sensors)
    status = record(status, found.outcomes)
    incarnations = {**status.incarnations, **found.again}
    status = replace(
        status,
        active_jobs=len(found.active),
        incarnations={number: n for number, n in incarnations.items() if number not in status.done},
    )
    decision = _next(at, spec, status, sensors, found)
    return replace(decision, recorded=tuple(found.outcomes), notes=tuple(found.notes))


def _next(at: Situation, spec: Spec, status: Status, sensors: SensorSet, found: _Findings) -> Decision:
    """End, stop or start."""
    if status.decided >= status.total:
        return completed(at, spec, status)
    if at.observed.rejected:
        message = f"the API server will not take the run's Jobs: {at.observed.rejected}"
        return failed(at, status, "JobRejected", message)
    actions: list[Action] = [DeleteJob(job) for job in found.superfluous]
    actions += [ReadPods(job) for job in found.unread]
    if spec.suspend:
        actions += [DeleteJob(job) for job in found.active if not job.terminating]
        return Decision(suspended(at, status), tuple(actions), after=found.wait)
    creates, hungry = _starts(at, spec, status, sensors, found)
    after = [found.wait] if found.wait is not None else []
    if hungry:
        after.append(0.0 if at.observed.allowance else STARVED_SECONDS)
    return Decision(running(at, status), (*actions, *creates), after=min(after, default=None))


def _starts(
    at: Situation, spec: Spec, status: Status, sensors: SensorSet, found: _Findings
) -> tuple[list[CreateJob], bool]:
    """The Jobs to make now, lowest chunk first; and whether more would be made if the operator might."""
    room = max(0, spec.parallelism - len(found.active))
    waiting = (number for number in status.done.missing(status.jobs) if number not in found.taken)
    creates = [
        CreateJob(chunk_of(sensors, number, spec.sensors_per_job), status.incarnations.get(number, 0))
        for number in islice(waiting, min(room, at.observed.allowance))
    ]
    return creates, room > at.observed.allowance and next(waiting, None) is not None


# Looking at Jobs --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Findings:
    """What a look at the run's Jobs gave."""

    active: list[JobRecord] = field(default_factory=list)  # unfinished Jobs
    superfluous: list[JobRecord] = field(default_factory=list)  # unfinished, but nobody waits for them
    taken: set[int] = field(default_factory=set)  # chunks that need no new Job now
    outcomes: list[ChunkOutcome] = field(default_factory=list)
    again: dict[int, int] = field(default_factory=dict)  # chunk → incarnation to make next
    unread: list[JobRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wait: float | None = None


def _look(at: Situation, spec: Spec, status: Status, sensors: SensorSet) -> _Findings:
    """Sort the run's Jobs by what they mean for it."""
    found = _Findings()
    for (number, incarnation), seen in at.observed.jobs.items():
        wanted = number < status.jobs and number not in status.done
        if not wanted or incarnation != status.incarnations.get(number, 0):
            if seen.job.unfinished and not seen.job.terminating:
                found.superfluous.append(seen.job)
            continue
        found.taken.add(number)
        if seen.job.unfinished:
            found.active.append(seen.job)
        else:
            _look_at_finished(at, found, seen, chunk_of(sensors, number, spec.sensors_per_job))
    return found


def _look_at_finished(at: Situation, found: _Findings, seen: Observation, chunk: Chunk) -> None:
    """Take a finished Job's outcome; else wait, read its pods, make it again, give it up: in this order."""
    job = seen.job
    read = read_pods(job, seen.pods, len(chunk.names))
    outcome = decide(job, read, chunk)
    if outcome and (read.decided or all_seen(job, read) or seen.pods_read):
        found.outcomes.append(outcome)
        found.notes.extend(read.refused)
        return
    grace = timedelta(seconds=at.settings.timing.outcome_grace_seconds)
    left = ((job.finished or job.created) + grace - at.now).total_seconds()
    if left > 0:
        found.wait = left if found.wait is None else min(found.wait, left)
        return
    if not seen.pods_read:
        found.unread.append(job)
        return
    again = job.incarnation + 1 < INCARNATIONS
    if again and len(at.run.status.incarnations) + len(found.again) >= OPEN_INCARNATIONS:
        found.wait = STARVED_SECONDS if found.wait is None else min(found.wait, STARVED_SECONDS)
        return
    ending = "making it again" if again else f"it was the last of {INCARNATIONS}"
    found.notes.extend((*read.refused, f"Job {job.name} left no message that can be read: {ending}"))
    if again:
        found.again[chunk.number] = job.incarnation + 1
        found.taken.discard(chunk.number)
    else:
        found.outcomes.append(lost(job, chunk))
