"""Training: a model for a sensor from its readings of a window, proved equal to scikit-learn and registered.

Three steps, so that many sensors' reads and writes can wait for the store while another one computes
(`scorer.fit.parallel`).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from scorer.fit.build import LEAST_ROWS, Given, build, enough, made_here
from scorer.fit.built import Built, FitError, Trained, refuse, trained
from scorer.fit.estimators import TOLERANCE, Estimator, check_estimator, pipeline, settings
from scorer.fit.facts import Finding
from scorer.fit.register import register
from scorer.fit.settings import Settings
from scorer.readings import Reader
from scorer.sources import Found, Sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.storage import Store
    from scorer.window import Window

__all__ = ["DEFAULTS", "LEAST_ROWS", "TOLERANCE", "FitError", "Settings", "Trained", "Training", "train"]


DEFAULTS = Settings()


class Training:
    """Trains sensors on one window, in three steps each."""

    def __init__(self, store: Store, window: Window, how: Settings = DEFAULTS) -> None:
        """Raises InputError for settings that do not fit each other."""
        check_estimator(how.estimator)
        self._store = store
        self._window = window
        self._how = how
        self._sources = Sources(store, how.readings, window)
        self._reader = Reader(how.readings, window)

    def read(self, sensor: str) -> Found:
        """The sensor's readings as stored. Raises StorageError and SensorError."""
        return self._sources.find(sensor)

    def build(self, sensor: str, found: Found) -> Built:
        """Its model. Raises SensorError, FitError and ExportError."""
        how = self._how
        readings = enough(self._reader, sensor, found, how.features, self._window)
        fitted, said = _fit(sensor, how.estimator, readings.values)
        more = {"settings": {"estimator": how.estimator.name, **settings(how.estimator)}}
        built = build(Given(fitted, sensor, self._window, readings, how.features, more, made_here()))
        refuse(sensor, built.findings, how.refuse_degenerate)
        return built._replace(notes=said)

    def write(self, sensor: str, built: Built) -> Trained:
        """Registers it. Raises RegisterError, SensorError and StorageError."""
        return trained(register(self._store, sensor, built.data, self._how.models), built)


def train(store: Store, sensor: str, window: Window, how: Settings = DEFAULTS) -> Trained:
    """Trains one sensor's model and registers it.

    Raises SensorError, FitError, ExportError, RegisterError and StorageError.
    """
    training = Training(store, window, how)
    return training.write(sensor, training.build(sensor, training.read(sensor)))


def _fit(sensor: str, wanted: Estimator, values: NDArray[np.float64]) -> tuple[Any, tuple[Finding, ...]]:
    """The fitted pipeline, and what scikit-learn warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted = pipeline(wanted).fit(values)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise FitError(
                f"sensor {sensor}: {wanted.name} cannot be fitted to its readings: {said}"
            ) from error
    texts = {warning.category.__name__: str(warning.message).splitlines()[0][:200] for warning in caught}
    return fitted, tuple(Finding(name, text) for name, text in texts.items())
