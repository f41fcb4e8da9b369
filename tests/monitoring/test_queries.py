"""Every query of every dashboard, run by a real Prometheus that scraped the real operator.

On a healthy system all panels have data but those about faults, and these have it once something is wrong.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controlplane.conftest import until
from controlplane.kubelet_double import Ending, KubeletDouble, published, scored, work_of
from faults.api_proxy import PASS, Call, Fault
from local.preview.model import queries
from local.preview.variables import intervals
from local.promql import Client
from monitoring.conftest import Scene
from monitoring.faults import (
    NODES_PRICED,
    SENSORS,
    all_scored,
    by_schedule,
    corrupt,
    schedule,
    silent,
    slow,
)

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
DASHBOARDS = Path(__file__).resolve().parents[2] / "charts/sensorscore/files/dashboards"
STEP = 1
EMPTY_WHEN_HEALTHY = {
    ("latency", "Failed Jobs, by class of reason"),
    ("runs", "Alerts that fire"),
    ("runs", "Why runs failed"),
    ("runs", "Why sensors failed"),
    ("runs", "Why sensors were skipped"),
}
"""Seen with data in the second test."""
EVERYTHING: dict[str, str] = {}
PRICED = {"currency": "EUR", "budgetPerDay": "10", "runtimes": {"default": NODES_PRICED}}

Panel = tuple[str, str]
"""Dashboard and title."""


def panels() -> Iterator[tuple[str, Json]]:
    """Every dashboard of the operator, by name; ingest's is asked in test_ingest."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        if path.stem != "ingest":
            yield path.stem, json.loads(path.read_text())


def empty(client: Client, since: float) -> set[Panel]:
    """Panels of which no query returns anything, in a time range from `since` on."""
    now = time.time()
    variables = EVERYTHING | intervals(now - since, STEP, STEP)
    found: dict[Panel, bool] = {}
    for name, dashboard in panels():
        for title, expression in queries(dashboard, variables):
            series = client.query_range(expression, since, now, STEP)
            data = any(not math.isnan(value) for each in series for _, value in each.points)
            found[name, title] = found.get((name, title), False) or data
    assert found, "no dashboard has a query"
    return {panel for panel, data in found.items() if not data}


def test_on_a_healthy_system_only_panels_about_faults_are_empty(unhurried: Scene) -> None:
    begun = time.time()
    healthy(unhurried)
    assert empty(unhurried.watch.prometheus, begun) == EMPTY_WHEN_HEALTHY


def test_each_panel_has_data_when_something_is_wrong(unhurried: Scene) -> None:
    begun = time.time()
    healthy(unhurried)
    unwell(unhurried)
    assert empty(unhurried.watch.prometheus, begun) == set()


def healthy(scene: Scene) -> None:
    """Two runs of a schedule that succeed, one after the other."""
    sinks = {"ops": {"type": "webhook", "url": "https://events.example.com/"}}
    scene.start(schedules=[schedule(scene, 60)], sinks=sinks, **PRICED)
    with KubeletDouble(scene.api, scene.namespace, slow(all_scored)):
        for number in range(2):
            by_schedule(scene, f"good-{number}", datetime.now(UTC), 60)
            scene.runs.ended(f"good-{number}")
            scraped(scene, f"sum(sensorscore_runs_ended_total) == {number + 1}")


def unwell(scene: Scene) -> None:
    """Sensors fail or are skipped, a run fails, the guard warns, the API refuses, pods find no node."""
    names = {"bad": ["b0"], "mixed": [*SENSORS, "again", "silent"]}
    tried: set[str] = set()

    def ends(pod: Json) -> Ending:
        sensor = work_of(pod)["sensors"]["names"][0]
        if sensor == "again" and pod["metadata"]["name"] not in tried:
            tried.add(pod["metadata"]["name"])
            return Ending(137, "", "OOMKilled") if len(tried) == 1 else scored(work_of(pod))
        return {"silent": silent, "b0": corrupt, SENSORS[0]: corrupt}.get(sensor, all_scored)(pod)

    def warns(pod: Json) -> Ending:
        return published(work_of(pod), warnings={"FlagRate": 1})

    failures = iter(range(4))

    def refuse(call: Call) -> Fault:
        ours = call.method == "POST" and call.resource == "jobs"
        return Fault(500, "InternalError") if ours and next(failures, None) is not None else PASS

    scene.proxy.fault = refuse
    with KubeletDouble(scene.api, scene.namespace, ends, warns):
        for name, sensors in names.items():
            allowed = "50%" if name == "mixed" else 0
            scene.runs.create(name, sensors={"names": sensors}, failurePolicy={"maxFailedSensors": allowed})
        for name in names:
            scene.runs.ended(name)
    scene.runs.create("stuck", timeouts={"pendingSeconds": 86_400})
    scraped(scene, "max(sensorscore_run_pending_seconds) > 2")


def scraped(scene: Scene, expression: str) -> None:
    """Wait until Prometheus has seen it, and the recording rules with it."""
    until(expression, lambda: scene.watch.value(expression) is not None)
    seen = time.monotonic()
    until("three more scrapes", lambda: time.monotonic() - seen > 3)
