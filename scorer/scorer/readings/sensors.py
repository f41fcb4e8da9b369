"""Which sensor a record of a shared file is of: a column's name, or one like `device-{Device}-tag-{Tag}`.

Whole numbers stand in a name as such, whatever kind of number the file keeps them as: 1, never 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.contract.outcome import SensorError
from scorer.readings.coded import Coded, coded_column, combined, joined, narrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings.batch import Plan

OTHER = -1
"""Place of a sensor that nobody wants."""
UNNAMED = -2
"""Place of a record that names no sensor."""

_TOKEN = re.compile(r"\{([^{}]+)\}")


class SensorColumns(NamedTuple):
    """The columns that name a sensor; `literals`, one more than those, stand around their texts."""

    columns: tuple[str, ...]
    literals: tuple[str, ...]

    def wanted(self, sensors: Sequence[str]) -> list[list[str]] | None:
        """Each column's texts of these sensors, in order; None if other texts may give their names too."""
        patterns = [
            re.compile(group.join(map(re.escape, self.literals)), re.DOTALL) for group in ("(.+)", "(.+?)")
        ]
        found: list[tuple[str, ...]] = []
        for sensor in sensors:
            # As much as possible in the first column, and as little: the same, if there is one way only.
            ways = [pattern.fullmatch(sensor) for pattern in patterns]
            if not ways[0] or not ways[1] or ways[0].groups() != ways[1].groups():
                return None
            found.append(ways[0].groups())
        return [sorted(set(texts)) for texts in zip(*found, strict=True)]


class SensorNames:
    """The sensors wanted, each with its place; all that are met if none are given."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._open = not self._places

    def place(self, name: str | None) -> int:
        """The sensor's place, OTHER or UNNAMED."""
        if not name:
            return UNNAMED
        return (
            self._places.setdefault(name, len(self._places)) if self._open else self._places.get(name, OTHER)
        )

    @property
    def names(self) -> list[str]:
        """In order of place."""
        return list(self._places)

    @property
    def all_wanted(self) -> bool:
        """Whether every sensor that is met is wanted."""
        return self._open


def said_of_unnamed(path: str, records: int) -> str:
    """What is said of records that nobody can be given."""
    return f"readings {path}: {records} records name no sensor"


def sensor_columns(text: str) -> SensorColumns:
    """A column's name or a template of columns. Raises SensorError."""
    if "{" not in text and "}" not in text:
        return SensorColumns((text,), ("", ""))
    pieces = _TOKEN.split(text)
    if any(brace in literal for literal in pieces[::2] for brace in "{}"):
        raise SensorError(
            "SchemaMismatch",
            f"readings.columns.sensor {text!r} cannot be understood: wanted a column's name, "
            "or one like device-{Device}-tag-{Tag}",
        )
    return SensorColumns(tuple(pieces[1::2]), tuple(pieces[::2]))


class OfThePack(NamedTuple):
    """Which rows of a piece of a file are to be looked at, and whose they are."""

    rows: NDArray[np.intp] | None = None
    """None for all."""
    sensors: NDArray[np.int32] | None = None
    """Their places in the names; None in a file of one sensor."""
    unnamed: int = 0
    """How many rows of the piece name no sensor."""


def of_the_pack(columns: Sequence[pa.ChunkedArray], plan: Plan) -> OfThePack:
    """The rows of a shared file's piece, by its sensor columns (texts as dictionaries, or numbers)."""
    if plan.sensors is None:
        return OfThePack()
    if plan.wanted is None or any(pa.types.is_floating(column.type) for column in columns):
        sensors = sensor_places([coded_column(column) for column in columns], *plan.sensors)
        return OfThePack(None, sensors, int(np.count_nonzero(sensors == UNNAMED)))
    rows, unnamed = narrowed(columns, plan.wanted)
    sensors = sensor_places([coded_column(column, rows) for column in columns], *plan.sensors)
    return OfThePack(rows, sensors, unnamed)


def sensor_places(coded: Sequence[Coded], columns: SensorColumns, names: SensorNames) -> NDArray[np.int32]:
    """Each record's sensor, from its columns. Each combination of texts that occurs is looked at once."""
    first, *others = coded
    whole = Coded(
        first.places, [joined(columns.literals[0], text, columns.literals[1]) for text in first.texts]
    )
    for column, literal in zip(others, columns.literals[2:], strict=True):
        whole = combined(whole, column, literal)
    places = [names.place(text) for text in whole.texts] or [UNNAMED]
    return np.array(places, np.int32)[whole.places]
