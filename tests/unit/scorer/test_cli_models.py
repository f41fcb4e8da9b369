"""`scorer train`, `register` and `models`, from the command line to the store."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.cli import main
from scorer.fit.register import register
from scorer.model.file import read_model
from scorer.storage import open_store
from scoring import END, START, model_bytes, put_readings, values

WINDOW = f"{START}/{END}"
EARLIER = "2026-01-01T11:00:00Z/2026-01-01T12:00:00Z"


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    return f"file://{tmp_path}/store"


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command over the store: exit code, stdout, stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--store", url])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


Run = Callable[..., tuple[int, str, str]]


def noisy(count: int, seed: int = 0) -> Any:
    return 10 + np.random.default_rng(seed).normal(0, 1, count)


def current(url: str, sensor: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(open_store(url).get(f"models/{sensor}/current.json").data)
    return found


def put_hour(url: str, *sensors: str, count: int = 300, start: str = START) -> None:
    for number, sensor in enumerate(sensors):
        put_readings(open_store(url), sensor, noisy(count, number), start, seconds=10)


def dumped(folder: Path, name: str, fitted: Any, dump: Callable[..., Any] = pickle.dumps) -> tuple[Path, str]:
    """A pickle and its digest."""
    path = folder / name
    path.write_bytes(dump(fitted))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def svm(features: int = 1) -> Any:
    rows = np.random.default_rng(1).normal(10, 1, (200, features))
    return Pipeline([("scaler", StandardScaler()), ("classifier", OneClassSVM(nu=0.02))]).fit(rows)


# ── train


def test_many_sensors_are_trained_in_processes_and_summed_up(url: str, run: Run, tmp_path: Path) -> None:
    sensors = [f"s{number:02}" for number in range(45)]
    put_hour(url, *sensors)
    put_readings(open_store(url), "few", values(5))
    file = tmp_path / "results.jsonl"
    code, out, err = run("train", "--window", WINDOW, "--jobs", "2", "--results", str(file))
    assert code == 65
    lines = out.splitlines()
    assert lines[0].startswith("46 models in ")
    assert lines[0].endswith(" s: 45 new, 1 failed")
    assert lines[1] == "rows      300 in the middle, 300 to 300"
    assert lines[2].startswith("flagged   ")
    assert f"scorer: sensor few has 5 usable readings in {WINDOW}: wanted at least 20\n" in err
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["sensor"] for line in told} == {*sensors, "few"}
    failed = [line for line in told if line["state"] == "failed"]
    assert [(line["sensor"], line["reason"]) for line in failed] == [("few", "NoReadings")]
    good = next(line for line in told if line["sensor"] == "s07")
    assert good["version"] == current(url, "s07")["version"]
    assert good["warnings"] == []


def test_warnings_of_many_sensors_are_counted_by_name(url: str, run: Run) -> None:
    put_hour(url, *(f"s{number:02}" for number in range(41)), count=50)
    code, _, err = run("train", "--window", WINDOW, "--jobs", "1")
    assert code == 0
    assert "scorer: warning: NuTooSmall: 41 sensors, like s00: nu = 0.01 leaves no reading outside" in err


def test_a_degenerate_model_is_a_warning_or_an_error(url: str, run: Run) -> None:
    put_hour(url, "a", count=50)
    code, _, err = run("train", "--window", WINDOW)
    assert code == 0
    assert err.startswith("scorer: warning: sensor a: NuTooSmall: ")
    code, _, err = run("train", "--window", WINDOW, "--nu", "0.011", "--refuse-degenerate")
    assert code == 65
    assert err.startswith("scorer: sensor a: refused: NuTooSmall: ")
    assert len(current(url)["versions"]) == 1


def test_a_model_of_an_earlier_window_is_listed_and_that_is_said(url: str, run: Run) -> None:
    put_hour(url, "a")
    put_hour(url, "a", start="2026-01-01T11:00:00Z")
    run("train", "--window", WINDOW)
    code, out, err = run("train", "--window", EARLIER)
    assert code == 0
    assert out.splitlines()[1].split()[-1] == "listed"
    assert "listed, not in use: a: the version in use comes from a later window" in err


def test_a_store_that_is_away_says_to_try_again(url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from scorer.storage import UnavailableError
    from scorer.storage.folder import FolderStore

    put_hour(url, "a")

    def away(*_: Any, **__: Any) -> None:
        raise UnavailableError("models does not answer")

    monkeypatch.setattr(FolderStore, "put", away)
    code, _, err = run("train", "--window", WINDOW)
    assert code == 75
    assert err == "scorer: sensor a: models does not answer\n"


def test_a_defect_is_shown_whole(url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import scorer.fit.train

    put_hour(url, "a")
    monkeypatch.setattr(scorer.fit.train, "build", lambda _: 1 / 0)
    code, _, err = run("train", "--window", WINDOW)
    assert code == 70
    assert err.startswith("scorer: sensor a: unexpected ZeroDivisionError: division by zero\nTraceback")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--estimator", "Prophet"], "--estimator is 'Prophet'"),
        (["--kernel", "cosine"], "--kernel is 'cosine'"),
        (["--estimator", "IsolationForest", "--gamma", "1"], "--gamma is 1.0: IsolationForest has none"),
        (["--features", "value,value"], "--features is 'value,value'"),
        (["--features", ","], "--features is ','"),
        (["--features", "value,score"], "--features holds 'score': predictions have a column of that name"),
        (["--results", "/nowhere/results"], "--results /nowhere/results cannot be written"),
    ],
)
def test_options_that_do_not_fit_are_told_before_anything_is_read(
    url: str, run: Run, arguments: list[str], says: str
) -> None:
    put_hour(url, "a")
    code, out, err = run("train", "--window", WINDOW, *arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "257", "\u0665"])
def test_a_count_of_processes_is_a_number(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--store", "memory://x", "--window", WINDOW, "--jobs", jobs])
    assert "wanted a number from 1 to 256" in capsys.readouterr().err


# ── register


def test_a_folder_of_models_is_registered_elsewhere(url: str, run: Run, tmp_path: Path) -> None:
    put_hour(url, "a", "b")
    run("train", "--window", WINDOW)
    (tmp_path / "other").mkdir()
    other = f"file://{tmp_path}/other"
    assert main(["register", str(tmp_path / "store"), "--store", other]) == 0
    assert current(other, "a")["version"] == current(url, "a")["version"]
    assert current(other, "b")["version"] == current(url, "b")["version"]


def test_compiled_models_are_registered_without_scikit_learn(url: str, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(model_bytes())
    command = ["register", str(tmp_path / "m.safetensors"), "--sensor", "a", "--store", url]
    script = "import sys; sys.modules['sklearn'] = None; from scorer.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert current(url)["validFrom"] == "2026-01-01T12:00:00Z"


def test_a_model_file_of_no_sensor_needs_its_name(url: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(model_bytes())
    code, _, err = run("register", str(tmp_path / "m.safetensors"))
    assert code == 65
    assert "does not say whose model it is: name the sensor with --sensor" in err
    assert run("register", str(tmp_path / "m.safetensors"), "--sensor", "x")[0] == 0
    assert current(url, "x")["validFrom"] == "2026-01-01T12:00:00Z"


def test_what_is_neither_model_nor_pickle_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "readings.csv").write_text("time,value\n")
    code, _, err = run("register", str(tmp_path / "readings.csv"), "--sensor", "a")
    assert code == 65
    assert "model file cannot be read" in err


def test_a_pickle_is_not_opened_unless_that_is_allowed(
    url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scorer.fit.pickles

    monkeypatch.setattr(scorer.fit.pickles, "load", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("opened"))
    path, digest = dumped(tmp_path, "model.pkl", svm())
    for arguments in ([], ["--sha256", digest]):
        code, _, err = run("register", str(path), "--sensor", "a", "--window", WINDOW, *arguments)
        assert code == 65
        assert err == (
            f"scorer: sensor a: {path} is a pickle, and loading one runs whatever is in it: if you know "
            "where it comes from, register it with --allow-pickle, --sha256 (as `sha256sum` prints it) and "
            "--window\n"
        )


def test_a_pickle_becomes_a_compiled_model_proved_on_real_readings(
    url: str, run: Run, tmp_path: Path
) -> None:
    put_hour(url, "a")
    path, digest = dumped(tmp_path, "model.pkl", svm())
    allowed = ["--allow-pickle", "--sha256", digest.upper(), "--window", WINDOW]
    code, out, _ = run("register", str(path), "--sensor", "a", *allowed)
    assert code == 0
    assert out.splitlines()[1].split()[-1] == "new"
    store = open_store(url)
    data = store.get(f"models/a/{current(url)['version']}/model.safetensors").data
    model = read_model(data)
    assert [form for form, _ in model.stages] == ["standard_scaler", "one_class_svm_rbf"]
    assert model.metadata["check"]["rows"] == 900
    training = model.metadata["training"]
    assert training["pickle"] == digest
    assert training["trainedRows"] == 200
    assert training["window"] == WINDOW
    assert training["settings"]["nu"] == 0.02
    assert b"sklearn.svm" not in data
    assert run("register", str(path), "--sensor", "a", *allowed)[1].splitlines()[1].endswith("  as before")


def test_a_pickle_with_another_digest_is_not_read(url: str, run: Run, tmp_path: Path) -> None:
    put_hour(url, "a")
    path, digest = dumped(tmp_path, "model.pkl", svm())
    allowed = ["--allow-pickle", "--sha256", "0" * 64, "--window", WINDOW]
    code, _, err = run("register", str(path), "--sensor", "a", *allowed)
    assert code == 65
    assert f"has sha256 {digest}: wanted {'0' * 64}, nothing of it was read" in err


def test_a_list_of_digests_registers_many(url: str, run: Run, tmp_path: Path) -> None:
    put_hour(url, "a", "b", "c", "d")
    fitted = svm()
    lines = ["# sha256  sensor  path", ""]
    for sensor, dump in (("a", pickle.dumps), ("b", lambda found: pickle.dumps(found, 0))):
        path, digest = dumped(tmp_path, f"model {sensor}.pkl", fitted, dump)
        lines.append(f"{digest}  {sensor}  {path}")
    joblib.dump(fitted, tmp_path / "c.joblib", compress=3)
    digest = hashlib.sha256((tmp_path / "c.joblib").read_bytes()).hexdigest()
    lines.append(f"{digest}  c  {tmp_path / 'c.joblib'}")
    lines.append(f"{'0' * 64}  d  {tmp_path / 'c.joblib'}")
    (tmp_path / "list").write_text("\n".join(lines))
    code, out, err = run(
        "register", "--allow-pickle", "--digests", str(tmp_path / "list"), "--window", WINDOW
    )
    assert code == 65
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["a", "b", "c"]
    assert err.count("\n") == 1
    assert "sensor d: " in err


def test_a_pickle_without_enough_readings_is_not_proved_and_so_refused(
    url: str, run: Run, tmp_path: Path
) -> None:
    path, digest = dumped(tmp_path, "model.pkl", svm())
    arguments = ["--sensor", "a", "--allow-pickle", "--sha256", digest, "--window", WINDOW]
    code, _, err = run("register", str(path), *arguments)
    assert code == 65
    assert "sensor a has no readings: no file at readings/2026/01/01/12/a.parquet" in err
    put_readings(open_store(url), "a", values(10))
    code, _, err = run("register", str(path), *arguments)
    assert code == 65
    assert "sensor a has 10 usable readings" in err
    assert list(open_store(url).list("models")) == []


def test_what_has_no_compiled_form_goes_to_the_scikit_learn_runtime(
    url: str, run: Run, tmp_path: Path
) -> None:
    put_hour(url, "a")
    rows = noisy(200, 5)[:, None]
    path, digest = dumped(tmp_path, "model.pkl", LocalOutlierFactor(novelty=True).fit(rows))
    allowed = ["--allow-pickle", "--sha256", digest, "--window", WINDOW]
    code, _, err = run("register", str(path), "--sensor", "a", *allowed)
    assert code == 0
    assert (
        "warning: sensor a: NotCompiled: step LocalOutlierFactor: LocalOutlierFactor has no compiled" in err
    )
    assert "runs that score it need a runtime with sklearn" in err
    model = read_model(open_store(url).get(f"models/a/{current(url)['version']}/model.safetensors").data)
    assert model.plugin is not None
    assert model.metadata["check"] == {"rows": 300, "largestDifference": 0.0}
    assert 0 < model.metadata["training"]["flagged"] < 0.2
    assert "none: scored by the plugin sklearn" in run("models", "show", "a")[1]


def test_a_pickles_features_are_its_own_or_named(url: str, run: Run, tmp_path: Path) -> None:
    put_hour(url, "a")
    path, digest = dumped(tmp_path, "model.pkl", svm(features=2))
    arguments = ["--sensor", "a", "--allow-pickle", "--sha256", digest, "--window", WINDOW]
    code, _, err = run("register", str(path), *arguments)
    assert code == 65
    assert "has an estimator of 2 features, found are 0 names: name them with --features" in err
    code, _, err = run("register", str(path), *arguments, "--features", "x,y")
    assert code == 65
    assert "column 'x'" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no file to register"),
        (["folder"], "holds no *.safetensors"),
        (["gone"], "gone cannot be read: there is no such file"),
        (["one", "two", "--sensor", "a"], "--sensor is of one file: found 2"),
        (["one", "two", "--sha256", "0" * 64], "--sha256 is of one file: found 2"),
        (["one", "--sha256", "0"], "--sha256: sha256 is '0'"),
        (["one", "--sensor", "a/b"], "--sensor is 'a/b'"),
        (["one", "--digests", "list"], "--digests names files, sensors and digests"),
        (["--digests", "gone"], "gone cannot be read"),
        (["--digests", "short"], "line 2 has 2 parts: wanted `sha256  sensor  path`"),
        (["--digests", "odd"], "line 1 has the sensor 'a/b'"),
        (["--digests", "list"], "line 1: sha256 is 'zero'"),
        (["one", "--allow-pickle"], "--allow-pickle wants --window"),
        (["one", "--allow-pickle", "--window", WINDOW], "--allow-pickle wants --window"),
        (["one", "--model", "models"], "does not hold {sensor}"),
        (["one", "--features", "a,a"], "--features is 'a,a'"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_done(
    url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("one", "two"):
        Path(name).write_bytes(model_bytes())
    Path("list").write_text("zero a path")
    Path("short").write_text("# nothing\n0 a")
    Path("odd").write_text(f"{'0' * 64} a/b path")
    code, out, err = run("register", *arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1
    assert list(open_store(url).list()) == []


# ── models


def two_versions(url: str, sensor: str = "a") -> tuple[str, str]:
    store = open_store(url)
    old = register(store, sensor, model_bytes()).version
    return old, register(store, sensor, model_bytes(mean=11.0)).version


def test_the_list_names_what_is_in_use_and_how_often_it_flags(url: str, run: Run) -> None:
    put_hour(url, "a", "b", "c1", "c2")
    run("train", "--window", WINDOW)
    open_store(url).put("models/b/current.json", b"{}")
    open_store(url).delete("models/c1/current.json")
    code, out, err = run("models", "list")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == ["SENSOR", "CURRENT", "VERSIONS", "TRAINED", "ROWS", "FLAGGED"]
    assert lines[1][:5] == ["a", current(url)["version"], "1", "2026-01-01T13:00:00Z", "300"]
    assert lines[1][5].endswith("%")
    assert lines[2] == ["b", "unreadable", "1"]
    assert lines[3] == ["c1", "none", "1"]
    assert "sensor b: models/b/current.json is not a model's" in err


@pytest.mark.parametrize(
    ("sensors", "wanted"), [("a,c2", ["a", "c2"]), ("c*", ["c1", "c2"]), ("c?,a", ["a", "c1", "c2"])]
)
def test_the_list_takes_names_and_patterns(url: str, run: Run, sensors: str, wanted: list[str]) -> None:
    for sensor in ("a", "b", "c1", "c2"):
        register(open_store(url), sensor, model_bytes())
    out = run("models", "list", "--sensors", sensors)[1]
    assert [line.split()[0] for line in out.splitlines()[1:]] == wanted


def test_a_pattern_that_fits_none_is_told(url: str, run: Run) -> None:
    two_versions(url)
    assert run("models", "list", "--sensors", "a,z*")[2] == (
        "scorer: --sensors: no registered sensor fits 'z*'\n"
    )


def test_a_model_is_shown_by_what_is_normal_to_it(url: str, run: Run) -> None:
    put_hour(url, "a")
    run("train", "--window", WINDOW, "--gamma", "0.1")
    code, out, _ = run("models", "show", "a")
    told = dict(line.split("  ", 1) for line in out.split("\n\n")[0].splitlines())
    told = {name.strip(): text.strip() for name, text in told.items()}
    assert code == 0
    assert told["version"].startswith(f"{current(url)['version']}, in use since 20")
    assert told["estimator"] == "OneClassSVM with gamma 0.1, kernel rbf, nu 0.01, tol 1e-06"
    assert told["trained on"].startswith(f"300 readings of {WINDOW}, 300 an hour; ")
    limits = re.findall(r"[\d.]+", told["normal value"])
    assert 6 < float(limits[0]) < 8.5
    assert 11.5 < float(limits[-1]) < 14
    assert told["proof"].startswith("equal to scikit-learn 1.9.1 on 900 rows: ")
    assert told["stages"] == "standard_scaler, one_class_svm_rbf"


def test_any_version_can_be_shown(url: str, run: Run) -> None:
    old, new = two_versions(url)
    out = run("models", "show", "a", "--version", old)[1]
    assert f"{old}, not in use" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == [new, old]
    assert "sensor a has no version v9: the last ones are" in run("models", "show", "a", "--version", "v9")[2]


def test_rolling_back_says_what_became_of_it(url: str, run: Run) -> None:
    old, new = two_versions(url)
    assert run("models", "rollback", "a") == (
        0,
        f"sensor a: version {new} is withdrawn, {old} is in use now\n",
        "",
    )
    assert current(url)["version"] == old
    assert f"{new}  2026-01-01T12:00:00Z" in run("models", "show", "a")[1]
    assert "withdrawn 20" in run("models", "show", "a")[1]
    assert run("models", "rollback", "a", "--to", old)[1].endswith("is in use already: nothing changed\n")
    assert run("models", "rollback", "a", "--to", new)[0] == 0
    assert current(url)["version"] == new


def test_rolling_back_what_cannot_be_is_told_and_the_others_are_done(url: str, run: Run) -> None:
    old, _ = two_versions(url, "b")
    register(open_store(url), "a", model_bytes())
    code, out, err = run("models", "rollback", "a", "b", "none")
    assert code == 65
    assert f"{old} is in use now" in out
    assert "sensor a: no version was in use before" in err
    assert "sensor none has no model" in err


def test_rolling_back_to_an_unknown_version_is_refused(url: str, run: Run) -> None:
    two_versions(url)
    before = current(url)
    code, _, err = run("models", "rollback", "a", "--to", "v9")
    assert code == 65
    assert "version v9 is not listed; there are" in err
    assert current(url) == before
    assert "--to is of one sensor" in run("models", "rollback", "a", "b", "--to", "v9")[2]


def test_a_rollback_that_someone_else_forestalls_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "memory://forestalled"
    store = open_store(url)
    _, new = two_versions(url)
    put, others = store.put, [model_bytes(mean=12.0)]

    def slow(path: str, data: bytes, metadata: Any = None, **conditions: Any) -> str:
        if path.endswith("current.json") and others:
            register(store, "a", others.pop())
        return put(path, data, metadata, **conditions)

    monkeypatch.setattr(store, "put", slow)
    assert main(["models", "rollback", "a", "--store", url]) == 65
    assert f"someone else changed the version in use from {new} to" in capsys.readouterr().err
    assert len(current(url)["versions"]) == 3


def test_a_registration_beside_another_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "memory://beside"
    store = open_store(url)
    (tmp_path / "m.safetensors").write_bytes(model_bytes())
    put, others = store.put, [model_bytes(mean=12.0)]

    def slow(path: str, data: bytes, metadata: Any = None, **conditions: Any) -> str:
        if path.endswith("current.json") and others:
            register(store, "a", others.pop())
        return put(path, data, metadata, **conditions)

    monkeypatch.setattr(store, "put", slow)
    assert main(["register", str(tmp_path / "m.safetensors"), "--sensor", "a", "--store", url]) == 0
    capsys.readouterr()
    assert len(current(url)["versions"]) == 2


def test_sound_models_are_verified(url: str, run: Run) -> None:
    two_versions(url)
    register(open_store(url), "b", model_bytes())
    assert run("models", "verify") == (
        0,
        "3 versions of 2 sensors read again: all as they were registered\n",
        "",
    )


def spoil_model(url: str, version: str) -> None:
    open_store(url).put(f"models/a/{version}/model.safetensors", model_bytes(mean=12.0))


def spoil_metadata(url: str, version: str) -> None:
    open_store(url).put(f"models/a/{version}/metadata.json", json.dumps({"sha256": "0" * 64}).encode())


def lose_model(url: str, version: str) -> None:
    open_store(url).delete(f"models/a/{version}/model.safetensors")


def register_what_is_none(url: str, version: str) -> None:
    store = open_store(url)
    found = current(url)
    entry = next(each for each in found["versions"] if each["version"] == version)
    entry["sha256"] = hashlib.sha256(b"none").hexdigest()
    store.put("models/a/current.json", json.dumps(found).encode())
    store.put(f"models/a/{version}/model.safetensors", b"none")


def leave_one_behind(url: str, _: str) -> None:
    open_store(url).put("models/a/left-behind/model.safetensors", b"")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_model, "model.safetensors has sha256"),
        (spoil_metadata, "metadata.json has sha256 000"),
        (lose_model, "model.safetensors does not exist"),
        (register_what_is_none, "model file cannot be read"),
        (leave_one_behind, "version left-behind is of a registration that did not end"),
    ],
)
def test_what_is_not_as_it_was_registered_is_named(
    url: str, run: Run, spoil: Callable[[str, str], None], says: str
) -> None:
    old, _ = two_versions(url)
    spoil(url, old)
    code, out, err = run("models", "verify")
    assert code == 65
    assert "1 wrong" in out
    assert "sensor a: " in err
    assert says in err


def test_a_sensor_whose_versions_nobody_lists_is_named(url: str, run: Run) -> None:
    two_versions(url)
    open_store(url).delete("models/a/current.json")
    code, _, err = run("models", "verify")
    assert code == 65
    assert "sensor a has no model: models/a/current.json does not exist" in err


def test_verifying_can_score_readings_too(url: str, run: Run) -> None:
    put_hour(url, "a")
    run("train", "--window", WINDOW)
    register(open_store(url), "b", model_bytes())
    code, out, err = run("models", "verify", "--window", WINDOW)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[1] == ["SENSOR", "VERSION", "ROWS", "FLAGGED", "TRAINED"]
    assert lines[2][:3] == ["a", current(url)["version"], "300"]
    assert lines[2][3] == lines[2][4]
    assert lines[3][:3] == ["b", current(url, "b")["version"], "0"]
    assert err == ""


def test_there_is_nothing_to_verify_where_nothing_is_registered(run: Run) -> None:
    code, _, err = run("models", "verify")
    assert code == 1
    assert "no models at models/{sensor}" in err
