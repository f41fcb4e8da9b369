"""Which sensor was in hand when earlier attempts of this chunk died, so that one does not cost a pack.

A killed process writes nothing, so the sensor in hand must be written down before its work begins. Doing that
for every sensor would make one request in six a mere note. So notes are spent only where something died:

- a pod with one sensor keeps none: it has no neighbours to save, and its Job's failure tells the rest;
- the first attempt at a pack notes that it began, and nothing more;
- once an attempt died, each further one notes each sensor that it takes in hand.

Sensors are worked on in order and finished ones are not repeated. So a sensor that the second attempt dies on
was not finished by the first either; the first death, which left no name, is counted against it too. An
attempt that ends by itself (any exit code, SIGTERM, its deadline) says so and is no death.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from scorer.contract.outcome import Header
from scorer.storage import NotFoundError, Store

DEATHS = 2
"""A sensor in hand at so many is left out: the third of a Job's usual three attempts finishes the rest."""
MAX_BYTES = 64 * 1024


class Deaths:
    """The notes of one chunk: one small object for all its attempts."""

    def __init__(self, store: Store, header: Header) -> None:
        self._store = store
        self._path = f"runs/{header.run}/inhand/{header.chunk:05}.json"
        self._own: dict[str, Any] = {"attempt": header.attempt, "inHand": None, "ended": False}
        self._earlier: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Reads the earlier attempts' notes and adds this one's. Raises StorageError."""
        try:
            self._earlier = _attempts(self._store.get(self._path, MAX_BYTES).data)
        except NotFoundError:
            self._earlier = []
        self._write()

    def crashed(self, sensor: str) -> bool:
        """Whether the sensor was in hand at two deaths."""
        return _in_hand_at_deaths(self._earlier)[sensor] >= DEATHS

    def take(self, sensor: str) -> None:
        """Notes the sensor in hand, if any attempt died before. Raises StorageError."""
        if any(not attempt["ended"] for attempt in self._earlier):
            self._own["inHand"] = sensor
            self._write()

    def end(self) -> None:
        """Notes that this attempt ended by itself. Raises StorageError."""
        self._own["ended"] = True
        self._write()

    def _write(self) -> None:
        notes = {"attempts": [*self._earlier, self._own]}
        self._store.put(self._path, json.dumps(notes).encode())


def _in_hand_at_deaths(attempts: list[dict[str, Any]]) -> Counter[str]:
    """Deaths by sensor; one that left no name counts against the sensor that the next death names."""
    deaths: Counter[str] = Counter()
    nameless = 0
    for attempt in attempts:
        if attempt["ended"]:
            continue
        if attempt["inHand"] is None:
            nameless += 1
        else:
            deaths[attempt["inHand"]] += 1 + nameless
            nameless = 0
    return deaths


def _attempts(data: bytes) -> list[dict[str, Any]]:
    """The notes, without those that make no sense: they are advice, and worth no failure."""
    try:
        attempts = json.loads(data)["attempts"]
        return [
            {"attempt": str(note["attempt"]), "inHand": note["inHand"], "ended": note["ended"] is True}
            for note in attempts
            if note["inHand"] is None or isinstance(note["inHand"], str)
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
