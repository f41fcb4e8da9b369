"""A run under faults: the operator behind a proxy, pods that end as the test says, and what must come out."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, api, namespace, operator, runs, until
from controlplane.kubelet_double import Ending, KubeletDouble, failed, message, scored, work_of
from faults.api_proxy import ApiProxy
from local.api import Api

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

__all__ = ["api", "namespace", "operator", "runs"]

Json = dict[str, Any]
WHOLE = os.environ.get("SENSORSCORE_FAULTS") == "whole"
"""Whether all faults are tried, or a few of each kind."""

# What pods and Jobs say of themselves. The real scheduler has no node for the double's pods, so whether they
# were scheduled is now its last word and now the double's.
OWN_STAGES = ("import", "publish", "read", "score", "total", "write")
SENSORS = ["a", "b", "broken", "c", "silent", "d"]


def ends(pod: Json) -> Ending:
    """Most sensors are scored, one has no readings, one fails for good: the same whoever asks, and when."""
    work = work_of(pod)
    name = work["sensors"]["names"][0]
    if name == "silent":
        nothing = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}
        return Ending(0, message(work, "N", {"N": "Skipped/NoReadings"}, rows=nothing, anomalies=0))
    if name == "broken":
        return failed(work, "ModelCorrupt", "sensor broken: sha256 differs")
    return scored(work)


class Scene:
    """One namespace with an operator behind a proxy."""

    def __init__(self, api: Api, proxy: ApiProxy, operator: Operator, runs: Runs) -> None:
        self.api = api
        self.proxy = proxy
        self.operator = operator
        self.runs = runs
        self._lock = threading.Lock()

    def kill(self) -> None:
        """SIGKILL to the operator, from whichever thread; one that is dead stays so."""
        with self._lock:
            self.operator.kill()

    def pods(self, ending: Callable[[Json], Ending | None] = ends) -> KubeletDouble:
        """The double that ends this namespace's pods."""
        return KubeletDouble(self.api, self.runs.namespace, ending)

    def begin(self, name: str = "hourly", **spec: Any) -> None:
        """Make the run that every test of this folder makes."""
        usual = {"sensors": {"names": SENSORS}, "parallelism": 3, "failurePolicy": {"maxFailedSensors": 1}}
        self.runs.create(name, **{**usual, **spec})


@pytest.fixture
def scene(
    controlplane: ControlPlane, api: Api, namespace: str, runs: Runs, tmp_path: Path
) -> Iterator[Scene]:
    """The scene, with nothing started yet but the proxy."""
    with ApiProxy(Path(controlplane.kubeconfig)) as proxy:
        operator = Operator(proxy.write_kubeconfig(tmp_path / "proxied"), tmp_path, [namespace])
        yield Scene(api, proxy, operator, runs)
        operator.close()
    sys.stderr.write(operator.log.read_text()[-20_000:])


@dataclass(frozen=True)
class Calm:
    """How the run ends when nothing happens, and the operator's writes on the way, as method and resource."""

    result: Json
    writes: tuple[str, ...]


_calm: list[Calm] = []


@pytest.fixture
def calm(scene: Scene) -> Calm:
    """The undisturbed run: made by the first test that asks, the same for all."""
    if not _calm:
        scene.operator.start()
        scene.begin("calm")
        with scene.pods():
            run = scene.runs.ended("calm", 120)
            until("its Events are told", lambda: len(scene.runs.events()) >= 3, 60)
        scene.operator.stop()
        writes = tuple(f"{call.method} {call.resource}" for call in scene.proxy.writes())
        _calm.append(Calm(result(run), writes))
    return _calm[0]


def result(run: Json) -> Json:
    """What of a run's end must be the same whatever happened on the way: all but times and Job names."""
    status = run["status"]
    return {
        "phase": status["phase"],
        "progress": status["progress"],
        "counts": {name: number for name, number in status["counts"].items() if name != "retriedJobs"},
        "rows": status["rows"],
        "anomalies": status["anomalies"],
        "reasons": status["reasons"],
        "recorded": status["recorded"],
        "failures": [{key: each[key] for key in each if key != "job"} for each in status["failures"]],
        "conditions": sorted(
            (each["type"], each["status"], each["reason"], each["message"])
            for each in status["conditions"]
            if each["status"] == "True"
        ),
        # Of pods whose end is seen none are; how long each took depends on the kubelet's double.
        "estimated": status["cost"]["estimatedPodSeconds"],
        "timed": {stage: status["latency"][stage]["count"] for stage in OWN_STAGES},
    }
