"""An hour's readings from its parts, a stretch of sensors at a time: no more is held in memory.

All parts are read once to count; where there is more than one stretch, once more for each. Stretches are cut
by what the parts hold of each sensor, which does not depend on how the partitions' windows were cut into
parts: so they are the same whoever lands the hour.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scorer.ingest import parts
from scorer.ingest.merge import Readings, merge
from scorer.ingest.places import Places
from scorer.ingest.settings import Column
from scorer.ingest.windows import Closed
from scorer.storage import Store


class Source(NamedTuple):
    """Where an hour's parts are."""

    store: Store
    places: Places
    hour: int
    parts: Mapping[str, Sequence[str]]
    """Names, by partition."""
    wanted: Callable[[str], bool] | None = None
    """Which sensors count; None for all."""
    keep: Callable[[], None] = lambda: None
    """Called before each part is read: an hour may last."""

    def read(self) -> Iterator[tuple[str, Closed]]:
        """All parts, by partition. Raises PartError and StorageError."""
        for partition, names in self.parts.items():
            for name in names:
                self.keep()
                path = self.places.part(partition, self.hour, name)
                found = parts.decode(self.store.get(path).data, name)
                yield partition, found if self.wanted is None else _of(found, self.wanted)


class Counted(NamedTuple):
    """What an hour has."""

    names: Sequence[str]
    """Of its sensors, in order."""
    rows: Sequence[int]
    """Of each sensor, in all partitions."""
    held: Sequence[tuple[str, Closed]] | None
    """All parts, where they are no more than one stretch."""
    events: int
    """In all windows."""


def counted(source: Source, most: int) -> Counted:
    """Counts an hour's sensors; holds its parts if these have no more than so many rows."""
    rows: dict[str, int] = {}
    held: list[tuple[str, Closed]] | None = []
    total = events = 0
    for partition, closed in source.read():
        events += closed.events
        for name, count in zip(closed.names, np.bincount(closed.sensors).tolist(), strict=True):
            rows[name] = rows.get(name, 0) + count
        total += len(closed.sensors)
        if held is not None and total <= most:
            held.append((partition, closed))
        else:
            held = None
    names = sorted(rows)
    return Counted(names, [rows[name] for name in names], held, events)


def readings_of(source: Source, hour: Counted, columns: Sequence[Column], most: int) -> Iterator[Readings]:
    """The hour's readings, a stretch of no more than so many rows after the other, in order of sensor."""
    for first, last in _stretches(hour.rows, most):
        closed: dict[str, list[Closed]] = {}
        for partition, part in hour.held if hour.held is not None else source.read():
            if len((found := _between(part, hour.names[first], hour.names[last])).sensors):
                closed.setdefault(partition, []).append(found)
        yield merge(closed, columns)


def _stretches(rows: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """First and last place of each stretch; a sensor with more rows has one of its own."""
    first, total = 0, 0
    for place, count in enumerate(rows):
        if place > first and total + count > most:
            yield first, place - 1
            first, total = place, 0
        total += count
    if rows:
        yield first, len(rows) - 1


def _between(part: Closed, first: str, last: str) -> Closed:
    """A part's windows of these sensors, which lie together: copies, so that the part itself can go."""
    low, high = bisect_left(part.names, first), bisect_right(part.names, last)
    start, end = np.searchsorted(part.sensors, [low, high]).tolist()
    kept = {name: column[start:end].copy() for name, column in part.kept.items()}
    ends = part.ends[start:end].copy()
    return Closed(part.names[low:high], part.sensors[start:end] - low, ends, kept, part.again)


def _of(part: Closed, wanted: Callable[[str], bool]) -> Closed:
    """A part's windows of these sensors alone."""
    those = np.array([wanted(name) for name in part.names], np.bool_)
    rows = those[part.sensors]
    places = np.cumsum(those) - 1
    return Closed(
        [name for name, one in zip(part.names, those.tolist(), strict=True) if one],
        places[part.sensors[rows]],
        part.ends[rows],
        {name: column[rows] for name, column in part.kept.items()},
        part.again,
    )
