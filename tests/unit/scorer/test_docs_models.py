"""Every command of docs/models.md does what the page says, over a store elsewhere."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path

import pytest

from scorer.cli import main

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
DIGEST = "$(sha256sum < /tmp/model.pkl | cut -c-64)"
SHOWN = r"^    (device-\S+  .*|scorer: warning: .*|sensor device.* is withdrawn, .*|\d+ versions of .*)$"


def commands(page: str) -> list[str]:
    """The page's commands, in order; a script is one of its own."""
    found: list[str] = []
    going_on = ""
    for line in page.splitlines():
        text = line.removeprefix("    ")
        if going_on == "EOF" and text != "EOF":
            found[-1] += f"{text}\n"
        elif going_on == "\\":
            found[-1] = found[-1].removesuffix("\\") + text
        elif line.startswith("    .venv/bin/"):
            found.append("" if "<<'EOF'" in text else text)
        elif going_on != "EOF":
            continue
        going_on = "EOF" if "<<'EOF'" in text or (going_on == "EOF" and text != "EOF") else text[-1:]
    return found


def without_digests(text: str) -> str:
    """Another processor fits another last bit: versions' digests are this machine's."""
    return re.sub(r"Z-[0-9a-f]{8}", "Z-", text)


def test_every_command_of_the_page_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    said = ""
    for command in commands(PAGE):
        here = command.replace("/tmp/", f"{tmp_path}/")  # noqa: S108
        if not command.startswith(".venv"):
            exec(compile(here, "docs/models.md", "exec"), {})  # noqa: S102
            continue
        if DIGEST in command:
            digest = hashlib.sha256((tmp_path / "model.pkl").read_bytes()).hexdigest()
            here = command.replace(DIGEST, digest).replace("/tmp/", f"{tmp_path}/")  # noqa: S108
        assert main(shlex.split(here)[1:]) == 0, command
        told = capsys.readouterr()
        said += told.out + told.err
    shown = re.findall(SHOWN, PAGE, re.MULTILINE)
    assert len(shown) == 6
    for line in shown:
        assert without_digests(line) in without_digests(said)
