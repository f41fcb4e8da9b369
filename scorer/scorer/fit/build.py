"""A fitted estimator and the readings that it is proved by, as a model file with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sklearn

from scorer.contract.outcome import SensorError
from scorer.fit.built import Built, FitError
from scorer.fit.export import ExportError, export, prove
from scorer.fit.facts import Finding, facts, findings
from scorer.model import anomalies, scores, stored_scores
from scorer.model.file import read_model, write_model, write_plugin_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings import Reader, Readings
    from scorer.sources import Found
    from scorer.window import Window

LEAST_ROWS = 20
"""Fewer readings than this give a border of chance, and prove little."""


class Given(NamedTuple):
    """A fitted estimator, and what it is proved by and told with."""

    fitted: Any
    sensor: str
    window: Window
    readings: Readings
    features: tuple[str, ...]
    more: Mapping[str, Any]
    """Said of the training beside its facts."""
    by: Mapping[str, str]
    """The versions that trained it."""


def build(given: Given) -> Built:
    """The compiled model, proved equal to the estimator on the readings. Raises ExportError."""
    rows = given.readings.values
    stages = export(given.fitted)
    model = read_model(write_model(stages, given.features, {}))
    proof = prove(given.fitted, model, rows)
    training = _training(given, anomalies(model, scores(model, rows)))
    about = _about(given, training, proof.rows, proof.largest)
    return Built(write_model(stages, given.features, about), training, findings(training))


def build_for_plugin(given: Given, why: str) -> Built:
    """The estimator itself for the scikit-learn runtime, because it has no compiled form: `why` says.

    What was stored is proved to score like the estimator. Raises FitError and PackageError.
    """
    try:
        from scorer.fit.plugin import package
        from scorer.plugin import scikit
        from scorer.plugin.payload import unpack
    except ImportError as error:
        raise FitError(
            f"sensor {given.sensor}: {why}, and for that {error.name} must be installed here, which it is not"
        ) from error
    rows = given.readings.values
    packaged = package(given.fitted, rows)
    packed = unpack(packaged.payload, len(given.features))
    raw = scikit.score(scikit.load(packed.data, packed.params), rows)
    own = scikit.score(scikit.Loaded(given.fitted, packed.params["offset"]), rows)
    largest = float(np.abs(raw - own).max() / packaged.scale)

    def file(about: Mapping[str, Any]) -> bytes:
        name, payload, scale, border, missing = packaged
        return write_plugin_model(name, payload, given.features, about, scale, border, missing)

    model = read_model(file({}))
    training = _training(given, anomalies(model, stored_scores(model, raw)))
    data = file(_about(given, training, len(rows), largest))
    note = Finding("NotCompiled", f"{why}: runs that score it need a runtime with {packaged.name}")
    return Built(data, training, findings(training), (note,))


def _training(given: Given, flagged: NDArray[np.int8]) -> dict[str, Any]:
    training = facts(given.sensor, given.window, given.readings, given.features, flagged)
    last = given.fitted[-1] if hasattr(given.fitted, "steps") else given.fitted
    if hasattr(last, "support_vectors_"):
        training["supportVectors"] = len(last.support_vectors_)
    return {**training, **given.more}


def _about(given: Given, training: Mapping[str, Any], rows: int, largest: float) -> dict[str, Any]:
    return {**given.by, "training": training, "check": {"rows": rows, "largestDifference": largest}}


def accepts_missing(fitted: Any, features: tuple[str, ...]) -> bool:
    """Whether the compiled form takes rows that lack values; not, if there is none."""
    try:
        return read_model(write_model(export(fitted), features, {})).accepts_missing
    except ExportError:
        return False


def enough(
    reader: Reader,
    sensor: str,
    found: Found,
    features: tuple[str, ...],
    window: Window,
    *,
    accepts_missing: bool = False,
) -> Readings:
    """The sensor's rows, if they are enough to train on or to prove by. Raises SensorError."""
    if not found.files:
        looked = ", ".join(found.absent[:3])
        raise SensorError("NoReadings", f"sensor {sensor} has no readings: no file at {looked}")
    readings = reader.read(found, sensor, features, accepts_missing=accepts_missing)
    if readings.rows.scored < LEAST_ROWS:
        raise SensorError(
            "NoReadings",
            f"sensor {sensor} has {readings.rows.scored} usable readings in {window}: "
            f"wanted at least {LEAST_ROWS}",
        )
    return readings


def made_here() -> dict[str, str]:
    """The versions of what trains here."""
    return {"sklearn": sklearn.__version__, "numpy": np.__version__}
