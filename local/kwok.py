"""KWOK: simulated nodes in a real cluster, on which pods run in name only, for tests of scale."""

from pathlib import Path

from local import build
from local.api import Api, wait_until
from local.console import stage
from local.node import is_ready
from local.places import Places
from local.processes import Daemons

STAGES = Path(__file__).resolve().parent / "kwok-stages.yaml"
NAME = "kwok"
_READY_SECONDS = 120


def node(name: str) -> dict[str, object]:
    """A simulated node. Only pods that tolerate it come onto it: a real pod there would never really run."""
    size = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"type": "kwok", "kubernetes.io/hostname": name},
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": size, "capacity": size},
    }


def start(places: Places, daemons: Daemons, kubeconfig: Path, nodes: int, stages: Path = STAGES) -> None:
    """Let a cluster have this many simulated nodes, and wait until they are Ready."""
    binary = build.program(places, "kwok")
    with stage(f"{nodes} simulated nodes (KWOK)"):
        daemons.start(NAME, argv(binary, kubeconfig, stages))
        api = Api(kubeconfig)
        names = [f"kwok-{number}" for number in range(nodes)]
        for name in names:
            api.create("/api/v1/nodes", node(name))
        wait_until(
            "the simulated nodes to be Ready",
            lambda: _ready(api, names),
            _READY_SECONDS,
            lambda: daemons.check(NAME),
        )


def argv(binary: Path, kubeconfig: Path, stages: Path) -> list[str]:
    """Command line of KWOK."""
    return [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
        "--cidr=10.250.0.0/16",
        "--v=WARN",
    ]


def _ready(api: Api, names: list[str]) -> bool:
    while names and is_ready(api, names[-1]):
        names.pop()
    return not names
