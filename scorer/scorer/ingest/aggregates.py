"""Aggregates of groups: what is kept of a group while its window is open, and what comes of it.

Sums are added event by event in the order of arrival, and never in parts: floating-point addition is not
associative, and a sum must not depend on how the events were cut into batches. What partitions contribute to
one group is added in the order of the partitions. `stddev` is that of a sample (n − 1), by sums of the
distances to the group's first value: values far from zero lose no digits. `first` and `last` are by time,
then by arrival. A missing value is NULL in SQL: no aggregate of it counts it, but `count` counts events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.ingest.settings import AVG, COUNT, FIRST, LAST, MAX, MIN, STDDEV, SUM, Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]
    Places = NDArray[np.int64]

EVENTS = "count"
"""Events of a group: kept always, and never 0."""
NEVER = -(2**62)
_COUNTED = (np.uint8, np.uint16, np.uint32)
"""Events of open groups are counted in the first of these that is enough for all: groups are millions, and
three bytes more of each are a tenth of what they take."""
_MOST_BUCKETS = 1 << 16


class Kept(NamedTuple):
    """A number that is kept of each group."""

    kind: type[np.generic]
    empty: float | int
    """What it is of a group without events."""


_KEPT = {
    "n": Kept(np.uint32, 0),
    "sum": Kept(np.float64, 0.0),
    "min": Kept(np.float64, np.inf),
    "max": Kept(np.float64, -np.inf),
    "base": Kept(np.float64, np.nan),
    "off": Kept(np.float64, 0.0),
    "squares": Kept(np.float64, 0.0),
    "first_time": Kept(np.int64, -NEVER),
    "first": Kept(np.float64, np.nan),
    "last_time": Kept(np.int64, NEVER),
    "last": Kept(np.float64, np.nan),
}
_OF = {
    AVG: ("sum",),
    SUM: ("sum",),
    MIN: ("min",),
    MAX: ("max",),
    COUNT: (),
    STDDEV: ("base", "off", "squares"),
    FIRST: ("first_time", "first"),
    LAST: ("last_time", "last"),
}


def kept_of(columns: Sequence[Column], values: int) -> dict[str, Kept]:
    """What must be kept for these columns, by name like `sum.0`; in the order in which it is stored."""
    found = {EVENTS: Kept(np.uint32, 0)}
    for value in range(values):
        names = {name for column in columns if column.value == value for name in _OF[column.function]}
        if values > 1 and names:
            names.add("n")
        found |= {f"{name}.{value}": kept for name, kept in _KEPT.items() if name in names}
    return found


_ADDED = (("sum", np.add.at), ("min", np.minimum.at), ("max", np.maximum.at))


class Groups:
    """What is kept of the groups, by their places."""

    def __init__(self, columns: Sequence[Column], values: int) -> None:
        self.kept = kept_of(columns, values)
        self._of = columns
        self._values = values
        self._size = 0
        self._columns: Columns = {name: np.empty(0, kept.kind) for name, kept in self.kept.items()}
        numbers = (name for name, kept in self.kept.items() if kept.kind is np.float64)
        self._scratch = next(numbers, EVENTS)
        """Where `new` writes the numbers of events, which a narrow count cannot hold."""
        if self._scratch != EVENTS:
            self._columns[EVENTS] = np.empty(0, _COUNTED[0])

    def like(self) -> Groups:
        """Groups of the same columns: none yet."""
        return Groups(self._of, self._values)

    def grow(self, size: int) -> None:
        """There are so many places now. The memory of what is there already is not copied."""
        if size <= self._size:
            return
        size = max(size, self._size + self._size // 64)
        for name, kept in self.kept.items():
            column = self._columns[name]
            column.resize(size, refcheck=False)
            column[self._size :] = kept.empty
        self._size = size

    def events(self, places: Places) -> NDArray[Any]:
        """How many events each of these groups has; of any unsigned type."""
        counts: NDArray[Any] = self._columns[EVENTS][places]
        return counts

    def new(self, places: Places) -> NDArray[np.intp]:
        """One event of each group that has none yet."""
        fresh = np.flatnonzero(self.events(places) == 0)
        if not len(fresh):
            return fresh
        # Of events of one group the last one's number stays. Quicker than to sort; empty again in the end.
        column, at = self._columns[self._scratch], places[fresh]
        numbers = np.arange(1, len(fresh) + 1, dtype=column.dtype)
        column[at] = numbers
        chosen: NDArray[np.intp] = fresh[column[at] == numbers]
        column[at] = self.kept[self._scratch].empty
        return chosen

    def put(self, places: Places, columns: Mapping[str, NDArray[Any]]) -> None:
        """Groups as they were taken, at new places."""
        self._widen(int(columns[EVENTS].max(initial=0)))
        for name, column in columns.items():
            self._columns[name][places] = column

    def read(self, places: Places) -> Columns:
        """What is kept of these groups."""
        found = {name: column[places] for name, column in self._columns.items()}
        found[EVENTS] = found[EVENTS].astype(self.kept[EVENTS].kind, copy=False)
        return found

    def take(self, places: Places) -> Columns:
        """The same, and the places are those of no group any more."""
        found = self.read(places)
        for name, kept in self.kept.items():
            self._columns[name][places] = kept.empty
        return found

    def add(self, places: Places, times: Places, values: NDArray[np.float64]) -> None:
        """Adds events, in order of arrival, to the groups at their places."""
        self._count(places)
        if self._values == 1:
            self._add_value("0", places, times, values[:, 0])
            return
        for value in range(self._values):
            there = np.flatnonzero(~np.isnan(values[:, value]))
            if f"n.{value}" in self.kept and len(there):
                np.add.at(self._columns[f"n.{value}"], places[there], np.uint32(1))
                self._add_value(str(value), places[there], times[there], values[there, value])

    def _count(self, places: Places) -> None:
        counts = self._columns[EVENTS]
        if counts.dtype != _COUNTED[-1] and len(places):
            # No group gets more events than the fullest bucket has, whichever groups share it.
            buckets = min(1 << (len(places) - 1).bit_length(), _MOST_BUCKETS)
            most = int(np.bincount(places & (buckets - 1)).max())
            self._widen(int(counts[places].max()) + most)
            counts = self._columns[EVENTS]
        np.add.at(counts, places, counts.dtype.type(1))

    def _widen(self, most: int) -> None:
        """From now on a group can have so many events."""
        counts = self._columns[EVENTS]
        if most > np.iinfo(counts.dtype).max:
            enough = next((kind for kind in _COUNTED if most <= np.iinfo(kind).max), _COUNTED[-1])
            self._columns[EVENTS] = counts.astype(enough)

    def _add_value(self, of: str, places: Places, times: Places, values: NDArray[np.float64]) -> None:
        columns = self._columns
        values = values + 0.0  # −0 becomes 0, as in a sum: the value of a lone event is the same everywhere
        with np.errstate(over="ignore", invalid="ignore"):
            for name, add in _ADDED:
                if f"{name}.{of}" in columns:
                    add(columns[f"{name}.{of}"], places, values)
            if f"base.{of}" in columns:
                self._add_distances(of, places, values)
            for which in ("first", "last"):
                if f"{which}.{of}" in columns:
                    self._add_ends(of, which, places, times, values)

    def _add_distances(self, of: str, places: Places, values: NDArray[np.float64]) -> None:
        bases = self._columns[f"base.{of}"]
        new = np.isnan(bases[places])
        # Of events of one new group the first is written last, and stays.
        bases[places[new][::-1]] = values[new][::-1]
        distances = values - bases[places]
        np.add.at(self._columns[f"off.{of}"], places, distances)
        np.add.at(self._columns[f"squares.{of}"], places, distances * distances)

    def _add_ends(
        self, of: str, which: str, places: Places, times: Places, values: NDArray[np.float64]
    ) -> None:
        """The first or the last by time. Of two at one time the earlier arrival is first, the later last."""
        order = np.lexsort((times, places))
        edge = np.ones(len(order), np.bool_)
        differs = places[order][1:] != places[order][:-1]
        if which == "first":
            edge[1:] = differs
        else:
            edge[:-1] = differs
        ends = order[edge]
        at, when = places[ends], times[ends]
        known = self._columns[f"{which}_time.{of}"]
        better = when < known[at] if which == "first" else when >= known[at]
        known[at[better]] = when[better]
        self._columns[f"{which}.{of}"][at[better]] = values[ends[better]]


def folded(kept: Columns, other: Columns, into: Places) -> None:
    """Adds a later partition's groups to those at the places `into`, of which each occurs once; in place."""
    with np.errstate(over="ignore", invalid="ignore"):
        for name in [name for name in kept if name.startswith("base")]:
            _fold_distances(kept, other, into, name.removeprefix("base."))
        for name, column in kept.items():
            what, _, of = name.partition(".")
            if what in _SUMMED:
                column[into] = _SUMMED[what](column[into], other[name])
            elif what in ("first_time", "last_time"):
                earlier, later = (
                    (other[name], column[into]) if what == "first_time" else (column[into], other[name])
                )
                better = earlier < later if what == "first_time" else earlier <= later
                column[into[better]] = other[name][better]
                value = f"{what.removesuffix('_time')}.{of}"
                kept[value][into[better]] = other[value][better]


_SUMMED: Mapping[str, Callable[..., Any]] = {
    "count": np.add,
    "n": np.add,
    "sum": np.add,
    "min": np.minimum,
    "max": np.maximum,
}


def _fold_distances(kept: Columns, other: Columns, into: Places, of: str) -> None:
    """Sums of distances to the other's first value, as such to ours: each is further by what those differ."""
    base, off, squares = (kept[f"{name}.{of}"] for name in ("base", "off", "squares"))
    counts = other.get(f"n.{of}", other[EVENTS]).astype(np.float64)
    ours, theirs = base[into], other[f"base.{of}"]
    empty, none = np.isnan(ours), np.isnan(theirs)
    shift = np.where(empty | none, 0.0, theirs - ours)
    base[into] = np.where(empty, theirs, ours)
    their_off = other[f"off.{of}"]
    squares[into] += other[f"squares.{of}"] + 2 * shift * their_off + counts * shift * shift
    off[into] += their_off + counts * shift


def finished(kept: Mapping[str, NDArray[Any]], columns: Sequence[Column]) -> Columns:
    """The readings' columns: NaN where there was no value, `count` as whole numbers."""
    return {column.name: _finished(kept, column) for column in columns}


def _finished(kept: Mapping[str, NDArray[Any]], column: Column) -> NDArray[Any]:
    if column.function == COUNT:
        return kept[EVENTS].astype(np.int64)
    of = str(column.value)
    counts = kept.get(f"n.{of}", kept[EVENTS]).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if column.function == STDDEV:
            off, squares = kept[f"off.{of}"], kept[f"squares.{of}"]
            variance = (squares - off * off / counts) / (counts - 1)
            return np.where(counts > 1, np.sqrt(np.maximum(variance, 0)), np.nan)
        if column.function == AVG:
            return np.asarray(kept[f"sum.{of}"] / counts)
        found = kept[f"{column.function}.{of}"]
        return np.where(counts > 0, found, np.nan)
