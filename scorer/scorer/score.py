"""The score stage: one sensor's bytes in, its prediction out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.contract.outcome import Decision
from scorer.contract.work import WorkOrder
from scorer.fetch import Fetched, missing
from scorer.guard.observe import observe
from scorer.logs import Log
from scorer.model import Model, anomalies, scores, stored_scores
from scorer.model.file import read_model
from scorer.predictions import Prediction
from scorer.readings import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scorer.plugin.runner import Runner


class Scoring:
    """Scores one sensor after the other: what sensors share is decoded once."""

    def __init__(self, order: WorkOrder, log: Log | None = None) -> None:
        self._order = order
        self._log = log or Log()
        self._plugins: Runner | None = None
        self._reader = Reader(order.readings, order.window)

    def score(self, fetched: Fetched) -> Prediction | Decision:
        """Scores the window's rows; a Decision if there are none. Raises SensorError."""
        model = read_model(fetched.model, fetched.version.name)
        border = self._order.of(fetched.sensor).threshold
        if border is not None:
            model = model._replace(threshold=float(border), border_is_anomaly=True)  # as is said of it
        readings = self._reader.read(
            fetched.readings, fetched.sensor, model.features, accepts_missing=model.accepts_missing
        )
        if not readings.rows.read:
            files = ", ".join(file.path for file in fetched.readings.files[:3])
            none = f"sensor {fetched.sensor} has no readings in {self._order.window}"
            lost = f"; {readings.lost}" if readings.lost else ""
            why = f"{none}: no row of {files}{lost}"
            return missing("NoReadings", self._order.on_missing_readings, why)
        found = self._scores(model, readings.values)
        flagged = anomalies(model, found)
        observed = observe(model, readings, flagged, self._order.window)
        # The model is needed no more, only what is told of it: what waits to be written holds none.
        return Prediction(model._replace(stages=(), plugin=None), readings, found, flagged, observed)

    def close(self) -> None:
        """Ends what was started for plugins' models."""
        if self._plugins is not None:
            self._plugins.close()

    def _scores(self, model: Model, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if model.plugin is None:
            return scores(model, rows)
        if self._plugins is None:
            from scorer.plugin.runner import Runner  # here: only a pod with such models pays for it

            self._plugins = Runner.of_this_image(lambda line: self._log.warning(line, source="plugin"))
        return stored_scores(model, self._plugins.scores(model, rows))
