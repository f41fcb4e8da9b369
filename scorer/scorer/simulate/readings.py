"""Readings, block by block: those of a fleet that is drawn, or of a table that is replayed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.simulate.draws import MISSING, OUTAGES, PHASES, VALUES, WAVES, draws
from scorer.simulate.settings import DAY, WAVE, Fleet, Gaps, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = Mapping[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]]

BLOCK = 65_536
"""Readings in a block, about: a few MB. Part of what a seed means."""
NEVER = 2**62
MILLISECOND = 1_000

# The Azure reference's own simulator: each tag's values lie evenly between these.
_RANGES = ((10.0, 15.0), (30.0, 40.0), (60.0, 65.0), (80.0, 85.0), (100.0, 110.0))
_ABOVE = 120.0
"""Further tags repeat these, so much higher."""
_NAMED = re.compile(r"device-(\d{1,9})-tag-(\d{1,9})", re.ASCII)


class Sensors(NamedTuple):
    """Who measures: sensors by place, each at a device."""

    names: Sequence[str]
    devices: NDArray[np.int32]
    """Each sensor's device, by place."""
    keys: Sequence[str]
    """Of the devices, which are partition keys."""
    members: Sequence[str]
    """What says in an event's JSON which sensor it is of."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Each sensor's usual range."""
    time: str = "TS"
    value: str = "Value"
    """Names of an event's other members."""


class Readings(NamedTuple):
    """Columns, in order of time."""

    sensors: NDArray[np.int32]
    times: NDArray[np.int64]
    """When they were measured."""
    values: NDArray[np.float64]
    faults: NDArray[np.int32]
    """The fault that changed it, by place; −1 for none."""


class Block(NamedTuple):
    """Readings that follow each other."""

    number: int
    readings: Readings
    ends: int
    """No later block has a reading before this time."""


def fleet_sensors(fleet: Fleet) -> Sensors:
    """The sensors of a fleet: `device-1-tag-1` and so on, as the reference's are named."""
    device, tag = np.divmod(np.arange(fleet.devices * fleet.tags), fleet.tags)
    ranges = np.array(_RANGES)[tag % len(_RANGES)] + (tag // len(_RANGES) * _ABOVE)[:, None]
    pairs = list(zip((device + 1).tolist(), (tag + 1).tolist(), strict=True))
    return Sensors(
        [f"device-{of}-tag-{its}" for of, its in pairs],
        device.astype(np.int32),
        [f"device-{of + 1}" for of in range(fleet.devices)],
        [f'"Device":{of},"Tag":{its}' for of, its in pairs],
        ranges[:, 0],
        ranges[:, 1],
    )


def fleet_blocks(plan: Plan, sensors: Sensors, tally: Counter[str]) -> Iterator[Block]:
    """What a fleet measures; `tally` learns of the readings that are missing."""
    fleet, many = plan.fleet, len(sensors.names)
    slots, step = fleet.length // fleet.every, max(1, BLOCK // many)
    phases = _phases(plan)[sensors.devices]
    dark = _outages(plan)
    for number, first in enumerate(range(0, slots, step)):
        last = min(first + step, slots)
        grid = fleet.start + (np.arange(first, last, dtype=np.int64) + 1) * fleet.every
        times = grid[:, None] - phases
        values = _values(plan, number, times, sensors)
        lost = draws(plan.seed, MISSING, number).random(times.shape) < plan.gaps.missing
        silent = _silent(dark, times, sensors.devices)
        tally["slots"] += times.size
        tally["in outages"] += int(np.count_nonzero(silent))
        tally["missing"] += int(np.count_nonzero(lost & ~silent))
        there = np.flatnonzero(~(lost | silent))
        there = there[np.argsort(times.reshape(-1)[there], kind="stable")]
        chosen = Readings(
            (there % many).astype(np.int32),
            times.reshape(-1)[there],
            values.reshape(-1)[there],
            np.full(len(there), -1, np.int32),
        )
        tally["readings"] += len(there)
        yield Block(number, chosen, NEVER if last == slots else int(grid[-1]) + 1)


def _phases(plan: Plan) -> NDArray[np.int64]:
    """How long before each slot's end a device measures, in whole milliseconds where there are any."""
    fleet = plan.fleet
    if fleet.aligned:
        return np.zeros(fleet.devices, np.int64)
    unit = MILLISECOND if fleet.every >= MILLISECOND else 1
    return draws(plan.seed, PHASES).integers(0, fleet.every // unit, fleet.devices) * unit


def _values(plan: Plan, number: int, times: NDArray[np.int64], sensors: Sensors) -> NDArray[np.float64]:
    share = draws(plan.seed, VALUES, number).random(times.shape)
    if plan.fleet.signal == WAVE:
        turned = draws(plan.seed, WAVES).random(len(sensors.names))
        share = 0.5 + 0.35 * np.sin(2 * np.pi * (times % DAY / DAY + turned)) + 0.3 * (share - 0.5)
    return sensors.low + (sensors.high - sensors.low) * share


class _Outage(NamedTuple):
    device: int
    start: int
    end: int


def _outages(plan: Plan) -> list[_Outage]:
    gaps: Gaps = plan.gaps
    if not gaps.outages:
        return []
    fleet, stream = plan.fleet, draws(plan.seed, OUTAGES)
    counts = stream.poisson(gaps.outages * fleet.length / DAY, fleet.devices)
    devices = np.repeat(np.arange(fleet.devices), counts).tolist()
    starts = (fleet.start + stream.integers(0, fleet.length, len(devices))).tolist()
    return [_Outage(of, start, start + gaps.outage) for of, start in zip(devices, starts, strict=True)]


def _silent(
    outages: Sequence[_Outage], times: NDArray[np.int64], devices: NDArray[np.int32]
) -> NDArray[np.bool_]:
    silent = np.zeros(times.shape, np.bool_)
    if not outages:
        return silent
    first, last = int(times.min()), int(times.max())
    tags = len(devices) // (int(devices[-1]) + 1)
    for device, start, end in outages:
        if start < last and end >= first:
            its = slice(device * tags, (device + 1) * tags)
            silent[:, its] |= (times[:, its] > start) & (times[:, its] <= end)
    return silent


def table_sensors(table: Table) -> Sensors:
    """The sensors of a table that is replayed.

    Names like `device-1-tag-2` make events as the reference's; any other name is itself the event's `sensor`.
    """
    names = list(table)
    found = [_NAMED.fullmatch(name) for name in names]
    named = [match for match in found if match]
    as_reference = len(named) == len(names)
    keys = [match[1] for match in named] if as_reference else names
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return Sensors(
        names,
        np.array([places[key] for key in keys], np.int32),
        [f"device-{key}" for key in places] if as_reference else list(places),
        [f'"Device":{int(match[1])},"Tag":{int(match[2])}' for match in named]
        if as_reference
        else [f'"sensor":{json.dumps(name)}' for name in names],
        np.array([values.min() for _, values in table.values()]),
        np.array([values.max() for _, values in table.values()]),
        *(() if as_reference else ("time", "value")),
    )


def table_blocks(table: Table, start: int | None, tally: Counter[str]) -> Iterator[Block]:
    """A table's readings, all of them, in order of time; the first at `start` if that is given."""
    times = np.concatenate([times for times, _ in table.values()]).astype("datetime64[us]").view(np.int64)
    values = np.concatenate([values for _, values in table.values()])
    sensors = np.repeat(np.arange(len(table), dtype=np.int32), [len(times) for times, _ in table.values()])
    order = np.argsort(times, kind="stable")
    times, values, sensors = times[order], values[order], sensors[order]
    if start is not None and len(times):
        times = times + (start - int(times[0]))
    for number, first in enumerate(range(0, len(times), BLOCK)):
        last = min(first + BLOCK, len(times))
        piece = slice(first, last)
        none = np.full(last - first, -1, np.int32)
        tally["slots"] += last - first
        tally["readings"] += last - first
        ends = int(times[last]) if last < len(times) else NEVER
        yield Block(number, Readings(sensors[piece], times[piece], values[piece], none), ends)
