"""Faults: where they lie, and what they make of readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.errors import InputError
from scorer.simulate.draws import FAULTS, draws
from scorer.simulate.draws import NOISE as NOISE_STREAM
from scorer.simulate.readings import Block, Readings, Sensors
from scorer.simulate.settings import DRIFT, FROZEN, KINDS, NOISE, SHIFT, SPIKE, Faults

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPIKES = 5
"""In one fault of that kind."""
_TRIES = 1_000


class Fault(NamedTuple):
    """One fault of one sensor, on the readings measured in (start, end]."""

    sensor: int
    kind: str
    start: int
    end: int
    size: float
    """By how much, in the sensor's unit, with sign."""
    level: float
    """What a frozen sensor says: a value of its usual range."""
    moments: tuple[int, ...] = ()
    """Of spikes: the first reading at or after each is one."""


def planned(wanted: Faults, sensors: Sensors, start: int, end: int, seed: int) -> list[Fault]:
    """Faults at sensors and times that are drawn; no two at once at a sensor. Raises InputError."""
    first, last = start + wanted.clean, end - wanted.length
    kinds = [kind for kind, count in zip(KINDS, wanted.counts, strict=True) for _ in range(count)]
    if kinds and last < first:
        raise InputError(
            "--fault-length and --clean together are longer than the readings: wanted room for a fault"
        )
    stream = draws(seed, FAULTS)
    found: list[Fault] = []
    taken: dict[int, list[int]] = {}
    for kind in kinds:
        sensor, begin = _place(stream, len(sensors.names), (first, last), taken, wanted.length)
        spread = float(sensors.high[sensor] - sensors.low[sensor]) or 1.0
        up, where, shares = stream.random(), stream.random(), np.sort(stream.random(SPIKES))
        # Not the last fifth: a reading is to follow each of them.
        moments = begin + 1 + (0.8 * wanted.length * shares).astype(np.int64)
        found.append(
            Fault(
                sensor,
                kind,
                begin,
                begin + wanted.length,
                wanted.size * spread * (1 if up < 0.5 else -1),
                round(float(sensors.low[sensor]) + where * spread, 2),
                tuple(moments.tolist()) if kind == SPIKE else (),
            )
        )
    return found


def _place(
    stream: np.random.Generator,
    sensors: int,
    starts: tuple[int, int],
    taken: dict[int, list[int]],
    length: int,
) -> tuple[int, int]:
    for _ in range(_TRIES):
        sensor, begin = int(stream.integers(sensors)), int(stream.integers(starts[0], starts[1] + 1))
        if all(abs(begin - other) >= length for other in taken.get(sensor, ())):
            taken.setdefault(sensor, []).append(begin)
            return sensor, begin
    raise InputError("--faults are more than there is room for: wanted fewer, shorter ones, or more sensors")


def injected(
    blocks: Iterable[Block], faults: Sequence[Fault], seed: int, decimals: int | None
) -> Iterator[Block]:
    """The blocks with the faults in them, values rounded to `decimals`; each changed reading names its fault.

    A reading of a frozen sensor is one even where it has by chance the value that it would have had.
    """
    moments = {place: fault.moments for place, fault in enumerate(faults) if fault.moments}
    for block in blocks:
        sensors, times, values, _ = block.readings
        if not len(times):
            yield block
            continue
        values, changed = values.copy(), block.readings.faults.copy()
        for place, fault in enumerate(faults):
            if fault.start < times[-1] and fault.end >= times[0]:
                rows = np.flatnonzero(
                    (sensors == fault.sensor) & (times > fault.start) & (times <= fault.end)
                )
                if fault.kind == SPIKE:
                    rows, moments[place] = _first_after(times, rows, moments[place])
                values[rows] = _changed(
                    fault, times[rows], values[rows], draws(seed, NOISE_STREAM, place, block.number)
                )
                changed[rows] = place
        rounded = values if decimals is None else np.round(values, decimals)
        yield block._replace(readings=Readings(sensors, times, rounded, changed))


def _first_after(
    times: NDArray[np.int64], rows: NDArray[np.intp], moments: tuple[int, ...]
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """The rows that come first after each moment, and the moments after which none has come yet."""
    places = np.searchsorted(times[rows], np.array(moments, np.int64))
    found = np.unique(places[places < len(rows)])
    return rows[found], moments[int(np.count_nonzero(places < len(rows))) :]


def _changed(
    fault: Fault, times: NDArray[np.int64], values: NDArray[np.float64], stream: np.random.Generator
) -> NDArray[np.float64]:
    if fault.kind in (SPIKE, SHIFT):
        return values + fault.size
    if fault.kind == DRIFT:
        return values + fault.size * (times - fault.start) / (fault.end - fault.start)
    if fault.kind == FROZEN:
        return np.full(len(values), fault.level)
    assert fault.kind == NOISE  # noqa: S101 (there is no other)
    noisy: NDArray[np.float64] = values + abs(fault.size) / 2 * stream.standard_normal(len(values))
    return noisy
