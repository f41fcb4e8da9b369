"""The demo's steps that need no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.demo import scoring
from examples.demo.errors import DemoError
from scorer.land import read_table


def run_resource(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "hourly"}, "status": status}


def test_readings_survive_their_file(tmp_path: Path) -> None:
    readings = read_table(scoring.SOURCE)
    scoring.write_csv(readings, tmp_path / "demo" / "readings.csv")
    again = read_table(tmp_path / "demo" / "readings.csv")
    assert list(again) == list(readings)
    assert all(
        np.array_equal(a, b) for name in readings for a, b in zip(readings[name], again[name], strict=True)
    )


def test_example_names_the_sensors_of_the_readings() -> None:
    assert scoring.run_file()["spec"]["sensors"]["names"] == list(read_table(scoring.SOURCE))


def test_readings_of_the_window_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "readings.csv"
    stamps = ("2018-08-29T00:00:00Z", "2018-08-29T00:00:01Z", "2018-08-29T03:00:00Z", "2018-08-29T03:00:01Z")
    file.write_text("time,sensor,value\n" + "".join(f"{stamp},a,1\n" for stamp in stamps), encoding="utf-8")
    monkeypatch.setattr(scoring, "READINGS", file)
    assert scoring.landed_in_window() == 2


def rows(read: int, scored: int, rejected: int = 0, duplicate: int = 0) -> dict[str, int]:
    return {"read": read, "scored": scored, "rejected": rejected, "duplicate": duplicate}


@pytest.mark.parametrize(
    ("found", "good"), [(rows(10, 7, 1, 2), True), (rows(10, 7, 1, 1), False), (rows(9, 9), False)]
)
def test_every_landed_reading_has_to_be_accounted_for(
    found: dict[str, int], good: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "landed_in_window", lambda: 10)
    if good:
        scoring.check(run_resource(rows=found))
        assert "10 readings landed = 10 read = 10 accounted for" in capsys.readouterr().out
    else:
        with pytest.raises(DemoError, match="10 readings of the window were landed"):
            scoring.check(run_resource(rows=found))


def test_failed_run_says_why_and_where_to_look() -> None:
    failure = {"sensor": "a", "reason": "OutOfMemory", "message": "its pod was killed"}
    condition = {"type": "Failed", "reason": "TooManyFailedSensors", "message": "1 of 15 failed."}
    said = scoring.why(run_resource(conditions=[condition], failures=[failure]), "Failed")
    assert said == (
        "run hourly failed, TooManyFailedSensors: 1 of 15 failed. a: OutOfMemory: its pod was killed; "
        "look with: kubectl --namespace sensorscore-demo describe scoringrun hourly"
    )


@pytest.mark.parametrize(
    ("phase", "words"), [("Running", "did not end: Running"), ("", "the operator has not seen it")]
)
def test_stuck_run_says_so(phase: str, words: str) -> None:
    assert words in scoring.why({"metadata": {"name": "hourly"}}, phase)
