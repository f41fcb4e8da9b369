"""The pod of a Job: identity and storage by the store, image by the runtime, size and nodes by its stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scoring_operator.contract import CONTAINER, Json, arguments
from scoring_operator.mounts import Mounts, SecretKey, pod_volumes
from scoring_operator.settings import Runtime, Stages, Store
from scoring_operator.spec import Template

# The pod's own deadline counts from the kubelet's first sight of it, so before the image is pulled: it is
# only the backstop for a scorer that does not keep perAttemptSeconds itself.
PULL_ALLOWANCE_SECONDS = 600
# A node that is gone for a minute does not come back with our pod's work done; Kubernetes' default is five
# minutes.
NODE_LOST_SECONDS = 60
USER = 65532
FOLDER = "/etc/sensorscore"


@dataclass(frozen=True, slots=True)
class Place:
    """How large a pod is, where it may run, and what it carries besides."""

    resources: Mapping[str, Any]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]
    priority_class: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    env: Mapping[str, str]
    affinity: Mapping[str, Any] = field(default_factory=dict)
    topology_spread: tuple[Mapping[str, Any], ...] = ()
    mounts: Mounts = field(default_factory=Mounts)
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)  # by the variable that holds it
    workload_identity: bool = False  # beside what the store wants

    @classmethod
    def scoring(cls, runtime: Runtime, template: Template) -> Place:
        """On the scoring pool; what the run asks for goes over what the runtime says."""
        resources = {
            kind: {**runtime.resources.get(kind, {}), **asked}
            for kind, asked in (("requests", template.requests), ("limits", template.limits))
        }
        return cls(
            resources={kind: values for kind, values in resources.items() if values},
            node_selector=runtime.node_selector,
            tolerations=runtime.tolerations,
            priority_class=template.priority_class or runtime.priority_class,
            # The administrator's over the run's.
            labels={**template.labels, **runtime.labels},
            annotations={**template.annotations, **runtime.annotations},
            env=template.env,
            affinity=runtime.affinity,
            topology_spread=runtime.topology_spread,
            mounts=runtime.mounts,
        )

    @classmethod
    def stage(cls, stages: Stages) -> Place:
        """Beside the scoring pool, without what a runtime's plugins want."""
        return cls(
            stages.resources, stages.node_selector, stages.tolerations, stages.priority_class, {}, {}, {}
        )


def pod_manifest(
    store: Store, runtime: Runtime, place: Place, order: Json, seconds: int, config_maps: Mapping[str, str]
) -> Json:
    """A Job's pod template. `order` may take `seconds`; `config_maps` are mounted by their folder's name."""
    signs_in = store.workload_identity or place.workload_identity
    identity = {"azure.workload.identity/use": "true"} if signs_in else {}
    return {
        "metadata": {
            "labels": {**place.labels, **identity},
            "annotations": {
                **place.annotations,
                # Autoscalers must not take a node from under a running pod: each has its own word for it, and
                # reads it on the pod, not on the Job.
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "karpenter.sh/do-not-disrupt": "true",
            },
        },
        "spec": _spec(store, runtime, place, order, seconds, config_maps),
    }


def _spec(
    store: Store, runtime: Runtime, place: Place, order: Json, seconds: int, config_maps: Mapping[str, str]
) -> Json:
    volumes, mounts = pod_volumes((store.volume, store.connection_string_file), place.mounts)
    pod: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds + PULL_ALLOWANCE_SECONDS,
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
        "tolerations": [*map(dict, place.tolerations), *_node_lost_tolerations()],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": folder, "configMap": {"name": name}} for folder, name in config_maps.items()),
            *volumes,
        ],
        "containers": [_container(store, runtime, place, order, config_maps, mounts)],
    }
    if volumes:
        # Else the kubelet would go through all files of the volume for each pod, to give them the group.
        pod["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch"
    if place.affinity:
        pod["affinity"] = dict(place.affinity)
    if place.topology_spread:
        pod["topologySpreadConstraints"] = [*map(dict, place.topology_spread)]
    if place.node_selector:
        pod["nodeSelector"] = dict(place.node_selector)
    if place.priority_class:
        pod["priorityClassName"] = place.priority_class
    return pod


def _container(
    store: Store,
    runtime: Runtime,
    place: Place,
    order: Json,
    config_maps: Mapping[str, str],
    mounts: Sequence[Json],
) -> Json:
    return {
        "name": CONTAINER,
        "image": runtime.image,
        "imagePullPolicy": runtime.image_pull_policy,
        "args": arguments(order),
        "env": _environment(store, runtime, place),
        "resources": dict(place.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            *({"name": each, "mountPath": f"{FOLDER}/{each}", "readOnly": True} for each in config_maps),
            *mounts,
        ],
        # Without a message the last lines of the log say why a pod died before it could write one.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


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


def _environment(store: Store, runtime: Runtime, place: Place) -> list[Json]:
    # Kubernetes reads `$(NAME)` as that variable's value, and `$$` as `$`: what a run gives is literal.
    environment: dict[str, Json] = {
        name: {"value": value.replace("$", "$$")} for name, value in place.env.items()
    }
    # One pod has a fraction of a core; OpenBLAS would start a thread per core of the node and wait for them.
    environment["OPENBLAS_NUM_THREADS"] = {"value": "1"}
    environment |= {name: {"value": value} for name, value in runtime.env.items()}
    if store.connection_string_secret:
        secret = store.connection_string_secret
        environment["AZURE_STORAGE_CONNECTION_STRING"] = {
            "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}
        }
    if store.connection_string_file:
        environment["AZURE_STORAGE_CONNECTION_STRING_FILE"] = {"value": store.connection_string_file.path}
    for name, key in place.secrets.items():
        # Without the Secret the pod starts all the same: a sink that cannot be signed in to fails no run.
        wanted = {"name": key.name, "key": key.key, "optional": True}
        environment[name] = {"valueFrom": {"secretKeyRef": wanted}}
    return [{"name": name, **value} for name, value in environment.items()]
