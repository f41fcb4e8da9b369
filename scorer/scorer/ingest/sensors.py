"""The sensors of a partition's events, and the substreams that they are of: each text once, with its place.

A sensor is of one substream, the first that it was met in. Names of two fields may run together (`1` and
`12`, `11` and `2`): then they are one sensor in two substreams, and the second is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.contract.paths import is_sensor_name
from scorer.ingest.settings import MAX_SENSORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING, UNUSABLE, TOO_MANY, OTHER_STREAM = -1, -2, -3, -4
"""Instead of a place: a field is not there, the name cannot be one, there are too many, or two substreams."""
SEPARATOR = "\x1f"
"""Between the fields that name a substream together."""
LONGEST_KEY = 256
"""Letters of fields that are kept for the next time: one name may come in any amount of white space."""
_PLAIN = {str, int}
_FEWEST = 1024


class Sensors:
    """Places of sensors; grows with what is met.

    `literals` stand around the fields of a sensor's name; `over` are the places among those fields of the
    ones that name its substream. Without any, all sensors are of the substream 0.
    """

    def __init__(
        self, literals: Sequence[str] = ("", ""), over: Sequence[int] = (), most: int = MAX_SENSORS
    ) -> None:
        self._literals = literals
        self._over = over
        self._most = most
        self._by_name: dict[str, int] = {}
        self._by_stream: dict[str, int] = {} if over else {"": 0}
        self._by_fields: dict[Any, int] = {}
        self._parts: dict[str | int, str | int] = {}
        self._stream_of = np.zeros(_FEWEST, np.int32)
        self.names: list[str] = []
        self.streams: list[str] = list(self._by_stream)

    @property
    def stream_of(self) -> NDArray[np.int32]:
        """The place of each sensor's substream."""
        return self._stream_of[: len(self.names)]

    def places(self, fields: Sequence[Sequence[Any]]) -> NDArray[np.int32]:
        """Each event's sensor, from the fields of its name as events have them: texts or whole numbers."""
        # 1, 1.0 and True are the same key of a dictionary, and not the same name.
        columns = [
            column if set(map(type, column)) <= _PLAIN else [part_text(value) for value in column]
            for column in fields
        ]
        keys: Iterable[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        found = list(map(self._by_fields.get, keys))
        if None in found:
            found = [
                self._place(key) if place is None else place for key, place in zip(keys, found, strict=True)
            ]
        return np.array(found, np.int32)

    def place(self, name: str, stream: str = "") -> int:
        """The place of a sensor of a substream, which is new perhaps; negative if it can have none."""
        found = self._by_name.get(name)
        if found is not None:
            return found if self.streams[self._stream_of[found]] == stream else OTHER_STREAM
        if not is_sensor_name(name):
            return UNUSABLE
        if len(self.names) >= self._most:
            return TOO_MANY
        if len(self.names) == len(self._stream_of):
            self._stream_of = np.concatenate([self._stream_of, np.zeros_like(self._stream_of)])
        place = self._by_name[name] = len(self.names)
        self._stream_of[place] = self.stream(stream)
        self.names.append(name)
        return place

    def stream(self, name: str) -> int:
        """The place of a substream, which is new perhaps."""
        place = self._by_stream.setdefault(name, len(self.streams))
        if place == len(self.streams):
            self.streams.append(name)
        return place

    def _place(self, key: Any) -> int:
        parts = [part_text(part) for part in (key if isinstance(key, tuple) else (key,))]
        if None in parts:
            return MISSING
        texts = [str(part) for part in parts]
        name = self._literals[0] + "".join(
            text + literal for text, literal in zip(texts, self._literals[1:], strict=True)
        )
        place = self.place(name, SEPARATOR.join(texts[which] for which in self._over))
        if place >= 0 and len(self._by_fields) < 2 * self._most and len(str(key)) <= LONGEST_KEY:
            if isinstance(key, tuple):  # sensors of a device share its number: one object for all of them
                key = tuple(map(self._parts.setdefault, key, key))
            self._by_fields[key] = place
        return place


def part_text(value: Any) -> str | None:
    """What a field is in a name: 1 for 1.0; None for what can be no part of one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return None
