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


def medians(ways: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """CPU seconds that each way takes: the median of `turns`, which they take in turn.

    Of CPU seconds, so that another process on the core matters less.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if turn:  # the first one warms up
                taken[name].append(time.process_time() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def measured(script: Path, **switches: str) -> Any:
    """What a script prints as JSON, in a process with one BLAS thread and these switches."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests' / 'bench'}",
        "OPENBLAS_NUM_THREADS": "1",
        **switches,
    }
    done = subprocess.run([sys.executable, str(script)], env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)
