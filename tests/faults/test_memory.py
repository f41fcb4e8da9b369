"""The operator's memory does not grow with the runs that it has seen: all are deleted by their TTL."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from controlplane.conftest import RUNS as API
from controlplane.conftest import Operator, Runs, until
from controlplane.kubelet_double import Ending, KubeletDouble, scored, work_of
from faults.conftest import WHOLE
from local.api import Api

pytestmark = pytest.mark.faults
Json = dict[str, Any]

RUNS = 1000
WARM = 200
"""Runs after which everything that fills up once (connections, code, graves of Jobs) has begun to."""
AT_ONCE = 40
MARGIN = 0.10
"""How much more memory it may hold after all runs than after the first ones."""


def resident(pid: int) -> int:
    """MiB of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def left(api: Api, namespace: str) -> int:
    return len(api.call("GET", f"{API}/namespaces/{namespace}/scoringruns")["items"])


@pytest.mark.skipif(not WHOLE, reason="takes minutes: make test-faults")
@pytest.mark.timeout(1200, func_only=True)
def test_a_thousand_runs_leave_nothing_behind(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    began = time.monotonic()
    held: dict[int, int] = {}
    with KubeletDouble(api, namespace, all_scored):
        for number in range(1, RUNS + 1):
            runs.create(f"r{number}", sensors={"names": ["a"]}, ttlSecondsAfterFinished=1)
            if number % 10 == 0:
                until("there is room", lambda: left(api, namespace) <= AT_ONCE, 300)
            if number in (WARM, RUNS):
                until("all are gone", lambda: not left(api, namespace), 300)
                until("their Jobs are gone", lambda: not runs.jobs() and not runs.publish_jobs(), 300)
                time.sleep(6)  # a resync, which tidies
                held[number] = resident(operator.pid)
    seconds = time.monotonic() - began
    print(f"operator's memory: {held} MiB after so many runs; {RUNS / seconds:.1f} runs a second")  # noqa: T201
    assert held[RUNS] <= held[WARM] * (1 + MARGIN)
    series = operator.get("/metrics")
    assert f'sensorscore_runs{{namespace="{namespace}"' not in series, "no run is left in its view"
    assert "Traceback" not in operator.log.read_text()
