"""Which sensor was in hand when earlier attempts of this chunk died, so that one does not cost a pack.

A killed process writes nothing, so the sensor in hand must be written down before its work begins. Doing that
for every sensor would make one request in six a mere note. So notes are spent only where something died:

- a pod with one sensor keeps none: it has no neighbours to save, and its Job's failure tells the rest;
- the first attempt at a pack notes that it took a sensor in hand, and nothing more;
- once an attempt died, each further one notes each sensor that it takes in hand, and works on them one by
  one (`scorer.pipeline`), so that it dies of the one that it has noted.

An attempt that ended by itself, with any exit code, at SIGTERM or at its deadline, has left its outcome's
detail; one that is noted here and left none has died. One that found storage away from its beginning could
leave neither, and counts for nothing. One that loses storage later waits a while for it to come back, so as
to leave its detail. If it does not come back within that time, the attempt looks like a death: no object in
that storage could tell the two apart. A sensor is then left out wrongly only if two attempts of its pack,
both of which found storage there at first, lost it for so long.

A death may be nobody's fault: a node that is lost takes its pods along without a word. So a sensor that was
in hand at one is suspected only, and scored last, when it can cost no other. One that is in hand at a second
death as well is left out.

Where sensors share a file, one that is scored last holds back the file of all. There nobody is suspected: a
death without a name counts against the sensor that the next one names. Sensors are worked on in order and
finished ones are not repeated, so what the second attempt dies on was not finished by the first either.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from scorer.contract.outcome import Header
from scorer.outcome import outcome_path
from scorer.storage import NotFoundError, Store

DEATHS = 2
"""A sensor noted as in hand at so many is left out."""
MAX_BYTES = 64 * 1024


class Note(NamedTuple):
    """An attempt that took sensors in hand, and which it had in hand last, if it kept account of that."""

    attempt: str
    sensor: str | None


class Deaths:
    """The notes of one chunk: one small object for all its attempts."""

    def __init__(self, store: Store, header: Header, shared: bool = False) -> None:
        self._store = store
        self._header = header
        self._shared = shared  # several sensors' predictions are in one file
        self._path = f"runs/{header.run}/inhand/{header.chunk:05}.json"
        self._earlier: list[Note] = []
        self._died: list[Note] = []
        self._to_note = False  # whatever was not read is not written over either
        self.noted = False
        """Whether this attempt may be among the notes: then it must leave its detail, or it has died."""

    def begin(self) -> None:
        """Reads the earlier attempts' notes. Raises StorageError."""
        try:
            self._earlier = _notes(self._store.get(self._path, MAX_BYTES).data)
        except NotFoundError:
            self._earlier = []
        self._died = [note for note in self._earlier if not self._ended(note)]
        self._to_note = True

    @property
    def any(self) -> bool:
        """Whether an attempt died before this one."""
        return bool(self._died)

    def crashed(self, sensor: str) -> bool:
        """Whether the sensor was in hand at two deaths."""
        return self._in_hand_at(sensor) >= DEATHS

    def suspected(self, sensor: str) -> bool:
        """Whether the sensor was in hand at a death, and is to wait until the others are done."""
        return not self._shared and 0 < self._in_hand_at(sensor) < DEATHS

    def take(self, sensor: str) -> None:
        """Notes the sensor in hand if any attempt died before, else only that there is one.

        Raises StorageError.
        """
        if self._died:
            self._write(sensor)
        elif self._to_note:
            self._write(None)
            self._to_note = False

    def _in_hand_at(self, sensor: str) -> int:
        """At how many deaths."""
        found = nameless = 0
        for note in self._died:
            if note.sensor is None:
                nameless += 1
                continue
            if note.sensor == sensor:
                found += 1 + (nameless if self._shared else 0)
            nameless = 0
        return found

    def _ended(self, note: Note) -> bool:
        try:
            self._store.head(outcome_path(self._header._replace(attempt=note.attempt)))
        except NotFoundError:
            return False
        return True

    def _write(self, sensor: str | None) -> None:
        notes = [*self._earlier, Note(self._header.attempt, sensor)]
        self.noted = True  # also if the request fails: storage may have taken it and its answer been lost
        told = [{"attempt": note.attempt, "inHand": note.sensor} for note in notes]
        self._store.put(self._path, json.dumps({"attempts": told}).encode())


def _notes(data: bytes) -> list[Note]:
    """The notes, or none if they make no sense: they are advice, and worth no failure."""
    try:
        notes = [Note(note["attempt"], note["inHand"]) for note in json.loads(data)["attempts"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    names = [note.attempt for note in notes] + ["" if note.sensor is None else note.sensor for note in notes]
    # An attempt becomes a part of a path.
    return notes if all(isinstance(name, str) and _is_segment(name) for name in names) else []


def _is_segment(name: str) -> bool:
    return len(name) < 64 and name.isprintable() and "/" not in name and "\\" not in name
