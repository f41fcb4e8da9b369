"""From a list of sensors to chunks: what one Job scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from scoring_operator.contract import clean, is_sensor_name

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


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


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


def chunk_count(total: int, per_job: int) -> int:
    """How many Jobs `total` sensors need."""
    return -(-total // per_job)


def chunk_of(sensors: SensorSet, number: int, per_job: int) -> Chunk:
    """Chunk `number`: the last one may be smaller."""
    first = number * per_job
    return Chunk(number, first, sensors.names[first : first + per_job])
