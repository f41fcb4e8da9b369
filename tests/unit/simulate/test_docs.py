"""The first five minutes of docs/simulate.md go as the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from scorer import cli
from scorer.simulate import cli as simulate
from scorer.simulate.settings import KINDS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "simulate.md").read_text(encoding="utf-8")
PROGRAMS = {".venv/bin/scorer": cli.main, ".venv/bin/sensorscore-simulate": simulate.main}


def test_its_commands_end_with_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("    .venv/bin/")]
    assert len(commands) == 5
    for program, *arguments in commands:
        capsys.readouterr()
        assert PROGRAMS[program]([each.replace("/tmp", str(tmp_path)) for each in arguments]) == 0  # noqa: S108
    # Another processor may fit another last bit: not how many are flagged, but what is found.
    told, shown = capsys.readouterr().out, PAGE.partition("The last one says:")[2]
    for kind in KINDS:
        (said,), (written,) = (
            re.findall(rf"^ *({kind} .*)$", text, re.MULTILINE) for text in (told, shown[:900])
        )
        assert said.split()[:4] == written.split()[:4]
        assert said.rpartition("%")[2] == written.rpartition("%")[2]


def test_it_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("events", "land", "send", "check"):
        with pytest.raises(SystemExit):
            simulate.main([command, "--help"])
        options = set(re.findall(r"(?<!\S)--[a-z-]+", capsys.readouterr().out))
        left = options - {"--help", "--endpoint", "--allow-http", "--store", "--out", "--readings"}
        assert {option for option in left if option not in PAGE} == set()


def test_there_is_an_option_for_every_kind_of_fault() -> None:
    assert all(f"| `{kind}` |" in PAGE for kind in KINDS)
