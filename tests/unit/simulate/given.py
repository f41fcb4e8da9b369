"""What several tests of the simulator need: a whole simulation as plain values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from scorer.simulate.bodies import bodies
from scorer.simulate.columns import joined
from scorer.simulate.messages import Messages
from scorer.simulate.readings import Readings
from scorer.simulate.settings import KINDS, SECOND, Faults, Fleet, Gaps, Network, Plan
from scorer.simulate.simulation import Simulation, simulation

ROUGH = Plan(
    seed=7,
    fleet=Fleet(devices=4, tags=3, every=2 * SECOND, length=600 * SECOND),
    gaps=Gaps(missing=0.2, outages=500.0, outage=30 * SECOND),
    faults=Faults(counts=(2,) * len(KINDS), length=40 * SECOND, clean=100 * SECOND),
    network=Network(4, 3 * SECOND, 0.1, 60 * SECOND, 0.1, 2 * SECOND),
)
"""All that can be wrong is."""


def small_blocks(monkeypatch: Any, size: int = 100) -> None:
    """Many blocks of a small simulation."""
    monkeypatch.setattr("scorer.simulate.readings.BLOCK", size)


def readings_of(simulated: Simulation) -> Readings:
    """All readings, with their faults."""
    return joined(*(block.readings for block in simulated.blocks))


def all_messages(simulated: Simulation) -> Messages:
    """All messages in order of arrival."""
    return joined(*simulated.messages())


def events_of(simulated: Simulation) -> list[dict[str, Any]]:
    """All events in order of arrival, as who gets the bodies reads them."""
    found: list[dict[str, Any]] = []
    for due in simulated.messages():
        for body in bodies(due, simulated.sensors):
            told = json.loads(body)
            found += told if isinstance(told, list) else [told]
    return found


def made(plan: Plan = ROUGH) -> Simulation:
    """A simulation that is about to begin."""
    return simulation(plan)


def same(one: Any, other: Any) -> bool:
    """Whether two tables have the same columns."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
