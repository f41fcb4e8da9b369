"""What the operator keeps of a Job and of a pod that has ended: some hundred bytes and its message.

Objects are projected as soon as they are read; `streams` says what that saves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from scoring_operator.contract import (
    CONTAINER,
    IGNORED,
    Json,
    clean,
    job_name,
    prepare_job_name,
    publish_job_name,
)
from scoring_operator.labels import CHUNK, INCARNATION, PREPARE_STAGE, PUBLISH_STAGE, RUN_UID, STAGE
from scoring_operator.quantity import quantity
from scoring_operator.resource import KIND
from scoring_operator.times import parse_time

JobState = Literal["Active", "Complete", "Failed"]
PUBLISHES, PREPARES = -1, -2  # in place of a chunk's number: the Job that publishes the run, or prepares it


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A Job of ours; two that differ in `version` only say the same.

    `chunk` is `PUBLISHES` or `PREPARES` for those of other stages. `attempts` counts its pods that have
    ended, but for those that Kubernetes took away. `runs`: one of its pods is running. `cpu_milli`:
    thousandths of a CPU that each of its pods requests.
    """

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    run_name: str
    run_uid: str
    chunk: int
    incarnation: int
    created: datetime
    terminating: bool
    state: JobState
    finished: datetime | None
    attempts: int
    message: str
    runs: bool = False
    cpu_milli: int = 0

    @property
    def place(self) -> int:
        """Its number among its stage's Jobs: 0 in the stages of one Job."""
        return max(self.chunk, 0)

    @property
    def unfinished(self) -> bool:
        """Whether it may still make pods."""
        return self.state == "Active"


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod of ours that has ended. Times are Kubernetes' own: whole seconds."""

    namespace: str
    name: str
    version: int = field(compare=False)
    job_uid: str
    run_uid: str
    chunk: int
    succeeded: bool
    disrupted: bool
    reason: str  # the pod's own, for instance Evicted or DeadlineExceeded
    exit_code: int | None
    exit_reason: str  # the container's, for instance OOMKilled
    waiting: str  # why its container had not started, for instance ErrImagePull: ...
    text: str  # the termination message, untrusted
    created: datetime
    scheduled: datetime | None
    started: datetime | None
    ended: datetime | None
    disruption: str = ""  # why it was taken away, in Kubernetes' word, for instance PreemptionByScheduler

    @property
    def taken(self) -> bool:
        """Whether it was taken away: its Job counts no attempt for it."""
        return self.disrupted or self.exit_code in IGNORED

    @property
    def by_own_doing(self) -> bool:
        """Whether it was taken away for what it did: it filled a disk, or used up its time."""
        return self.taken and not self.disrupted and self.reason in ("Evicted", "DeadlineExceeded")

    @property
    def order(self) -> tuple[datetime, str]:
        """By start; a pod that never started stands where it was made."""
        return self.started or self.created, self.name


def job_record(body: Json) -> JobRecord | None:
    """The record of a Job; None for one that is not of a ScoringRun, whatever its labels say."""
    meta, status = body["metadata"], body.get("status") or {}
    owner = _controller(meta)
    labels = meta.get("labels") or {}
    if owner is None or owner.get("kind") != KIND or owner["uid"] != labels.get(RUN_UID):
        return None
    chunk, incarnation = _chunk(labels), _number(labels.get(INCARNATION))
    if chunk is None or incarnation is None:
        return None
    if meta["name"] != _name(owner, chunk, incarnation):
        return None  # labels can be edited, a name cannot
    state, finished, message = _job_end(status)
    return JobRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=version_of(meta),
        run_name=owner["name"],
        run_uid=owner["uid"],
        chunk=chunk,
        incarnation=incarnation,
        created=parse_time(meta["creationTimestamp"]),
        terminating="deletionTimestamp" in meta,
        state=state,
        finished=finished,
        attempts=status.get("failed", 0) + status.get("succeeded", 0),
        message=message,
        runs=state == "Active" and status.get("ready", 0) > 0,
        cpu_milli=_cpu_milli(body),
    )


def pod_record(body: Json) -> PodRecord | None:
    """The record of a pod that has ended; None for one that has not, or is not of a Job of ours."""
    meta, status = body["metadata"], body.get("status") or {}
    owner = _controller(meta)
    labels = meta.get("labels") or {}
    chunk = _chunk(labels)
    if owner is None or chunk is None or status.get("phase") not in ("Succeeded", "Failed"):
        return None
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    ended = _terminated(status)
    scheduled = conditions.get("PodScheduled", {})
    disruption = conditions.get("DisruptionTarget", {})
    return PodRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        version=version_of(meta),
        job_uid=owner["uid"],
        run_uid=labels.get(RUN_UID, ""),
        chunk=chunk,
        succeeded=status["phase"] == "Succeeded",
        disrupted=disruption.get("status") == "True",
        reason=status.get("reason") or "",
        exit_code=ended.get("exitCode"),
        exit_reason=ended.get("reason") or "",
        waiting=_waiting(status),
        text=ended.get("message") or "",
        created=parse_time(meta["creationTimestamp"]),
        scheduled=_time(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        started=_time(ended.get("startedAt")),
        ended=_time(ended.get("finishedAt")),
        disruption=disruption.get("reason") or "" if disruption.get("status") == "True" else "",
    )


def version_of(meta: Json) -> int:
    """An object's resourceVersion as a number: Kubernetes 1.35 and later say that they may be compared."""
    text = meta.get("resourceVersion") or ""
    return int(text) if text.isdecimal() else 0


def _controller(meta: Json) -> Json | None:
    return next((owner for owner in meta.get("ownerReferences") or () if owner.get("controller")), None)


def _chunk(labels: Json) -> int | None:
    if (stage := labels.get(STAGE)) is not None:
        return {PUBLISH_STAGE: PUBLISHES, PREPARE_STAGE: PREPARES}.get(stage)
    return _number(labels.get(CHUNK))


def _name(owner: Json, chunk: int, incarnation: int) -> str:
    if chunk in (PUBLISHES, PREPARES):
        of_stage = publish_job_name if chunk == PUBLISHES else prepare_job_name
        return of_stage(owner["name"], owner["uid"], incarnation)
    return job_name(owner["name"], owner["uid"], chunk, incarnation)


def _cpu_milli(job: Json) -> int:
    """What its pods request; 0 for a Job that does not say, or says it in a way that is not understood."""
    template = (job.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        requests = (container.get("resources") or {}).get("requests") or {}
        try:
            return int(quantity(str(requests.get("cpu", "0"))) * 1000)
        except ValueError:
            return 0
    return 0


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and text.isascii() and len(text) <= 7 else None


def _job_end(status: Json) -> tuple[JobState, datetime | None, str]:
    for condition in status.get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            message = f"{condition.get('reason') or ''}: {condition.get('message') or ''}"
            return condition["type"], _time(condition.get("lastTransitionTime")), message
    return "Active", None, ""


def _terminated(status: Json) -> Json:
    for container in status.get("containerStatuses") or ():
        if container.get("name") == CONTAINER:
            terminated: Json = (container.get("state") or {}).get("terminated") or {}
            return terminated
    return {}


def why_waiting(pods: Iterable[Json]) -> str:
    """Why the first of these pods has not started, in Kubernetes' words; empty if none of them waits."""
    for pod in pods:
        status = pod.get("status") or {}
        if status.get("phase") != "Pending":
            continue
        conditions = {item["type"]: item for item in status.get("conditions") or ()}
        scheduled = conditions.get("PodScheduled") or {}
        said = scheduled.get("message") if scheduled.get("status") == "False" else ""
        words = clean(str(said or ""), 500) or _waiting(status) or "its node has not started it yet"
        return f"pod {pod['metadata']['name']}: {words}"
    return ""


# The kubelet tries again, and says so, at least every two minutes and some seconds.
RECENT = timedelta(minutes=3)

# Why a container does not start, of those reasons that do not pass by themselves.
STUCK = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)


def why_stuck(pods: Iterable[Json]) -> str:
    """Why the first of these pods cannot start until somebody mends it; empty if none is so."""
    for pod in pods:
        if _waiting_reason(pod) in STUCK:
            return f"pod {pod['metadata']['name']}: {_waiting(pod['status'], 500)}"
    return ""


def mounting(pod: Json) -> bool:
    """Whether a pod is on its node and its container is still being made: it may wait for a volume."""
    return _waiting_reason(pod) == "ContainerCreating"


def _waiting_reason(pod: Json) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == CONTAINER:
            return str(((container.get("state") or {}).get("waiting") or {}).get("reason") or "")
    return ""


def latest_message(events: Iterable[Json]) -> str:
    """What the latest of these Events says; empty if there is none."""
    latest = max(events, key=lambda event: version_of(event["metadata"]), default=None)
    return clean(str(latest.get("message") or ""), 500) if latest else ""


def is_recent(event: Json, now: datetime) -> bool:
    """Whether what an Event tells happened of late: one that is over keeps its Event for an hour."""
    last = (
        (event.get("series") or {}).get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
    )
    return last is None or now - parse_time(last) <= RECENT


def _waiting(status: Json, most: int = 120) -> str:
    for container in status.get("containerStatuses") or ():
        if container.get("name") == CONTAINER and (waiting := (container.get("state") or {}).get("waiting")):
            words = (waiting.get("reason"), waiting.get("message"))
            return clean(": ".join(str(word) for word in words if word), most)
    return ""


def _time(text: str | None) -> datetime | None:
    # A container whose end the kubelet did not see has the zero time.
    return parse_time(text) if text and not text.startswith(("0001-", "1970-")) else None
