"""The score stage: one sensor's bytes in, its prediction out."""

from __future__ import annotations

from scorer.contract.outcome import Decision
from scorer.contract.work import WorkOrder
from scorer.fetch import Fetched, missing
from scorer.model import anomalies, scores
from scorer.model.file import read_model
from scorer.predictions import Prediction
from scorer.readings import Reader


class Scoring:
    """Scores one sensor after the other: what sensors share is decoded once."""

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._reader = Reader(order.readings, order.window)

    def score(self, fetched: Fetched) -> Prediction | Decision:
        """Scores the window's rows; a Decision if there are none. Raises SensorError."""
        model = read_model(fetched.model, fetched.version.name)
        readings = self._reader.read(fetched.readings, fetched.sensor, model.features)
        if not readings.rows.read:
            files = ", ".join(file.path for file in fetched.readings.files[:3])
            none = f"sensor {fetched.sensor} has no readings in {self._order.window}"
            return missing("NoReadings", self._order.on_missing_readings, f"{none}: no row of {files}")
        found = scores(model, readings.values)
        return Prediction(model, readings, found, anomalies(model, found))
