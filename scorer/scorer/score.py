"""The score stage: one sensor's bytes in, its prediction file's bytes out."""

from __future__ import annotations

from typing import NamedTuple

from scorer.contract.outcome import Decision, Rows
from scorer.contract.work import WorkOrder
from scorer.fetch import Fetched, missing
from scorer.model import anomalies, scores
from scorer.model.file import read_model
from scorer.predictions import write_predictions
from scorer.readings import read_readings


class Prediction(NamedTuple):
    """A prediction file and its account."""

    data: bytes
    rows: Rows
    anomalies: int
    rejected: dict[str, int]


def score(order: WorkOrder, fetched: Fetched) -> Prediction | Decision:
    """Scores the window's rows; a Decision if there are none. Raises SensorError."""
    model = read_model(fetched.model, fetched.model_version)
    readings = read_readings(fetched.readings, model.features, order.window)
    if not readings.rows.read:
        files = ", ".join(path for path, _ in fetched.readings[:3])
        why = f"sensor {fetched.sensor} has no readings in {order.window}: none of the rows of {files}"
        return missing("NoReadings", order.on_missing_readings, why)
    found = scores(model, readings.values)
    flagged = anomalies(model, found)
    data = write_predictions(model, readings, found, flagged)
    return Prediction(data, readings.rows, int(flagged.sum()), readings.rejected)
