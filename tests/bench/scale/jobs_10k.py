"""`jobs-10k`, `api-writes`, `status-lag`, `operator-rss`, `operator-cpu`: one large run, one Job a sensor.

Each half has a fresh control plane, so that neither carries the other's finished Jobs. The observer watches
in both halves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import Figure

from scale.observer import Observer
from scale.operator_process import OperatorProcess, cpu_seconds, refused, writes
from scale.plane import Plane, plane, until

SENSORS = 10_000
PARALLELISM = 100
SETTLE_SECONDS = 20  # after its end: what is left of memory then is kept
COMMAND = "make bench-operator"


@dataclass(frozen=True)
class Load:
    """What one run of `sensors` cost the operator."""

    sensors: int
    seconds: float
    cpu_seconds: float
    idle_mib: float
    peak_mib: float
    after_mib: float
    restart_mib: float
    writes: int
    refused: int
    lag_p95: float
    status_bytes: int
    etcd_bytes: int
    plane_cpu: dict[str, float]  # seconds, by program


def measure(sensors: int = SENSORS) -> list[Figure]:
    """The figures; raises if not all sensors are scored."""
    with tempfile.TemporaryDirectory(prefix="sensorscore-bench-") as name:
        folder = Path(name)
        with plane(folder / "bare") as up:
            bare_seconds, bare_cpu = bare(up, sensors)
        with plane(folder / "ours") as up:
            load = ours(up, folder, sensors)
    return figures(load, bare_seconds, bare_cpu)


def figures(load: Load, bare_seconds: float, bare_cpu: float) -> list[Figure]:
    """As they are told."""
    count = load.sensors
    jobs = f"a bare client making {count} plain Jobs"
    name = f"jobs-{count // 1000}k" if count >= 1000 else f"jobs-{count}"
    idle, writes_each = "the operator, idle", load.writes / count
    return [
        Figure(name, load.seconds / bare_seconds, "x", f"{jobs}, in s", bare_seconds, 1.15, COMMAND),
        Figure(f"{name}-refused", load.refused, "429s", "wanted", 0, 0, COMMAND),
        Figure("api-writes", writes_each, "a sensor", "the Job itself", 1, 1.1, COMMAND),
        Figure("status-lag", load.lag_p95, "s", "time between two writes", 1, 5, COMMAND),
        Figure("operator-rss", load.peak_mib, "MiB", idle, load.idle_mib, 300, COMMAND),
        Figure("operator-rss-restart", load.restart_mib, "MiB", idle, load.idle_mib, 300, COMMAND),
        Figure("operator-rss-after", load.after_mib / load.idle_mib, "x idle", idle, 1, 1.2, COMMAND),
        Figure(
            *("operator-cpu", load.cpu_seconds / count * 1000, "ms a Job", jobs),
            *(bare_cpu / count * 1000, 5, COMMAND),
        ),
        *_coefficients(load),
        Figure("status-size", load.status_bytes / 1024, "KiB", "etcd's limit", 1536, 64, COMMAND),
    ]


def _coefficients(load: Load) -> list[Figure]:
    """What a Job costs others: for the arithmetic of docs/scale.md."""
    total = sum(load.plane_cpu.values()) / load.sensors * 1000
    each = {name: seconds / load.sensors * 1000 for name, seconds in load.plane_cpu.items()}
    return [
        *(
            Figure(f"cpu-{name}", value, "ms a Job", "the whole control plane", total, None, COMMAND)
            for name, value in sorted(each.items())
        ),
        Figure(
            *(
                "etcd-bytes",
                load.etcd_bytes / load.sensors / 1024,
                "KiB a Job",
                "its default quota, GiB",
                2.0,
            ),
            *(None, COMMAND),
        ),
    ]


def bare(up: Plane, sensors: int) -> tuple[float, float]:
    """The reference: seconds until all Jobs are Complete, and its CPU seconds."""
    run = json.dumps(up.run("bare", 1, suspend=True))
    with Observer(up.kubeconfig, "none"):
        command = [
            sys.executable,
            "-m",
            "scale.bare_client",
            str(up.kubeconfig),
            str(sensors),
            str(PARALLELISM),
        ]
        done = subprocess.run(
            command, input=run, capture_output=True, text=True, check=False, env=_environment()
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    told = json.loads(done.stdout)
    return told["seconds"], told["cpu"]


def ours(up: Plane, folder: Path, sensors: int) -> Load:
    """The same by a ScoringRun."""
    with OperatorProcess(up.kubeconfig, folder / "first") as operator:
        time.sleep(3)
        idle, cpu = operator.mib(), operator.cpu_seconds()
        etcd, programs = up.etcd_bytes(), _plane_cpu(up)
        with Observer(up.kubeconfig, "large") as observer:
            started = time.monotonic()
            up.run("large", sensors, parallelism=PARALLELISM, jobTTLSecondsAfterFinished=7200)
            until("the run has ended", lambda: _ended(observer), 60 + sensors / 8)
            seconds = time.monotonic() - started
            cpu = operator.cpu_seconds() - cpu
            etcd = up.etcd_bytes() - etcd
            programs = {name: used - programs[name] for name, used in _plane_cpu(up).items()}
        calls = operator.calls()
        peak = operator.mib("VmHWM")
        time.sleep(SETTLE_SECONDS if sensors >= 1000 else 1)
        after = operator.mib()
    counts = observer.status["counts"]
    if counts["scored"] != sensors or observer.status["phase"] != "Succeeded":
        raise AssertionError(f"wanted {sensors} scored; found {observer.status['phase']}, {counts}")
    with OperatorProcess(up.kubeconfig, folder / "second") as operator:
        time.sleep(3)
        restart = operator.mib("VmHWM")
    return Load(
        sensors=sensors,
        seconds=seconds,
        cpu_seconds=cpu,
        idle_mib=idle,
        peak_mib=peak,
        after_mib=after,
        restart_mib=restart,
        writes=writes(calls),
        refused=refused(calls),
        lag_p95=observer.p95(),
        status_bytes=observer.largest_status,
        etcd_bytes=etcd,
        plane_cpu=programs,
    )


def _plane_cpu(up: Plane) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in up.pids().items()}


def _ended(observer: Observer) -> bool:
    conditions = observer.status.get("conditions", ())
    return any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
