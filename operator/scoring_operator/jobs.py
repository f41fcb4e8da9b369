"""Manifests of what the operator makes: Jobs that score and publish, ConfigMaps that pin their input."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from scoring_operator import labels
from scoring_operator.chunks import Chunk, InStore, Left, SensorSet, StoredSensors
from scoring_operator.contract import (
    CONTAINER,
    DECISIONS_FILE,
    FAIL_JOB,
    IGNORED,
    NAMES_INLINE,
    VERSION,
    Json,
    digest8,
    job_name,
    left_order,
    model_order,
    output_order,
    part_order,
    prepare_job_name,
    publish_job_name,
    readings_order,
    rfc3339,
    stored_sensors,
    wait_order,
    work_sensors,
)
from scoring_operator.pods import Place, pod_manifest
from scoring_operator.resource import GROUP, KIND, Run
from scoring_operator.resource import VERSION as API_VERSION
from scoring_operator.settings import Runtime, Stages, Store
from scoring_operator.sinks import Sink, sinks_order
from scoring_operator.spec import Spec

SENSORS_KEY, LIST_KEY = "names", "list"
DECISIONS_KEY = DECISIONS_FILE.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a run is prepared by: where its sensors come from, what another run left, until when it waits."""

    resolve: Json
    left: Left | None
    until: datetime | None
    only: str = ""  # a table: of what is resolved, the sensors that it names


def preparation(spec: Spec, sensors: InStore | None, until: datetime | None) -> Preparation:
    """What the pod of the stage Prepare has to do."""
    if sensors is None:
        return Preparation({}, None, until)
    if sensors.left:
        left = sensors.left
        return Preparation(left_order(left.uid, left.sha256), left, until)
    if spec.sensors.table:
        return Preparation({"table": spec.sensors.table}, None, until, spec.sensors.only)
    if spec.sensors.discover is None:
        raise AssertionError("what is in the store is a table, or is to be discovered")
    source = spec.sensors.discover
    told = {"from": source.of} | ({"prefix": source.prefix} if source.prefix else {})
    return Preparation({"discover": told}, None, until, spec.sensors.only)


@dataclass(frozen=True, slots=True)
class Means:
    """What the administrator lists under the names that a run gives."""

    store: Store
    runtime: Runtime
    stages: Stages
    sinks: tuple[Sink, ...] = ()


def scoring_job(run: Run, spec: Spec, means: Means, chunk: Chunk, incarnation: int) -> Json:
    """The Job that scores `chunk`."""
    marks = {**_marks(run), labels.CHUNK: str(chunk.number), labels.INCARNATION: str(incarnation)}
    if len(chunk.names) == 1:
        marks[labels.SENSOR] = chunk.names[0]
    order = work_order(run, spec, means.store, chunk, incarnation)
    pod = pod_manifest(
        means.store,
        means.runtime,
        Place.scoring(means.runtime, spec.template),
        order,
        spec.timeouts.per_attempt,
        _mounted(run, chunk),
    )
    name = job_name(run.name, run.uid, chunk.number, incarnation)
    return _job(run, spec, name, marks, pod)


def prepare_job(run: Run, spec: Spec, means: Means, wanted: Preparation, incarnation: int) -> Json:
    """The Job that prepares the run: beside the scoring pool, like the one that publishes it."""
    marks = {**_marks(run), labels.STAGE: labels.PREPARE_STAGE, labels.INCARNATION: str(incarnation)}
    order = prepare_order(run, spec, means.store, wanted, incarnation)
    mounted = {"decisions": left_config_map_name(run)} if wanted.left else {}
    pod = _stage_pod(means, Place.stage(means.stages), order, mounted)
    return _job(run, spec, prepare_job_name(run.name, run.uid, incarnation), marks, pod)


def publish_job(
    run: Run, spec: Spec, means: Means, sensors: SensorSet | StoredSensors, incarnation: int
) -> Json:
    """The Job that publishes the run: its own resources and nodes, so that the scoring pool can be empty."""
    marks = {**_marks(run), labels.STAGE: labels.PUBLISH_STAGE, labels.INCARNATION: str(incarnation)}
    order = publish_order(run, spec, means.store, sensors, incarnation)
    mounted = _mounted(run, _everything(sensors)) | {"decisions": decisions_config_map_name(run)}
    place = Place.stage(means.stages)
    if means.sinks:
        told, secrets = sinks_order(means.sinks)
        order |= {"sinks": told} | ({"schedule": run.schedule} if run.schedule else {})
        signs_in = any(sink.workload_identity for sink in means.sinks)
        place = replace(place, secrets=secrets, workload_identity=signs_in)
    pod = _stage_pod(means, place, order, mounted)
    return _job(run, spec, publish_job_name(run.name, run.uid, incarnation), marks, pod)


def _stage_pod(means: Means, place: Place, order: Json, mounted: dict[str, str]) -> Json:
    return pod_manifest(means.store, means.runtime, place, order, order["perAttemptSeconds"], mounted)


def work_order(run: Run, spec: Spec, store: Store, chunk: Chunk, incarnation: int) -> Json:
    """What the pod of a chunk is told to do."""
    if chunk.stored:
        sensors = stored_sensors(run.uid, chunk.first, len(chunk), chunk.stored.sha256)
    else:
        sensors = work_sensors(chunk.names, chunk.first)
    return _order(run, spec, store, chunk.number, incarnation) | {"sensors": sensors}


def _order(run: Run, spec: Spec, store: Store, chunk: int, incarnation: int) -> Json:
    """What the orders of all stages say."""
    where: Json = {"url": store.url}
    if store.endpoint:
        where["endpoint"] = store.endpoint
    if store.allow_http:
        where["allowHttp"] = True
    return {
        "v": VERSION,
        "run": {
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
            "created": rfc3339(run.created),
        },
        "chunk": chunk,
        "incarnation": incarnation,
        "window": {"start": rfc3339(spec.start), "end": rfc3339(spec.end)},
        "store": where,
        "model": model_order(spec.model, run.status.models_as_of),
        "readings": readings_order(spec.readings),
        "output": output_order(spec.output),
        "onMissingReadings": spec.failures.on_missing_readings,
        "onMissingModel": spec.failures.on_missing_model,
        "perAttemptSeconds": spec.timeouts.per_attempt,
    }


def prepare_order(run: Run, spec: Spec, store: Store, wanted: Preparation, incarnation: int) -> Json:
    """What the pod that prepares is told to do: where the sensors come from, and what it waits for."""
    order = _order(run, spec, store, 0, incarnation) | {"stage": "Prepare"}
    seconds = spec.timeouts.prepare
    if wanted.resolve:
        order["resolve"] = wanted.resolve
    if wanted.only:
        order["only"] = wanted.only
    if spec.wait_for and wanted.until:
        order["waitFor"] = wait_order(spec.wait_for.marker, wanted.until, spec.wait_for.on_timeout)
        seconds += spec.wait_for.timeout
    return order | {"perAttemptSeconds": seconds}


def publish_order(
    run: Run, spec: Spec, store: Store, sensors: SensorSet | StoredSensors, incarnation: int
) -> Json:
    """What the pod that publishes is told to do: the same of all sensors, and what was decided."""
    return work_order(run, spec, store, _everything(sensors), incarnation) | {
        "perAttemptSeconds": spec.timeouts.publish,
        "stage": "Publish",
        "decisions": DECISIONS_FILE,
        **part_order(spec.sensors.only, spec.sensors.failed_of_uid),
    }


def _everything(sensors: SensorSet | StoredSensors) -> Chunk:
    if isinstance(sensors, StoredSensors):
        return Chunk(0, 0, (), sensors, len(sensors))
    return Chunk(0, 0, sensors.names)


# ConfigMaps -------------------------------------------------------------------------------------------------


def sensors_config_map_name(run: Run) -> str:
    """Name of the pinned list; a bare `<run>-sensors` is what users call their own source."""
    return f"{run.name}-sensors-{digest8(run.uid)}"


def sensors_config_map(run: Run, sensors: SensorSet) -> Json:
    """The pinned list: immutable, and gone with the run."""
    return _config_map(run, sensors_config_map_name(run), {SENSORS_KEY: sensors.text()})


def decisions_config_map_name(run: Run) -> str:
    """Name of the pinned decisions."""
    return f"{run.name}-decisions-{digest8(run.uid)}"


def decisions_config_map(run: Run, decisions: Json) -> Json:
    """What the operator has decided, for the pod that publishes."""
    return _config_map(run, decisions_config_map_name(run), _told(decisions))


def left_config_map_name(run: Run) -> str:
    """Name of what another run has left undone, pinned for the pod that prepares."""
    return f"{run.name}-left-{digest8(run.uid)}"


def left_config_map(run: Run, left: Left) -> Json:
    """What the operator has decided on another run, for the pod that prepares this one.

    And for operators to come: whatever becomes of the other run, what it left undone stays the same.
    """
    told = _told(left.decisions) | {LIST_KEY: left.sha256}
    return _config_map(run, left_config_map_name(run), told)


def left_of(spec: Spec, config_map: Json) -> Left:
    """What is pinned there. Raises `KeyError` and `ValueError` for what is no such ConfigMap."""
    data = config_map.get("data") or {}
    return Left(spec.sensors.failed_of_uid, data[LIST_KEY], json.loads(data[DECISIONS_KEY]))


def _told(decisions: Json) -> Json:
    return {DECISIONS_KEY: json.dumps(decisions, separators=(",", ":"), ensure_ascii=True)}


def _config_map(run: Run, name: str, data: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": run.namespace,
            "labels": _marks(run),
            "ownerReferences": [owner_reference(run)],
        },
        "immutable": True,
        "data": data,
    }


# Jobs -------------------------------------------------------------------------------------------------------


def owner_reference(run: Run) -> Json:
    """The run as owner: Kubernetes collects what it owns.

    No blockOwnerDeletion: it would need rights on finalizers, and nothing has to hold up the run's deletion.
    """
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": KIND,
        "name": run.name,
        "uid": run.uid,
        "controller": True,
    }


def _marks(run: Run) -> dict[str, str]:
    return {
        labels.MANAGED_BY: labels.OURS,
        labels.NAME: labels.SCORER,
        labels.RUN: run.name,
        labels.RUN_UID: run.uid,
    }


def _mounted(run: Run, chunk: Chunk) -> dict[str, str]:
    """ConfigMaps that the pod reads, by their folder."""
    return {"sensors": sensors_config_map_name(run)} if len(chunk.names) > NAMES_INLINE else {}


def _job(run: Run, spec: Spec, name: str, marks: dict[str, str], pod: Json) -> Json:
    metadata = pod["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": run.namespace,
            "labels": marks,
            "ownerReferences": [owner_reference(run)],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": spec.backoff_limit,
            "ttlSecondsAfterFinished": spec.job_ttl_seconds,
            "podFailurePolicy": _pod_failure_policy(),
            # Ours stand last: whatever a run asks for, its Jobs are found by them.
            "template": {**pod, "metadata": {**metadata, "labels": {**metadata["labels"], **marks}}},
        },
    }


def _pod_failure_policy() -> Json:
    return {
        "rules": [
            # First: a drained or lost node is nobody's failure, whatever the exit code that it caused.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": _in(FAIL_JOB)},
            # Not all that take a pod from its node say so by the condition. `disruptions` has the bounds.
            {"action": "Ignore", "onExitCodes": _in(IGNORED)},
        ]
    }


def _in(codes: Iterable[int]) -> Json:
    return {"containerName": CONTAINER, "operator": "In", "values": [int(code) for code in codes]}
