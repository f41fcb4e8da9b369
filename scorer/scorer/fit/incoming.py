"""Registering files: models compiled elsewhere, and pickles of fitted estimators, which become compiled ones.

The same three steps as training (`scorer.fit.parallel`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorer.fit.built import Built, Trained, refuse, trained
from scorer.fit.facts import findings
from scorer.fit.pickled import MAX_BYTES, is_pickle
from scorer.fit.register import RegisterError, register
from scorer.fit.settings import Accepted, Incoming, Settings
from scorer.model.file import read_model
from scorer.readings import Reader
from scorer.sources import Found, Sources
from scorer.versions import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from scorer.storage import Store


class Registering:
    """Registers files, in three steps each."""

    def __init__(self, store: Store, how: Settings, accepted: Accepted) -> None:
        self._store = store
        self._how = how
        self._accepted = accepted
        if accepted.window:
            self._sources = Sources(store, how.readings, accepted.window)
            self._reader = Reader(how.readings, accepted.window)

    def read(self, item: Incoming) -> tuple[bytes, Found | None]:
        """The file, and for a pickle the sensor's readings.

        Raises RegisterError, SensorError and StorageError.
        """
        data = _bytes(item.path)
        digest = hashlib.sha256(data).hexdigest()
        if item.sha256 and digest != item.sha256:
            raise RegisterError(
                f"{item.path} has sha256 {digest}: wanted {item.sha256}, nothing of it was read"
            )
        meant = self._accepted.pickles and item.sha256 is not None
        if is_model_file(data) or not (meant or is_pickle(data, item.path.name)):
            return data, None
        _check_allowed(item, self._accepted)
        return data, self._sources.find(item.sensor)

    def build(self, item: Incoming, read: tuple[bytes, Found | None]) -> tuple[str, Built]:
        """The sensor and its model. Raises RegisterError, SensorError and ExportError."""
        data, found = read
        built = self._adopted(item, data, found) if found else _as_it_is(data)
        sensor = item.sensor or str(built.training.get("sensor") or "")
        if not sensor:
            raise RegisterError(f"{item.path} does not say whose model it is: name the sensor with --sensor")
        refuse(sensor, built.findings, self._how.refuse_degenerate)
        return sensor, built

    def write(self, item: Incoming, built: tuple[str, Built]) -> Trained:
        """Registers it. Raises RegisterError, SensorError and StorageError."""
        del item
        sensor, model = built
        return trained(register(self._store, sensor, model.data, self._how.models), model)

    def _adopted(self, item: Incoming, data: bytes, found: Found) -> Built:
        from scorer.fit.adopt import adopted  # here: compiled files need no scikit-learn

        if self._accepted.window is None:
            raise RegisterError(f"{item.path}: no window of readings was named to prove it by")
        return adopted(data, item, self._reader, found, self._accepted.window, self._accepted.features)


def is_model_file(data: bytes) -> bool:
    """Whether these bytes begin as safetensors do: with a JSON header's length, and the header."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RegisterError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise RegisterError(f"{path} has more than {MAX_BYTES} bytes: wanted a model")
    return data


def _check_allowed(item: Incoming, accepted: Accepted) -> None:
    """Raises RegisterError unless the user said that this very file may be loaded, and how to prove it."""
    if not accepted.pickles or not item.sha256:
        raise RegisterError(
            f"{item.path} is a pickle, and loading one runs whatever is in it: if you know where it comes "
            "from, register it with --allow-pickle, --sha256 (as `sha256sum` prints it) and --window"
        )
    if accepted.window is None:
        raise RegisterError(
            f"{item.path} is a pickle: name with --window the readings that its compiled form is proved by"
        )
    if not item.sensor:
        raise RegisterError(f"{item.path} is a pickle, which does not say whose model it is: wanted --sensor")


def _as_it_is(data: bytes) -> Built:
    """A file that is compiled already."""
    if len(data) > MAX_MODEL_BYTES:
        raise RegisterError(f"a model file has {len(data)} bytes: wanted at most {MAX_MODEL_BYTES}")
    told = read_model(data).metadata.get("training")
    training: Mapping[str, Any] = told if isinstance(told, dict) else {}
    return Built(data, training, findings(training))
