"""The command: events, landing and checking from its arguments to what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scorer.cli import main as scorer
from scorer.simulate.cli import main

DATA = Path(__file__).resolve().parents[3] / "examples" / "azure-reference" / "sensor_data.csv"
TRAINED = "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z"
SCORED = "2026-01-01T01:00:00Z/2026-01-01T02:00:00Z"
FLEET = ("--devices", "2", "--tags", "2", "--for", "2h", "--every", "10s", "--seed", "3")


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    where = ("--store", f"file://{tmp_path / 'store'}")
    assert scorer(["store", "init", *where]) == 0
    capsys.readouterr()
    return where


def test_events_go_to_standard_output_a_message_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--for", "1m"]) == 0
    out, err = capsys.readouterr()
    assert len([json.loads(line) for line in out.splitlines()]) == 180
    assert "180 events; 0 of 0 faults" in err


def test_the_same_arguments_write_the_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rough = (
        *("--missing", "0.1", "--outages", "100", "--outage", "10s", "--readings-per-message", "3"),
        *("--jitter", "2s", "--late", "0.1", "--late-by", "20s", "--duplicates", "0.1", "--skew", "1s"),
        *("--faults", "1", "--fault-length", "30s", "--clean", "1m", "--fault-size", "2", "--signal", "wave"),
    )
    written = []
    for name in ("one", "two"):
        out, labels = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.json"
        command = ["events", "--for", "10m", *rough, "--out", str(out), "--labels", str(labels)]
        assert main(command) == 0
        written.append((out.read_bytes(), labels.read_bytes()))
    assert written[0] == written[1]
    labels = json.loads(written[0][1])
    assert sorted(fault["kind"] for fault in labels["faults"]) == [
        "drift",
        "frozen",
        "noise",
        "shift",
        "spike",
    ]
    assert labels["counts"]["events"] == labels["counts"]["readings"] + labels["counts"]["duplicate"]
    assert (labels["start"], labels["end"]) == ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:10:00.000000Z")


def test_a_replay_may_be_moved_and_have_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, out = tmp_path / "labels.json", tmp_path / "events.jsonl"
    command = ["events", "--replay", str(DATA), "--start", "2026-03-01T00:00:00Z", "--faults", "shift=2"]
    assert main([*command, "--labels", str(labels), "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert len(lines) == 17_768
    assert json.loads(lines[0])["TS"] == "2026-03-01T00:00:00.0000000Z"
    told = json.loads(labels.read_text())
    assert [fault["kind"] for fault in told["faults"]] == ["shift", "shift"]
    assert (told["start"], told["end"]) == ("2026-02-28T23:59:59.999999Z", "2026-03-01T04:12:25.000000Z")


@pytest.mark.parametrize("shards", [None, "2"])
def test_from_readings_to_honest_figures(
    shards: str | None, store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, figures = str(tmp_path / "labels.json"), tmp_path / "figures.json"
    faults = ("--faults", "2", "--fault-length", "5m", "--clean", "1h", "--labels", labels)
    assert main(["land", *FLEET, *faults, *store]) == 0
    assert "landed 2880 readings in 8 files" in capsys.readouterr().out
    assert scorer(["train", "--window", TRAINED, "--nu", "0.01", "--gamma", "0.1", *store]) == 0
    sharded = ("--layout", "Sharded", "--output", PART, "--shards", shards) if shards else ()
    assert scorer(["score", "--window", SCORED, *sharded, *store]) == 0
    capsys.readouterr()
    where = ("--predictions", PART) if shards else ()
    assert main(["check", "--labels", labels, *where, "--json", str(figures), *store]) == 0
    out = capsys.readouterr().out
    found = {kind["name"]: kind for kind in json.loads(figures.read_text())["kinds"]}
    assert found["shift"]["verdict"] == found["spike"]["verdict"] == "found"
    assert found["shift"]["flagged"] == found["shift"]["rows"] == 60
    assert found["frozen"]["verdict"] == "NOT FOUND"
    assert "NOT FOUND" in out
    assert "rows: 1440 of 4 sensors" in out
    told = json.loads(Path(labels).read_text())["faults"]
    assert sum(len(fault["times"]) for fault in told) == found["all"]["rows"]


PART = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"


def test_what_was_not_scored_cannot_be_checked(
    store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = str(tmp_path / "labels.json")
    main(["land", *FLEET, "--faults", "shift=1", "--labels", labels, *store])
    capsys.readouterr()
    assert main(["check", "--labels", labels, *store]) == 1
    assert "score the simulated readings first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["events", "--devices", "0"], "--devices is 0: wanted 1 to"),
        (["events", "--devices", "2000", "--tags", "2000"], "--devices times --tags"),
        (["events", "--missing", "1.5"], "--missing is 1.5: wanted 0 to 1"),
        (["events", "--late", "nan"], "--late is nan"),
        (["events", "--duplicates", "-1"], "--duplicates is -1"),
        (["events", "--every", "2h"], "--for is shorter than --every"),
        (["events", "--seed", "-1"], "--seed is -1"),
        (["events", "--readings-per-message", "0"], "--readings-per-message is 0"),
        (["events", "--faults", "melted=1"], "--faults has 'melted=1': wanted KIND=NUMBER of spike"),
        (["events", "--faults", "spike"], "--faults has 'spike'"),
        (["events", "--faults", "1", "--fault-length", "2h"], "longer than the readings"),
        (["events", "--fault-size", "inf"], "--fault-size is inf"),
        (["events", "--start", "noon"], "time 'noon' is not understood"),
        (["events", "--replay", str(DATA), "--missing", "0.1"], "are of a fleet"),
        (["events", "--replay", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["events", "--out", "/nowhere/events"], "/nowhere/events cannot be written"),
        (["send"], "EVENTHUB_CONNECTION_STRING is not set"),
        (["send", "--namespace", "x.servicebus.windows.net"], "--namespace goes with --hub"),
        (["send", "--hub", "x", "--namespace", "sb://x/"], "--namespace is 'sb://x/'"),
        (
            ["send", "--hub", "x", "--namespace", "x.servicebus.windows.net"],
            "AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST not set",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTHUB_CONNECTION_STRING", raising=False)
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["events", "--every", "5"], ["events", "--for", "400d"], ["check"], []]
)
def test_arguments_that_are_none_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage:" in capsys.readouterr().err


def test_labels_without_a_period_want_a_window(
    store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{"faults": []}')
    assert main(["check", "--labels", str(labels), *store]) == 1
    assert "wanted --window" in capsys.readouterr().err


def test_a_fleet_may_begin_now(capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC)
    assert main(["events", "--for", "5s", "--start", "now", "--aligned"]) == 0
    first = datetime.fromisoformat(json.loads(capsys.readouterr().out.splitlines()[0])["TS"])
    assert before <= first - timedelta(seconds=5) <= datetime.now(UTC)
