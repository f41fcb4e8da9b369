"""Manifests of what the operator makes: Jobs that score and publish, ConfigMaps that pin their input."""

from __future__ import annotations

import json
from dataclasses import dataclass

from scoring_operator import labels
from scoring_operator.chunks import Chunk, SensorSet
from scoring_operator.contract import (
    CONTAINER,
    DECISIONS_FILE,
    FAIL_JOB,
    NAMES_INLINE,
    VERSION,
    Json,
    digest8,
    job_name,
    model_order,
    output_order,
    publish_job_name,
    readings_order,
    rfc3339,
    work_sensors,
)
from scoring_operator.pods import Place, pod_manifest
from scoring_operator.resource import GROUP, KIND, Run
from scoring_operator.resource import VERSION as API_VERSION
from scoring_operator.settings import Runtime, Stages, Store
from scoring_operator.spec import Spec

SENSORS_KEY = "names"
DECISIONS_KEY = DECISIONS_FILE.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Means:
    """What the administrator lists under the names that a run gives."""

    store: Store
    runtime: Runtime
    stages: Stages


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
        _mounted(run, len(chunk.names)),
    )
    name = job_name(run.name, run.uid, chunk.number, incarnation)
    return _job(run, spec, name, marks, pod)


def publish_job(run: Run, spec: Spec, means: Means, sensors: SensorSet, incarnation: int) -> Json:
    """The Job that publishes the run: its own resources and nodes, so that the scoring pool can be empty."""
    marks = {**_marks(run), labels.STAGE: labels.PUBLISH_STAGE, labels.INCARNATION: str(incarnation)}
    order = publish_order(run, spec, means.store, sensors, incarnation)
    mounted = _mounted(run, len(sensors)) | {"decisions": decisions_config_map_name(run)}
    pod = pod_manifest(
        means.store, means.runtime, Place.stage(means.stages), order, spec.timeouts.publish, mounted
    )
    return _job(run, spec, publish_job_name(run.name, run.uid, incarnation), marks, pod)


def work_order(run: Run, spec: Spec, store: Store, chunk: Chunk, incarnation: int) -> Json:
    """What the pod of a chunk is told to do."""
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
        "chunk": chunk.number,
        "incarnation": incarnation,
        "window": {"start": rfc3339(spec.start), "end": rfc3339(spec.end)},
        "sensors": work_sensors(chunk.names, chunk.first),
        "store": where,
        "model": model_order(spec.model, run.status.models_as_of),
        "readings": readings_order(spec.readings),
        "output": output_order(spec.output),
        "onMissingReadings": spec.failures.on_missing_readings,
        "onMissingModel": spec.failures.on_missing_model,
        "perAttemptSeconds": spec.timeouts.per_attempt,
    }


def publish_order(run: Run, spec: Spec, store: Store, sensors: SensorSet, incarnation: int) -> Json:
    """What the pod that publishes is told to do: the same of all sensors, and what was decided."""
    everything = Chunk(0, 0, sensors.names)
    return work_order(run, spec, store, everything, incarnation) | {
        "perAttemptSeconds": spec.timeouts.publish,
        "stage": "Publish",
        "decisions": DECISIONS_FILE,
    }


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
    text = json.dumps(decisions, separators=(",", ":"), ensure_ascii=True)
    return _config_map(run, decisions_config_map_name(run), {DECISIONS_KEY: text})


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


def _mounted(run: Run, size: int) -> dict[str, str]:
    """ConfigMaps that the pod reads, by their folder."""
    return {"sensors": sensors_config_map_name(run)} if size > NAMES_INLINE else {}


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
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": CONTAINER,
                    "operator": "In",
                    "values": [int(code) for code in FAIL_JOB],
                },
            },
        ]
    }
