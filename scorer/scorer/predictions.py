"""Predictions of one sensor for one window, and the bytes of a file of their own.

Columns: `time` (timestamp[us, UTC]), the features as they were scored (float64), `prediction` (int8, 1 =
anomaly) and `score` (float64, higher = more anomalous). A Parquet file's metadata names threshold, model
version, its sha256 and this format's version. A CSV file has the columns alone, as a header and lines: times
are RFC 3339 with microseconds, numbers the shortest text that reads back as the same. Nothing in the bytes
depends on when, by whom or beside which sensors they were made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from io import StringIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from scorer.columns import column
from scorer.contract.outcome import SensorError
from scorer.contract.work import CSV, PARQUET
from scorer.fence import PREDICTIONS_FORMAT
from scorer.parquet import parquet_bytes
from scorer.sensor_rows import SensorRows, anomaly_times, extreme_score, rows_digest, time_texts
from scorer.summary import NOTHING, Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scorer.model import Model
    from scorer.readings import Readings

OWN = ("time", "prediction", "score")
"""Columns of a sensor's file beside its features."""
SHARED = ("sensor", *OWN, "model_version")
"""Columns of a shard beside the features of its sensors."""


class Prediction:
    """One sensor's rows with scores `found` and labels `flagged`, both (rows,)."""

    def __init__(
        self,
        model: Model,
        readings: Readings,
        found: NDArray[np.float64],
        flagged: NDArray[np.int8],
        observed: Mapping[str, Any] = NOTHING,
    ) -> None:
        self.model = model
        self.readings = readings
        self.scores = found
        self.flagged = flagged
        self.observed = observed
        """What the guard is to know of the window: a small JSON object."""

    @cached_property
    def rows(self) -> SensorRows:
        """The scored rows."""
        return SensorRows(
            self.model.features,
            self.model.version,
            self.readings.times,
            self.readings.values,
            self.flagged,
            self.scores,
        )

    @cached_property
    def anomalies(self) -> int:
        """How many rows are flagged."""
        return self.rows.anomalies

    def check(self, sharded: bool) -> None:
        """Raises SensorError for features that cannot be columns of the file."""
        reserved = SHARED if sharded else OWN
        for feature in self.model.features:
            if feature in reserved:
                raise SensorError(
                    "SchemaMismatch",
                    f"feature {feature!r} has the name of a column of predictions: wanted none of "
                    + ", ".join(reserved),
                )

    def encode(self, form: str = PARQUET) -> bytes:
        """A file of this sensor alone."""
        if form == CSV:
            return csv_bytes(self.rows)
        return write_predictions(self.model, self.readings, self.scores, self.flagged)

    def summary(self, fingerprint: str, rejected_file: str = "", data: bytes | None = None) -> Summary:
        """What is told of it; `data` is its file, if it has one of its own."""
        first, last = anomaly_times(self.rows)
        return Summary(
            fingerprint,
            self.readings.rows,
            self.anomalies,
            rows_digest(self.rows) if data is None else hashlib.sha256(data).hexdigest(),
            model=self.model.version,
            threshold=self.model.threshold,
            first_anomaly=first,
            last_anomaly=last,
            extreme_score=extreme_score(self.rows),
            rejected_by=self.readings.rejected,
            rejected_file=rejected_file,
            lost=self.readings.lost,
            guard=self.observed,
        )


def write_predictions(
    model: Model, readings: Readings, found: NDArray[np.float64], flagged: NDArray[np.int8]
) -> bytes:
    """The Parquet file's bytes for scores `found` and labels `flagged` of the readings' rows."""
    columns = [
        column(readings.times, pa.timestamp("us", tz="UTC")),
        *(column(values, pa.float64()) for values in readings.values.T),
        column(flagged, pa.int8()),
        column(found, pa.float64()),
    ]
    table = pa.Table.from_arrays(columns, names=["time", *model.features, "prediction", "score"])
    about = {
        "threshold": repr(model.threshold),
        "model_version": model.version,
        "model_sha256": model.sha256,
        "format": str(PREDICTIONS_FORMAT),
    }
    return parquet_bytes(table, about)


def csv_bytes(rows: SensorRows) -> bytes:
    """The CSV file's bytes: RFC 4180, but for lines that end as everywhere on the machines that read them."""
    import csv  # here: most pods write Parquet

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("time", *rows.features, "prediction", "score"))
    columns = [
        time_texts(rows.times),
        # As Python's own floats: their text is the shortest that reads back as the same number.
        *(values.tolist() for values in rows.values.T),
        rows.flagged.tolist(),
        rows.scores.tolist(),
    ]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()
