"""Which sensor a record of a shared file is of: a column's name, or one like `device-{Device}-tag-{Tag}`.

Whole numbers stand in a name as such, whatever kind of number the file keeps them as: 1, never 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.readings.coded import Coded, combined, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

OTHER = -1
"""Place of a sensor that nobody wants."""
UNNAMED = -2
"""Place of a record that names no sensor."""

_TOKEN = re.compile(r"\{([^{}]+)\}")


class SensorColumns(NamedTuple):
    """The columns that name a sensor; `literals`, one more than those, stand around their texts."""

    columns: tuple[str, ...]
    literals: tuple[str, ...]

    def name(self, parts: Sequence[str]) -> str:
        """The sensor's name, from its columns' texts."""
        return self.literals[0] + "".join(
            part + literal for part, literal in zip(parts, self.literals[1:], strict=True)
        )

    def parts(self, sensor: str) -> tuple[str, ...] | None:
        """The columns' texts of a sensor; None if there are none, or if other texts give its name too."""
        found = [
            re.fullmatch(group.join(map(re.escape, self.literals)), sensor, re.DOTALL)
            for group in ("(.+)", "(.+?)")
        ]
        if not found[0] or not found[1] or found[0].groups() != found[1].groups():
            return None
        return found[0].groups()


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


def nameless(path: str, records: int) -> str:
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
