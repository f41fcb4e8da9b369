"""The two tables of a published run, as Parquet: all its sensors, and those with anomalies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from scorer.columns import column, strings
from scorer.contract.outcome import Rows
from scorer.parquet import grouped_bytes
from scorer.publish.results import Result
from scorer.window import Window

FORMAT = "2"
ROW_GROUP = 16_384
"""Rows that are held as columns at a time, beside the results themselves."""
Getters = Mapping[str, Callable[[Result], Any]]

_TIME = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMPY = {_TIME: np.int64, pa.int64(): np.int64, pa.float64(): np.float64}

OWNERS = ("group", "owner")
"""What the run's table says of a sensor, for those who look after it. Tables of format 1 lack it."""
_OWNERS = [pa.field(name, pa.string(), nullable=False) for name in OWNERS]

RESULTS = pa.schema(
    [
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        *(
            pa.field(f"rows_{name}", pa.int64(), nullable=False)
            for name in ("read", "scored", "rejected", "duplicate")
        ),
        pa.field("anomalies", pa.int64(), nullable=False),
        pa.field("prediction", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("threshold", pa.float64()),
        pa.field("first_anomaly", _TIME),
        pa.field("last_anomaly", _TIME),
        pa.field("extreme_score", pa.float64()),
        pa.field("rejected_file", pa.string(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        *_OWNERS,
    ]
)
"""Text is empty where there is none, numbers and times are null."""

ANOMALIES = pa.schema(
    [
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("window_start", _TIME, nullable=False),
        pa.field("window_end", _TIME, nullable=False),
        pa.field("first_anomaly", _TIME),
        pa.field("last_anomaly", _TIME),
        pa.field("anomalies", pa.int64(), nullable=False),
        pa.field("extreme_score", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("prediction", pa.string(), nullable=False),
        *_OWNERS,
    ]
)


def results_table(found: Sequence[Result]) -> bytes:
    """One row a sensor, in the list's order."""
    return _bytes(RESULTS, found, _OF_RESULT)


def anomalies_table(found: Sequence[Result], span: Window) -> bytes:
    """One row for each sensor with anomalies."""
    start, end = _since_epoch(span.start), _since_epoch(span.end)
    of_result: Getters = {
        **_OF_RESULT,
        "window_start": lambda _: start,
        "window_end": lambda _: end,
        "model_version": attrgetter("model"),
    }
    return _bytes(ANOMALIES, [each for each in found if each.anomalies], of_result)


def _bytes(schema: pa.Schema, found: Sequence[Result], of_result: Getters) -> bytes:
    def tables() -> Iterator[pa.Table]:
        for start in range(0, len(found), ROW_GROUP):
            part = found[start : start + ROW_GROUP]
            arrays = [
                _array([of_result.get(field.name, attrgetter(field.name))(each) for each in part], field.type)
                for field in schema
            ]
            yield pa.Table.from_arrays(arrays, schema=schema)

    return grouped_bytes(schema, tables(), {"format": FORMAT})


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array of Python's values, null for None."""
    if kind == pa.string():
        return strings(values)
    valid = np.array([value is not None for value in values], np.bool_)
    numbers = np.array([0 if value is None else value for value in values], _NUMPY[kind])
    whole = column(numbers, kind)
    if valid.all():
        return whole
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, whole.buffers()[1]])


def _microseconds(text: str) -> int | None:
    return _since_epoch(datetime.fromisoformat(text)) if text else None


def _since_epoch(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


_OF_RESULT: Getters = {
    **{f"rows_{name}": attrgetter(f"rows.{name}") for name in Rows._fields},
    "first_anomaly": lambda each: _microseconds(each.first_anomaly),
    "last_anomaly": lambda each: _microseconds(each.last_anomaly),
}
"""Columns that are no attributes of a result."""
