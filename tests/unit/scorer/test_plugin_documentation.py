"""The plugin of docs/runtimes.md works as it stands there."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugged import documented
from scorer.storage import open_store
from scoring import START, put_readings, values, work


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's modules, importable here too."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name, source in documented("python").items():
        (folder / name).write_text(source)
    monkeypatch.syspath_prepend(folder)
    for name in ("band", "register_band"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_a_pod_scores_by_the_documented_package(package: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'store'}"
    (tmp_path / "store").mkdir()
    store = open_store(url)
    register_band = importlib.import_module("register_band").register_band
    register_band(url, "a", values(300)[:, None], f"2026-01-01T11:00:00Z/{START}")
    put_readings(store, "a", values(faults={30: 99.0}))
    order = json.dumps(work(["a"], store={"url": url}))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package),
        "SENSORSCORE_PLUGINS": "band=band",
        "SENSORSCORE_MESSAGE_PATH": str(tmp_path / "message"),
    }
    command = [sys.executable, "-P", "-m", "scorer", "run", "--work", order]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    message = json.loads((tmp_path / "message").read_bytes())
    assert (message["codes"], message["rows"]["scored"], message["anomalies"]) == ("S", 60, 1)
