from __future__ import annotations

import json
from pathlib import Path

import pytest

from scorer.cli import main
from scorer.commands.console import table
from scorer.storage import open_store
from scoring import CSV, END, START, put_readings, put_sensor, values

HOUR = "2018-08-28T23:00:00Z/2018-08-29T00:00:00Z"
NEXT = "2018-08-29T00:00:00Z/2018-08-29T01:00:00Z"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}"


def test_from_a_table_of_readings_to_predictions(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "init", "--store", f"{url}/new"]) == 0
    url = f"{url}/new"
    assert main(["land", str(CSV), "--store", url]) == 0
    assert "17768 readings of 15 sensors in 75 files" in capsys.readouterr().out
    assert main(["train", "--store", url, "--window", HOUR]) == 0
    assert capsys.readouterr().out.count("new") >= 15
    assert (
        main(["score", "--store", url, "--window", NEXT, "--sensors", "device-1-tag-1,device-3-tag-5"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["SENSOR", "STATE", "ROWS", "REJECTED", "ANOMALIES", "SHARE", "SECONDS"]
    assert [line.split()[:2] for line in lines[1:3]] == [
        ["device-1-tag-1", "Scored"],
        ["device-3-tag-5", "Scored"],
    ]
    assert main(["models", "list", "--store", url]) == 0
    assert capsys.readouterr().out.count("20180829T000000Z-") == 15
    assert main(["models", "show", "device-1-tag-1", "--store", url]) == 0
    assert "standard_scaler" in capsys.readouterr().out
    store = open_store(url)
    assert len([entry for entry in store.list("predictions") if entry.path.endswith(".parquet")]) == 2
    outcome = json.loads(store.get(next(e.path for e in store.list("runs") if "/outcomes/" in e.path)).data)
    assert [sensor["sensor"] for sensor in outcome["sensors"]] == ["device-1-tag-1", "device-3-tag-5"]


def test_a_model_file_is_registered_elsewhere(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_readings(open_store(url), "a", values(100), seconds=30)
    main(["train", "--store", url, "--window", f"{START}/{END}"])
    model = next(tmp_path.glob("models/a/*/model.safetensors"))
    capsys.readouterr()
    assert main(["register", str(model), "--sensor", "b", "--store", url]) == 0
    assert "1 new" in capsys.readouterr().out
    assert main(["register", str(model), "--sensor", "b", "--store", url]) == 0
    assert "1 as before" in capsys.readouterr().out


def test_sensors_that_fail_are_named_and_the_others_are_done(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(url)
    put_sensor(store, "a")
    put_readings(store, "b", values(5))
    assert main(["train", "--store", url, "--window", f"{START}/{END}"]) == 65
    told = capsys.readouterr()
    assert "sensor b has 5 usable readings" in told.err
    assert "a  " in told.out
    assert main(["score", "--store", url, "--window", f"{START}/{END}", "--on-missing-model", "Fail"]) == 65
    told = capsys.readouterr()
    assert "sensor b has no model" in told.err
    assert "Failed/NoModel" in told.out


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["land", "none.csv"], "none.csv cannot be read"),
        (["train", "--window", "yesterday"], "wanted START/END"),
        (["train", "--window", f"{END}/{START}"], "wanted an end after the start"),
        (["train", "--window", f"{START}/{END}"], "no readings of any sensor"),
        (["train", "--window", f"{START}/{END}", "--nu", "0"], "nu is 0.0"),
        (["train", "--window", f"{START}/{END}", "--model", "models"], "does not hold {sensor}"),
        (["score", "--window", f"{START}/{END}", "--sensors", "a/b"], "'a/b'"),
        (["score", "--window", f"{START}/{END}", "--sensors", "a,a"], "'a' twice"),
        (["score", "--window", f"{START}/{END}", "--sensors", "@none"], "none cannot be read"),
        (["score", "--window", f"{START}/{END}", "--output", "../{sensor}"], "'..'"),
        (["models", "show", "a"], "sensor a has no model"),
        (["register", "none", "--sensor", "a"], "none cannot be read"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence(
    url: str, arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--store", url]) == 1
    told = capsys.readouterr()
    assert names in told.err
    assert told.err.startswith("scorer: ")
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_store_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--store", f"file://{tmp_path}/away"]) == 1
    assert "make it with `scorer store init`" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["models"], ["train"]])
def test_usage_is_shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: scorer" in capsys.readouterr().err


def test_an_empty_store_has_no_models(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--store", url]) == 0
    assert "no models" in capsys.readouterr().out


def test_tables_align() -> None:
    assert table(("NAME", "N"), [("a", 1), ("bcdef", 100)]) == "NAME     N\na        1\nbcdef  100"
