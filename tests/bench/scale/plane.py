"""A control plane with simulated nodes, on which our pods end at once with the message of a sensor scored.

API server, etcd, scheduler, controller manager with its Job controller, and the operator are real. Of
kubelets there is KWOK's double: `stages.yaml` says what it tells of a pod.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import kwok
from local.api import Api, ApiError
from local.controlplane import ControlPlane
from local.places import Places

Json = dict[str, Any]
NAMESPACE = "scale"
RUNS = f"/apis/sensorscore.dev/v1alpha1/namespaces/{NAMESPACE}/scoringruns"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
NODES = 10
# Go's programs collect their garbage a quarter as often: with two cores that is a tenth of what they do.
ROOM_TO_WORK = ("env", "GOGC=400")
CRD = Path(__file__).resolve().parents[3] / "crds" / "scoringruns.sensorscore.dev.yaml"
STAGES = Path(__file__).with_name("stages.yaml")
TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Plane:
    """A control plane that is up."""

    kubeconfig: Path
    api: Api
    state: Path

    def pids(self) -> dict[str, int]:
        """Its programs."""
        return {
            record.stem: json.loads(record.read_text())["pid"]
            for record in (self.state / "pids").glob("*.json")
        }

    def etcd_bytes(self) -> int:
        """Size of etcd's file: what was written and not compacted yet."""
        return (self.state / "etcd" / "member" / "snap" / "db").stat().st_size

    def run(self, name: str, sensors: int, **spec: Any) -> Json:
        """Make a run of so many sensors, listed in a ConfigMap of its own; the run as it was made."""
        names = "".join(f"sensor-{number:06d}\n" for number in range(sensors))
        source = {"metadata": {"name": f"{name}-list"}, "data": {"names": names}}
        self.api.create(CONFIG_MAPS, source)
        made: Json = self.api.call("POST", RUNS, run_manifest(name, **spec))
        return made

    def status(self, name: str) -> Json:
        """A run's status."""
        status: Json = self.api.call("GET", f"{RUNS}/{name}").get("status", {})
        return status


def run_manifest(name: str, **spec: Any) -> Json:
    """A run over the sensors in the ConfigMap of its name."""
    window = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"}
    sensors = {"configMapRef": {"name": f"{name}-list", "key": "names"}}
    return {
        "apiVersion": "sensorscore.dev/v1alpha1",
        "kind": "ScoringRun",
        "metadata": {"name": name},
        "spec": {"window": window, "sensors": sensors, **spec},
    }


@contextlib.contextmanager
def plane(folder: Path) -> Iterator[Plane]:
    """A fresh one, with CRD, namespace and nodes; all of it ends with the `with` statement."""
    with ControlPlane(folder, prefix=ROOM_TO_WORK) as started:
        api = started.api()
        kwok.start(Places.here(), started.daemons, started.kubeconfig, NODES, STAGES)
        try:
            crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            api.create(crds, yaml.safe_load(CRD.read_text()))
            api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
            accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
            api.create(accounts, {"metadata": {"name": "sensorscore-scorer"}})
            until("the CRD is served", lambda: api.answers(RUNS), 60)
            yield Plane(started.kubeconfig, api, started.state)
        finally:
            started.daemons.stop(kwok.NAME, grace=5)


def until(what: str, happened: Callable[[], Any], seconds: float, pause: float = 0.25) -> Any:
    """Wait until `happened` gives something true, and give it back; a call without an answer comes again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := happened():
                return value
        except (OSError, ApiError):
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(pause)
