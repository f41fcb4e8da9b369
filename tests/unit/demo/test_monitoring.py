"""The demo goes on without Prometheus, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from examples.demo import latency, monitoring
from local.errors import LocalError
from local.promql import Client


def test_where_there_can_be_none_the_demo_says_why_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    class Without:
        def monitoring(self) -> Any:
            raise LocalError("beside a kind cluster no Prometheus is started")

    backend: Any = Without()
    assert monitoring.prometheus(backend) is None
    assert "goes on without Prometheus: beside a kind cluster" in capsys.readouterr().out


def test_a_prometheus_that_has_gone_ends_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    run = {"metadata": {"name": "hourly"}, "status": {"counts": {"jobs": 15}}}
    monitoring.show(Client("http://127.0.0.1:1"), run, 0.0, tmp_path / "latency.png")
    assert "Prometheus at http://127.0.0.1:1 does not answer" in capsys.readouterr().out


def test_a_run_that_was_not_scraped_is_no_error_but_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    target = {
        "scrapeUrl": "http://10.96.0.7:8080/metrics",
        "lastError": "connection refused",
        "health": "down",
    }
    monkeypatch.setattr(Client, "targets", lambda _: [target])
    monkeypatch.setattr(latency, "when_scraped", lambda *_: [])
    run = {"metadata": {"name": "hourly"}, "status": {"counts": {"jobs": 15}}}
    monitoring.show(Client("http://nowhere"), run, 0.0, tmp_path / "latency.png")
    assert "10.96.0.7:8080/metrics: connection refused" in capsys.readouterr().out
    assert not (tmp_path / "latency.png").exists()
