"""What the partitions have to say of the same groups, as readings: sorted by sensor and time, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.ingest.aggregates import EVENTS, finished, folded
from scorer.ingest.settings import Column
from scorer.ingest.windows import Closed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Readings(NamedTuple):
    """Windowed readings, by column: sorted by the names of their sensors, then by time."""

    names: Sequence[str]
    """Of the sensors that occur, in order."""
    sensors: NDArray[np.int64]
    """Places among the names."""
    times: NDArray[np.int64]
    """Ends of windows: microseconds since 1970, UTC."""
    columns: Mapping[str, NDArray[Any]]
    events: int
    """Events that these readings are of."""


def merge(closed: Mapping[str, Sequence[Closed]], columns: Sequence[Column]) -> Readings:
    """Closed windows of all partitions, by the partition's name, as readings.

    The order in which partitions are given does not matter: what several have to say of one group is added up
    in the order of their names. What one has to say is its closed window, then the events that came when it
    was closed (`again`), one by one in the order in which they are given: the same sums as if it had been
    open for them. Raises ValueError if one partition closed a group twice.
    """
    parts = [part for partition in sorted(closed) for part in closed[partition] if len(part.sensors)]
    ranks = [
        rank
        for rank, partition in enumerate(sorted(closed))
        for part in closed[partition]
        if len(part.sensors)
    ]
    if not parts:
        return Readings([], np.empty(0, np.int64), np.empty(0, np.int64), _nothing(columns), 0)
    names, sensors = _named(parts)
    ends = np.concatenate([part.ends for part in parts])
    partitions = np.repeat(np.array(ranks, np.int64), [len(part.sensors) for part in parts])
    kept = {name: np.concatenate([part.kept[name] for part in parts]) for name in parts[0].kept}
    again = np.repeat([part.again for part in parts], [len(part.sensors) for part in parts])
    order = _order(sensors, ends)
    sensors, ends, partitions, again = sensors[order], ends[order], partitions[order], again[order]
    kept = {name: column[order] for name, column in kept.items()}
    first = np.ones(len(order), np.bool_)
    first[1:] = (sensors[1:] != sensors[:-1]) | (ends[1:] != ends[:-1])
    own = first.copy()
    own[1:] |= partitions[1:] != partitions[:-1]
    if (~own & ~again).any():
        raise ValueError("a partition closed one window of a sensor twice")
    if again.any():
        kept = _folded(kept, own)
        sensors, ends, first = sensors[own], ends[own], first[own]
    whole = _folded(kept, first)
    events = int(whole[EVENTS].sum(dtype=np.int64))
    return Readings(names, sensors[first], ends[first], finished(whole, columns), events)


def _folded(kept: Mapping[str, NDArray[Any]], first: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """What lies together, each stretch as one, added up in its order; stretches begin where `first` says."""
    whole = {name: column[first] for name, column in kept.items()}
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(first)))
    left = np.flatnonzero(lengths > 1)
    for number in range(1, int(lengths.max())):
        left = left[lengths[left] > number]
        these = starts[left] + number
        folded(whole, {name: column[these] for name, column in kept.items()}, left)
    return whole


def _named(parts: Sequence[Closed]) -> tuple[list[str], NDArray[np.int64]]:
    """The names that occur, in order, and each group's sensor among them."""
    occurring = [np.unique(part.sensors) for part in parts]
    names = sorted(
        {part.names[place] for part, places in zip(parts, occurring, strict=True) for place in places}
    )
    rank = {name: number for number, name in enumerate(names)}
    found = []
    for part, places in zip(parts, occurring, strict=True):
        table = np.zeros(int(places[-1]) + 1, np.int64)
        table[places] = [rank[part.names[place]] for place in places]
        found.append(table[part.sensors])
    return names, np.concatenate(found)


def _nothing(columns: Sequence[Column]) -> dict[str, NDArray[Any]]:
    from scorer.ingest.aggregates import kept_of

    values = 1 + max(column.value for column in columns)
    return finished(
        {name: np.empty(0, kept.kind) for name, kept in kept_of(columns, values).items()}, columns
    )


def _order(sensors: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.intp]:
    """By sensor, then by time, then as given: in the order of the partitions."""
    first, last = int(ends.min()), int(ends.max())
    span = last - first + 1
    if span * (int(sensors.max()) + 1) < 2**62:  # else both do not fit into one number
        return np.argsort(sensors * span + (ends - first), kind="stable")
    return np.lexsort((ends, sensors))
