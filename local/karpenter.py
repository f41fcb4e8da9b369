"""Karpenter with its KWOK provider: a real node autoscaler, whose nodes are simulated.

It is what AKS Node Auto-Provisioning runs, but for the provider. Its nodes carry KWOK's annotation, so that a
KWOK beside it makes them Ready.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from local import build
from local.api import Api, wait_until
from local.console import stage
from local.places import Places
from local.ports import free_ports
from local.processes import Daemons

NAME = "karpenter"
NODE_CLASS = "simulated"
_NAMESPACE = "karpenter"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CLASSES = "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses"
_POOLS = "/apis/karpenter.sh/v1/nodepools"
_READY_SECONDS = 120
_GATES = ("StaticCapacity", "SpotToSpotConsolidation", "NodeRepair", "CapacityBuffer")


def start(places: Places, daemons: Daemons, kubeconfig: Path) -> None:
    """Start it on a control plane, and wait until node pools are kept."""
    binary = build.program(places, "karpenter")
    api = Api(kubeconfig)
    with stage("node autoscaler (Karpenter)"):
        for path in sorted(binary.parent.glob("*.yaml")):
            api.create(_CRDS, yaml.safe_load(path.read_text()))
        wait_until(
            "Karpenter's CRDs to be served",
            lambda: api.answers(_CLASSES) and api.answers(_POOLS),
            _READY_SECONDS,
            lambda: None,
        )
        api.create("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
        api.create(
            _CLASSES,
            {"metadata": {"name": NODE_CLASS}, **_type("karpenter.kwok.sh/v1alpha1", "KWOKNodeClass")},
        )
        daemons.start(NAME, [binary], environment(kubeconfig, free_ports(2)))


def environment(kubeconfig: Path, ports: Sequence[int]) -> dict[str, str]:
    """Karpenter's settings; `ports` are those of its metrics and its health."""
    return {
        "KUBECONFIG": str(kubeconfig),
        "SYSTEM_NAMESPACE": _NAMESPACE,
        "KARPENTER_SERVICE": NAME,
        "KUBERNETES_MIN_VERSION": "1.19.0-0",
        "DISABLE_LEADER_ELECTION": "true",  # there is one only
        "METRICS_PORT": str(ports[0]),
        "HEALTH_PROBE_PORT": str(ports[1]),
        "MEMORY_LIMIT": str(2**30),
        "CPU_REQUESTS": "1000",
        # How long it waits for further pods before it makes nodes for those that there are; else 10 and 1 s.
        "BATCH_MAX_DURATION": "2s",
        "BATCH_IDLE_DURATION": "500ms",
        "FEATURE_GATES": ",".join(f"{gate}=false" for gate in _GATES),
    }


def pool(
    api: Api, name: str, labels: Mapping[str, str], taints: Sequence[Mapping[str, str]], cpus: int = 2
) -> None:
    """Make a pool of nodes with `cpus` each, that has none as long as nobody waits for one.

    Empty nodes leave after a second, and so would ones in little use, if their pods let them: who relies on
    `do-not-disrupt` is not safe by the pool's grace. All may leave at once.
    """
    requirements = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "karpenter.sh/capacity-type": "spot",
        "karpenter.kwok.sh/instance-cpu": str(cpus),
    }
    node: dict[str, Any] = {
        "expireAfter": "Never",
        "requirements": [
            {"key": key, "operator": "In", "values": [value]} for key, value in requirements.items()
        ],
        "nodeClassRef": {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": NODE_CLASS},
        "taints": list(taints),
    }
    disruption = {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "1s",
        "budgets": [{"nodes": "100%"}],
    }
    body = {
        **_type("karpenter.sh/v1", "NodePool"),
        "metadata": {"name": name},
        "spec": {"disruption": disruption, "template": {"metadata": {"labels": dict(labels)}, "spec": node}},
    }
    api.create(_POOLS, body)


def _type(version: str, kind: str) -> dict[str, str]:
    return {"apiVersion": version, "kind": kind}
