"""A double of the kubelet: binds pods, and reports that they ended as the test says. Nothing runs.

Everything else is real: API server, admission, Job controller, garbage collector, operator.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.api import Api, ApiError

Json = dict[str, Any]
NODE = "kubelet-double"


@dataclass(frozen=True)
class Ending:
    """How a pod ends. A `message` that is a dict is written as JSON."""

    code: int
    message: Json | str = ""
    reason: str = ""  # of the container, for instance OOMKilled


def work_of(pod: Json) -> Json:
    """The work order that the pod was given."""
    work: Json = json.loads(pod["spec"]["containers"][0]["args"][2])
    return work


def message(work: Json, codes: str, legend: dict[str, str], **more: Any) -> Json:
    """An outcome message for that work order."""
    return {
        "v": 1,
        "run": work["run"]["uid"],
        "chunk": work["chunk"],
        "incarnation": work["incarnation"],
        "attempt": "2026-01-01T13:00:09.123Z",
        "final": True,
        "codes": codes,
        "legend": legend,
        "rows": {"read": 12, "scored": 9, "rejected": 2, "duplicate": 1},
        "anomalies": 3,
        "stagesMs": {"import": 152, "read": 12, "score": 3, "write": 14, "total": 190},
        "failures": [],
        **more,
    }


def scored(work: Json) -> Ending:
    """All sensors of the pod are scored."""
    sensors = work["sensors"]
    size = len(sensors["names"]) if "names" in sensors else sensors["count"]
    return Ending(0, message(work, f"{size}S" if size > 1 else "S", {"S": "Scored"}))


def failed(work: Json, reason: str, sentence: str) -> Ending:
    """The pod's only sensor failed for good."""
    failure = {"sensor": work["sensors"]["names"][0], "reason": reason, "message": sentence}
    nothing = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}
    body = message(work, "C", {"C": f"Failed/{reason}"}, failures=[failure], rows=nothing, anomalies=0)
    return Ending(65, body)


class KubeletDouble:
    """While entered, ends the pods of one namespace; `ends` says how, or None to let a pod run on."""

    def __init__(self, api: Api, namespace: str, ends: Callable[[Json], Ending | None]) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._ends = ends
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> KubeletDouble:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        while not self._stop.wait(0.05):
            try:
                for pod in self._api.call("GET", self._pods)["items"]:
                    self._step(pod)
            except ApiError as error:
                if error.status not in (404, 409):  # deleted or changed meanwhile: seen anew in a moment
                    self.error = error
                    return
            except OSError as error:
                self.error = error
                return

    def _step(self, pod: Json) -> None:
        path = f"{self._pods}/{pod['metadata']['name']}"
        if pod["metadata"].get("deletionTimestamp"):
            self._api.call("DELETE", path, {"gracePeriodSeconds": 0})
        elif not pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": target}
            self._api.call("POST", f"{path}/binding", binding)
        elif pod["status"]["phase"] in ("Pending", "Running"):
            ending = self._ends(pod)
            if ending is not None:
                self._patch(path, _ended(pod, ending))
            elif pod["status"]["phase"] == "Pending":
                self._patch(path, {"phase": "Running", "startTime": _now()})

    def _patch(self, path: str, status: Json) -> None:
        self._api.call("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")


def _ended(pod: Json, ending: Ending) -> Json:
    text = ending.message if isinstance(ending.message, str) else json.dumps(ending.message)
    container = pod["spec"]["containers"][0]
    terminated = {
        "exitCode": ending.code,
        "reason": ending.reason or ("Completed" if ending.code == 0 else "Error"),
        "message": text,
        "startedAt": _now(),
        "finishedAt": _now(),
    }
    return {
        "phase": "Succeeded" if ending.code == 0 else "Failed",
        "startTime": _now(),
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": terminated},
            }
        ],
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
