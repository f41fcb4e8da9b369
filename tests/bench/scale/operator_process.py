"""The operator as a process, and what it uses: CPU and memory by the kernel, calls by its metrics."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from scale.plane import TOLERATION, until

TICKS = os.sysconf("SC_CLK_TCK")
WRITES = ("create", "update", "patch", "delete")
# One that is being profiled: its CPU time is not the operator's own then.
PROFILE = os.environ.get("SENSORSCORE_BENCH_PROFILE", "")


def settings(**more: Any) -> dict[str, Any]:
    """Settings as the chart ships them, but for simulated nodes and a free port."""
    return {
        "stores": {
            "default": {"url": "azure://account/container", "serviceAccountName": "sensorscore-scorer"}
        },
        "runtimes": {
            "default": {
                "image": "localhost/sensorscore-scorer:test",
                "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}},
                "nodeSelector": {"type": "kwok"},
                "tolerations": [TOLERATION],
            }
        },
        "stages": {"tolerations": [TOLERATION], "nodeSelector": {"type": "kwok"}},
        "http": {"port": 0},
        **more,
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class OperatorProcess:
    """While entered, the operator runs; it has listed everything when that begins."""

    def __init__(self, kubeconfig: Path, folder: Path, **more: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"operator-{time.time_ns()}.log"
        path = folder / "settings.yaml"
        path.write_text(yaml.safe_dump(settings(**more)))
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "SENSORSCORE_SETTINGS": str(path),
            "TMPDIR": tempfile.mkdtemp(dir=folder),
        }
        self._port = 0

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        profile = ["-m", "cProfile", "-o", f"{PROFILE}.{self.log.parent.name}"] if PROFILE else []
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *profile, "-m", "scoring_operator"],
                env=self._environment,
                stderr=log,
                stdout=log,
            )
        self.started = time.monotonic()
        try:
            until("the operator is ready", self._ready, 120)
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """SIGTERM, and wait."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the operator has ended: {self.log.read_text()[-3000:]}")
        return " runs, " in self.log.read_text() and self.get("/readyz").startswith("ok")

    def get(self, path: str) -> str:
        """What it serves at `path`; its port is in its log."""
        if not self._port:
            self._port = int(self.log.read_text().partition("readyz on port ")[2].split('"')[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return cpu_seconds(self._process.pid)

    def mib(self, field: str = "VmRSS") -> float:
        """Memory: `VmRSS` now, `VmHWM` at most so far."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.partition(f"{field}:")[2].split()[0]) / 1024

    def calls(self) -> dict[tuple[str, str, str], int]:
        """Its calls to the API so far, by verb, resource and code."""
        found: dict[tuple[str, str, str], int] = {}
        for line in self.get("/metrics").splitlines():
            if line.startswith("sensorscore_operator_api_requests_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                number = int(float(line.rpartition(" ")[2]))
                found[labels["verb"], labels["resource"], labels["code"]] = number
        return found


def writes(calls: dict[tuple[str, str, str], int]) -> int:
    """How many of the calls change something."""
    return sum(number for (verb, _, _), number in calls.items() if verb in WRITES)


def refused(calls: dict[tuple[str, str, str], int]) -> int:
    """How many the API server put off (429)."""
    return sum(number for (_, _, code), number in calls.items() if code == "429")
