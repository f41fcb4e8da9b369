"""`ingest`: device events from the double to landed Parquet, against a bare `receive_batch` loop, on a core.

Both readers are processes pinned to one core, the double is one on another. They take turns (bare, whole,
bare, whole …), each with a folder of its own, and medians of CPU time are compared: on one core that is what
sets the pace, and other processes on the machine matter less. Client: prefetch and batch of `Rates`, 4
partitions, no TLS. The whole process has commits every 2 s, 10,000 sensors, windows of 5 s; avg, count, min
and max. What is imported before the first message (pyarrow for the landing) is not counted for either.

With several readings in a message the bare loop still counts messages, and looks into none. `ingest-10` and
`ingest-100` are for comparison: what a reading costs when gateways send arrays.

    PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py ingest
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import ROOT, Figure

from scorer.ingest.service_settings import Rates

HERE = Path(__file__).resolve().parent
MESSAGES = {1: 160_000, 10: 60_000, 100: 12_000}
"""By readings a message."""
TURNS = 3
RATIO = 0.8
HUB_CORE = 1
COMMAND = "make bench-ingest"


def measure() -> list[Figure]:
    """Microseconds of CPU a message, and a reading; those of the bare loop."""
    rates = Rates()
    found = []
    for readings, messages in MESSAGES.items():
        each = turns(messages, readings)
        whole, bare = (1e6 * _median(each[what], "cpu") / messages for what in ("whole", "bare"))
        pace = [f"{messages / _median(each[what], 'seconds'):,.0f}" for what in ("whole", "bare")]
        how = f"batches of {rates.batch}, prefetch {rates.prefetch:,}; messages/s {' and '.join(pace)}"
        said = f"bare receive_batch, {how}"
        name = "ingest" if readings == 1 else f"ingest-{readings}"
        bar = bare / RATIO if readings == 1 else None
        found.append(Figure(name, whole, "us/message", said, bare, bar, COMMAND))
        if readings > 1:
            found.append(
                Figure(
                    f"{name}-reading", whole / readings, "us/reading", "bare", bare / readings, None, COMMAND
                )
            )
    return found


def turns(messages: int, readings: int, count: int = TURNS) -> dict[str, list[dict[str, float]]]:
    """What each reader used, turn by turn."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "whole": []}
    with hub(messages, readings) as connection:
        for _ in range(count):
            for what, used in found.items():
                with tempfile.TemporaryDirectory() as folder:
                    used.append(
                        run("ingest_reader.py", what, connection, str(messages), str(readings), folder)
                    )
    return found


@contextmanager
def hub(messages: int, readings: int) -> Iterator[str]:
    """The double in a process of its own; what to connect with."""
    command = [sys.executable, str(HERE / "ingest_hub.py"), str(messages), str(readings)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe) as child:
        os.sched_setaffinity(child.pid, {HUB_CORE})
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()
            child.wait()


def run(script: str, *arguments: str) -> Any:
    """What a script says as JSON on its last line."""
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """Of the processes."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{HERE}",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _median(used: Sequence[dict[str, float]], what: str) -> float:
    return statistics.median(each[what] for each in used)
