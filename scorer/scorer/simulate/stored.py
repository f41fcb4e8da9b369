"""Readings straight into a store, as `scorer land` puts them there: for what needs readings and no events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.land import land
from scorer.simulate.columns import chosen, joined
from scorer.simulate.readings import NEVER, Block, Sensors
from scorer.simulate.settings import DAY, HOUR
from scorer.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Landed(NamedTuple):
    """What was written."""

    readings: int
    files: int


class _Held(NamedTuple):
    sensors: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]


def land_blocks(store: Store, blocks: Iterable[Block], sensors: Sensors, template: str) -> Landed:
    """Lands all readings, file by file: memory is that of an hour, or of as much as a file holds."""
    readings = files = 0
    for held in _whole_files(blocks, template):
        order = np.argsort(held.sensors, kind="stable")
        of = held.sensors[order]
        firsts = np.flatnonzero(np.diff(of, prepend=-1)).tolist()
        rows = {
            sensors.names[of[first]]: (
                held.times[order[first:last]].view("datetime64[us]"),
                held.values[order[first:last]],
            )
            for first, last in zip(firsts, [*firsts[1:], len(of)], strict=True)
        }
        files += len(land(store, rows, template))
        readings += len(of)
    return Landed(readings, files)


def _whole_files(blocks: Iterable[Block], template: str) -> Iterator[_Held]:
    """All readings, in pieces such that none has a part of a file that another has too."""
    unit = HOUR if "{HH}" in template else DAY if "{dd}" in template else NEVER
    held: list[_Held] = []
    for block in blocks:
        held.append(_Held(*block.readings[:3]))
        complete = NEVER if block.ends == NEVER else (block.ends - 1) // unit * unit
        if unit == NEVER and complete != NEVER:
            continue
        if any(len(each.times) and int(each.times[0]) <= complete for each in held):
            together = joined(*held)
            done = together.times <= complete
            yield chosen(together, done)
            held = [chosen(together, ~done)]
