"""Readings of one sensor for one window: Parquet bytes to sorted, clean rows, with an account of the others.

Row by row: rows outside (start, end] are not the window's and not counted. A row of the window is *rejected*
if a value of it cannot be scored, and *duplicate* if a later row of the same time exists: the last in the
order of files and rows wins, because a correction is sent after what it corrects. What is left is *scored*.

Every way a file can be wrong ends in a SensorError. Footers are not believed: memory is bounded by what they
promise before anything is decoded, and one row group is decoded at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import numbers
from scorer.contract.outcome import Rows, SensorError
from scorer.parquet import open_parquet, row_counts, row_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.contract.work import ReadingsSource
    from scorer.sources import Found
    from scorer.window import Window

TIME = "time"
MAX_DECODED_BYTES = 128 * 1024 * 1024
"""Of one sensor's columns: 1.5 million rows of 10 features, where an hour of one reading a second has 3,600.
Scoring holds it about three times, in a pod of 512 MiB."""
LARGEST = 1e100
"""A larger value is no measurement, and squares of it overflow inside a model."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Readings(NamedTuple):
    """Rows to score, in order of time, and the account of the others."""

    times: NDArray[np.int64]
    """Microseconds since 1970 in UTC, strictly increasing."""
    values: NDArray[np.float64]
    """(rows, features)."""
    rows: Rows
    rejected: dict[str, int]
    """Rejected rows by reason."""


class Reader:
    """Decodes readings of one window; what sensors share is decoded once."""

    def __init__(self, source: ReadingsSource, span: Window) -> None:
        self._source = source
        self._span = span

    def read(self, found: Found, sensor: str, features: Sequence[str]) -> Readings:
        """The sensor's rows of the window. Raises SensorError."""
        del sensor  # every file is one sensor's
        return read_readings([(file.path, file.data) for file in found.files], features, self._span)


def read_readings(files: Sequence[tuple[str, bytes]], features: Sequence[str], window: Window) -> Readings:
    """The window's rows of files given as (path, bytes), in that order.

    Raises SensorError with ReadingsCorrupt, SchemaMismatch or ReadingsTooLarge.
    """
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    rejected: dict[str, int] = {}
    budget = MAX_DECODED_BYTES
    for path, data in files:
        with _Corrupt(path):
            file = open_parquet(data)
            budget = _check_size(path, row_counts(file), len(features) + 1, budget)
            _check_columns(path, file.schema_arrow, features)
            for table in row_groups(file, (TIME, *features)):
                parts.append(_window_rows(table, features, window, rejected))
    times = np.concatenate([times for times, _ in parts] or [np.empty(0, np.int64)])
    values = np.concatenate([values for _, values in parts] or [np.empty((0, len(features)))])
    kept = _last_of_each(times)
    left = len(kept)
    refused = sum(rejected.values())
    rows = Rows(read=len(times) + refused, scored=left, rejected=refused, duplicate=len(times) - left)
    return Readings(times[kept], values[kept], rows, rejected)


class _Corrupt:
    """Turns what Arrow says of broken bytes into a SensorError naming the file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        # Arrow's own errors are ValueErrors, OSErrors, KeyErrors and others by their cause; what fails to
        # allocate what a broken length asks for is a MemoryError, text that is no UTF-8 a UnicodeDecodeError.
        if isinstance(
            error, pa.ArrowException | OSError | ValueError | LookupError | MemoryError | OverflowError
        ):
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise SensorError(
                "ReadingsCorrupt", f"readings {self._path} cannot be decoded: {said}"
            ) from error


def _check_size(path: str, groups: Sequence[int], columns: int, budget: int) -> int:
    """What is left of the budget after this file."""
    rows = sum(max(0, count) for count in groups)
    size = rows * columns * 8
    if size > budget:
        raise SensorError(
            "ReadingsTooLarge",
            f"readings {path} hold {rows} rows of {columns} columns: "
            f"wanted at most {MAX_DECODED_BYTES} bytes for a sensor's window",
        )
    return budget - size


def _check_columns(path: str, schema: pa.Schema, features: Sequence[str]) -> None:
    for name in (TIME, *features):
        wanted = "timestamp" if name == TIME else "number"
        places = schema.get_all_field_indices(name)
        if len(places) != 1:
            there = "twice" if places else f"not there (columns: {', '.join(schema.names)[:200]})"
            raise SensorError(
                "SchemaMismatch", f"readings {path}: column {name!r} is {there}: wanted one {wanted}"
            )
        kind = schema.field(places[0]).type
        if not (pa.types.is_timestamp(kind) if name == TIME else _is_number(kind)):
            raise SensorError(
                "SchemaMismatch", f"readings {path}: column {name!r} is {kind}: wanted a {wanted}"
            )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _window_rows(
    table: pa.Table, features: Sequence[str], window: Window, rejected: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times and values of the window's rows that can be scored; counts those that cannot be, by reason."""
    per_second = _PER_SECOND[table.column(TIME).type.unit]
    ticks, missing = numbers(table.column(TIME))
    start, end = (_ticks(time, per_second) for time in window)
    inside = np.flatnonzero(((ticks > start) & (ticks <= end)) | missing)
    values = np.empty((len(inside), len(features)))
    for index, name in enumerate(features):
        found, null = numbers(table.column(name))
        values[:, index] = np.where(null, np.nan, found)[inside]
    good = _scorable(missing[inside], values, rejected)
    return _microseconds(ticks[inside][good], per_second), values[good]


def _scorable(
    missing: NDArray[np.bool_], values: NDArray[np.float64], rejected: dict[str, int]
) -> NDArray[np.bool_]:
    """Which rows can be scored. A row with several faults is counted under the first."""
    good = np.ones(len(values), np.bool_)
    for reason, faulty in (
        ("MissingTime", missing),
        ("MissingValue", np.isnan(values).any(axis=1)),
        ("InfiniteValue", np.isinf(values).any(axis=1)),
        ("ValueTooLarge", (np.abs(values) > LARGEST).any(axis=1)),
    ):
        count = int(np.count_nonzero(good & faulty))
        if count:
            rejected[reason] = rejected.get(reason, 0) + count
            good &= ~faulty
    return good


def _ticks(time: datetime, per_second: int) -> int:
    # Whole seconds, exact in every unit: a window's ends are.
    return (time - _EPOCH) // timedelta(seconds=1) * per_second


def _microseconds(ticks: NDArray[np.int64], per_second: int) -> NDArray[np.int64]:
    if per_second > 1_000_000:
        # Rounded up, so that a time after the window's start stays after it.
        return -(-ticks // (per_second // 1_000_000))
    return ticks * (1_000_000 // per_second)


def _last_of_each(times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Indices of the rows in order of time, of equal times the last one."""
    if len(times) < 2 or np.all(times[1:] > times[:-1]):
        return np.arange(len(times))
    order = np.argsort(times, kind="stable")
    last = np.append(times[order[1:]] != times[order[:-1]], True)
    return np.compress(last, order)
