"""What is registered: sensors, their versions, and whether their files are what they were."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from scorer.contract.outcome import SensorError
from scorer.contract.paths import SENSOR_TOKEN, is_sensor_name, model_folder
from scorer.errors import InputError
from scorer.model import Model
from scorer.model.file import read_model
from scorer.storage import NotFoundError, Store, TooLargeError
from scorer.versions import (
    CURRENT_FILE,
    MAX_CURRENT_BYTES,
    MAX_METADATA_BYTES,
    MAX_MODEL_BYTES,
    METADATA_FILE,
    MODEL_FILE,
    History,
    is_version,
    read_history,
)

THREADS = 16
"""That wait for the store."""
T = TypeVar("T")


class Problem(NamedTuple):
    """What is wrong with a registered model, in one sentence."""

    sensor: str
    message: str


def sensors(store: Store, template: str) -> dict[str, list[str]]:
    """Every sensor with a model file in the store, and its versions there, in order of name."""
    before, _, after = template.partition(SENSOR_TOKEN)
    rest = re.escape(after).replace(re.escape(SENSOR_TOKEN), r"\1")
    pattern = re.compile(f"{re.escape(before)}([^/]+){rest}/([^/]+)/{re.escape(MODEL_FILE)}")
    found: dict[str, list[str]] = {}
    for entry in store.list(before.rpartition("/")[0]):
        match = pattern.fullmatch(entry.path)
        if match and is_sensor_name(match[1]) and is_version(match[2]):
            found.setdefault(match[1], []).append(match[2])
    return dict(sorted(found.items()))


def history(store: Store, template: str, sensor: str) -> History:
    """The sensor's versions. Raises InputError if it has none, SensorError and StorageError."""
    path = f"{model_folder(template, sensor)}/{CURRENT_FILE}"
    try:
        return read_history(store.get(path, MAX_CURRENT_BYTES).data, path)
    except NotFoundError as error:
        raise InputError(f"sensor {sensor} has no model: {path} does not exist") from error
    except TooLargeError as error:
        raise SensorError("ModelCorrupt", str(error)) from error


def metadata(store: Store, template: str, sensor: str, version: str) -> Mapping[str, Any]:
    """What the version's metadata file says, nothing if there is none. Raises SensorError, StorageError."""
    path = f"{model_folder(template, sensor)}/{version}/{METADATA_FILE}"
    try:
        found = json.loads(store.get(path, MAX_METADATA_BYTES).data)
    except NotFoundError:
        return {}
    except (TooLargeError, ValueError, RecursionError) as error:
        raise SensorError("ModelCorrupt", f"{path} is not a version's: {str(error)[:200]}") from error
    return found if isinstance(found, dict) else {}


def model(store: Store, template: str, sensor: str, version: str, sha256: str) -> Model:
    """The version's model, which has that digest. Raises SensorError and StorageError."""
    path = f"{model_folder(template, sensor)}/{version}/{MODEL_FILE}"
    try:
        data = store.get(path, MAX_MODEL_BYTES).data
    except NotFoundError as error:
        raise SensorError("ModelCorrupt", f"{path} does not exist") from error
    except TooLargeError as error:
        raise SensorError("ModelIncompatible", str(error)) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SensorError("ModelCorrupt", f"{path} has sha256 {found}: registered was {sha256}")
    return read_model(data, version)


def problems(store: Store, template: str, sensor: str, there: list[str]) -> Iterator[Problem]:
    """What is wrong with a sensor's models: each version's file read, digested and parsed, and which counts.

    `there` are the versions in the store. Raises StorageError.
    """
    try:
        known = history(store, template, sensor)
    except (InputError, SensorError) as error:
        yield Problem(sensor, f"sensor {sensor}: {error}")
        return
    digests = {each.version: each.sha256 for each in known.versions}
    for version in dict.fromkeys([*digests, *there]):
        try:
            told = metadata(store, template, sensor, version)
            sha256 = digests.get(version) or str(told.get("sha256", ""))
            if not sha256:
                left = "is of a registration that did not end: register it again, or delete its folder"
                raise SensorError("ModelCorrupt", f"version {version} {left}")
            model(store, template, sensor, version, sha256)
            if told and told.get("sha256", sha256) != sha256:
                raise SensorError(
                    "ModelCorrupt", f"version {version}: {METADATA_FILE} has sha256 {told['sha256']}"
                )
        except SensorError as error:
            yield Problem(sensor, f"sensor {sensor}: {error}")


def each(function: Callable[[str], T], sensors: Iterable[str]) -> list[T]:
    """The function's value for every sensor, several at a time."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(function, sensors))
