"""From a list of sensors to chunks: what one Job scores.

Chunks are ranges of the pinned list, and follow from it and the run's spec alone: an operator that starts in
mid-run comes to the same chunks as the one before it. With predictions in shards a chunk holds whole shards,
so that no two Jobs write to one file; the list is then ordered by shard before it is pinned.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scoring_operator.contract import (
    MAX_RUN_SENSORS,
    MAX_SENSORS,
    MAX_SHARDS,
    Json,
    Output,
    clean,
    is_sensor_name,
    shard_of,
)
from scoring_operator.ranges import RangeSet

SENSORS_LIMIT = MAX_RUN_SENSORS


class SensorListError(ValueError):
    """The list cannot be used; the text names line, found and wanted."""


@dataclass(frozen=True, slots=True)
class SensorSet:
    """The sensors of a run, in the list's order: that order numbers chunks and sensors."""

    names: tuple[str, ...]
    sha256: str

    @classmethod
    def of(cls, names: Iterable[str]) -> SensorSet:
        """The set of names that were checked before."""
        listed = tuple(names)
        return cls(listed, hashlib.sha256(_lines(listed).encode()).hexdigest())

    def text(self) -> str:
        """One name a line, as pods read it; `sha256` is of this."""
        return _lines(self.names)

    def __len__(self) -> int:
        """How many sensors."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class StoredSensors:
    """The sensors of a run whose list lies in the store: how many they are, but not their names.

    `shards`: with predictions in shards, how many sensors each has, in the list's order.
    """

    total: int
    sha256: str
    shards: tuple[int, ...] = ()

    def __len__(self) -> int:
        """How many sensors."""
        return self.total


@dataclass(frozen=True, slots=True)
class Left:
    """What another run left undone, of its list in the store: its operator's decisions tell which."""

    uid: str
    sha256: str
    decisions: Json


@dataclass(frozen=True, slots=True)
class InStore:
    """The sensor list is to be found in the store, by a pod; `left` by another run."""

    left: Left | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The sensors `first`, `first` + 1, ... of the list: by name, or `count` of a list in the store."""

    number: int
    first: int
    names: tuple[str, ...]
    stored: StoredSensors | None = None
    count: int = 0

    def __len__(self) -> int:
        """How many sensors."""
        return self.count if self.stored else len(self.names)

    def named(self, told: Mapping[int, str]) -> tuple[str, ...]:
        """A name for each; of a list in the store those `told`, by place in the chunk, else `#` and place."""
        if not self.stored:
            return self.names
        return tuple(told.get(place, f"#{self.first + place}") for place in range(self.count))


@dataclass(frozen=True, slots=True)
class Chunks:
    """A run's sensors, divided: chunk n begins at place `starts[n]` of the list."""

    sensors: SensorSet | StoredSensors
    starts: Sequence[int]

    def __len__(self) -> int:
        """How many Jobs the run needs."""
        return len(self.starts)

    def __getitem__(self, number: int) -> Chunk:
        """Chunk `number`, below the length."""
        first, end = self._span(number)
        if isinstance(self.sensors, StoredSensors):
            return Chunk(number, first, (), self.sensors, end - first)
        return Chunk(number, first, self.sensors.names[first:end])

    def without(self, numbers: RangeSet) -> RangeSet:
        """The places of all sensors that are in none of the chunks `numbers`."""
        spans = (self._span(number) for number in numbers.missing(len(self)))
        return RangeSet.of_spans((first, end - 1) for first, end in spans)

    def _span(self, number: int) -> tuple[int, int]:
        follows = number + 1 < len(self.starts)
        return self.starts[number], self.starts[number + 1] if follows else len(self.sensors)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


# Lists ------------------------------------------------------------------------------------------------------


def read_list(text: str, where: str) -> SensorSet:
    """The sensors of a text, one a line, but for blank lines and # comments. Raises `SensorListError`."""
    numbered = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return check_names(
        ((f"{where}, line {number}", name) for number, name in numbered if name and not name.startswith("#")),
        where,
    )


def check_names(named: Iterable[tuple[str, str]], where: str) -> SensorSet:
    """The sensors of (place, name) pairs, each usable and there once. Raises `SensorListError`."""
    places: dict[str, str] = {}
    for place, name in named:
        if not is_sensor_name(name):
            wanted = "1 to 63 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"
            raise SensorListError(f"{place}: found {clean(name, 80)!r}; wanted a sensor's name: {wanted}")
        if name in places:
            raise SensorListError(
                f"{place}: found sensor {name} again, first in {places[name]}; wanted each sensor once"
            )
        places[name] = place
        if len(places) > SENSORS_LIMIT:
            raise SensorListError(
                f"{where}: found more than {SENSORS_LIMIT} sensors; wanted at most that many in one run"
            )
    if not places:
        raise SensorListError(f"{where}: found no sensors; wanted at least one")
    return SensorSet.of(places)


# Dividing ---------------------------------------------------------------------------------------------------


def in_order(sensors: SensorSet, output: Output) -> SensorSet:
    """The list as it is pinned: with shards, by shard, and in the given order within each."""
    if not output.sharded:
        return sensors
    return SensorSet.of(sorted(sensors.names, key=lambda name: shard_of(name, output.shards)))


def divide(sensors: SensorSet | StoredSensors, output: Output, per_job: int) -> Chunks:
    """The chunks of a list that is `in_order`. Raises `SensorListError` for a shard that no pod can hold.

    Without shards a chunk is `per_job` sensors. With them it is as many shards as hold at most `per_job`
    sensors together, and at least one.
    """
    if not output.sharded:
        return Chunks(sensors, range(0, len(sensors), per_job))
    starts: list[int] = []
    for first, size in _shards(sensors, output.shards):
        if not starts or first + size - starts[-1] > per_job:
            starts.append(first)
    return Chunks(sensors, tuple(starts))


def _shards(sensors: SensorSet | StoredSensors, shards: int) -> Iterator[tuple[int, int]]:
    """(place of the first sensor, how many) of each shard that has sensors, in order."""
    if isinstance(sensors, StoredSensors):
        yield from _stored_shards(sensors, shards)
        return
    of = [shard_of(name, shards) for name in sensors.names]
    first = 0
    for place, (shard, following) in enumerate(pairwise([*of, shards]), start=1):
        if following < shard:
            raise SensorListError(
                f"line {place + 1} belongs to shard {following}; wanted the list in the order of shards"
            )
        if following != shard:
            if place - first > MAX_SENSORS:
                raise SensorListError(_too_large(sensors, shard, place - first, shards))
            yield first, place - first
            first = place


def _stored_shards(sensors: StoredSensors, shards: int) -> Iterator[tuple[int, int]]:
    if len(sensors.shards) != shards or sum(sensors.shards) != sensors.total:
        found = f"{len(sensors.shards)} shards of {sum(sensors.shards)} sensors"
        raise SensorListError(f"found {found} in the list; wanted {shards} of {sensors.total}")
    first = 0
    for size in sensors.shards:
        if size:
            yield first, size
        first += size


def _too_large(sensors: SensorSet, shard: int, size: int, shards: int) -> str:
    enough = shards
    while enough < MAX_SHARDS and _largest(sensors, enough) > MAX_SENSORS:
        enough = min(MAX_SHARDS, enough * 2)
    found = f"shard {shard} of {shards} has {size} of the {len(sensors)} sensors"
    return f"spec.output.shards: {found}; wanted at most {MAX_SENSORS}, so at least {enough} shards"


def _largest(sensors: SensorSet, shards: int) -> int:
    return max(Counter(shard_of(name, shards) for name in sensors.names).values())
