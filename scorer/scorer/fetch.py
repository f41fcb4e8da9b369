"""The read stage: everything one sensor's scoring needs, as bytes.

Imports neither numpy nor pyarrow, so that the first sensor's bytes are on their way while those are being
loaded.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from scorer.contract.outcome import FAILED, SCORED, SKIPPED, UNDECIDED, Decision, SensorError
from scorer.contract.paths import MAX_VERSION, model_folder, output_path, readings_paths
from scorer.contract.work import WorkOrder
from scorer.fence import done, fingerprint
from scorer.storage import (
    DeniedError,
    Head,
    NotFoundError,
    StorageError,
    Store,
    TooLargeError,
)

MAX_CURRENT_BYTES = 64 * 1024
MAX_MODEL_BYTES = 64 * 1024 * 1024
"""Of a model file: 750,000 support vectors of 10 features."""
MAX_READINGS_BYTES = 64 * 1024 * 1024
"""Of one readings file as stored: about 5 million rows. It is held beside its decoded rows."""
CURRENT = "current.json"
MODEL_FILE = "model.safetensors"


class Fetched(NamedTuple):
    """One sensor's bytes, and what they are."""

    sensor: str
    output: str
    prior: Head | None
    """The prediction that is there already, from other readings or another model."""
    fingerprint: str
    model_version: str
    model: bytes
    readings: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.model) + sum(len(data) for _, data in self.readings)


def fetch(store: Store, order: WorkOrder, sensor: str) -> Fetched | Decision:
    """Reads what the sensor needs; a Decision if it needs no scoring. Raises StorageError and SensorError."""
    output = output_path(order.output_path, sensor, order.window)
    prior = head_or_none(store, output)
    folder = model_folder(order.model_path, sensor)
    try:
        version, sha256 = _current(store, f"{folder}/{CURRENT}")
    except NotFoundError:
        return missing(
            "NoModel",
            order.on_missing_model,
            f"sensor {sensor} has no model: {folder}/{CURRENT} does not exist",
        )
    readings, etags = _readings(store, readings_paths(order.readings_path, sensor, order.window))
    if not readings:
        looked = ", ".join(path for path, _ in etags[:3]) + (", …" if len(etags) > 3 else "")
        return missing(
            "NoReadings", order.on_missing_readings, f"sensor {sensor} has no readings: no file at {looked}"
        )
    made_from = fingerprint(order.window, etags, sha256)
    finished = done(prior.metadata, made_from) if prior else None
    if prior and finished:
        about = {
            "prediction": output,
            "fingerprint": made_from,
            "model": version,
            "madeBy": prior.metadata.get("run"),
        }
        return Decision(SCORED, rows=finished.rows, anomalies=finished.anomalies, detail=about)
    model = _model(store, f"{folder}/{version}/{MODEL_FILE}", sha256)
    return Fetched(sensor, output, prior, made_from, version, model, readings)


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


def head_or_none(store: Store, path: str) -> Head | None:
    """What is known of the object, None if there is none."""
    try:
        return store.head(path)
    except NotFoundError:
        return None


def current_version(data: bytes, path: str) -> tuple[str, str]:
    """Version and sha256 that a `current.json` names. Raises SensorError with ModelCorrupt."""
    try:
        current = json.loads(data)
        version, sha256 = current["version"], current["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SensorError(
            "ModelCorrupt", f"{path} is not a model's: {type(error).__name__} {error}"
        ) from error
    # The version becomes a part of a path.
    good = (
        isinstance(version, str)
        and len(version) <= MAX_VERSION
        and version.isascii()
        and version.replace("-", "").isalnum()
    )
    if not good or not isinstance(sha256, str) or len(sha256) != 64:
        raise SensorError(
            "ModelCorrupt", f"{path} names version {version!r} and sha256 {sha256!r}: not a model's"
        )
    return version, sha256


def _current(store: Store, path: str) -> tuple[str, str]:
    try:
        return current_version(store.get(path, MAX_CURRENT_BYTES).data, path)
    except TooLargeError as error:
        raise SensorError("ModelCorrupt", str(error)) from error


def _readings(store: Store, paths: list[str]) -> tuple[list[tuple[str, bytes]], list[tuple[str, str | None]]]:
    """The files that are there, and every path with its ETag: a file that comes late is a change."""
    files: list[tuple[str, bytes]] = []
    etags: list[tuple[str, str | None]] = []
    for path in paths:
        try:
            found = store.get(path, MAX_READINGS_BYTES)
        except NotFoundError:
            etags.append((path, None))
            continue
        except TooLargeError as error:
            raise SensorError("ReadingsTooLarge", f"readings {error}") from error
        files.append((path, found.data))
        etags.append((path, found.etag))
    return files, etags


def _model(store: Store, path: str, sha256: str) -> bytes:
    """The model file's bytes, which are those that `current.json` names. Raises SensorError."""
    try:
        data = store.get(path, MAX_MODEL_BYTES).data
    except NotFoundError as error:
        raise SensorError(
            "ModelCorrupt", f"model file {path} does not exist, but {CURRENT} names it"
        ) from error
    except TooLargeError as error:
        raise SensorError("ModelIncompatible", f"model file {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SensorError("ModelCorrupt", f"model file {path} has sha256 {found}, {CURRENT} says {sha256}")
    return data
