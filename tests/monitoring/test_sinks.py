"""A real Alertmanager takes a run's anomalies, and has them as alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from delivering import OWN, Run
from local.alertmanager import Alertmanager
from scorer.contract.sinks import sinks_of
from scorer.logs import Log
from scorer.sinks import Found, deliver
from scorer.sinks import Run as Sending
from scorer.sinks.run import CLOCK
from scorer.storage.memory import MemoryStore


def test_alertmanager_has_an_alert_for_each_sensor_and_the_next_run_goes_on_with_it(tmp_path: Path) -> None:
    alertmanager = Alertmanager(tmp_path)
    host, _, port = alertmanager.address.partition(":")
    sink: dict[str, Any] = {
        "name": "ops",
        "type": "webhook",
        "format": "alertmanager",
        "url": f"http://{host}:{port}/api/v2/alerts",
        "httpHosts": [host],
        "batch": 100,
        "dashboardUrl": "https://grafana.example.com/d/s?var-sensor={sensor}",
    }
    first, last = "2026-01-01T12:10:00.000000Z", "2026-01-01T12:20:00.000000Z"
    found = [Found(sensor, 2, first, last, 0.5, 0.0, "v1", f"p/{sensor}", "pumps", "ann") for sensor in "abc"]
    alertmanager.start()
    try:
        for minute in (1, 2):
            run = Run(MemoryStore(), OWN, dict.fromkeys("abc", "x"), minute=minute)
            order = run.order._replace(sinks=sinks_of([sink]), schedule="hourly")
            sending = Sending(run.store, order, run.claim, found, Log(), {}, CLOCK.now() + 60)
            assert deliver(sending)["ops"].delivered == 3
        alerts = alertmanager.alerts()
    finally:
        alertmanager.stop()
    assert sorted(alert["labels"]["sensor"] for alert in alerts) == ["a", "b", "c"]
    labels = {"alertname": "SensorAnomaly", "namespace": "scoring", "schedule": "hourly"}
    for alert in alerts:
        sensor = alert["labels"]["sensor"]
        assert alert["labels"] == labels | {"sensor": sensor, "group": "pumps", "owner": "ann"}
        assert alert["generatorURL"].endswith(f"var-sensor={sensor}")
        assert alert["annotations"]["summary"].startswith(f"Sensor {sensor}: 2 anomalies")
        assert json.dumps(alert["annotations"]).count("v1") == 1
