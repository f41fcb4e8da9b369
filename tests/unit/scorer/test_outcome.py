from __future__ import annotations

import json
from pathlib import Path

import pytest

from scorer.clock import Stopwatch
from scorer.contract import Decision, Exit, Header, Rows
from scorer.outcome import MessageFile, Outcome, outcome_path

HEADER = Header("uid", 3, 0, "2026-01-01T13:00:09.123Z")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "message"


def test_the_message_is_rewritten_in_place(file: Path) -> None:
    file.write_text("x" * 5000)
    before = file.stat().st_ino
    MessageFile(str(file)).write(b"short")
    assert file.read_bytes() == b"short"
    assert file.stat().st_ino == before


def test_the_sensor_in_hand_is_in_the_message_before_its_work(file: Path) -> None:
    outcome = Outcome(HEADER, ["a", "b"], Stopwatch(), MessageFile(str(file)))
    outcome.take("a")
    assert json.loads(file.read_bytes())["inHand"] == "a"
    outcome.decide("a", Decision("Scored", rows=Rows(2, 1, 1), anomalies=1))
    outcome.take("b")
    message = json.loads(file.read_bytes())
    assert (message["inHand"], message["codes"], message["final"]) == ("b", "S-", False)
    assert message["rows"] == {"read": 2, "scored": 1, "rejected": 1, "duplicate": 0}


def test_closing_names_what_was_interrupted_and_ends_it(file: Path) -> None:
    outcome = Outcome(HEADER, ["a", "b", "c"], Stopwatch(), MessageFile(str(file)))
    outcome.decide("a", Decision("Scored"))
    outcome.take("b")
    assert outcome.close(interrupted="told to stop")
    written = file.read_bytes()
    message = json.loads(written)
    assert message["final"]
    assert [message["legend"][letter] for letter in message["codes"]] == [
        "Scored", "Undecided/Interrupted", "Undecided/NotStarted",
    ]  # fmt: skip
    assert message["failures"] == [
        {"sensor": "b", "reason": "Interrupted", "message": "sensor b: told to stop"}
    ]
    outcome.decide("c", Decision("Scored"))
    outcome.take("c")
    assert not outcome.close()
    assert file.read_bytes() == written


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["Scored", "Skipped"], Exit.OK),
        (["Scored", "Failed"], Exit.PARTIAL),
        (["Failed", "Undecided"], Exit.RETRY),
        (["Scored", None], Exit.RETRY),
    ],
)
def test_exit_codes(states: list[str | None], code: Exit) -> None:
    sensors = [str(number) for number in range(len(states))]
    outcome = Outcome(HEADER, sensors, Stopwatch())
    for sensor, state in zip(sensors, states, strict=True):
        if state:
            outcome.decide(sensor, Decision(state))
    assert outcome.exit() is code


def test_the_detail_tells_every_sensor() -> None:
    outcome = Outcome(HEADER, ["a", "b", "c"], Stopwatch())
    outcome.decide("a", Decision("Scored", rows=Rows(1, 1), detail={"prediction": "p/a"}))
    outcome.decide("b", Decision("Failed", "NoModel", "no model"))
    detail = json.loads(outcome.detail())
    assert outcome.detail().count(b"\n") == len("abc") + 2, "a line for each sensor"
    assert detail["run"] == "uid"
    assert "failures" not in detail
    assert detail["sensors"] == [
        {
            "sensor": "a",
            "state": "Scored",
            "rows": {"read": 1, "scored": 1, "rejected": 0, "duplicate": 0},
            "anomalies": 0,
            "prediction": "p/a",
        },
        {"sensor": "b", "state": "Failed", "reason": "NoModel", "message": "no model"},
        {"sensor": "c", "state": "Undecided", "reason": "NotStarted", "message": ""},
    ]


def test_details_of_a_chunk_sort_by_attempt() -> None:
    assert outcome_path(HEADER) == "runs/uid/outcomes/00003.2026-01-01T13:00:09.123Z.json"


def test_time_is_told_by_stage() -> None:
    outcome = Outcome(HEADER, ["a"], Stopwatch())
    outcome.imported()
    outcome.spend("read", 0.012)
    outcome.spend("read", 0.001)
    stages = json.loads(outcome.message(final=True))["stagesMs"]
    assert stages["read"] == 13
    assert set(stages) == {"import", "read", "score", "write", "total"}
    assert 0 < stages["import"] <= stages["total"]
