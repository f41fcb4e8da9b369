"""From a chunk to its Job's manifest, by what the run says and the administrator's store and runtime."""

from __future__ import annotations

from scoring_operator.chunks import Chunk, SensorSet
from scoring_operator.contract import (
    CONTAINER,
    FAIL_JOB,
    NAMES_INLINE,
    SENSORS_FILE,
    VERSION,
    Json,
    arguments,
    digest8,
    job_name,
    rfc3339,
    work_sensors,
)
from scoring_operator.resource import GROUP, KIND, Run, Spec
from scoring_operator.resource import VERSION as API_VERSION
from scoring_operator.settings import Runtime, Store

MANAGED_BY_LABEL, MANAGED_BY = "app.kubernetes.io/managed-by", "sensorscore"
RUN_LABEL, RUN_UID_LABEL = f"{GROUP}/run", f"{GROUP}/run-uid"
CHUNK_LABEL, INCARNATION_LABEL, SENSOR_LABEL = f"{GROUP}/chunk", f"{GROUP}/incarnation", f"{GROUP}/sensor"
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY},{RUN_UID_LABEL}"

# The pod's own deadline counts from the kubelet's first sight of it, so before the image is pulled: it is
# only the backstop for a scorer that does not keep perAttemptSeconds itself.
PULL_ALLOWANCE_SECONDS = 600
# A node that is gone for a minute does not come back with our pod's work done; Kubernetes' default is five
# minutes.
NODE_LOST_SECONDS = 60
USER = 65532
SENSORS_KEY = "names"


def sensors_config_map_name(run: Run) -> str:
    """Name of the pinned list; a bare `<run>-sensors` is what users call their own source."""
    return f"{run.name}-sensors-{digest8(run.uid)}"


def sensors_config_map(run: Run, sensors: SensorSet) -> Json:
    """The pinned list: immutable, and gone with the run."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": sensors_config_map_name(run),
            "namespace": run.namespace,
            "labels": _run_labels(run),
            "ownerReferences": [owner_reference(run)],
        },
        "immutable": True,
        "data": {SENSORS_KEY: sensors.text()},
    }


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


def job_manifest(
    run: Run, spec: Spec, store: Store, runtime: Runtime, chunk: Chunk, incarnation: int
) -> Json:
    """The Job that scores `chunk`."""
    labels = {**_run_labels(run), CHUNK_LABEL: str(chunk.number), INCARNATION_LABEL: str(incarnation)}
    if spec.sensors_per_job == 1:
        labels[SENSOR_LABEL] = chunk.names[0]
    pod_labels = {**labels, "azure.workload.identity/use": "true"} if store.workload_identity else labels
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(run.name, run.uid, chunk.number, incarnation),
            "namespace": run.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(run)],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": spec.backoff_limit,
            "ttlSecondsAfterFinished": spec.job_ttl_seconds,
            "podFailurePolicy": _pod_failure_policy(),
            "template": {
                "metadata": {
                    "labels": pod_labels,
                    "annotations": {
                        # Autoscalers must not take a node from under a running pod: each has its own word for
                        # it, and reads it on the pod, not on the Job.
                        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        "karpenter.sh/do-not-disrupt": "true",
                    },
                },
                "spec": _pod_spec(run, spec, store, runtime, chunk, incarnation),
            },
        },
    }


def work_order(run: Run, spec: Spec, store: Store, chunk: Chunk, incarnation: int) -> Json:
    """What the pod is told to do."""
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
        "model": {"path": spec.model_path},
        "readings": {"path": spec.readings_path},
        "output": {"path": spec.output_path},
        "onMissingReadings": spec.on_missing_readings,
        "onMissingModel": spec.on_missing_model,
        "perAttemptSeconds": spec.per_attempt_seconds,
    }


def _run_labels(run: Run) -> dict[str, str]:
    return {
        MANAGED_BY_LABEL: MANAGED_BY,
        "app.kubernetes.io/name": "sensorscore-scorer",
        RUN_LABEL: run.name,
        RUN_UID_LABEL: run.uid,
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


def _pod_spec(run: Run, spec: Spec, store: Store, runtime: Runtime, chunk: Chunk, incarnation: int) -> Json:
    volumes: list[Json] = [{"name": "tmp", "emptyDir": {}}]
    mounts: list[Json] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a volume of the pod's own
    if len(chunk.names) > NAMES_INLINE:
        volumes.append({"name": "sensors", "configMap": {"name": sensors_config_map_name(run)}})
        mounts.append({"name": "sensors", "mountPath": SENSORS_FILE.rpartition("/")[0], "readOnly": True})
    pod: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": spec.per_attempt_seconds + PULL_ALLOWANCE_SECONDS,
        "serviceAccountName": store.service_account_name,
        "automountServiceAccountToken": False,
        # One environment variable per Service would end in "argument list too long" in large namespaces.
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [*map(dict, runtime.tolerations), *_node_lost_tolerations()],
        "volumes": volumes,
        "containers": [
            {
                "name": CONTAINER,
                "image": runtime.image,
                "imagePullPolicy": runtime.image_pull_policy,
                "args": arguments(work_order(run, spec, store, chunk, incarnation)),
                "env": _environment(store, runtime),
                "resources": dict(runtime.resources),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
                # Without a message the last lines of the log say why a pod died before it could write one.
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
    }
    if runtime.node_selector:
        pod["nodeSelector"] = dict(runtime.node_selector)
    return pod


def _node_lost_tolerations() -> list[Json]:
    return [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_LOST_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]


def _environment(store: Store, runtime: Runtime) -> list[Json]:
    # One pod has a fraction of a core; OpenBLAS would start a thread per core of the node and wait for them.
    environment: dict[str, Json] = {"OPENBLAS_NUM_THREADS": {"value": "1"}}
    environment |= {name: {"value": value} for name, value in runtime.env.items()}
    if store.connection_string_secret:
        secret = store.connection_string_secret
        environment["AZURE_STORAGE_CONNECTION_STRING"] = {
            "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}
        }
    return [{"name": name, **value} for name, value in environment.items()]
