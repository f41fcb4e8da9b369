"""A run's results, read back from the store that the scorer's own pipeline wrote to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorer import cli
from scorer.errors import InputError
from scorer.land import land
from scorer.outcomes import last_words
from scorer.report.load import load, read_faults
from scorer.storage import Store, open_store

HOUR, WINDOW = "2026-01-01T11:00:00Z/2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z/2026-01-01T14:00:00Z"
SPIKE = np.datetime64("2026-01-01T13:00", "us")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run: two sensors scored, one of them with a spike; a third has no model."""
    folder = tmp_path_factory.mktemp("store")
    store = open_store(f"file://{folder}")
    times = np.datetime64("2026-01-01T11:00", "us") + np.arange(1, 181) * np.timedelta64(60, "s")
    values = np.random.default_rng(7).uniform(10, 15, len(times))
    spiked = np.where(times == SPIKE, 99.0, values)
    land(store, {"a": (times, values), "b": (times, spiked)})
    where = ["--store", f"file://{folder}"]
    assert cli.main(["train", *where, "--window", HOUR]) == 0
    land(store, {"c": (times, values)})
    assert cli.main(["score", *where, "--window", WINDOW]) == 0
    return folder


@pytest.fixture
def store(folder: Path) -> Store:
    return open_store(f"file://{folder}")


@pytest.fixture
def uid(folder: Path) -> str:
    return next((folder / "runs").iterdir()).name


def test_run_is_read_back(store: Store, uid: str) -> None:
    run = load(store, uid, name="hourly")
    assert [(sensor.sensor, sensor.state, sensor.reason) for sensor in run.sensors] == [
        ("a", "Scored", ""),
        ("b", "Scored", ""),
        ("c", "Skipped", "NoModel"),
    ]
    assert (run.rows.read, run.rows.scored) == (240, 240)
    assert f"{run.start:%H:%M} {run.end:%H:%M}" == "12:00 14:00"
    series = run.sensors[1].series
    assert series is not None
    assert series.anomaly.sum() == run.sensors[1].anomalies
    assert series.value[series.time == SPIKE] == 99.0


def test_command_prints_the_table_and_writes_page_and_picture(
    folder: Path, uid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = tmp_path / "faults.json"
    fault = {"sensor": "b", "kind": "spike", "times": ["2026-01-01T13:00:00Z"]}
    faults.write_text(json.dumps({"faults": [fault]}), encoding="utf-8")
    where = ["--store", f"file://{folder}", "--run", uid, "--out", str(tmp_path / "out")]
    assert cli.main(["report", *where, "--name", "hourly", "--window", WINDOW, "--faults", str(faults)]) == 0
    out = capsys.readouterr().out
    assert "injected spike: found" in out
    assert "rows read 240 = scored 240 + rejected 0 + duplicate 0: ok" in out
    assert "<h1>hourly</h1>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "report.png").stat().st_size > 10_000


def test_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(InputError, match="no outcomes at runs/nobody/outcomes"):
        load(store, "nobody")


def test_prediction_of_another_run_is_not_taken_for_this_one(store: Store, uid: str) -> None:
    (entry,) = [entry for entry in store.list("predictions") if entry.path.endswith("/a.parquet")]
    mine = store.get(entry.path)
    store.put(mine.path, mine.data, {**mine.metadata, "fingerprint": "another"})
    try:
        sensor = load(store, uid).sensors[0]
        assert (sensor.series, sensor.message) == (None, f"{mine.path} was made anew by another run")
    finally:
        store.put(mine.path, mine.data, mine.metadata)


def outcome(attempt: str, *sensors: dict[str, Any], chunk: int = 0) -> dict[str, Any]:
    return {"chunk": chunk, "attempt": attempt, "stagesMs": {"total": 250}, "sensors": list(sensors)}


def told(sensor: str, state: str) -> dict[str, Any]:
    return {"sensor": sensor, "state": state, "seconds": 0.01}


def test_newest_decision_has_the_last_word() -> None:
    outcomes = [
        outcome(
            "2", told("a", "Undecided"), told("b", "Scored"), told("c", "Failed"), told("d", "Undecided")
        ),
        outcome(
            "1", told("a", "Scored"), told("b", "Failed"), told("c", "Undecided"), told("d", "Undecided")
        ),
    ]
    states = {name: sensor["state"] for name, sensor in last_words(outcomes).items()}
    assert states == {"a": "Scored", "b": "Scored", "c": "Failed", "d": "Undecided"}


def test_sensor_alone_in_its_pod_takes_all_of_the_pods_time() -> None:
    alone = last_words([outcome("1", told("a", "Scored"))])
    packed = last_words([outcome("1", told("a", "Scored"), told("b", "Scored"))])
    assert (alone["a"]["seconds"], packed["a"]["seconds"]) == (0.25, 0.01)


def test_sensors_stand_in_the_order_of_their_chunks() -> None:
    outcomes = [outcome("1", told("a", "Scored"), chunk=10), outcome("2", told("b", "Scored"), chunk=9)]
    assert list(last_words(outcomes)) == ["b", "a"]


@pytest.mark.parametrize("text", ["", "[]", '{"sensors": 1}', '{"sensors": [{}]}'])
def test_broken_outcome_is_named(tmp_path: Path, text: str) -> None:
    store = open_store(f"file://{tmp_path}")
    store.put("runs/u/outcomes/00000.1.json", text.encode())
    with pytest.raises(InputError, match=r"runs/u/outcomes/00000\.1\.json is not an outcome"):
        load(store, "u")


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"faults": [{"sensor": "a"}]}', '{"faults": [{"sensor": "a", "kind": "b", "times": []}]}'],
)
def test_broken_faults_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "faults.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"faults\.json is not"):
        read_faults(tmp_path / "faults.json")
