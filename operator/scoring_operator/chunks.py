"""From a list of sensors to chunks: what one Job scores.

Chunks are ranges of the pinned list, and follow from it and the run's spec alone: an operator that starts in
mid-run comes to the same chunks as the one before it. With predictions in shards a chunk holds whole shards,
so that no two Jobs write to one file; the list is then ordered by shard before it is pinned.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scoring_operator.contract import MAX_SENSORS, MAX_SHARDS, Output, clean, is_sensor_name, shard_of
from scoring_operator.ranges import RangeSet

SENSORS_LIMIT = 100_000  # what a run's status holds whatever the pattern of failures; more: several runs


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
class Chunk:
    """The sensors `first`, `first` + 1, ... of the list, by name."""

    number: int
    first: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chunks:
    """A run's sensors, divided: chunk n begins at place `starts[n]` of the list."""

    sensors: SensorSet
    starts: Sequence[int]

    def __len__(self) -> int:
        """How many Jobs the run needs."""
        return len(self.starts)

    def __getitem__(self, number: int) -> Chunk:
        """Chunk `number`, below the length."""
        first, end = self._span(number)
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


def divide(sensors: SensorSet, output: Output, per_job: int) -> Chunks:
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


def _shards(sensors: SensorSet, shards: int) -> Iterator[tuple[int, int]]:
    """(place of the first sensor, how many) of each shard that has sensors, in order."""
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


def _too_large(sensors: SensorSet, shard: int, size: int, shards: int) -> str:
    enough = shards
    while enough < MAX_SHARDS and _largest(sensors, enough) > MAX_SENSORS:
        enough = min(MAX_SHARDS, enough * 2)
    found = f"shard {shard} of {shards} has {size} of the {len(sensors)} sensors"
    return f"spec.output.shards: {found}; wanted at most {MAX_SENSORS}, so at least {enough} shards"


def _largest(sensors: SensorSet, shards: int) -> int:
    return max(Counter(shard_of(name, shards) for name in sensors.names).values())
