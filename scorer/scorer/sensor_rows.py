"""The scored rows of one sensor as arrays: what every form of predictions is written from and read to."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SensorRows(NamedTuple):
    """Rows in order of time."""

    features: tuple[str, ...]
    version: str
    """Name of the model version that scored them."""
    times: NDArray[np.int64]
    """Microseconds since 1970 in UTC."""
    values: NDArray[np.float64]
    """(rows, features)."""
    flagged: NDArray[np.int8]
    """1 = anomaly."""
    scores: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.times.nbytes + self.values.nbytes + self.flagged.nbytes + self.scores.nbytes

    @property
    def anomalies(self) -> int:
        """How many rows are flagged."""
        return int(np.count_nonzero(self.flagged))


NO_ROWS = SensorRows(
    (), "", np.empty(0, np.int64), np.empty((0, 0)), np.empty(0, np.int8), np.empty(0, np.float64)
)


def rows_digest(rows: SensorRows) -> str:
    """SHA-256 of the rows, whatever file they lie in.

    Of one line of JSON (features by name, model version, number of rows), then the columns as little-endian
    bytes: times, each feature's values in that order, flags, scores. No rows have no features and no model.
    """
    if not len(rows.times):
        rows = NO_ROWS
    order = sorted(range(len(rows.features)), key=rows.features.__getitem__)
    head = {
        "features": [rows.features[place] for place in order],
        "model_version": rows.version,
        "rows": len(rows.times),
    }
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode() + b"\n")
    digest.update(np.ascontiguousarray(rows.times, "<i8").data)
    # Columns in one go: the array lies in memory row by row.
    digest.update(np.ascontiguousarray(rows.values.T[order], "<f8").data)
    digest.update(np.ascontiguousarray(rows.flagged, "i1").data)
    digest.update(np.ascontiguousarray(rows.scores, "<f8").data)
    return digest.hexdigest()


def anomaly_times(rows: SensorRows) -> tuple[str, str]:
    """Times of the first and the last anomaly; empty if there is none."""
    places = np.flatnonzero(rows.flagged)
    if not len(places):
        return "", ""
    first, last = time_texts(rows.times[places[[0, -1]]])
    return first, last


def extreme_score(rows: SensorRows) -> float | None:
    """The highest score of all rows."""
    return float(rows.scores.max()) if len(rows.scores) else None


def time_texts(times: NDArray[np.int64]) -> list[str]:
    """RFC 3339 in UTC with microseconds: `2026-01-01T12:00:00.000000Z`."""
    texts = np.datetime_as_string(times.astype(np.int64, copy=False).view("datetime64[us]"), unit="us")
    return [f"{text}Z" for text in texts.tolist()]
