"""What every format is decoded to: batches of records of the window, and why some of them cannot be used.

A record is a row of Parquet, a line of CSV or JSON, an element of a JSON array. Records are numbered from 1
in their file; a CSV file's header and empty lines are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings.sensors import SensorColumns, SensorNames
    from scorer.readings.zones import Zone
    from scorer.window import Window

REASONS = ("", "MissingTime", "NotATime", "NonexistentTime", "AmbiguousTime", "MalformedRow")
"""What a batch's `faults` say of a record; it is none of them if it has a good time."""
MISSING_TIME, NOT_A_TIME, NONEXISTENT_TIME, AMBIGUOUS_TIME, MALFORMED_ROW = range(1, len(REASONS))

TIME = -1
"""Among a batch's `texts` the time's column, and what is found instead of a whole record."""
MAX_TEXTS = 1000
"""Kept of one batch; more of them would explain no more."""
TEXT_LENGTH = 80

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """The times that are wanted, (start, end], in microseconds since 1970 in UTC."""

    start: int
    end: int

    def holds(self, times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the times lie in it."""
        return (times > self.start) & (times <= self.end)


class Plan(NamedTuple):
    """What is wanted of a file."""

    time: str
    features: tuple[str, ...]
    """Columns of numbers, in the model's order."""
    span: Span
    zone: Zone
    """Of times that are written without one."""
    sensors: tuple[SensorColumns, SensorNames] | None = None
    """Of a file that sensors share: the columns that name a record's sensor, and the sensors wanted."""
    wanted: Sequence[Sequence[str]] | None = None
    """What wanted sensors have in each of those columns; None if that cannot be told, or all are wanted."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the file must have, each once."""
        named = self.sensors[0].columns if self.sensors else ()
        return tuple(dict.fromkeys((self.time, *named, *self.features)))


class Batch(NamedTuple):
    """Records of the window, and those whose time is not known, in the order of the file."""

    records: NDArray[np.int64]
    """Their numbers in the file, from 1."""
    times: NDArray[np.int64]
    """Microseconds since 1970 in UTC, rounded up: what is after the window's start stays so."""
    faults: NDArray[np.uint8] | None
    """Index into REASONS; None if no record has a fault."""
    values: NDArray[np.float64]
    """(records, features); NaN where there is no number."""
    not_numbers: NDArray[np.bool_] | None
    """(records, features): something else than a number is there; None if nowhere."""
    texts: Mapping[tuple[int, int], str]
    """What was found, by (record's number, feature's index or TIME), where it could not be used."""
    sensors: NDArray[np.int32] | None = None
    """Of a shared file: each record's place in the names wanted, -1 for another sensor's."""


class ColumnError(SensorError):
    """A file does not have a column that is wanted, or has it twice."""

    def __init__(self, path: str, column: str, there: Sequence[str], wanted: str) -> None:
        names = plain(", ".join(there[:50]))[:200]
        found = "twice" if column in there else f"not there (columns: {names})"
        super().__init__(
            "SchemaMismatch", f"readings {path}: column {column!r} is {found}: wanted one {wanted}"
        )


def span_of(window: Window) -> Span:
    """A window's times."""
    start, end = ((time - _EPOCH) // timedelta(microseconds=1) for time in window)
    return Span(start, end)


def chosen(batch: Batch, which: NDArray[np.intp] | NDArray[np.bool_]) -> Batch:
    """Some of a batch's records."""
    return Batch(
        batch.records[which],
        batch.times[which],
        None if batch.faults is None else batch.faults[which],
        batch.values[which],
        None if batch.not_numbers is None else batch.not_numbers[which],
        batch.texts,
        None if batch.sensors is None else batch.sensors[which],
    )


def of_the_window(batch: Batch, plan: Plan) -> Batch:
    """The records that lie in the window, or whose time is not known, of the sensors wanted.

    A time that does not exist lies where its clock would have shown it, one that does twice and is refused
    in both places, for its file may lie in either: as rows without a time, it counts where its file is read.
    """
    inside = plan.span.holds(batch.times)
    if batch.faults is not None:
        timeless = (batch.faults != 0) & (batch.faults != NONEXISTENT_TIME) & (batch.faults != AMBIGUOUS_TIME)
        inside |= timeless
    if batch.sensors is not None:
        inside &= batch.sensors >= 0
    return batch if inside.all() else chosen(batch, inside)


def said_of(lost: Sequence[str]) -> str:
    """Sentences on what was lost as one, of which the first few say enough."""
    more = [f"and {len(lost) - 3} more such files"] if len(lost) > 3 else []
    return "; ".join([*lost[:3], *more])


def plain(text: str) -> str:
    """What can stand in a sentence: one line that can be written anywhere."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


def cut(text: str) -> str:
    """The beginning of what was found, for people."""
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH - 1]}…"
