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
NODES = "/api/v1/nodes"
HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class Ending:
    """How a pod ends. A `message` that is a dict is written as JSON."""

    code: int
    message: Json | str = ""
    reason: str = ""  # of the container, for instance OOMKilled
    pod_reason: str = ""  # of the pod, for instance Evicted
    waiting: str = ""  # why its container never started, for instance ErrImagePull: with it there is no code


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


def published(work: Json, **more: Any) -> Ending:
    """The run is published, and each of its sinks has been told of one sensor."""
    uid, name = work["run"]["uid"], work["run"]["name"]
    sinks = {sink["name"]: {"delivered": 1} for sink in work.get("sinks", ())}
    return Ending(
        0,
        {
            "v": 1,
            "run": uid,
            "chunk": work["chunk"],
            "incarnation": work["incarnation"],
            "attempt": "2026-01-01T13:00:19.123Z",
            "final": True,
            "stage": "Publish",
            "manifest": {"path": f"runs/{uid}/manifest.json", "sha256": "a" * 64},
            "success": "predictions/2026/01/01/12/_SUCCESS",
            "anomalies": f"anomalies/2026/01/01/12/{name}.parquet",
            "warnings": {},
            "notes": {},
            "samples": [],
            "stagesMs": {"total": 1834},
            **({"sinks": sinks} if sinks else {}),
            **more,
        },
    )


def prepared(work: Json, **more: Any) -> Ending:
    """The run is prepared: its list of three sensors lies in the store, its readings are there."""
    found = {"total": 3, "sha256": "a" * 64, "shards": []}
    body = {
        **{key: work[key] for key in ("chunk", "incarnation")},
        "v": 1,
        "run": work["run"]["uid"],
        "attempt": "2026-01-01T13:00:05.123Z",
        "final": True,
        "stage": "Prepare",
        "sensors": found if "resolve" in work else None,
        "readings": "Ready" if "waitFor" in work else None,
        "stagesMs": {"total": 834},
        **more,
    }
    return Ending(65 if "failure" in more else 0, body)


def prepares(pod: Json) -> bool:
    """Whether it is a pod of the prepare stage."""
    return work_of(pod).get("stage") == "Prepare"


def publishes(pod: Json) -> bool:
    """Whether it is a pod of the publish stage."""
    return work_of(pod).get("stage") == "Publish"


class KubeletDouble:
    """While entered, ends the pods of one namespace; `ends` says how, or None to let a pod run on.

    `publish` says it of the pods that publish. `starts`: whether there is a node for a pod. `binds`: whether
    it finds the node itself, and not the scheduler. `lost`: whether the pod's node is gone, and its kubelet.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        ends: Callable[[Json], Ending | None],
        publish: Callable[[Json], Ending | None] = lambda pod: published(work_of(pod)),
        starts: Callable[[Json], bool] = lambda _: True,
        binds: Callable[[Json], bool] = lambda _: True,
        lost: Callable[[Json], bool] = lambda _: False,
    ) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._ends = ends
        self._publish = publish
        self._starts = starts
        self._binds = binds
        self._lost = lost
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> KubeletDouble:
        self._register()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _register(self) -> None:
        """Without a Node that lives, Kubernetes would collect its pods, with their messages, now and then."""
        try:
            self._api.call("POST", NODES, {"metadata": {"name": NODE}, "spec": {"unschedulable": True}})
        except ApiError as error:
            if error.status != 409:
                raise
        self._beat()

    def _beat(self) -> None:
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
        now = _now()
        status = {"conditions": [ready | {"lastHeartbeatTime": now, "lastTransitionTime": now}]}
        path = f"{NODES}/{NODE}/status"
        self._api.call("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
        self._beat_at = time.monotonic()

    def _work(self) -> None:
        while not self._stop.wait(0.05):
            try:
                if time.monotonic() - self._beat_at > HEARTBEAT_SECONDS:
                    self._beat()
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
        if self._lost(pod):
            return
        if pod["metadata"].get("deletionTimestamp"):
            # A kubelet (PodGC for a pod without a node) says how it ended before it lets go of it.
            if pod["status"]["phase"] in ("Pending", "Running"):
                self._patch(path, _ended(pod, Ending(143)))
            self._api.call("DELETE", path, {"gracePeriodSeconds": 0})
        elif not self._starts(pod):
            pass
        elif not pod["spec"].get("nodeName"):
            if not self._binds(pod):
                return
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": target}
            self._api.call("POST", f"{path}/binding", binding)
        elif pod["status"]["phase"] in ("Pending", "Running"):
            ending = self._publish(pod) if publishes(pod) else self._ends(pod)
            if ending is not None:
                self._patch(path, _ended(pod, ending))
            elif pod["status"]["phase"] == "Pending":
                self._patch(
                    path, {"phase": "Running", "startTime": _now(), "conditions": _conditions(pod, "Ready")}
                )

    def _patch(self, path: str, status: Json) -> None:
        self._api.call("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")


def _ended(pod: Json, ending: Ending) -> Json:
    text = ending.message if isinstance(ending.message, str) else json.dumps(ending.message)
    container = pod["spec"]["containers"][0]
    if ending.waiting:
        reason, _, said = ending.waiting.partition(": ")
        state: Json = {"waiting": {"reason": reason, "message": said}}
    else:
        state = {"terminated": _terminated(ending, text)}
    return {
        "phase": "Succeeded" if ending.code == 0 else "Failed",
        "reason": ending.pod_reason,
        "conditions": _conditions(pod),
        "startTime": _now(),
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
            }
        ],
    }


def _terminated(ending: Ending, text: str) -> Json:
    return {
        "exitCode": ending.code,
        "reason": ending.reason or ("Completed" if ending.code == 0 else "Error"),
        "message": text,
        "startedAt": _now(),
        "finishedAt": _now(),
    }


def _conditions(pod: Json, *more: str) -> list[Json]:
    """The pod's conditions, with scheduled and `more` True: the scheduler said no before we bound it."""
    # Since when it is scheduled stays as it is: a pod's cost counts from then.
    there = [
        each
        for each in pod["status"].get("conditions", ())
        if each["type"] != "PodScheduled" or each["status"] == "True"
    ]
    wanted = {"PodScheduled", *more} - {each["type"] for each in there if each["status"] == "True"}
    held = ({"type": kind, "status": "True", "lastTransitionTime": _now()} for kind in sorted(wanted))
    return [*(each for each in there if each["type"] not in wanted), *held]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
