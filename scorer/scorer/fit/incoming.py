"""Registering files: models compiled elsewhere, and pickles of fitted estimators, which become compiled ones.

The same three steps as training (`scorer.fit.parallel`). A pickle is loaded here and never in a pod: what is
registered is the compiled model, proved equal to it on the sensor's own readings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorer.errors import InputError
from scorer.fit import pickles
from scorer.fit.build import (
    Built,
    Given,
    accepts_missing,
    build,
    build_for_plugin,
    enough,
    made_here,
    refuse,
)
from scorer.fit.export import ExportError
from scorer.fit.facts import findings
from scorer.fit.register import RegisterError, register
from scorer.fit.settings import Accepted, Incoming, Settings
from scorer.fit.train import Trained, trained
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
        if is_model_file(data) or not (meant or pickles.is_pickle(data, item.path.name)):
            return data, None
        _check_allowed(item, self._accepted)
        return data, self._sources.find(item.sensor)

    def build(self, item: Incoming, read: tuple[bytes, Found | None]) -> tuple[str, Built]:
        """The sensor and its model. Raises RegisterError, SensorError and ExportError."""
        data, found = read
        built = self._compiled(item, data, found) if found else _as_it_is(data)
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

    def _compiled(self, item: Incoming, data: bytes, found: Found) -> Built:
        window = self._accepted.window
        if window is None:
            raise RegisterError(
                f"{item.path} is a pickle, and no window of readings was named to prove it by"
            )
        fitted = pickles.load(data, item.path.name)
        features = _features(fitted, self._accepted.features, item.path)
        missing = accepts_missing(fitted, features)
        readings = enough(self._reader, item.sensor, found, features, window, accepts_missing=missing)
        more, by = _trained_elsewhere(fitted, data), made_by(data)
        given = Given(fitted, item.sensor, window, readings, features, more, by)
        try:
            return build(given)
        except ExportError as error:
            return build_for_plugin(given, str(error).partition(";")[0].partition(": wanted")[0])


def is_model_file(data: bytes) -> bool:
    """Whether these bytes begin as safetensors do: with a JSON header's length, and the header."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def made_by(data: bytes) -> dict[str, str]:
    """The versions that trained a pickle's estimator, as far as it says."""
    said = pickles.written(data).sklearn
    return made_here() | ({"sklearn": said} if said else {})


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(pickles.MAX_BYTES + 1)
    except OSError as error:
        raise RegisterError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > pickles.MAX_BYTES:
        raise RegisterError(f"{path} has more than {pickles.MAX_BYTES} bytes: wanted a model")
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


def _features(fitted: Any, named: tuple[str, ...] | None, path: Path) -> tuple[str, ...]:
    """The estimator's own, or those named, in the order of its inputs. Raises InputError."""
    count = int(fitted.n_features_in_)
    own = tuple(str(name) for name in getattr(fitted, "feature_names_in_", ()))
    features = named or own or (("value",) if count == 1 else ())
    if len(features) != count:
        raise InputError(
            f"{path} has an estimator of {count} features, found are {len(features)} names: name them with "
            "--features"
        )
    if named and own and named != own:
        raise InputError(f"{path} was fitted to {', '.join(own)}: --features says {', '.join(named)}")
    return features


def _trained_elsewhere(fitted: Any, data: bytes) -> dict[str, Any]:
    """What an estimator says of its own training, beside the facts of the readings that prove it."""
    last = fitted[-1] if hasattr(fitted, "steps") else fitted
    known = last.get_params(deep=False)
    settings = {
        name: value
        for name in ("kernel", "gamma", "nu", "contamination", "n_neighbors", "n_estimators")
        if isinstance(value := known.get(name), str | int | float) and not isinstance(value, bool)
    }
    more: dict[str, Any] = {
        "settings": {"estimator": type(last).__name__, **settings},
        "pickle": hashlib.sha256(data).hexdigest(),
    }
    dual = getattr(last, "dual_coef_", None)
    if dual is not None and isinstance(nu := settings.get("nu"), float) and nu > 0:
        # libsvm's coefficients add up to nu * rows (Chang and Lin, 2011, ACM TIST 2:27, section 2.3).
        more["trainedRows"] = round(float(dual.sum()) / nu)
    return more
