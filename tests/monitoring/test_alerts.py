"""Every alert fires: a fault is made, the real operator shows it, a real Alertmanager has the alert.

Beside the operator the API server and the Job controller are real; the pods' kubelet is a double, and the
rules' durations are divided (`scaled`): the whole cluster's tests have some of these faults with containers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from controlplane.conftest import until
from controlplane.kubelet_double import KubeletDouble
from monitoring.conftest import Scene, rule_names
from monitoring.faults import FAULTS, all_scored, by_schedule, schedule

pytestmark = pytest.mark.controlplane


def test_each_alert_has_its_fault() -> None:
    """Those of ingest have theirs in test_ingest."""
    assert sorted(FAULTS) == sorted(name for name in set(rule_names("alert")) if "Ingest" not in name)


@pytest.mark.parametrize("name", FAULTS)
def test_it_fires(name: str, scene: Scene) -> None:
    FAULTS[name](scene)
    for alert in scene.watch.fires(name):
        assert alert["labels"]["severity"] in ("critical", "warning", "info")
        words = alert["annotations"]
        assert words["runbook_url"].endswith(f"docs/runbooks/{name}.md")
        assert words["dashboard"].startswith("sensorscore-")
        for field in ("summary", "description", "panel"):
            assert words[field], field
            assert not re.search(r"<no value>|<error|%!|NaN", words[field]), words[field]


def test_a_healthy_system_is_quiet(scene: Scene) -> None:
    scene.start(schedules=[schedule(scene, 60)], currency="EUR", budgetPerDay="100")
    by_schedule(scene, "good", datetime.now(UTC), 60)
    with KubeletDouble(scene.api, scene.namespace, all_scored):
        scene.runs.ended("good")
    until("it is scraped", lambda: scene.watch.value("sum(sensorscore_runs_ended_total) == 1"))
    begun = datetime.now(UTC)
    until("ten seconds of it", lambda: datetime.now(UTC) - begun > timedelta(seconds=10))
    assert scene.watch.told() == ""


def test_every_rule_is_evaluated_without_an_error(scene: Scene) -> None:
    scene.start(schedules=[schedule(scene, 60)])

    def evaluated() -> bool:
        return all(rule["health"] == "ok" for rule in scene.watch.prometheus.rules())

    until("all rules are evaluated", evaluated)
    names = [rule["name"] for rule in scene.watch.prometheus.rules()]
    assert sorted(names) == sorted(rule_names("alert") + rule_names("record"))
