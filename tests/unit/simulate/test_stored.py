"""Readings straight into a store: the files that `scorer land` would write, each whole."""

from __future__ import annotations

import numpy as np
import pytest

from scorer import templates
from scorer.land import land
from scorer.simulate.readings import Readings
from scorer.simulate.settings import HOUR, SECOND, Fleet, Gaps, Plan
from scorer.simulate.stored import Landed, land_blocks
from scorer.storage.memory import MemoryStore
from unit.simulate.given import made, readings_of, small_blocks

PLAN = Plan(
    fleet=Fleet(devices=2, tags=2, every=60 * SECOND, start=10 * HOUR + 1_800 * SECOND, length=3 * HOUR),
    gaps=Gaps(missing=0.3),
)


def at_once(readings: Readings, names: list[str], template: str) -> MemoryStore:
    store = MemoryStore()
    times = readings.times.view("datetime64[us]")
    rows = {
        name: (times[readings.sensors == place], readings.values[readings.sensors == place])
        for place, name in enumerate(names)
    }
    land(store, rows, template)
    return store


@pytest.mark.parametrize(
    ("template", "files"),
    [
        (templates.READINGS, 16),
        ("readings/{yyyy}/{MM}/{dd}/{sensor}.parquet", 4),
        ("readings/{sensor}.parquet", 4),
    ],
)
@pytest.mark.parametrize("block", [1, 37, 65_536])
def test_files_are_those_of_all_readings_landed_at_once(
    template: str, files: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch, block)
    simulated, store = made(PLAN), MemoryStore()
    readings = readings_of(made(PLAN))
    landed = land_blocks(store, simulated.blocks, simulated.sensors, template)
    assert landed == Landed(len(readings.times), files)
    wanted = at_once(readings, list(simulated.sensors.names), template)
    paths = [entry.path for entry in wanted.list("")]
    assert [entry.path for entry in store.list("")] == paths
    assert all(store.get(path).data == wanted.get(path).data for path in paths)


def test_a_fleet_that_says_nothing_lands_nothing() -> None:
    simulated = made(PLAN._replace(gaps=Gaps(missing=1.0)))
    assert land_blocks(MemoryStore(), simulated.blocks, simulated.sensors, templates.READINGS) == (0, 0)


def test_a_reading_of_the_full_hour_lies_with_the_hour_that_ends() -> None:
    plan = Plan(fleet=Fleet(1, 1, HOUR, start=0, length=2 * HOUR, aligned=True))
    simulated, store = made(plan), MemoryStore()
    land_blocks(store, simulated.blocks, simulated.sensors, "{HH}/{sensor}.parquet")
    assert np.array_equal(
        [entry.path for entry in store.list("")], ["00/device-1-tag-1.parquet", "01/device-1-tag-1.parquet"]
    )
