"""Registration: a model file becomes a version that pods find, under `models/{sensor}`.

A version is never changed. Its name comes from the end of its training window and the file's digest, so
registering the same model again finds it there and changes nothing. `current.json` lists the versions and
says which is in use; it is replaced only over the state that was read, and what someone else changed
meanwhile is read and merged (`scorer.fit.history`), so that two registrations at once lose nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scorer import templates
from scorer.contract.outcome import SensorError
from scorer.contract.paths import check_model_path, is_sensor_name, model_folder
from scorer.errors import InputError
from scorer.fit.history import HistoryError, RolledBack, encode, registered, rolled_back
from scorer.model.file import read_model
from scorer.storage import ConflictError, NotFoundError, Store, TooLargeError
from scorer.versions import (
    CURRENT_FILE,
    MAX_CURRENT_BYTES,
    METADATA_FILE,
    MODEL_FILE,
    History,
    Listed,
    read_history,
)
from scorer.window import utc_text, utc_time

TRIES = 10
"""At replacing `current.json`: of so many writers at once each gets its turn."""

NEW = "new"
"""It became the version in use just now."""
SAME = "as before"
"""It was in use already: nothing changed."""
LISTED = "listed"
"""It can be had by its name and `AsOfWindowEnd`: the one in use comes from a later training window."""
WITHDRAWN = "rolled back"
"""It was rolled back earlier and stays so."""

Clock = Callable[[], datetime]


class RegisterError(InputError):
    """A model that cannot be registered, in one sentence."""


class Registered(NamedTuple):
    """A version, and what became of it."""

    sensor: str
    version: str
    sha256: str
    state: str
    current: str
    """The version in use."""

    @property
    def changed(self) -> bool:
        """Whether it became the version in use just now."""
        return self.state == NEW


class Back(NamedTuple):
    """A sensor's rollback: the version that was in use, and the one that is now."""

    sensor: str
    left: str
    became: str


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def register(
    store: Store, sensor: str, data: bytes, template: str = templates.MODELS, clock: Clock = now
) -> Registered:
    """Puts a model file into the store and lists it as a version of the sensor, in use if it is the newest.

    Raises RegisterError, SensorError for a file that is no model, and StorageError.
    """
    folder = _folder(template, sensor)
    header = read_model(data).metadata
    valid_from = _valid_from(sensor, header)
    sha256 = hashlib.sha256(data).hexdigest()
    version = Listed(f"{valid_from:%Y%m%dT%H%M%SZ}-{sha256[:8]}", sha256, valid_from)
    _put_version(store, f"{folder}/{version.version}", data, version, header)
    path = f"{folder}/{CURRENT_FILE}"
    try:
        before, after = _switch(store, path, lambda found: registered(found, version, clock()))
    except HistoryError as error:
        raise RegisterError(f"sensor {sensor}: {error}") from error
    return _registered(sensor, version, before, after)


def roll_back(
    store: Store, sensor: str, to: str | None = None, template: str = templates.MODELS, clock: Clock = now
) -> Back:
    """Withdraws the version in use, for `to` or for what was in use before it.

    Raises RegisterError, also if someone else changed the version in use meanwhile, SensorError and
    StorageError.
    """
    path = f"{_folder(template, sensor)}/{CURRENT_FILE}"
    data, _ = _read(store, path)
    if data is None:
        raise RegisterError(f"sensor {sensor} has no model: {path} does not exist")
    try:
        wanted = rolled_back(read_history(data, path), to, clock())
    except HistoryError as error:
        raise RegisterError(f"sensor {sensor}: {error}") from error
    _switch(store, path, lambda found: _back(sensor, found, wanted, clock))
    return Back(sensor, wanted.left, wanted.became)


def _back(sensor: str, found: History | None, wanted: RolledBack, clock: Clock) -> History:
    """The rollback over what is there now, which may be another state than it was decided on."""
    current = found.in_use() if found else None
    if found and current and current.version == wanted.left:
        return rolled_back(found, wanted.became, clock()).history
    left = found.listed(wanted.left) if found else None
    if found and current and current.version == wanted.became and left and left.withdrawn:
        return found  # done: in a try of ours whose answer was lost, or by someone who wanted the same
    raise RegisterError(
        f"sensor {sensor}: someone else changed the version in use from {wanted.left} to "
        f"{current.version if current else 'none'} meanwhile: look, and try again"
    )


def _folder(template: str, sensor: str) -> str:
    check_model_path(template)
    if not is_sensor_name(sensor):
        raise RegisterError(f"sensor name {sensor!r} cannot be used: wanted letters, digits, '.', '_', '-'")
    return model_folder(template, sensor)


def _valid_from(sensor: str, header: Mapping[str, Any]) -> datetime:
    try:
        valid_from = utc_time(header["training"]["window"].partition("/")[2])
        proved = header["check"]["rows"] > 0
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegisterError(
            f"sensor {sensor}: model file does not say how it was trained and proved"
        ) from error
    if not proved:
        raise RegisterError(f"sensor {sensor}: model file was not proved equal to scikit-learn on any row")
    return valid_from


def _put_version(store: Store, folder: str, data: bytes, version: Listed, header: Mapping[str, Any]) -> None:
    path = f"{folder}/{MODEL_FILE}"
    try:
        store.put(path, data, {"sha256": version.sha256}, if_none_match=True)
    except ConflictError:
        if hashlib.sha256(store.get(path).data).hexdigest() != version.sha256:
            raise RegisterError(f"{path} holds another model than its name says: remove it first") from None
    named = {
        "version": version.version,
        "sha256": version.sha256,
        "validFrom": utc_text(version.valid_from),
    }
    metadata = json.dumps({**header, **named}, indent=1, sort_keys=True).encode()
    path = f"{folder}/{METADATA_FILE}"
    try:
        store.put(path, metadata, if_none_match=True)
    except ConflictError:
        if store.get(path).data != metadata:  # of an earlier release
            store.put(path, metadata)


def _switch(
    store: Store, path: str, change: Callable[[History | None], History]
) -> tuple[History | None, History]:
    """Replaces `current.json` by what `change` makes of it; gives what was at first, and what is now."""
    first: History | None = None
    for number in range(TRIES):
        data, etag = _read(store, path)
        before = read_history(data, path) if data is not None else None
        if number == 0:
            first = before
        after = change(before)
        if after == before:
            return first, after
        try:
            store.put(path, encode(after), if_match=etag, if_none_match=etag is None)
        except ConflictError:
            continue
        return first, after
    raise RegisterError(f"{path} was changed by others {TRIES} times while it was written: try again")


def _read(store: Store, path: str) -> tuple[bytes | None, str | None]:
    try:
        found = store.get(path, MAX_CURRENT_BYTES)
    except NotFoundError:
        return None, None
    except TooLargeError as error:
        raise SensorError("ModelCorrupt", str(error)) from error
    return found.data, found.etag


def _registered(sensor: str, version: Listed, before: History | None, after: History) -> Registered:
    def used(history: History | None) -> str:
        current = history.in_use() if history else None
        return current.version if current else ""

    if used(after) == version.version:
        state = SAME if used(before) == version.version else NEW
    else:
        known = after.listed(version.version)
        state = WITHDRAWN if known and known.withdrawn else LISTED
    return Registered(sensor, version.version, version.sha256, state, used(after))
