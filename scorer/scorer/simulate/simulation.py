"""A plan carried out: the one place that puts readings, faults, labels and messages together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scorer.land import read_table
from scorer.simulate.faults import Fault, injected, planned
from scorer.simulate.labels import Changed, Labels, labels, noted
from scorer.simulate.messages import Messages, messages, skews
from scorer.simulate.readings import Block, Sensors, fleet_blocks, fleet_sensors, table_blocks, table_sensors
from scorer.simulate.settings import Plan

DECIMALS = 2
"""Of a fleet's values, as the reference's."""


class Simulation(NamedTuple):
    """A plan that is about to be carried out; its blocks can be gone through once."""

    plan: Plan
    sensors: Sensors
    faults: list[Fault]
    blocks: Iterator[Block]
    period: tuple[int, int]
    changed: Changed
    tally: Counter[str]

    def messages(self) -> Iterator[Messages]:
        """Its messages, in order of arrival."""
        return messages(self.blocks, self.plan.network, self.sensors, self.plan.seed, self.tally)

    def labels(self) -> Labels:
        """What was injected so far: complete when the blocks have been gone through."""
        clocks = skews(self.plan.network, self.sensors, self.plan.seed)
        found = labels(self.faults, self.changed, self.sensors, clocks)
        return Labels(found, frozenset(self.sensors.names), self.period)

    def account(self) -> str:
        """What was simulated so far, in a sentence."""
        counted = ", ".join(f"{number} {name}" for name, number in self.tally.items() if number)
        wrong = sum(len(times) for every in self.changed.values() for times in every)
        return f"{counted}; {len(self.changed)} of {len(self.faults)} faults in {wrong} readings"


def simulation(plan: Plan, replay: Path | None = None, start: int | None = None) -> Simulation:
    """What the plan comes to, over a fleet or the readings of a file. Raises InputError."""
    tally: Counter[str] = Counter()
    if replay:
        table = read_table(replay)
        sensors, source = table_sensors(table), table_blocks(table, start, tally)
        first, last = (
            int(edge.astype("datetime64[us]").astype(np.int64))
            for edge in (
                min(times.min() for times, _ in table.values()),
                max(times.max() for times, _ in table.values()),
            )
        )
        moved = 0 if start is None else start - first
        period = (first + moved - 1, last + moved)
    else:
        sensors = fleet_sensors(plan.fleet)
        source = fleet_blocks(plan, sensors, tally)
        period = (plan.fleet.start, plan.fleet.start + plan.fleet.length)
    faults = planned(plan.faults, sensors, *period, plan.seed)
    changed: Changed = {}
    blocks = injected(source, faults, plan.seed, None if replay else DECIMALS)
    blocks = noted(blocks, sensors, skews(plan.network, sensors, plan.seed), changed)
    return Simulation(plan, sensors, faults, blocks, period, changed, tally)
