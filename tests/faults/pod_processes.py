"""Pods as real processes of the scorer on this machine: the kubelet's double ends them with what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from controlplane.kubelet_double import Ending, work_of
from local.api import Api

Json = dict[str, Any]


class PodProcesses:
    """Each pod's container, started when the pod is first seen; leaving the `with` statement ends all.

    `environment` is in the place of the pod's Secret. What the pod mounts is read through the API.
    """

    def __init__(self, api: Api, folder: Path, environment: dict[str, str]) -> None:
        self._api = api
        self._folder = folder
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.codes: list[int] = []
        """Exit codes of those that scored, in the order of their ends."""

    def __enter__(self) -> PodProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def __call__(self, pod: Json) -> Ending | None:
        """How the pod's process ended, None while it runs."""
        uid = pod["metadata"]["uid"]
        process = self._processes.get(uid)
        if process is None:
            self._processes[uid] = self._start(pod)
            return None
        code = process.poll()
        if code is None:
            return None
        if work_of(pod).get("stage") is None:
            self.codes.append(code)
        return Ending(code, (self._folder / uid / "message").read_text())

    def _start(self, pod: Json) -> subprocess.Popen[bytes]:
        place = self._folder / pod["metadata"]["uid"]
        place.mkdir(parents=True)
        (place / "message").touch()
        container = pod["spec"]["containers"][0]
        given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        with (place / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "scorer", *self._arguments(pod, place)],
                env={
                    **os.environ,
                    **given,
                    **self._environment,
                    "SENSORSCORE_MESSAGE_PATH": str(place / "message"),
                },
                stdout=log,
                stderr=log,
            )

    def _arguments(self, pod: Json, place: Path) -> list[str]:
        """The container's own, but for where its ConfigMaps are mounted."""
        spec = pod["spec"]
        arguments: list[str] = spec["containers"][0]["args"]
        text = json.dumps(work_of(pod))
        mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
        for volume in spec["volumes"]:
            if "configMap" not in volume:
                continue
            name = volume["configMap"]["name"]
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/configmaps/{name}"
            folder = place / volume["name"]
            folder.mkdir()
            for key, value in self._api.call("GET", path)["data"].items():
                (folder / key).write_text(value)
            text = text.replace(mounts[volume["name"]], str(folder))
        return [*arguments[:-1], text]
