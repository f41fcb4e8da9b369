"""`runs-1000`: 1,000 runs of one sensor each, made at once: when they end, and what memory they take.

Each is a Job that scores and one that publishes. That none starves shows in the slowest against the median:
they are made within seconds, share the control plane evenly, and so end about together.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from figures import Figure

from scale.operator_process import OperatorProcess, refused
from scale.plane import RUNS, Plane, plane, run_manifest, until

RUNS_AT_ONCE = 1000
COMMAND = "make bench-operator"


def measure(runs: int = RUNS_AT_ONCE) -> list[Figure]:
    """The figures; raises if not all runs succeed."""
    with tempfile.TemporaryDirectory(prefix="sensorscore-bench-") as name:
        folder = Path(name)
        with plane(folder / "plane") as up, OperatorProcess(up.kubeconfig, folder / "operator") as operator:
            time.sleep(3)
            idle = operator.mib()
            _make(up, runs)
            # Seldom: to list a thousand runs is work for the API server.
            ended = until("all runs have ended", lambda: _all_ended(up, runs), 120 + runs, pause=3.0)
            peak, calls = operator.mib("VmHWM"), operator.calls()
    wrong = [run["metadata"]["name"] for run in ended if run["status"]["phase"] != "Succeeded"]
    if wrong:
        raise AssertionError(f"{len(wrong)} runs did not succeed: {wrong[:5]}")
    seconds = sorted(map(_seconds, ended))
    median, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return [
        Figure(f"runs-{runs}", p95, "s, p95", "the median", median, None, COMMAND),
        Figure(f"runs-{runs}-slowest", seconds[-1], "s", "the median", median, None, COMMAND),
        Figure(f"runs-{runs}-rss", peak, "MiB", "the operator, idle", idle, 300, COMMAND),
        Figure(f"runs-{runs}-refused", refused(calls), "429s", "wanted", 0, 0, COMMAND),
    ]


def _make(up: Plane, runs: int) -> None:
    def make(number: int) -> None:
        manifest = run_manifest(f"run-{number:04d}", sensors={"names": [f"sensor-{number:04d}"]})
        up.api.call("POST", RUNS, manifest)

    with ThreadPoolExecutor(8) as threads:
        for made in [threads.submit(make, number) for number in range(runs)]:
            made.result()


def _all_ended(up: Plane, wanted: int) -> list[dict[str, Any]]:
    """All runs, or none of them as long as one goes on."""
    runs: list[dict[str, Any]] = up.api.call("GET", RUNS)["items"]
    over = [run for run in runs if run.get("status", {}).get("phase") in ("Succeeded", "Failed")]
    return over if len(over) == wanted else []


def _seconds(run: dict[str, Any]) -> float:
    """From its creation to its end, by Kubernetes' clocks."""
    texts = run["metadata"]["creationTimestamp"], run["status"]["completionTime"]
    made, ended = map(datetime.fromisoformat, texts)
    return (ended - made).total_seconds()
