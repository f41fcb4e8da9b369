"""Batches of one sensor's records to rows that can be scored, and the account of the others.

read = scored + rejected + duplicate. A record is *rejected* if its time or a value of it cannot be used, for
the first reason that holds; *duplicate* if another one of the same time comes later in the order of files and
records, because a correction is sent after what it corrects. A rejected correction corrects nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.contract.outcome import Rows, SensorError
from scorer.readings.batch import REASONS, TIME, Batch, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1e100
"""A larger value is no measurement, and squares of it overflow inside a model."""
MAX_REJECTS = 1000
"""Rejected records of a sensor that are kept with all that is known of them; the others are counted."""
MAX_DECODED_BYTES = 128 * 1024 * 1024
"""Of one sensor's columns: 1.5 million rows of 10 features, where an hour of one reading a second has 3,600.
Scoring holds it about three times, in a pod of 512 MiB."""

_ALL_REASONS = (*REASONS, "NotANumber", "MissingValue", "InfiniteValue", "ValueTooLarge")
_NOT_A_NUMBER, _MISSING_VALUE, _INFINITE_VALUE, _VALUE_TOO_LARGE = range(len(REASONS), len(_ALL_REASONS))


class Reject(NamedTuple):
    """A record that cannot be scored."""

    file: str
    row: int
    """The record's number in the file, from 1."""
    time: str
    """As RFC 3339 in UTC, if it is known."""
    reason: str
    column: str
    found: str
    """The beginning of what stands there."""


class Readings(NamedTuple):
    """Rows to score, in order of time, and the account of the others."""

    times: NDArray[np.int64]
    """Microseconds since 1970 in UTC, strictly increasing."""
    values: NDArray[np.float64]
    """(rows, features), each feature's values one after the other in memory: models and files want columns.

    Without NaN, unless the model accepts missing values."""
    rows: Rows
    rejected: dict[str, int]
    """Rejected rows by reason."""
    rejects: tuple[Reject, ...] = ()
    """The first of them, in the order of files and records."""
    lost: str = ""
    """A sentence on what stood in the files and could not be read at all."""


class Columns(NamedTuple):
    """What a sensor's columns are called in its files: for what is told of rejected records."""

    time: str
    features: Sequence[str]


def account(
    batches: Iterable[tuple[str, Batch]], columns: Columns, *, accepts_missing: bool = False
) -> Readings:
    """The rows of one sensor's batches, each with the path of its file. Raises SensorError."""
    width = len(columns.features)
    times: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float64]] = []
    counts = np.zeros(len(_ALL_REASONS), np.int64)
    rejects: list[Reject] = []
    left = MAX_DECODED_BYTES
    for path, batch in batches:
        left -= len(batch.times) * 8 * (width + 1)
        if left < 0:
            raise too_large(path, "a sensor's window")
        if not _clean(batch):
            reasons = _reasons(batch, accepts_missing)
            good = reasons == 0
            counts += np.bincount(reasons[~good], minlength=len(counts))
            for place in np.flatnonzero(~good)[: MAX_REJECTS - len(rejects)].tolist():
                rejects.append(_reject(path, batch, place, int(reasons[place]), columns))
            times.append(batch.times[good])
            values.append(batch.values[good])
        else:
            times.append(batch.times)
            values.append(batch.values)
    if len(times) == 1:  # nearly always: nothing is copied
        return _finished(times[0], values[0], counts, tuple(rejects))
    none = np.empty(0, np.int64), np.empty((0, width))
    joined = np.concatenate([none[0], *times]), np.concatenate([none[1], *values])
    return _finished(*joined, counts, tuple(rejects))


def too_large(path: str, what: str) -> SensorError:
    """Why no more is held."""
    return SensorError(
        "ReadingsTooLarge",
        f"readings {path} make {what} too large: wanted at most {MAX_DECODED_BYTES} bytes of it decoded",
    )


def _finished(
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    rejects: tuple[Reject, ...],
) -> Readings:
    kept = _last_of_each(times)
    rejected = {reason: count for reason, count in zip(_ALL_REASONS, counts.tolist(), strict=True) if count}
    refused = sum(rejected.values())
    left = len(times) if kept is None else len(kept)
    rows = Rows(len(times) + refused, left, refused, len(times) - left)
    if kept is not None:
        times, values = times[kept], values[kept]
    return Readings(times, np.asfortranarray(values), rows, rejected, rejects)


def _last_of_each(times: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Indices of the rows in order of time, of equal times the last one; None for all as they are."""
    if len(times) < 2 or bool(np.all(times[1:] > times[:-1])):
        return None
    order = np.argsort(times, kind="stable")
    last = np.append(times[order[1:]] != times[order[:-1]], True)
    return np.compress(last, order)


def _clean(batch: Batch) -> bool:
    """Whether every record can be scored: as cheap as can be, since nearly every batch is."""
    if batch.not_numbers is not None or (batch.faults is not None and batch.faults.any()):
        return False
    # A NaN makes both comparisons false.
    return not batch.values.size or bool(batch.values.max() <= LARGEST and batch.values.min() >= -LARGEST)


def _reasons(batch: Batch, accepts_missing: bool) -> NDArray[np.uint8]:
    """Of each record the first reason that holds, as an index into all reasons; 0 for none."""
    found = np.zeros(len(batch.times), np.uint8)
    for reason, faulty in reversed(_faulty(batch, accepts_missing)):
        found[faulty.any(axis=1)] = reason
    if batch.faults is not None:
        found = np.where(batch.faults != 0, batch.faults, found)
    return found


def _faulty(batch: Batch, accepts_missing: bool) -> list[tuple[int, NDArray[np.bool_]]]:
    """Which values each reason is about, in the order of reasons."""
    missing = np.isnan(batch.values)
    found = [
        (_INFINITE_VALUE, np.isinf(batch.values)),
        (_VALUE_TOO_LARGE, np.abs(batch.values) > LARGEST),
    ]
    if batch.not_numbers is not None:
        missing &= ~batch.not_numbers
    if not accepts_missing:
        found.insert(0, (_MISSING_VALUE, missing))
    if batch.not_numbers is not None:
        found.insert(0, (_NOT_A_NUMBER, batch.not_numbers))
    return found


def _reject(path: str, batch: Batch, place: int, reason: int, columns: Columns) -> Reject:
    record = int(batch.records[place])
    name = _ALL_REASONS[reason]
    if reason < len(REASONS):
        column = "" if name == "MalformedRow" else columns.time
        return Reject(path, record, "", name, column, cut(batch.texts.get((record, TIME), "")))
    faulty = dict(_faulty(_only(batch, place), accepts_missing=False))[reason]
    feature = int(faulty[0].argmax())
    value = float(batch.values[place, feature])
    found = batch.texts.get((record, feature), "" if np.isnan(value) else repr(value))
    time = str(np.datetime64(int(batch.times[place]), "us")) + "Z"
    return Reject(path, record, time, name, columns.features[feature], cut(found))


def _only(batch: Batch, place: int) -> Batch:
    return batch._replace(
        values=batch.values[place : place + 1],
        not_numbers=None if batch.not_numbers is None else batch.not_numbers[place : place + 1],
    )
