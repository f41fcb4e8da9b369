"""Registration: a model file becomes a version that pods find, under `models/{sensor}`.

A version is never changed. Its name comes from the end of its training window and the file's digest, so
registering the same model again finds it there and changes nothing. `current.json` names the version in use;
it is replaced only over the state that was read, so that of two registrations at once one is told.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from scorer.contract.paths import check_model_path, is_sensor_name, model_folder
from scorer.errors import InputError
from scorer.model.file import read_model
from scorer.storage import ConflictError, NotFoundError, Store
from scorer.versions import CURRENT_FILE, MODEL_FILE
from scorer.window import utc_text, utc_time

MODEL_TEMPLATE = "models/{sensor}"


class RegisterError(InputError):
    """A model that cannot be registered, in one sentence."""


class Registered(NamedTuple):
    """A version, and whether it became the current one just now."""

    sensor: str
    version: str
    sha256: str
    changed: bool


def register(store: Store, sensor: str, data: bytes, template: str = MODEL_TEMPLATE) -> Registered:
    """Puts a model file into the store and makes it the sensor's current version.

    Raises RegisterError, SensorError for a file that is no model, and StorageError.
    """
    check_model_path(template)
    if not is_sensor_name(sensor):
        raise RegisterError(f"sensor name {sensor!r} cannot be used: wanted letters, digits, '.', '_', '-'")
    header = read_model(data).metadata
    try:
        valid_from = utc_time(header["training"]["window"].partition("/")[2])
        proved = header["check"]["rows"] > 0
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegisterError(
            f"sensor {sensor}: model file does not say how it was trained and proved"
        ) from error
    if not proved:
        raise RegisterError(f"sensor {sensor}: model file was not proved equal to scikit-learn on any row")
    sha256 = hashlib.sha256(data).hexdigest()
    version = f"{valid_from:%Y%m%dT%H%M%SZ}-{sha256[:8]}"
    folder = model_folder(template, sensor)
    _put_version(store, f"{folder}/{version}", data, sha256, header)
    current = {"version": version, "sha256": sha256, "validFrom": utc_text(valid_from)}
    changed = _switch(store, f"{folder}/{CURRENT_FILE}", json.dumps(current, indent=1).encode())
    return Registered(sensor, version, sha256, changed)


def _put_version(store: Store, folder: str, data: bytes, sha256: str, header: object) -> None:
    path = f"{folder}/{MODEL_FILE}"
    try:
        store.put(path, data, {"sha256": sha256}, if_none_match=True)
    except ConflictError:
        if hashlib.sha256(store.get(path).data).hexdigest() != sha256:
            raise RegisterError(f"{path} holds another model than its name says: remove it first") from None
    # For people; written after the model, and written again if a registration died in between.
    store.put(f"{folder}/metadata.json", json.dumps(header, indent=1, sort_keys=True).encode())


def _switch(store: Store, path: str, current: bytes) -> bool:
    """Makes `current` the object's bytes; whether it had to."""
    try:
        found = store.get(path)
    except NotFoundError:
        found = None
    if found and found.data == current:
        return False
    try:
        store.put(path, current, if_match=found.etag if found else None, if_none_match=found is None)
    except ConflictError as error:
        raise RegisterError(
            f"{path} was changed while registering: someone else registers too, try again"
        ) from error
    return True
