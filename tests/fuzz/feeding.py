"""Starts the processes that feed targets with broken files, and goes on after those that die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from fuzz.child import SEED
from fuzz.target import Target

ROOT = Path(__file__).resolve().parents[2]
MAX_DEATHS = 5


class Defect(NamedTuple):
    """A file that a reader could not cope with."""

    case: int
    error: str
    traceback: str


class Came(NamedTuple):
    """What came of a target's files."""

    cases: int
    came: Counter[str]
    """By what the reader said: `read`, or the reason of its refusal."""
    defects: tuple[Defect, ...]
    grown_mib: float
    grown_by: int
    """The case that took most memory; -1 if none took much."""
    peak_mib: float


def feed(module: str, target: Target, seed: int = SEED, cases: int | None = None) -> Came:
    """Feeds it in processes of their own; one that dies is a defect of the case that it had in hand."""
    count = target.cases if cases is None else cases
    came: Counter[str] = Counter()
    defects: list[Defect] = []
    first = deaths = 0
    grown, by, peak = 0.0, -1, 0.0
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "case"
        while first < count and deaths < MAX_DEATHS:
            note.write_bytes(b"")
            done = _run(module, target, seed, first, count - first, note)
            if done.returncode:
                deaths += 1
                case = int(note.read_text() or first)
                defects.append(Defect(case, f"the process ended with {done.returncode}", done.stderr[-4000:]))
                first = case + 1
                continue
            told = json.loads(done.stdout)
            came.update(told["came"])
            defects += [Defect(**defect) for defect in told["defects"]]
            if told["grownMiB"] >= grown:
                grown, by = told["grownMiB"], told["grownBy"]
            peak = max(peak, told["peakMiB"])
            first += told["cases"]
            if len(defects) >= MAX_DEATHS:
                break
    return Came(first, came, tuple(defects), grown, by, peak)


def _run(
    module: str, target: Target, seed: int, first: int, cases: int, note: Path
) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(Path(__file__).with_name("child.py")), module, target.name]
    options = ["--seed", str(seed), "--first", str(first), "--cases", str(cases), "--note", str(note)]
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(note.parent)}
    return subprocess.run([*program, *options], env=environment, capture_output=True, text=True, check=False)
