"""SIGTERM before the service listens for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys

class Told:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Told())
from scorer.ingest.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("module", ["asyncio", "azure", "scorer.ingest.service"])
def test_told_to_end_while_it_starts_it_ends_at_once_and_well(module: str, tmp_path: Path) -> None:
    settings = str(tmp_path / "none.yaml")
    done = subprocess.run([sys.executable, "-c", PROGRAM, module, settings], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
