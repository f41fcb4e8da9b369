"""Figures: one value a file in `build/bench`, with the reference that was measured in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"


class Figure(NamedTuple):
    """A measured value against a reference and a bar; smaller is better for all of them.

    Without a bar it is for comparison only.
    """

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    bar: float | None
    command: str

    @property
    def ratio(self) -> float:
        """How many times better than the reference; 1 where nothing is what was wanted, and found."""
        if self.value == self.reference_value:
            return 1.0
        return self.reference_value / self.value

    @property
    def met(self) -> bool | None:
        """Whether the value is within the bar, if there is one."""
        return None if self.bar is None else self.value <= self.bar


class Used(NamedTuple):
    """What a process used, from its start to its end."""

    seconds: float
    peak_mib: float
    cpu_seconds: float = 0.0


def write(figures: Sequence[Figure], folder: Path = FOLDER) -> None:
    """One JSON file a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        told = {
            "name": figure.name,
            "value": round(figure.value, 4),
            "unit": figure.unit,
            "reference": {"what": figure.reference, "value": round(figure.reference_value, 4)},
            "ratio": round(figure.ratio, 2),
            "bar": None if figure.bar is None else f"<= {figure.bar:.4g} {figure.unit}",
            "met": figure.met,
            "command": figure.command,
        }
        (folder / f"{figure.name}.json").write_text(json.dumps(told, indent=1) + "\n")


def show(figures: Sequence[Figure]) -> None:
    """The same as a table."""
    lines = [("FIGURE", "VALUE", "BAR", "MET", "RATIO", "REFERENCE")]
    for figure in figures:
        value, reference = (
            f"{number:.3g} {figure.unit}" for number in (figure.value, figure.reference_value)
        )
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        bar = "" if figure.bar is None else f"<= {figure.bar:.3g}"
        lines.append(
            (figure.name, value, bar, met, f"{figure.ratio:.3g}x", f"{reference}, {figure.reference}")
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(text.rstrip() + "\n")


# A process begins with the memory of the one that started it, and the kernel counts that into its peak. So it
# is started by one that is as small as Python gets.
_STARTER = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=2)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - started
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / 1024, cpu]))
"""


def used(arguments: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Runs a process and says what it used. Raises RuntimeError with what it said if it fails."""
    starter = [sys.executable, "-S", "-c", _STARTER, *arguments]
    done = subprocess.run(starter, env=dict(environment), capture_output=True, text=True, check=True)
    code, seconds, peak_mib, cpu_seconds = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{arguments[0]} ended with {code}: {done.stderr[-2000:]}")
    return Used(seconds, peak_mib, cpu_seconds)
