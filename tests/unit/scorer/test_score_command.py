"""`scorer score`: the pods' pipeline and publishing on this machine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.cli import main
from scorer.commands import score
from scorer.commands.said import SHOWN_COMPLAINTS
from scorer.commands.score import packs
from scorer.contract import shard_of
from scorer.contract.work import PER_SENSOR, SHARDED, Output
from scorer.storage import Store, open_store
from scorer.verify import verify
from scoring import END, START, model_bytes, put_model, put_sensor

WINDOW = ["--window", f"{START}/{END}"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    return f"file://{tmp_path}/store"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def run_uid(store: Store) -> str:
    (uid,) = {entry.path.split("/")[1] for entry in store.list("runs")}
    return uid


def outcomes(store: Store) -> list[dict[str, Any]]:
    paths = [entry.path for entry in store.list(f"runs/{run_uid(store)}/outcomes")]
    return [json.loads(store.get(path).data) for path in paths]


@pytest.mark.parametrize("layout", [[], ["--layout", "Sharded", "--shards", "3"]])
def test_a_run_is_published_and_can_be_verified(
    url: str, store: Store, layout: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        put_sensor(store, f"s{number}", faults={number: 99.0})
    assert main(["score", "--store", url, *WINDOW, *layout]) == 0
    told = capsys.readouterr()
    assert told.out.count("Scored") == 12
    assert told.err == ""
    proof = verify(store, run_uid(store))
    assert proof.holds, proof.findings
    assert any(entry.path.endswith("_SUCCESS") for entry in store.list("predictions"))


def test_any_number_of_sensors_goes_in_packs(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(score, "packs", lambda sensors, output: packs(sensors, output, most=20))
    for number in range(50):
        put_sensor(store, f"s{number}", faults={3: 99.0} if number == 7 else {})
    assert main(["score", "--store", url, *WINDOW]) == 0
    assert [(told["chunk"], len(told["sensors"])) for told in outcomes(store)] == [(0, 20), (1, 20), (2, 10)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["s7", "Scored", "60", "0", "1"]
    assert "and 10 more with fewer anomalies" in lines
    assert "50 sensors: 50 Scored" in lines
    assert verify(store, run_uid(store)).holds


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 8))
def test_packs_hold_every_sensor_once_and_keep_shards_together(count: int, most: int, shards: int) -> None:
    sensors = [f"s{number}" for number in range(count)]
    plain = packs(sensors, Output("p/{sensor}", layout=PER_SENSOR), most)
    assert [sensor for pack in plain for sensor in pack] == sensors
    sharded = packs(sensors, Output("p/{shard}", layout=SHARDED, shards=shards), most)
    assert all(0 < len(pack) <= most for pack in sharded)
    order = [sensor for pack in sharded for sensor in pack]
    assert sorted(order) == sorted(sensors)
    assert [shard_of(sensor, shards) for sensor in order] == sorted(shard_of(s, shards) for s in sensors)


def test_a_shared_table_with_other_columns_in_local_time(url: str, store: Store) -> None:
    put_model(store, "device-1-tag-2", model_bytes())
    rows = [f"2026-01-01 13:{minute:02}:00,1,2,{10 if minute != 5 else 99}" for minute in range(1, 60)]
    store.put("tables/2026/01/01/12/all.csv", "\n".join(["TS,Device,Tag,Value", *rows]).encode())
    columns = ["time=TS", "sensor=device-{Device}-tag-{Tag}", "value=Value"]
    arguments = ["--readings", "tables/{yyyy}/{MM}/{dd}/{HH}/*.csv", "--time-zone", "Europe/Berlin"]
    named = ["--sensors", "device-1-tag-2", "--columns", *columns]
    assert main(["score", "--store", url, *WINDOW, *arguments, *named]) == 0
    table = pq.read_table(io.BytesIO(store.get("predictions/2026/01/01/12/device-1-tag-2.parquet").data))
    assert table.num_rows == 59
    flagged = [str(row["time"]) for row in table.to_pylist() if row["prediction"]]
    assert flagged == ["2026-01-01 12:05:00+00:00"]


def test_files_with_more_in_their_names_than_the_sensor(
    url: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    put_sensor(store, "a")
    data = store.get("readings/2026/01/01/12/a.parquet").data
    store.put("parts/2026/01/01/12/a-part-1.parquet", data)
    arguments = ["--readings", "parts/{yyyy}/{MM}/{dd}/{HH}/{sensor}-part-*.parquet"]
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 0
    assert "a       Scored    60" in capsys.readouterr().out


def test_a_version_by_name(url: str, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    put_sensor(store, "a")
    assert main(["score", "--store", url, *WINDOW, "--model-version", "none-such"]) == 0
    assert "Skipped/NoModel" in capsys.readouterr().out


def test_the_report(url: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_sensor(store, "a", faults={3: 99.0})
    report = tmp_path / "report.html"
    assert main(["score", "--store", url, *WINDOW, "--report", str(report)]) == 0
    assert f"written: {report}" in capsys.readouterr().out
    assert "<svg" in report.read_text()


def test_what_fails_is_said_and_decides_the_exit_code(
    url: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    put_sensor(store, "a")
    put_sensor(store, "broken")
    put_model(store, "broken", b"rubbish")
    assert main(["score", "--store", url, *WINDOW]) == 65
    told = capsys.readouterr()
    assert told.err.startswith("scorer: sensor broken: model file")
    assert "2 sensors: 1 Scored, 1 Failed/ModelCorrupt" in told.out


def test_complaints_have_an_end(url: str, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    put_sensor(store, "a")
    names = ",".join(["a", *(f"none{number}" for number in range(60))])
    assert main(["score", "--store", url, *WINDOW, "--sensors", names]) == 0
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == SHOWN_COMPLAINTS + 1
    assert complaints[-1] == "scorer: and 20 more like these"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--columns", "TS"], "--columns holds 'TS': wanted NAME=COLUMN"),
        (["--time-zone", "Mars/Olympus"], "'Mars/Olympus' is not known"),
        (["--shards", "3"], "output.shards belongs to the layout Sharded"),
        (["--layout", "Sharded", "--shards", "0"], "output.shards is 0"),
        (["--layout", "Sharded", "--output-format", "CSV"], "output.format is CSV"),
        (["--layout", "Sharded", "--output", "p/{sensor}"], "{sensor}"),
        (["--model-version", "../x"], "model.version"),
        (["--readings-layout", "asa", "--readings", "r/{sensor}.csv"], "wanted a readings.path with {HH}"),
        (["--readings", "tables/all.csv"], "does not hold {sensor}: name the sensors"),
        (["--report", "/none/such.html"], "--report /none/such.html cannot be written"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence(
    url: str, arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 1
    told = capsys.readouterr()
    assert names in told.err
    assert "work order" not in told.err
    assert told.err.count("\n") == 1


def put_cut_off(store: Store, sensor: str) -> str:
    """A sensor whose readings are an array that ends in its fourth record; where they lie, by template."""
    put_model(store, sensor, model_bytes())
    rows = [{"time": f"2026-01-01T12:0{minute}:00Z", "value": 10.0} for minute in range(1, 5)]
    store.put(f"cut/2026/01/01/12/{sensor}.json", json.dumps(rows)[:-15].encode())
    return "cut/{yyyy}/{MM}/{dd}/{HH}/{sensor}.json"


@pytest.mark.parametrize("layout", [[], ["--layout", "Sharded", "--shards", "1"]])
def test_a_part_of_readings_that_is_lost_is_said_everywhere(
    url: str, store: Store, layout: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put_cut_off(store, "a")
    report = tmp_path / "report.html"
    arguments = ["--readings", path, "--report", str(report), *layout]
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 0
    lost = "readings cut/2026/01/01/12/a.json end inside record 4: 3 whole records were read"
    told = capsys.readouterr()
    assert told.err.startswith(f"scorer: sensor a: {lost}")
    assert "a part of the readings of 1 sensors could not be read" in told.err
    assert outcomes(store)[0]["sensors"][0]["lost"].startswith(lost)
    table = store.get(next(entry.path for entry in store.list("runs") if "results" in entry.path))
    (row,) = pq.read_table(io.BytesIO(table.data)).to_pylist()
    assert (row["state"], row["rows_scored"]) == ("Scored", 3)
    assert row["message"].startswith(lost)
    assert lost in report.read_text()
    assert verify(store, run_uid(store)).holds
    assert main(["report", "--store", url, "--run", run_uid(store)]) == 0
    assert lost in capsys.readouterr().out
    # Nor is it forgotten by a run that finds the prediction done.
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 0
    assert lost in capsys.readouterr().err


def logged(store: Store) -> list[dict[str, Any]]:
    """The log's lines in the store."""
    (entry,) = store.list("logs")
    return [json.loads(line) for line in store.get(entry.path).data.splitlines()]


def test_the_log_is_kept_in_the_store_as_a_pod_s_is(url: str, store: Store) -> None:
    put_sensor(store, "a", faults={3: 99.0})
    put_sensor(store, "broken")
    put_model(store, "broken", b"rubbish")
    assert main(["score", "--store", url, *WINDOW]) == 65
    lines = sorted(logged(store), key=lambda line: str(line["sensor"]))
    assert [(line["level"], line["sensor"]) for line in lines] == [("info", "a"), ("error", "broken")]
    assert {line["run"] for line in lines} == {run_uid(store)}
    assert (lines[0]["anomalies"], lines[1]["reason"]) == (1, "ModelCorrupt")


def test_the_log_is_kept_of_a_command_that_is_interrupted(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_sensor(store, "a")
    monkeypatch.setattr(score, "_show", interrupt)
    assert main(["score", "--store", url, *WINDOW]) == 130
    assert [line["sensor"] for line in logged(store)] == ["a"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_log_that_cannot_be_kept_costs_the_run_nothing(
    url: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_sensor(store, "a")
    (tmp_path / "store" / "logs").write_text("no folder")
    assert main(["score", "--store", url, *WINDOW]) == 0
    assert capsys.readouterr().err.count("log not copied to the store") == 1


def test_a_table_s_sensors_with_its_models_and_thresholds(
    url: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        put_sensor(store, name, faults={3: 99.0})
    store.delete("models/b/current.json")
    store.put("fleet.csv", b"sensor,model,threshold,owner\na,,,plant 1\nb,a,5,\n")
    assert main(["score", "--store", url, *WINDOW, "--table", "fleet.csv"]) == 0
    rows = [line.split()[:5] for line in capsys.readouterr().out.splitlines()[1:3]]
    assert rows == [["a", "Scored", "60", "0", "1"], ["b", "Scored", "60", "0", "0"]]
    uid = run_uid(store)
    assert verify(store, uid).holds
    results = pq.read_table(io.BytesIO(store.get(f"runs/{uid}/results.parquet").data)).to_pylist()
    assert [(row["sensor"], row["threshold"], row["owner"]) for row in results] == [
        ("a", 0.0, "plant 1"),
        ("b", 5.0, ""),
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--discover", "Models"], ["a", "b"]),
        (["--discover", "Models", "--prefix", "b"], ["b"]),
        (["--discover", "Readings"], ["a", "b"]),
    ],
)
def test_sensors_that_are_discovered(
    url: str, store: Store, arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put_sensor(store, "a")
    put_sensor(store, "b")
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]] == names


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--sensors", "a", "--table", "t.csv"], "found --sensors and --table: wanted one of them"),
        (["--prefix", "a"], "found --prefix without --discover"),
        (["--table", "../t.csv"], "resolve.table"),
        (["--table", "none.csv"], "table none.csv: found nothing there"),
        (["--discover", "Models", "--prefix", "x"], "found no sensors; wanted at least one"),
        (["--discover", "Readings", "--readings", "r/*.csv"], "share files"),
    ],
)
def test_a_list_that_cannot_be_is_one_sentence(
    url: str, arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--store", url, *WINDOW, *arguments]) == 1
    assert names in capsys.readouterr().err
