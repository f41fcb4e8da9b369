"""Records of text files to batches, and the account of a file as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.readings.batch import MALFORMED_ROW, MAX_TEXTS, NOT_A_TIME, TIME, Batch, Plan, cut, of_the_window
from scorer.readings.coded import coded_texts
from scorer.readings.local import resolved_texts
from scorer.readings.sensors import UNNAMED, said_of_unnamed, sensor_places
from scorer.readings.text import MAX_MALFORMED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings.cells import Numbers


class Records(NamedTuple):
    """Records that follow each other in a file, by column."""

    first: int
    """Records before them in the file."""
    total: int
    """With those that could not be decoded."""
    places: Sequence[int]
    """Of those that could, among all."""
    malformed: dict[int, str]
    """Those that could not, by place: how they begin."""
    times: Sequence[str | None]
    numbers: Sequence[Numbers]
    """By feature."""
    sensors: Sequence[Sequence[str | None]]
    """By sensor column."""


class Tally:
    """What can only be said at a file's end. Its sentences on what is lost go to `lost`.

    Of records that many hands wrote (`mixed`) some may be anything: they make no file unusable.
    """

    def __init__(self, path: str, plan: Plan, lost: list[str], mixed: bool = False) -> None:
        self._mixed = mixed
        self._path = path
        self._shared = plan.sensors is not None
        self._time = plan.time
        self._lost = lost
        self.good = 0
        self._malformed = 0
        self._unnamed = 0
        self._first: dict[str, tuple[int, str]] = {}
        self._timed = False

    def fine(self, records: int) -> None:
        """So many records were decoded, with their times."""
        self.good += records
        self._timed |= records > 0

    def unnamed(self, records: int) -> None:
        """So many records name no sensor."""
        self._unnamed += records

    def add(self, records: Records, batch: Batch) -> None:
        """Records that went the slow way, and the batch of all. Raises SensorError for too many bad ones."""
        self.good += len(records.places)
        self._malformed += len(records.malformed)
        if self._malformed > MAX_MALFORMED and not self._mixed:
            raise self._corrupt(f"hold more than {MAX_MALFORMED} records that cannot be decoded")
        for place, text in records.malformed.items():
            self._first.setdefault("malformed", (records.first + place + 1, text))
            break
        if batch.faults is None:
            self._timed |= len(records.places) > 0
        else:
            self._timed |= bool(np.any((batch.faults != NOT_A_TIME) & (batch.faults != MALFORMED_ROW)))
            wrong = np.flatnonzero(batch.faults == NOT_A_TIME)
            if len(wrong):
                record = int(batch.records[wrong[0]])
                self._first.setdefault("time", (record, batch.texts.get((record, TIME), "")))
        if batch.sensors is not None:
            unnamed = np.flatnonzero(batch.sensors == UNNAMED)
            self._unnamed += len(unnamed) - len(records.malformed)

    def close(self) -> None:
        """Raises SensorError for a file of which no record, or no time, could be read."""
        if self._malformed and not self.good and not self._mixed:
            record, text = self._first["malformed"]
            raise self._corrupt(f"hold no record that can be decoded: record {record} begins {cut(text)!r}")
        if "time" in self._first and not self._timed and not self._mixed:
            text = self._first["time"][1]
            raise SensorError(
                "SchemaMismatch",
                f"readings {self._path}: column {self._time!r} holds no times, but {text!r}: "
                "wanted RFC 3339, like 2026-01-01T12:00:00Z",
            )
        if self._shared and self._malformed:
            record, text = self._first["malformed"]
            self._lost.append(
                f"readings {self._path}: {self._malformed} records cannot be decoded, "
                f"the first is record {record}, which begins {cut(text)!r}"
            )
        if self._unnamed:
            self._lost.append(said_of_unnamed(self._path, self._unnamed))

    def _corrupt(self, what: str) -> SensorError:
        return SensorError("ReadingsCorrupt", f"readings {self._path} {what}")


def batch_of(records: Records, plan: Plan, tally: Tally) -> Batch:
    """The records of the window, and those whose time is not known."""
    numbers = np.arange(records.first + 1, records.first + 1 + records.total)
    good = numbers[records.places] if records.malformed else numbers
    times, faults, texts = resolved_texts(records.times, plan.zone, good)
    for feature, column in enumerate(records.numbers):
        texts |= {(int(good[place]), feature): text for place, text in column.texts.items()}
    batch = Batch(
        good,
        times,
        faults,
        _stacked([column.values for column in records.numbers], len(good)),
        _wrong(records.numbers, len(good)),
        texts,
        _sensors(records, plan),
    )
    if records.malformed:
        batch = _with_malformed(batch, records, numbers)
    tally.add(records, batch)
    return of_the_window(batch, plan)


def _sensors(records: Records, plan: Plan) -> NDArray[np.int32] | None:
    if plan.sensors is None:
        return None
    return sensor_places([coded_texts(texts) for texts in records.sensors], *plan.sensors)


def _stacked(columns: Sequence[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def _wrong(columns: Sequence[Numbers], rows: int) -> NDArray[np.bool_] | None:
    if all(column.wrong is None for column in columns):
        return None
    nowhere = np.zeros(rows, np.bool_)
    return np.stack([nowhere if column.wrong is None else column.wrong for column in columns], axis=1)


def _with_malformed(batch: Batch, records: Records, numbers: NDArray[np.int64]) -> Batch:
    """The batch, and in their places the records that could not be decoded."""
    places = np.asarray(records.places, np.intp)
    faults = np.full(records.total, MALFORMED_ROW, np.uint8)
    faults[places] = 0 if batch.faults is None else batch.faults
    told = list(records.malformed.items())[:MAX_TEXTS]
    texts = {(records.first + place + 1, TIME): cut(text) for place, text in told}
    return Batch(
        numbers,
        _spread(batch.times, places, records.total, 0),
        faults,
        _spread(batch.values, places, records.total, np.nan),
        None if batch.not_numbers is None else _spread(batch.not_numbers, places, records.total, False),
        {**batch.texts, **texts},
        None if batch.sensors is None else _spread(batch.sensors, places, records.total, UNNAMED),
    )


def _spread(found: NDArray[Any], places: NDArray[np.intp], count: int, other: object) -> NDArray[Any]:
    spread = np.full((count, *found.shape[1:]), other, found.dtype)
    spread[places] = found
    return spread
