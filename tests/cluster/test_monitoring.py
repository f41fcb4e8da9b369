"""Metrics and alerts of the installed product: found by its annotations, scraped, and told to Alertmanager.

The rules' durations are divided by `scaled.FACTOR`; faults, operator, pods and Alertmanager are real.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from local import kind, network, scraping
from local.alertmanager import Alertmanager
from local.backend import choose
from local.deploy import RELEASE
from local.places import Places
from local.prometheus import Prometheus
from monitoring import scaled
from scorer.fit.train import train
from scorer.land import land
from scorer.window import window
from stack import Manifest, Stack, run_manifest

pytestmark = pytest.mark.cluster
RULES = Path(__file__).resolve().parents[2] / "charts/sensorscore/files/rules"
PORTS = (9190, 9193)
"""Beside those of `make monitoring`."""


class Watch:
    """Prometheus and Alertmanager beside the node; their targets are the Services that ask to be scraped."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        places = Places.here()
        (folder / "rules").mkdir(parents=True)
        for path in RULES.glob("*.yaml"):
            (folder / "rules" / path.name).write_text(scaled.rules(path.read_text()))
        services = json.loads(stack.kubectl("get", "services", "--all-namespaces", "-o", "json"))["items"]
        targets = folder / "targets.json"
        targets.write_text(json.dumps(scraping.annotated(services)))
        at = {"places": places, "address": choose(places).address, "prefix": network.enter(places)}
        self.alertmanager = Alertmanager(folder / "alertmanager", port=PORTS[1], **at)
        self.prometheus = Prometheus(
            folder / "prometheus",
            scraping.listed(targets),
            rules=[folder / "rules" / "*.yaml"],
            alertmanager=self.alertmanager.address,
            port=PORTS[0],
            **at,
        )

    def fires(self, stack: Stack, name: str, **labels: str) -> Manifest:
        """The alert, once Alertmanager has it."""

        def found() -> list[Manifest]:
            wanted = {"alertname": name, **labels}
            return [each for each in self.alertmanager.alerts() if wanted.items() <= each["labels"].items()]

        stack.wait_for(f"{name} to fire", found, 90)
        return found()[0]


@pytest.fixture(scope="module")
def watch(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """Both, started."""
    if kind.available():
        pytest.skip(
            "beside a kind cluster no Prometheus can be started: this machine does not reach its pods"
        )
    watch = Watch(stack, tmp_path_factory.mktemp("watch"))
    with watch.alertmanager, watch.prometheus:
        stack.wait_for("the operator to be scraped", lambda: watch.prometheus.query("up == 1"), 60)
        yield watch


def test_the_service_is_found_by_its_annotations_and_scraped(stack: Stack, watch: Watch) -> None:
    (target,) = watch.prometheus.targets()
    assert target["labels"]["namespace"] == stack.release_namespace
    assert target["labels"]["service"] == f"{RELEASE}-metrics"
    assert watch.prometheus.query("sensorscore_operator_active")[0].value == 1


def test_a_failed_run_and_its_sensors_are_told(stack: Stack, watch: Watch) -> None:
    sensors = ["good-0", "corrupt-model", "silent", "no-model"]
    stack.apply(run_manifest("watched", sensors, failurePolicy={"maxFailedSensors": 0}))
    assert stack.wait_ended("watched")["status"]["phase"] == "Failed"
    alert = watch.fires(stack, "SensorscoreRunFailed", namespace=stack.namespace)
    assert alert["labels"]["reason"] == "TooManyFailedSensors"
    watch.fires(stack, "SensorscoreSensorsFailing", namespace=stack.namespace)
    watch.fires(stack, "SensorscoreSensorsSkipped", namespace=stack.namespace)


def test_a_sensor_that_is_stuck_is_told_of(stack: Stack, watch: Watch) -> None:
    """Three hours of one and the same value: the guard's warning comes with the third."""
    hours = np.datetime64("2026-01-01T09:00:00", "us") + np.arange(1, 4 * 300 + 1) * np.timedelta64(12, "s")
    # Not seeded: a model that the guard has not met in an earlier session on this cluster.
    values = np.random.default_rng().normal(10.0, 1.0, len(hours))
    values[300:] = 10.0
    land(stack.store, {"stuck": (hours, values)})
    train(stack.store, "stuck", window("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"))
    for hour in (10, 11, 12):
        hourly = {"start": f"2026-01-01T{hour}:00:00Z", "end": f"2026-01-01T{hour + 1}:00:00Z"}
        stack.apply(run_manifest(f"stuck-{hour}", ["stuck"], window=hourly))
        assert stack.wait_ended(f"stuck-{hour}")["status"]["phase"] == "Succeeded"
    watch.fires(stack, "SensorscoreModelGuard", namespace=stack.namespace, reason="ConstantValue")


def test_a_namespace_label_is_the_runs_and_not_the_operators(stack: Stack, watch: Watch) -> None:
    found = watch.prometheus.query("count by (namespace) (sensorscore_sensors_total)")
    assert stack.namespace in {each.labels["namespace"] for each in found}
    assert stack.release_namespace not in {each.labels["namespace"] for each in found}


def test_pods_that_find_no_place_are_told(stack: Stack, watch: Watch) -> None:
    """The alert asks for a quarter of an hour: since when the run waits is put back in its status."""
    run = run_manifest("waits", ["good-0"], runtime="absent", timeouts={"pendingSeconds": 86_400})
    stack.apply(run)
    stack.wait_for("it to be said", lambda: stack.status("waits").get("pendingSince"))
    since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    change = json.dumps({"status": {"pendingSince": since}})
    patch = ("--subresource=status", "--type=merge", "--patch", change)
    stack.kubectl("patch", "scoringrun", "waits", *patch)
    try:
        alert = watch.fires(stack, "SensorscorePendingTooLong", namespace=stack.namespace)
    finally:
        stack.kubectl("delete", "scoringrun", "waits", "--wait=false")
    assert not re.search(r"<no value>|<error", alert["annotations"]["description"])


def test_an_operator_that_is_gone_is_told_and_so_is_its_return(stack: Stack, watch: Watch) -> None:
    system = {"namespace": stack.release_namespace}
    scale = ("scale", f"deployment/{RELEASE}")
    stack.kubectl(*scale, "--replicas=0", **system)
    try:
        watch.fires(stack, "SensorscoreOperatorDown")
    finally:
        stack.kubectl(*scale, "--replicas=1", **system)
        stack.kubectl("rollout", "status", f"deployment/{RELEASE}", "--timeout=120s", **system)

    def ended() -> bool:
        firing = watch.alertmanager.alerts()
        return all(each["labels"]["alertname"] != "SensorscoreOperatorDown" for each in firing)

    stack.wait_for("the alert to end", ended, 60)
