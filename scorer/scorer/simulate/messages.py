"""Readings to messages as a hub gets them: grouped, delayed, doubled, with the times of wrong clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.simulate.columns import chosen, joined
from scorer.simulate.draws import COPIES, JITTER, LATE, SKEWS, draws
from scorer.simulate.readings import MILLISECOND, NEVER, Block, Readings, Sensors
from scorer.simulate.settings import SECOND, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Messages(NamedTuple):
    """Messages, and their readings one message after the other."""

    arrivals: NDArray[np.int64]
    """When the hub gets each, by the simulated clock."""
    devices: NDArray[np.int32]
    counts: NDArray[np.int64]
    """How many readings each has."""
    sensors: NDArray[np.int32]
    """Of the readings, as is what follows."""
    times: NDArray[np.int64]
    """As the device's clock has them."""
    values: NDArray[np.float64]


def skews(network: Network, sensors: Sensors, seed: int) -> NDArray[np.int64]:
    """By how much each device's clock is wrong, in whole milliseconds."""
    most = network.skew // MILLISECOND
    drawn: NDArray[np.int64] = draws(seed, SKEWS).integers(-most, most + 1, len(sensors.keys)) * MILLISECOND
    return drawn


def messages(
    blocks: Iterable[Block], network: Network, sensors: Sensors, seed: int, tally: Counter[str]
) -> Iterator[Messages]:
    """Messages in order of arrival, over all that is given: `tally` learns what was done to them."""
    wrong = skews(network, sensors, seed)
    tally["devices with a wrong clock"] = int(np.count_nonzero(wrong))
    waiting = _NOTHING
    rest = _NO_READINGS
    latest = np.full(len(sensors.keys), -NEVER, np.int64)
    begun = -NEVER
    for block in blocks:
        readings = joined(rest, block.readings)
        made, rest = _grouped(readings, sensors, network.per_message, whole=block.ends == NEVER)
        made = made._replace(
            # What is left at the end and fills no message goes then: what came before is on its way already.
            arrivals=np.maximum(made.arrivals, begun),
            times=made.times + np.repeat(wrong[made.devices], made.counts),
        )
        made = _sent(made, network, seed, block.number, tally)
        waiting = joined(waiting, made)
        waiting = _taken(waiting, np.argsort(waiting.arrivals, kind="stable"))
        ready = int(np.searchsorted(waiting.arrivals, block.ends))
        due, waiting = (
            _taken(waiting, np.arange(ready)),
            _taken(waiting, np.arange(ready, len(waiting.counts))),
        )
        begun = block.ends
        if ready:
            tally["messages"] += ready
            tally["events"] += len(due.times)
            tally["out of order"] += _out_of_order(due, latest)
            yield due


_NO_READINGS = Readings(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int32))
_NOTHING = Messages(
    np.empty(0, np.int64),
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0),
)


def _grouped(readings: Readings, sensors: Sensors, size: int, *, whole: bool) -> tuple[Messages, Readings]:
    """Messages of `size` readings of a device each, in order of time; and the readings that fill none yet."""
    devices = sensors.devices[readings.sensors]
    order = np.argsort(devices, kind="stable")
    of = devices[order]
    firsts = np.flatnonzero(np.diff(of, prepend=-1))
    lengths = np.diff(firsts, append=len(of))
    within = np.arange(len(of)) - np.repeat(firsts, lengths)
    full = np.repeat(lengths if whole else lengths // size * size, lengths)
    kept, left = order[within < full], order[within >= full]
    starts = np.flatnonzero((within % size == 0)[within < full])
    counts = np.diff(starts, append=len(kept))
    last = kept[starts + counts - 1]
    made = Messages(
        readings.times[last],
        devices[last],
        counts.astype(np.int64),
        readings.sensors[kept],
        readings.times[kept],
        readings.values[kept],
    )
    return made, chosen(readings, np.sort(left))


def _sent(made: Messages, network: Network, seed: int, number: int, tally: Counter[str]) -> Messages:
    """The messages on their way: each later than it was sent, some twice."""
    many = len(made.counts)
    late = draws(seed, LATE, number)
    is_late = late.random(many) < network.late
    slow = network.late_by + (late.random(many) * network.late_by).astype(np.int64)
    jitter = draws(seed, JITTER, number)
    arrivals = made.arrivals + jitter.integers(0, network.jitter + 1, many) + np.where(is_late, slow, 0)
    copies = draws(seed, COPIES, number)
    twice = np.flatnonzero(copies.random(many) < network.duplicates)
    # A copy is after its original, however little.
    again = arrivals[twice] + 1 + copies.integers(0, (network.jitter or SECOND) + 1, len(twice))
    tally["late"] += int(made.counts[is_late].sum())
    tally["duplicate"] += int(made.counts[twice].sum())
    sent = made._replace(arrivals=arrivals)
    doubled = _taken(sent, twice)._replace(arrivals=again)
    return joined(sent, doubled)


def _taken(given: Messages, places: NDArray[np.intp]) -> Messages:
    """The messages at these places, in this order."""
    counts = given.counts[places]
    starts = (np.cumsum(given.counts) - given.counts)[places]
    rows = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return Messages(
        given.arrivals[places],
        given.devices[places],
        counts,
        given.sensors[rows],
        given.times[rows],
        given.values[rows],
    )


def _out_of_order(due: Messages, latest: NDArray[np.int64]) -> int:
    """How many events have an earlier time than one of their device before them; `latest` is moved on."""
    devices = np.repeat(due.devices, due.counts)
    order = np.argsort(devices, kind="stable")
    of, times = devices[order], due.times[order]
    firsts = np.flatnonzero(np.diff(of, prepend=-1))
    found = 0
    for first, last in zip(firsts.tolist(), [*firsts[1:].tolist(), len(of)], strict=True):
        its = np.maximum.accumulate(np.concatenate(([latest[of[first]]], times[first:last])))
        found += int(np.count_nonzero(times[first:last] < its[:-1]))
        latest[of[first]] = its[-1]
    return found
