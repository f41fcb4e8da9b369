"""A namespace for each test, and the operator as a process of its own that watches it alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.api import Api, ApiError

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

Json = dict[str, Any]
CRD = Path(__file__).resolve().parents[2] / "crds" / "scoringruns.sensorscore.dev.yaml"
RUNS = "/apis/sensorscore.dev/v1alpha1"
CHUNK, STAGE = "sensorscore.dev/chunk", "sensorscore.dev/stage"


@pytest.fixture(scope="session")
def api(controlplane: ControlPlane) -> Api:
    """The API server, with the CRD installed."""
    api = Api(Path(controlplane.kubeconfig))
    api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(CRD.read_text()))
    until("the CRD is served", lambda: api.answers(f"{RUNS}/scoringruns"))
    return api


@pytest.fixture
def namespace(api: Api) -> str:
    """A namespace of the test's own, where the scorer's ServiceAccount is."""
    name = f"t-{time.time_ns() % 10**12}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    api.create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "sensorscore-scorer"}})
    return name


def until(what: str, happened: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until `happened` gives something true, and give it back."""
    deadline = time.monotonic() + seconds
    while not (value := happened()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)
    return value


class Operator:
    """The operator's process; its log is kept for the test's report."""

    def __init__(
        self, kubeconfig: Path, folder: Path, namespaces: list[str], name: str = "operator", **settings: Any
    ) -> None:
        self._log = (folder / "operator.log").open("ab")
        self.log = folder / "operator.log"
        self.kubeconfig = kubeconfig
        path = folder / "settings.yaml"
        path.write_text(yaml.safe_dump(_settings(namespaces) | settings))
        # The client writes the kubeconfig's certificates and keys to files; killed, it does not remove them.
        temporary = folder / "temporary"
        temporary.mkdir(mode=0o700, exist_ok=True)
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "SENSORSCORE_SETTINGS": str(path),
            "TMPDIR": str(temporary),
            "POD_NAME": name,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scoring_operator"],
            env=self._environment,
            stderr=self._log,
            stdout=self._log,
        )

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        self._end(signal.SIGKILL)

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM; its exit code. `subprocess.TimeoutExpired` if it takes longer."""
        return self._end(signal.SIGTERM, seconds)

    def runs(self) -> bool:
        """Whether its process has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        if self._process is None:
            raise AssertionError("the operator was not started")
        return self._process.pid

    def _end(self, number: signal.Signals, seconds: float = 60.0) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(seconds)
        self._process = None
        return code

    def get(self, path: str) -> str:
        """What it serves at `path` (its port is in its log)."""
        text = self.log.read_text()
        port = int(text.rpartition("readyz on port ")[2].split('"')[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None:
            self.kill()
        self._log.close()


def _settings(namespaces: list[str]) -> Json:
    return {
        "namespaces": namespaces,
        "stores": {
            "default": {"url": "azure://account/container", "serviceAccountName": "sensorscore-scorer"},
            "theirs": {"url": "azure://account/other", "namespaces": ["somebody-elses"]},
        },
        "runtimes": {
            "default": {
                "image": "localhost/sensorscore-scorer:test",
                "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "64Mi"}},
            }
        },
        "sinks": {
            "alarms": {"type": "webhook", "url": "https://events.example.com/alarms"},
            "chat": {"type": "webhook", "url": "https://events.example.com/chat"},
            "theirs": {
                "type": "webhook",
                "url": "https://events.example.com/",
                "namespaces": ["somebody-elses"],
            },
        },
        "http": {"port": 0},
        "lease": {"namespace": namespaces[0], "durationSeconds": 3} if namespaces else {},
        "timing": {
            "debounceMilliseconds": 20,
            "statusSeconds": 1,
            "outcomeGraceSeconds": 2,
            "sensorsGraceSeconds": 3,
            "resyncSeconds": 5,
        },
    }


@pytest.fixture
def operator(controlplane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """The operator, not started yet."""
    operator = Operator(Path(controlplane.kubeconfig), tmp_path, [namespace])
    yield operator
    operator.close()
    sys.stderr.write(operator.log.read_text())


class Runs:
    """ScoringRuns of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self._path = f"{RUNS}/namespaces/{namespace}/scoringruns"

    def create(self, name: str = "hourly", **spec: Any) -> Json:
        """Make a run; sensors a, b, c if nothing else is said."""
        body = manifest(name, **spec)
        made: Json = self.api.call("POST", self._path, body)
        return made

    def get(self, name: str = "hourly") -> Json:
        """The run."""
        run: Json = self.api.call("GET", f"{self._path}/{name}")
        return run

    def patch(self, spec: Json, name: str = "hourly") -> Json:
        """Change a run's spec."""
        path = f"{self._path}/{name}"
        run: Json = self.api.call("PATCH", path, {"spec": spec}, "application/merge-patch+json")
        return run

    def delete(self, name: str = "hourly") -> None:
        """Delete a run."""
        self.api.call("DELETE", f"{self._path}/{name}")

    def gone(self, name: str = "hourly") -> bool:
        """Whether there is no such run."""
        try:
            self.get(name)
        except ApiError as error:
            return error.status == 404
        return False

    def ended(self, name: str = "hourly", seconds: float = 120.0) -> Json:
        """The run, once it has ended."""
        until(f"run {name} has ended", lambda: self.phase(name) in ("Succeeded", "Failed"), seconds)
        return self.get(name)

    def phase(self, name: str = "hourly") -> str:
        """Its phase; empty before anybody looked at it."""
        return str(self.get(name).get("status", {}).get("phase", ""))

    def jobs(self) -> list[Json]:
        """All Jobs of the namespace that score."""
        return [job for job in self._all("/apis/batch/v1", "jobs") if CHUNK in job["metadata"]["labels"]]

    def jobs_of(self, name: str) -> list[Json]:
        """Those of one run."""
        label = "sensorscore.dev/run"
        return [job for job in self.jobs() if job["metadata"]["labels"][label] == name]

    def publish_jobs(self) -> list[Json]:
        """All that publish."""
        return [job for job in self._all("/apis/batch/v1", "jobs") if STAGE in job["metadata"]["labels"]]

    def pods(self) -> list[Json]:
        """All pods of the namespace that score."""
        return [pod for pod in self._all("/api/v1", "pods") if CHUNK in pod["metadata"]["labels"]]

    def _all(self, group: str, plural: str) -> list[Json]:
        items: list[Json] = self.api.call("GET", f"{group}/namespaces/{self.namespace}/{plural}")["items"]
        return items

    def events(self) -> list[str]:
        """Reasons of all Events of ScoringRuns, in order."""
        items = self.api.call("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        ours = [item for item in items if item["involvedObject"]["kind"] == "ScoringRun"]
        return [
            item["reason"] for item in sorted(ours, key=lambda item: int(item["metadata"]["resourceVersion"]))
        ]


def manifest(name: str = "hourly", **spec: Any) -> Json:
    """A valid ScoringRun, with parts of its spec replaced."""
    window = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"}
    return {
        "apiVersion": "sensorscore.dev/v1alpha1",
        "kind": "ScoringRun",
        "metadata": {"name": name},
        "spec": {"window": window, "sensors": {"names": ["a", "b", "c"]}, **spec},
    }


@pytest.fixture
def runs(api: Api, namespace: str) -> Runs:
    """The ScoringRuns of the test's namespace."""
    return Runs(api, namespace)


def condition(run: Json, kind: str) -> Json:
    """One of a run's conditions; empty if it is not there."""
    conditions = run.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})
