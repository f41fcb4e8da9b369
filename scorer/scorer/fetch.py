"""The read stage: everything one sensor's scoring needs, as bytes.

Imports neither numpy nor pyarrow, so that the first sensor's bytes are on their way while those are being
loaded.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from scorer.contract.outcome import FAILED, SCORED, SKIPPED, UNDECIDED, Decision, SensorError
from scorer.contract.paths import model_folder
from scorer.contract.work import WorkOrder
from scorer.fence import fingerprint
from scorer.outputs import Outputs, Prior
from scorer.sources import Found, Sources
from scorer.storage import DeniedError, NotFoundError, StorageError, Store, TooLargeError
from scorer.summary import summary_of
from scorer.versions import CURRENT_FILE, MAX_MODEL_BYTES, Version, find


class Fetched(NamedTuple):
    """One sensor's bytes, and what they are."""

    sensor: str
    prior: Prior | None
    """The prediction that is there already, from other readings or another model."""
    fingerprint: str
    version: Version
    model: bytes
    readings: Found

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.model) + self.readings.size


class Kept(NamedTuple):
    """A sensor whose prediction is there already, as scoring would make it now."""

    prior: Prior
    fingerprint: str
    decision: Decision


def fetch(
    store: Store, order: WorkOrder, sources: Sources, outputs: Outputs, sensor: str
) -> Fetched | Kept | Decision:
    """Reads what the sensor needs; a Decision if it needs no scoring. Raises StorageError and SensorError."""
    prior = outputs.prior(sensor)
    given = order.of(sensor)
    folder = model_folder(order.model.path, given.model or sensor)
    version = find(store, order.model, given.model or sensor, order.window)
    if isinstance(version, str):
        return missing("NoModel", order.on_missing_model, f"sensor {sensor} has no model: {version}")
    readings = sources.find(sensor)
    if not readings.files:
        looked = ", ".join(readings.absent[:3]) + (", …" if len(readings.absent) > 3 else "")
        return missing(
            "NoReadings", order.on_missing_readings, f"sensor {sensor} has no readings: no file at {looked}"
        )
    made_from = fingerprint(
        *(order.window, readings.states(), version.sha256, order.readings, order.output, given.threshold)
    )
    finished = summary_of(prior.metadata) if prior else None
    if prior and finished and finished.fingerprint == made_from:
        about = {**finished.detail(outputs.path(sensor)), "madeBy": prior.metadata.get("run")}
        kept = Decision(SCORED, rows=finished.rows, anomalies=finished.anomalies, detail=about)
        return Kept(prior, made_from, kept)
    model = _model(store, f"{folder}/{version.name}/{version.file}", version.sha256)
    return Fetched(sensor, prior, made_from, version, model, readings)


def missing(reason: str, policy: str, message: str) -> Decision:
    """NoModel or NoReadings: the run's policy says whether that is a failure."""
    return Decision(SKIPPED if policy == "Skip" else FAILED, reason, message)


def undone(sensor: str, error: StorageError | SensorError) -> Decision:
    """What an error means for its sensor: Failed for good, or Undecided and to be tried again."""
    if isinstance(error, SensorError):
        return Decision(FAILED, error.reason, f"sensor {sensor}: {error}")
    if isinstance(error, DeniedError):
        return Decision(FAILED, "StorageDenied", f"sensor {sensor}: {error}")
    return Decision(UNDECIDED, "StorageUnavailable", f"sensor {sensor}: {error}")


def _model(store: Store, path: str, sha256: str) -> bytes:
    """The model file's bytes, which are those that `current.json` names. Raises SensorError."""
    try:
        data = store.get(path, MAX_MODEL_BYTES).data
    except NotFoundError as error:
        raise SensorError(
            "ModelCorrupt", f"model file {path} does not exist, but {CURRENT_FILE} names it"
        ) from error
    except TooLargeError as error:
        raise SensorError("ModelIncompatible", f"model file {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SensorError(
            "ModelCorrupt", f"model file {path} has sha256 {found}, {CURRENT_FILE} says {sha256}"
        )
    return data
