"""The process of a schedule's pod: what its exit code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring_operator.cluster import CONFIG_MAPS, RUNS, ApiError, Cluster, Kind
from scoring_operator.schedule.__main__ import main
from scoring_operator.schedule.objects import mark_manifest, run_manifest
from scoring_operator.schedule.plan import Mark, newest
from unit.schedule.given import MARK, MINIMAL, Memory, schedule

EMPTY_CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Memory:
    """The pod's Kubernetes; its file is there."""
    memory = Memory()

    async def connect(_: Any) -> Memory:
        return memory

    async def close() -> None:
        return None

    memory.close = close  # type: ignore[attr-defined]
    monkeypatch.setattr(Cluster, "connect", connect)
    write(monkeypatch, tmp_path, MINIMAL)
    return memory


def write(monkeypatch: pytest.MonkeyPatch, folder: Path, data: Any) -> None:
    file = folder / "schedule.yaml"
    file.write_text(yaml.safe_dump(data))
    monkeypatch.setenv("SENSORSCORE_SCHEDULE", str(file))


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]


def test_done_is_0(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert len(memory.made) == 1
    assert said(capsys)[-1] == ("schedule hourly: 1 runs made, 0 there already, 0 windows skipped, 0 refused")


def test_no_answer_is_1(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(verb: str, kind: Kind, name: str) -> None:
        raise ApiError(0, "NoAnswer", "get configmaps: no answer")

    memory.fault = fault
    assert main() == 1
    assert "no answer" in said(capsys)[-1]


def test_a_run_of_somebody_elses_is_1(memory: Memory) -> None:
    body = run_manifest(schedule(), newest(schedule(), memory.now), 0)
    body["metadata"]["labels"] = {}
    memory._store(RUNS, body["metadata"]["name"], body)
    memory._store(
        CONFIG_MAPS,
        MARK,
        mark_manifest(schedule(), Mark(newest(schedule(), memory.now) - schedule().grid.length)),
    )
    assert main() == 1


@pytest.mark.parametrize("code", [400, 422])
def test_a_spec_that_is_refused_is_2(memory: Memory, code: int) -> None:
    def fault(verb: str, kind: Kind, name: str) -> None:
        if kind == RUNS:
            raise ApiError(code, "Invalid", "spec.sensorz: unknown field")

    memory.fault = fault
    assert main() == 2


def test_a_mark_that_cannot_be_read_is_2(memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    memory.objects[CONFIG_MAPS.plural, MARK] = {"metadata": {"name": MARK}, "data": {}}
    assert main() == 2
    assert "data.lastWindowEnd is missing" in said(capsys)[-1]


def test_a_file_that_is_wrong_is_2_and_names_its_key(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(monkeypatch, tmp_path, MINIMAL | {"cron": "x"})
    assert main() == 2
    assert "schedule.cron is not known" in said(capsys)[-1]
    assert memory.made == []


def test_nobody_there_is_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(monkeypatch, tmp_path, MINIMAL)
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump(EMPTY_CONFIG))
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert main() == 1
    assert "no answer" in said(capsys)[-1]
