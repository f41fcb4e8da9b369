"""A schedule as the chart installs it, and the kubelet's double that runs its pods' own program.

CronJob controller, Job controller, RBAC and admission are real; the program runs with the rights of the
pod's ServiceAccount and nothing else.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from chart.rendering import run_helm
from controlplane.conftest import RUNS
from controlplane.kubelet_double import Ending, KubeletDouble
from local.api import Api

Json = dict[str, Any]
LABEL = "sensorscore.dev/schedule"
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
}
STORES = {"default": {"url": "azure://account/container", "workloadIdentity": True}}


class Scheduled:
    """Schedules of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def install(self, helm: Path, folder: Path, **schedules: Json) -> None:
        """What the chart makes for these schedules, but for the operator's own objects."""
        values = {
            "stores": STORES,
            "schedules": {name: {"namespace": self.namespace, **told} for name, told in schedules.items()},
        }
        done = run_helm(helm, ["template"], values, folder)
        assert done.returncode == 0, done.stderr
        for body in filter(None, yaml.safe_load_all(done.stdout)):
            component = (body["metadata"].get("labels") or {}).get("app.kubernetes.io/component")
            if component == "scheduler" and body["kind"] in PATHS:
                self.api.call("POST", PATHS[body["kind"]].format(self.namespace), body)

    def mark(self, name: str) -> Json | None:
        """The data of the schedule's mark; None before there is one."""
        return self.data(f"sensorscore-schedule-{name}")

    def data(self, name: str) -> Json | None:
        """That of a ConfigMap; None if there is none."""
        items = self.api.call("GET", PATHS["ConfigMap"].format(self.namespace))["items"]
        found = [item["data"] for item in items if item["metadata"]["name"] == name]
        return found[0] if found else None

    def write_mark(self, name: str, last: str) -> None:
        """Put the mark where an outage would have left it."""
        labels = {LABEL: name}
        body = {"metadata": {"name": f"sensorscore-schedule-{name}", "labels": labels}}
        self.api.call(
            "POST", PATHS["ConfigMap"].format(self.namespace), body | {"data": {"lastWindowEnd": last}}
        )

    def start(self, name: str, job: str, kind: str = "schedule") -> None:
        """`kubectl create job --from=cronjob/…`."""
        path = PATHS["CronJob"].format(self.namespace)
        template = self.api.call("GET", f"{path}/sensorscore-{kind}-{name}")["spec"]["jobTemplate"]
        body = copy.deepcopy(template)
        body["metadata"] = {**body.get("metadata", {}), "name": job}
        self.api.call("POST", f"/apis/batch/v1/namespaces/{self.namespace}/jobs", body)

    def job(self, name: str) -> Json:
        """One of its Jobs' status."""
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{name}"
        status: Json = self.api.call("GET", path).get("status", {})
        return status

    def ended(self, name: str) -> str:
        """Complete or Failed; empty before either."""
        conditions = self.job(name).get("conditions", [])
        held = [each["type"] for each in conditions if each["status"] == "True"]
        return next((kind for kind in held if kind in ("Complete", "Failed")), "")

    def runs(self, name: str) -> list[Json]:
        """Its runs, in the order of their windows."""
        path = f"{RUNS}/namespaces/{self.namespace}/scoringruns?labelSelector={LABEL}={name}"
        items = self.api.call("GET", path)["items"]
        return sorted(items, key=lambda run: str(run["spec"]["window"]["end"]))

    def events(self) -> list[Json]:
        """Events of schedules' marks."""
        items = self.api.call("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return [item for item in items if item["involvedObject"]["kind"] == "ConfigMap"]


class ScheduleKubelet(KubeletDouble):
    """Runs the program of schedules' pods; all other pods end as the double says."""

    def __init__(
        self, api: Api, namespace: str, ends: Callable[[Json], Ending | None], kubeconfig: Path, folder: Path
    ) -> None:
        super().__init__(api, namespace, ends)
        self._admin = kubeconfig
        self._folder = folder
        self._namespace = namespace
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "schedule.log"

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _step(self, pod: Json) -> None:
        ours = LABEL in pod["metadata"]["labels"] and "deletionTimestamp" not in pod["metadata"]
        if not (ours and pod["spec"].get("nodeName") and pod["status"]["phase"] in ("Pending", "Running")):
            super()._step(pod)
            return
        uid = pod["metadata"]["uid"]
        process = self._processes.get(uid)
        if process is None:
            self._processes[uid] = self._started(pod)
        elif (code := process.poll()) is not None:
            self._end(pod, Ending(code))

    def _end(self, pod: Json, ending: Ending) -> None:
        from controlplane.kubelet_double import _ended

        self._patch(f"{self._pods}/{pod['metadata']['name']}", _ended(pod, ending))

    def _looked(self, container: Json, folder: Path) -> None:
        """The program that looks at the store, which here is a folder, as is the volume that it writes to."""
        arguments = [*container["args"]]
        arguments[arguments.index("--store") + 1] = f"file://{self._folder}/store"
        arguments[arguments.index("--to") + 1] = str(folder / "changes.json")
        with self.log.open("ab") as log:
            subprocess.run(
                [sys.executable, *container["command"][1:], *arguments],
                stdout=log,
                stderr=log,
                timeout=300,
                check=True,
            )

    def _started(self, pod: Json) -> subprocess.Popen[bytes]:
        """Its command, with the file that it mounts and its ServiceAccount's token."""
        folder = self._folder / pod["metadata"]["name"]
        folder.mkdir(mode=0o700)
        (volume,) = (each for each in pod["spec"]["volumes"] if each["name"] == "settings")
        maps = f"/api/v1/namespaces/{self._namespace}/configmaps/{volume['configMap']['name']}"
        (folder / "schedule.yaml").write_text(self._api.call("GET", maps)["data"]["schedule.yaml"])
        account = pod["spec"]["serviceAccountName"]
        tokens = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token"
        token = self._api.call("POST", tokens, {"spec": {"expirationSeconds": 600}})["status"]["token"]
        config = yaml.safe_load(self._admin.read_text())
        config["users"][0]["user"] = {"token": token}
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        (container,) = pod["spec"]["containers"]
        for looks in pod["spec"].get("initContainers", ()):
            self._looked(looks, folder)
        environment = {
            "KUBECONFIG": str(folder / "kubeconfig"),
            "SENSORSCORE_SCHEDULE": str(folder / "schedule.yaml"),
            "SENSORSCORE_CHANGES": str(folder / "changes.json"),
            "TMPDIR": str(folder),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *container["command"][1:]],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
