"""Predictions of one sensor for one window, as Parquet bytes.

Columns: `time` (timestamp[us, UTC]), the features as they were scored (float64), `prediction` (int8, 1 =
anomaly) and `score` (float64, higher = more anomalous). The file's metadata names threshold, model version,
its sha256 and this format's version. Nothing in the bytes depends on when, by whom or beside which sensors
they were made.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from scorer.columns import column
from scorer.fence import PREDICTIONS_FORMAT
from scorer.parquet import parquet_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scorer.model import Model
    from scorer.readings import Readings


class Prediction:
    """One sensor's rows with scores `found` and labels `flagged`, both (rows,)."""

    def __init__(
        self, model: Model, readings: Readings, found: NDArray[np.float64], flagged: NDArray[np.int8]
    ) -> None:
        self.model = model
        self.readings = readings
        self.scores = found
        self.flagged = flagged

    @cached_property
    def anomalies(self) -> int:
        """How many rows are flagged."""
        return int(self.flagged.sum())

    def encode(self) -> bytes:
        """A file of this sensor alone."""
        return write_predictions(self.model, self.readings, self.scores, self.flagged)


def write_predictions(
    model: Model, readings: Readings, found: NDArray[np.float64], flagged: NDArray[np.int8]
) -> bytes:
    """The file's bytes for scores `found` and labels `flagged` of the readings' rows."""
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
