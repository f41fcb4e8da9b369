"""The product in the real cluster, as the cluster tests see it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from local import cgroups, kubeconfig
from local.azurite import KEY, Azurite
from local.errors import LocalError
from local.places import Places
from local.tools import Tools
from scorer.storage import Store

Manifest = dict[str, Any]

START, END = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


def run_manifest(name: str, sensors: list[str], **spec: Any) -> Manifest:
    """A ScoringRun of the tests' window; `spec` goes over the defaults."""
    return {
        "apiVersion": "sensorscore.dev/v1alpha1",
        "kind": "ScoringRun",
        "metadata": {"name": name},
        "spec": {"window": {"start": START, "end": END}, "sensors": {"names": sensors}, **spec},
    }


def config_map(name: str, sensors: str) -> Manifest:
    """A ConfigMap with a list of sensors."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"sensors": sensors}}


@dataclass(frozen=True)
class Stack:
    """Everything that one test needs of the installed product."""

    tools: Tools
    azurite: Azurite
    store: Store
    namespace: str
    release_namespace: str
    rows_per_sensor: int

    account_key = KEY

    # Kubernetes

    def kubectl(self, *arguments: str, stdin: str | None = None, namespace: str | None = None) -> str:
        """What kubectl prints; the namespace is the tests' own unless told."""
        return self.tools.kubectl("--namespace", namespace or self.namespace, *arguments, stdin=stdin)

    def apply(self, manifest: Manifest) -> None:
        """`kubectl apply`; a run of that name is deleted before, since its spec cannot change."""
        if manifest["kind"] == "ScoringRun":
            self.kubectl("delete", "scoringrun", manifest["metadata"]["name"], "--ignore-not-found", "--wait")
        self.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))

    def refused(self, manifest: Manifest, namespace: str | None = None) -> str:
        """What the API server says against the manifest; fails if it would take it."""
        try:
            self.kubectl(
                *("apply", "--filename=-", "--dry-run=server"),
                stdin=json.dumps(manifest),
                namespace=namespace,
            )
        except LocalError as refusal:
            return str(refusal)
        raise AssertionError(f"{manifest['kind']} was taken")

    def get(self, kind: str, name: str) -> Manifest:
        """One object."""
        found: Manifest = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def patch(self, kind: str, name: str, change: Manifest) -> None:
        """A merge patch."""
        self.kubectl("patch", kind, name, "--type=merge", "--patch", json.dumps(change))

    def status(self, run: str) -> Manifest:
        """A run's status, empty before the operator saw it."""
        return self.get("scoringrun", run).get("status", {})

    def jobs(self, run: str) -> list[Manifest]:
        """Jobs that score, of the run that is there now under that name."""
        uid = self.get("scoringrun", run)["metadata"]["uid"]
        scoring = f"sensorscore.dev/run-uid={uid},sensorscore.dev/chunk"
        answer = json.loads(self.kubectl("get", "jobs", "-l", scoring, "-o", "json"))
        return list(answer["items"])

    def _pods(self, run: str) -> list[Manifest]:
        uid = self.get("scoringrun", run)["metadata"]["uid"]
        scoring = f"sensorscore.dev/run-uid={uid},sensorscore.dev/chunk"
        answer = json.loads(self.kubectl("get", "pods", "-l", scoring, "-o", "json"))
        return list(answer["items"])

    def pod_count(self, run: str) -> int:
        """How many pods the run's Jobs that score made, ended ones included."""
        return len(self._pods(run))

    def unfinished_pods(self, run: str) -> list[str]:
        """Names of its pods that have not ended."""
        return [
            pod["metadata"]["name"]
            for pod in self._pods(run)
            if pod["status"]["phase"] not in ("Succeeded", "Failed")
        ]

    def user_config(self, namespace: str, account: str) -> Path:
        """A kubeconfig with a token of a ServiceAccount."""
        config = yaml.safe_load(self.tools.kubeconfig.read_text())
        token = self.kubectl("create", "token", account, namespace=namespace).strip()
        config["users"][0]["user"] = {"token": token}
        path = self.tools.kubeconfig.with_name(f"{namespace}-{account}.kubeconfig")
        return kubeconfig.write(path, yaml.safe_dump(config))

    @staticmethod
    def condition(run: Manifest, kind: str) -> tuple[str, str]:
        """Status and reason of a condition; empty texts when it is not there."""
        for condition in run["status"].get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    def can_operator(self, verb: str, resource: str) -> str:
        """What RBAC answers for the operator's account in the tests' namespace: yes or no."""
        account = f"system:serviceaccount:{self.release_namespace}:sensorscore"
        # `can-i` exits with 1 for "no".
        with contextlib.suppress(LocalError):
            return self.kubectl("auth", "can-i", verb, resource, f"--as={account}").strip()
        return "no"

    def scored(self, run: str) -> int:
        """How many of its sensors are scored so far."""
        counts = self.status(run).get("counts", {})
        return int(counts.get("scored", 0))

    def left_of(self, uid: str) -> str:
        """Names of all objects that carry a run's UID."""
        label = f"sensorscore.dev/run-uid={uid}"
        return self.kubectl("get", "jobs,pods,configmaps", "-l", label, "-o", "name").strip()

    # Waiting

    def wait_for(self, what: str, happened: Callable[[], object], seconds: float = 90) -> None:
        """Poll until it has happened."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
            time.sleep(0.2)

    def wait_ended(self, run: str) -> Manifest:
        """The run as it is at its end."""

        def ended() -> bool:
            return self.status(run).get("phase") in ("Succeeded", "Failed")

        self.wait_for(f"the end of run {run}", ended, 150)
        return self.get("scoringrun", run)

    # Disturbing

    def kill_operator(self) -> None:
        """SIGKILL to the operator's process; Kubernetes starts its container again."""
        ours = cgroups.processes(Places.here().name)  # another checkout's operator is not ours to kill
        pids = [pid for pid, words in processes() if "scoring_operator" in words and pid in ours]
        assert pids, "no operator runs"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def kill_scorer(self, run: str) -> bool:
        """SIGKILL to the run's scoring process, if one is there."""
        pids = self.scorers(run)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def scorers(self, run: str) -> list[int]:
        """The run's scoring processes."""
        uid = self.get("scoringrun", run)["metadata"]["uid"]
        return [pid for pid, words in processes() if "scorer" in words and uid in " ".join(words)]

    def take_pod(self, run: str, politely: bool) -> str:
        """Take the run's pod away as a drain does, by the eviction API, or by hand; its name."""
        (name,) = self.unfinished_pods(run)
        if not politely:
            self.kubectl("delete", "pod", name, "--wait=false")
            return name
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        self.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(body))
        return name

    @contextlib.contextmanager
    def storage_stopped(self) -> Iterator[None]:
        """Blob Storage takes connections but does not answer, as long as this lasts."""
        identity = self.azurite.daemons.identity("azurite")
        assert identity is not None
        os.kill(identity.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(identity.pid, signal.SIGCONT)

    # Blob Storage

    def predictions(self, sensor: str) -> pa.Table:
        """The sensor's predictions of the tests' window."""
        data = self.store.get(f"predictions/2026/01/01/10/{sensor}.parquet").data
        return pq.read_table(pa.BufferReader(data))


def processes() -> Iterator[tuple[int, list[str]]]:
    """Pids and words of all Python programs of this machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if words and Path(words[0]).name.startswith("python"):
                    yield int(entry.name), words
