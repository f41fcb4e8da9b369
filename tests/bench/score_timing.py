"""Timing two ways of the same work against each other in one process, on one core."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from figures import ROOT


def medians(ways: Mapping[str, Callable[[], object]], turns: int, calls: int = 1) -> dict[str, float]:
    """Seconds that each way takes, once: the median of `turns`, which they take in turn.

    A turn is of `calls` calls, as a pack scores one sensor after the other. CPU seconds are counted, so that
    another process on the core does not matter.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.process_time()
            for _ in range(calls):
                way()
            if turn:  # the first one warms up
                taken[name].append((time.process_time() - started) / calls)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def measured(script: str, **switches: str) -> Any:
    """What a script of this folder prints as JSON, in a process with one BLAS thread and these switches."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests' / 'bench'}",
        "OPENBLAS_NUM_THREADS": "1",
        **switches,
    }
    arguments = [sys.executable, str(Path(__file__).parent / script)]
    done = subprocess.run(arguments, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)
