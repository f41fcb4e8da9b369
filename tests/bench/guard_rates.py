"""The guard's false alarms on simulated sensors that are well, and what it remembers of each.

Reference for the first: a rule on single windows, flagged more than three times what the training did. For
the second: the observations of the remembered windows as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from figures import Figure

from scorer.guard.state import update
from scorer.guard.tracks import REMEMBERED
from scorer.logs import Log
from scorer.storage.memory import MemoryStore
from simulations.guard import SEED, clean, total
from unit.guard.given import hour, told

SENSORS = 1000
MOST = 1.0
"""Warnings per 1,000 sensors a day."""
COMMAND = "PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py guard"


def measure() -> Sequence[Figure]:
    """Two figures: some minutes."""
    rate = total(clean().values())
    naive = 1000 * rate.naive / rate.sensor_days
    what = f"a rule on single windows, {rate.sensor_days:,} sensor-days, seed {SEED}"
    unit = "per 1,000 sensors a day, at most (95 %)"
    size = _bytes()
    facts = REMEMBERED * len(json.dumps(told(), separators=(",", ":")))
    return (
        Figure("guard-false-alarms", rate.bound(), unit, what, naive, MOST, COMMAND),
        Figure("guard-memory", size, "bytes a sensor", "its observations", facts, 400, COMMAND),
    )


def _bytes() -> float:
    store = MemoryStore()
    for number in range(REMEMBERED + 4):
        observed = {f"device-{place:05}-tag-1": told(f=place % 5, g=place % 5) for place in range(SENSORS)}
        update(store, hour(number), observed, Log())
    return sum(entry.size for entry in store.list("guard")) / SENSORS
