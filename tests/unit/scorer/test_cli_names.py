"""Names that are none, on every command that takes one: one sentence, no traceback, nothing done."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scorer.cli import COMMANDS, main
from scorer.storage import Store, open_store
from scoring import END, START, model_bytes, put_sensor

WINDOW = ["--window", f"{START}/{END}"]
BAD = ["../x", "..", "a/b", "/a", "a\\b", "a b", "a\nb", "", "-", "x" * 64, "ü", "{sensor}", "*", "a\0b"]
SENSORS = {
    "train": ["train", *WINDOW, "--sensors={}"],
    "score": ["score", *WINDOW, "--sensors={}"],
    "register": ["register", "MODEL", "--sensor={}"],
    "models show": ["models", "show", "--", "{}"],
    "models rollback": ["models", "rollback", "--", "{}"],
    "models rollback of several": ["models", "rollback", "--", "a", "{}"],
}
PATTERNS = {
    "models list": ["models", "list", "--sensors={}"],
    "models verify": ["models", "verify", "--sensors={}"],
}
RUNS = {"report": ["report", "--run={}"], "verify": ["verify", "--", "{}"]}
NAMELESS = {"store", "land", "changes"}
"""Commands of which no argument is a sensor or a run; `land` is told sensors by its file, see below."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    url = f"file://{tmp_path}/store"
    put_sensor(open_store(url), "a")
    return url


def state(store: Store) -> dict[str, str]:
    return {entry.path: entry.etag for entry in store.list()}


def refused(url: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says. Options come first, so that a name that begins with a dash is one."""
    before = state(open_store(url))
    end = arguments.index("--") if "--" in arguments else len(arguments)
    assert main([*arguments[:end], "--store", url, *arguments[end:]]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("scorer: ")
    assert told.err.count("\n") == 1
    assert told.err.rstrip("\n").isprintable()
    assert state(open_store(url)) == before
    return told.err


def test_every_command_is_in_a_table() -> None:
    tables = {name.split()[0] for name in (*SENSORS, *PATTERNS, *RUNS)}
    assert tables | NAMELESS == {module.rpartition(".")[2] for module in COMMANDS}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("command", SENSORS)
def test_sensors(
    command: str, bad: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(model_bytes())
    files = {"MODEL": str(tmp_path / "model.safetensors")}
    told = refused(url, [files.get(part, part.replace("{}", bad)) for part in SENSORS[command]], capsys)
    assert "wanted at most 63 letters, digits, '.', '_' and '-'" in told


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad != "*"])
@pytest.mark.parametrize("command", PATTERNS)
def test_patterns(command: str, bad: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(url, [part.replace("{}", bad) for part in PATTERNS[command]], capsys)
    assert "no registered sensor fits" in told


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("command", RUNS)
def test_runs(command: str, bad: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(url, [part.replace("{}", bad) for part in RUNS[command]], capsys)
    assert "wanted the run's metadata.uid" in told


@pytest.mark.parametrize("text", ["", "\n\n", "# none\n"])
@pytest.mark.parametrize("command", ["train", "score", *PATTERNS])
def test_lists_of_no_sensor(
    command: str, text: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").write_text(text)
    arguments = (SENSORS | PATTERNS)[command]
    told = refused(url, [part.replace("{}", f"@{tmp_path}/empty") for part in arguments], capsys)
    assert "empty names no sensor: wanted one a line" in told


def test_lists_with_a_bad_name(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names").write_text("a\n../x\n")
    told = refused(url, ["score", *WINDOW, f"--sensors=@{tmp_path}/names"], capsys)
    assert "--sensors holds '../x'" in told


def test_digests_with_a_bad_name(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.safetensors").write_bytes(model_bytes())
    digest = hashlib.sha256(model_bytes()).hexdigest()
    (tmp_path / "digests").write_text(f"{digest}  ../x  {tmp_path}/model.safetensors\n")
    told = refused(url, ["register", "--digests", str(tmp_path / "digests")], capsys)
    assert "digests, line 1 has the sensor '../x'" in told


def test_a_table_with_a_bad_name(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("time,sensor,value\n2026-01-01T12:01:00Z,../x,1\n")
    assert "'../x'" in refused(url, ["land", str(tmp_path / "table.csv")], capsys)


@pytest.mark.parametrize("option", [["show", "--version=../x", "a"], ["rollback", "--to=../x", "a"]])
def test_versions(option: list[str], url: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(open_store(url))
    assert main(["models", *option, "--store", url]) in (1, 65)
    told = capsys.readouterr()
    assert "../x" in told.err
    assert told.err.count("\n") == 1
    assert state(open_store(url)) == before
