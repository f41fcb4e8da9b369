"""Sensors that have something in the store: readings in a window's folders, or a current model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from scorer.contract.paths import ANY, SENSOR_TOKEN, is_sensor_name, is_shared, model_folder, readings_paths
from scorer.contract.work import ASA, MAX_RUN_SENSORS
from scorer.prepare.errors import SensorsError
from scorer.versions import CURRENT_FILE

if TYPE_CHECKING:
    from scorer.contract.work import ReadingsSource
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

NAMED = 5
"""Names of files that are said; more say no more."""


def with_readings(store: Store, source: ReadingsSource, span: Window, prefix: str, log: Log) -> list[str]:
    """Sensors with a file in the window's folders, in order of name.

    Raises StorageError, and SensorsError for files that sensors share: their names are no sensors'.
    """
    if is_shared(source.path):
        raise SensorsError(
            f"readings path {source.path} holds no {SENSOR_TOKEN}: sensors that share files cannot be told "
            "by the files' names; wanted a table or a list of the sensors"
        )
    paths = readings_paths(source.path, SENSOR_TOKEN, span, asa=source.layout == ASA)
    return named_by(store, paths, prefix, log)


def with_model(store: Store, path: str, prefix: str, log: Log) -> list[str]:
    """Sensors that have a current model, in order of name. Raises StorageError and SensorsError."""
    return named_by(store, [f"{model_folder(path, SENSOR_TOKEN)}/{CURRENT_FILE}"], prefix, log)


def named_by(store: Store, paths: Iterable[str], prefix: str, log: Log) -> list[str]:
    """The names in the place of `{sensor}`, in order, of all objects that the paths can name.

    Raises StorageError, and SensorsError for more than a run can have.

    Listings come in pages and only names are kept: one a sensor, however many files it has.
    """
    found: set[str] = set()
    strange: set[str] = set()
    strangers = 0
    for folder, patterns in _by_folder(paths).items():
        for name in _names(store, folder, patterns):
            if not name.startswith(prefix) or name[0] in "_.":  # what stands beside readings, and is none
                continue
            if is_sensor_name(name):
                found.add(name)
            else:
                strangers += 1
                if len(strange) < NAMED:
                    strange.add(name)
            if len(found) > MAX_RUN_SENSORS:
                raise SensorsError(
                    f"found more than {MAX_RUN_SENSORS} sensors in {folder}: wanted at most that many in one "
                    "run; a prefix makes several runs of them"
                )
    if strangers:
        names = ", ".join(repr(name[:80]) for name in sorted(strange))
        log.warning(f"{strangers} files are of no sensor's name and left out: {names}")
    return sorted(found)


def _by_folder(paths: Iterable[str]) -> dict[str, list[re.Pattern[str]]]:
    """What is looked for in each folder: with dates behind the sensor all hours of a window lie in one."""
    patterns: dict[str, list[re.Pattern[str]]] = {}
    for path in paths:
        folder = path.partition(SENSOR_TOKEN)[0].rpartition("/")[0]
        patterns.setdefault(folder, []).append(_pattern(path))
    return patterns


def _names(store: Store, folder: str, patterns: Iterable[re.Pattern[str]]) -> Iterator[str]:
    """What stands in the sensor's place, of each file and each pattern that it fits. Raises StorageError."""
    for entry in store.list(folder):
        for pattern in patterns:
            if fits := pattern.fullmatch(entry.path):
                yield fits[1]


def _pattern(path: str) -> re.Pattern[str]:
    before, _, after = path.partition(SENSOR_TOKEN)
    start, end = (re.escape(part).replace(re.escape(ANY), "[^/]*") for part in (before, after))
    return re.compile(f"{start}([^/]+){end.replace(re.escape(SENSOR_TOKEN), chr(92) + '1')}")
