"""The process as a whole: what it says when it cannot begin, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scoring_operator import __main__ as operator
from scoring_operator import http, lease
from scoring_operator.cluster import JOBS, PODS, Cluster
from scoring_operator.informer import operator_settings
from scoring_operator.logs import JsonFormatter
from unit.operator.api_double import ApiDouble, serving
from unit.operator.given import settings
from unit.operator.test_controller import until


def run(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The operator's command, to its end."""
    plain = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "scoring_operator"],
        env=plain | environment | {"SENSORSCORE_SETTINGS": str(path), "HOME": str(path.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    line: str = json.loads(done.stderr.splitlines()[-1])["message"]
    return line


def test_wrong_settings_are_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("stores: {default: {url: nowhere}}")
    done = run(file)
    assert done.returncode == 2
    assert "settings.stores.default.url is 'nowhere'; wanted azure://ACCOUNT" in last_line(done)
    assert str(file) in last_line(done)
    assert "Traceback" not in done.stderr


def test_no_cluster_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        yaml.safe_dump(
            {"stores": {"d": {"url": "azure://account/container"}}, "runtimes": {"d": {"image": "x"}}}
        )
    )
    done = run(file, KUBECONFIG=str(tmp_path / "absent"))
    assert done.returncode == 2
    assert "cannot begin" in last_line(done)
    assert "Traceback" not in done.stderr


async def test_jobs_and_pods_are_streamed_and_a_part_that_ends_ends_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = ApiDouble()
    asked: dict[str, dict[str, str]] = {}
    api.fault = lambda request: asked.update({request.path: dict(request.query)})
    ends = asyncio.Event()

    async def inform(*_: object) -> None:
        await ends.wait()
        raise ConnectionError("kopf gave up")

    async def connect(*_: object) -> object:
        return cluster

    async with serving(api) as cluster:
        monkeypatch.setattr(operator, "inform", inform)
        monkeypatch.setattr(Cluster, "connect", connect)
        chosen = settings(namespaces=["scoring"], http={"port": 0})
        working = asyncio.create_task(operator.run(chosen, asyncio.Event()))
        await until(lambda: len(api.watchers) == 2)
        ends.set()
        with pytest.raises(RuntimeError, match="the operator's kopf ended: kopf gave up"):
            await working
    assert asked[JOBS.path("scoring")]["labelSelector"].startswith("app.kubernetes.io/managed-by=sensorscore")
    assert asked[PODS.path("scoring")]["fieldSelector"] == "status.phase!=Pending,status.phase!=Running"


async def test_it_stops_when_it_is_told_to_even_before_it_could_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = ApiDouble()

    async def connect(*_: object) -> object:
        return cluster

    async with serving(api) as cluster:
        cluster._client.configuration.host = "http://127.0.0.1:1"
        monkeypatch.setattr(Cluster, "connect", connect)
        stop = asyncio.Event()
        working = asyncio.create_task(operator.run(settings(http={"port": 0}), stop))
        await asyncio.sleep(0.1)
        stop.set()
        async with asyncio.timeout(60):
            await working


def test_told_to_stop_it_waits_for_less_than_half_of_what_kubernetes_gives() -> None:
    chart = Path(__file__).parents[3] / "charts/sensorscore/templates/deployment.yaml"
    [grace] = re.findall(r"terminationGracePeriodSeconds: (\d+)", chart.read_text())
    waits = operator.STOP_SECONDS + lease.RELEASE_SECONDS + http.SHUTDOWN_SECONDS
    assert waits <= int(grace) / 2


def test_kopf_is_an_informer_and_nothing_more() -> None:
    chosen = operator_settings()
    assert chosen.peering.standalone
    assert chosen.scanning.disabled
    assert not chosen.posting.enabled
    pauses = iter(chosen.networking.error_backoffs)  # type: ignore[arg-type]
    assert [next(pauses) for _ in range(8)][-2:] == [20.0, 20.0]


def test_logs_are_lines_of_json() -> None:
    record = logging.LogRecord("scoring_operator", logging.WARNING, "x", 1, "run %s: ü\n", ("a/b",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "run a/b: ü\n"
