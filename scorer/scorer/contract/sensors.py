"""The sensors of a work order: their names, or where a list of them stands."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from scorer.contract.fields import UsageError, a_number, a_text, an_object, checked, shown
from scorer.contract.paths import check_object_path, is_sensor_name

_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)


class SensorFile(NamedTuple):
    """Sensors by reference: `size` lines of a file, from the 0-based line `first` on."""

    file: str
    first: int
    size: int


class SensorsInStore(NamedTuple):
    """Sensors by reference: `size` of the list at a path of the store, from the 0-based place `first` on.

    `sha256` is of the list's head, which holds the digests of all that follows: `scorer.listed`.
    """

    path: str
    first: int
    size: int
    sha256: str


Sensors = tuple[str, ...] | SensorFile | SensorsInStore


class Given(NamedTuple):
    """What the run's table gives a sensor beside its name; what is empty is as the run has it."""

    model: str = ""
    """What stands in the place of {sensor} in the model's path: another sensor, or a shared model."""
    threshold: float | None = None
    """The score from which on a row is an anomaly, in the place of the model's own border."""
    group: str = ""
    owner: str = ""


NOTHING_GIVEN = Given()


def sensors_of(value: Any, most: int) -> Sensors:
    """A work order's `sensors`, checked; at most so many. Raises UsageError."""
    if isinstance(value, dict) and "names" in value:
        names = an_object(value, "sensors", ["names"])["names"]
        if not isinstance(names, list) or not 0 < len(names) <= most:
            raise UsageError(
                f"work order: sensors.names is {shown(names)}: wanted a list of 1 to {most} names"
            )
        return checked_names(names, "sensors.names")
    if isinstance(value, dict) and "store" in value:
        return _in_store(value, most)
    lines = an_object(value, "sensors", ["file", "from", "count"])
    return SensorFile(
        a_text(lines["file"], "sensors.file", 4096),
        a_number(lines["from"], "sensors.from"),
        a_number(lines["count"], "sensors.count", 1, most),
    )


def _in_store(value: Any, most: int) -> SensorsInStore:
    places = an_object(value, "sensors", ["store", "from", "count", "sha256"])
    path = a_text(places["store"], "sensors.store", 512)
    return SensorsInStore(
        checked("sensors.store", lambda: check_object_path(path)),
        a_number(places["from"], "sensors.from"),
        a_number(places["count"], "sensors.count", 1, most),
        a_digest(places["sha256"], "sensors.sha256"),
    )


def a_digest(value: Any, field: str) -> str:
    """A SHA-256 in hexadecimal. Raises UsageError."""
    text = a_text(value, field)
    if not _SHA256.fullmatch(text):
        raise UsageError(f"work order: {field} is {shown(text)}: wanted 64 hexadecimal digits")
    return text


def sensor_names(sensors: tuple[str, ...] | SensorFile) -> tuple[str, ...]:
    """The sensors themselves, read from their file if they are named by reference. Raises UsageError."""
    if not isinstance(sensors, SensorFile):
        return sensors
    try:
        with open(sensors.file, encoding="utf-8") as lines:  # noqa: PTH123 (pathlib is not needed before this)
            names = [line.strip() for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"work order: sensors.file {sensors.file!r} cannot be read: {error}") from error
    found = names[sensors.first : sensors.first + sensors.size]
    if len(found) != sensors.size:
        raise UsageError(
            f"work order: sensors.file {sensors.file!r} has {len(names)} lines: "
            f"wanted {sensors.size} from line {sensors.first} on"
        )
    return checked_names(found, "sensors.file")


def checked_names(names: list[Any], field: str) -> tuple[str, ...]:
    """Names of sensors, each once. Raises UsageError."""
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not is_sensor_name(name):
            raise UsageError(
                f"work order: {field} holds {shown(name)}: wanted 1 to 63 letters, digits, '.', '_' or '-', "
                "beginning and ending with a letter or digit"
            )
        if name in seen:
            raise UsageError(f"work order: {field} holds {name!r} twice")
        seen.add(name)
    return tuple(names)
