"""The work order: what the operator tells a pod to do, one line of JSON in its arguments.

Every field is checked and unknown ones are refused: an operator that asks for what this scorer cannot do must
hear it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from scorer.contract.paths import check_model_path, check_output_path, check_readings_path, is_sensor_name
from scorer.errors import InputError
from scorer.window import Window, utc_time, window

VERSION = 1
MAX_SENSORS = 1000
MAX_SECONDS = 86_400
MAX_NUMBER = (
    1_000_000  # chunks, incarnations and lines of a sensor list: beyond any run that Kubernetes could hold
)
_SCHEMES = ("azure://", "file://", "memory://")
_POLICIES = ("Skip", "Fail")

T = TypeVar("T")


class UsageError(InputError):
    """A work order that cannot be understood, naming the field, what was found and what was wanted."""


class Run(NamedTuple):
    """The run that this work is a part of. `created` orders runs, as text too."""

    name: str
    namespace: str
    uid: str
    created: str


class StoreAddress(NamedTuple):
    """Where blobs are: `scorer.storage.open_store`'s arguments."""

    url: str
    endpoint: str | None
    allow_http: bool


class SensorFile(NamedTuple):
    """Sensors by reference: `size` lines of a file, from the 0-based line `first` on."""

    file: str
    first: int
    size: int


class WorkOrder(NamedTuple):
    """One chunk's work, checked."""

    run: Run
    chunk: int
    incarnation: int
    window: Window
    sensors: tuple[str, ...] | SensorFile
    store: StoreAddress
    model_path: str
    readings_path: str
    output_path: str
    on_missing_readings: str
    on_missing_model: str
    per_attempt_seconds: int


def parse_work_order(text: str) -> WorkOrder:
    """Reads a work order. Raises UsageError."""
    try:
        order = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"work order is not JSON: {error}") from error
    version = order.get("v") if isinstance(order, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise UsageError(f"work order has v = {version!r}: this scorer understands {VERSION}")
    fields = _object(order, "", _FIELDS)
    return WorkOrder(
        run=_run(fields["run"]),
        chunk=_number(fields["chunk"], "chunk"),
        incarnation=_number(fields["incarnation"], "incarnation"),
        window=_window(fields["window"]),
        sensors=_sensors(fields["sensors"]),
        store=_store(fields["store"]),
        model_path=_path(fields["model"], "model", check_model_path),
        readings_path=_path(fields["readings"], "readings", check_readings_path),
        output_path=_path(fields["output"], "output", check_output_path),
        on_missing_readings=_policy(fields["onMissingReadings"], "onMissingReadings"),
        on_missing_model=_policy(fields["onMissingModel"], "onMissingModel"),
        per_attempt_seconds=_number(fields["perAttemptSeconds"], "perAttemptSeconds", 1, MAX_SECONDS),
    )


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
    return _names(found, "sensors.file")


_FIELDS = [
    "v",
    "run",
    "chunk",
    "incarnation",
    "window",
    "sensors",
    "store",
    "model",
    "readings",
    "output",
    "onMissingReadings",
    "onMissingModel",
    "perAttemptSeconds",
]


def _object(value: Any, field: str, required: list[str], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """A JSON object with all required fields, perhaps the optional ones, and no others."""
    inside = f"{field}." if field else ""
    if not isinstance(value, dict):
        raise UsageError(f"work order: {field} is {_short(value)}: wanted an object")
    for key in value:
        if key not in required and key not in optional:
            raise UsageError(f"work order: {inside}{key} is not known to this scorer")
    for key in required:
        if key not in value:
            raise UsageError(f"work order: {inside}{key} is missing")
    return value


def _text(value: Any, field: str, longest: int = 253) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise UsageError(
            f"work order: {field} is {_short(value)}: wanted 1 to {longest} printable characters"
        )
    return value


def _number(value: Any, field: str, least: int = 0, most: int = MAX_NUMBER) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(
            f"work order: {field} is {_short(value)}: wanted a whole number from {least} to {most}"
        )
    return value


def _run(value: Any) -> Run:
    run = _object(value, "run", ["name", "namespace", "uid", "created"])
    uid = _text(run["uid"], "run.uid", 64)
    if not is_sensor_name(uid):  # it names a folder in the store
        raise UsageError(f"work order: run.uid is {_short(uid)}: wanted a Kubernetes UID")
    created = _text(run["created"], "run.created")
    _checked("run.created", lambda: utc_time(created))
    return Run(_text(run["name"], "run.name"), _text(run["namespace"], "run.namespace", 63), uid, created)


def _window(value: Any) -> Window:
    times = _object(value, "window", ["start", "end"])
    start, end = _text(times["start"], "window.start"), _text(times["end"], "window.end")
    _checked("window.start", lambda: utc_time(start))
    _checked("window.end", lambda: utc_time(end))
    return _checked("window", lambda: window(start, end))


def _sensors(value: Any) -> tuple[str, ...] | SensorFile:
    if isinstance(value, dict) and "names" in value:
        names = _object(value, "sensors", ["names"])["names"]
        if not isinstance(names, list) or not 0 < len(names) <= MAX_SENSORS:
            raise UsageError(
                f"work order: sensors.names is {_short(names)}: wanted a list of 1 to {MAX_SENSORS} names"
            )
        return _names(names, "sensors.names")
    lines = _object(value, "sensors", ["file", "from", "count"])
    return SensorFile(
        _text(lines["file"], "sensors.file", 4096),
        _number(lines["from"], "sensors.from"),
        _number(lines["count"], "sensors.count", 1, MAX_SENSORS),
    )


def _names(names: list[Any], field: str) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not is_sensor_name(name):
            raise UsageError(
                f"work order: {field} holds {_short(name)}: wanted 1 to 63 letters, digits, '.', '_' or '-', "
                "beginning and ending with a letter or digit"
            )
        if name in seen:
            raise UsageError(f"work order: {field} holds {name!r} twice")
        seen.add(name)
    return tuple(names)


def _store(value: Any) -> StoreAddress:
    store = _object(value, "store", ["url"], ("endpoint", "allowHttp"))
    url = _text(store["url"], "store.url", 1024)
    if not url.startswith(_SCHEMES):
        raise UsageError(
            f"work order: store.url is {_short(url)}: wanted one beginning with {' or '.join(_SCHEMES)}"
        )
    allow_http = store.get("allowHttp", False)
    if not isinstance(allow_http, bool):
        raise UsageError(f"work order: store.allowHttp is {_short(allow_http)}: wanted true or false")
    return StoreAddress(
        url, _text(store["endpoint"], "store.endpoint", 1024) if "endpoint" in store else None, allow_http
    )


def _path(value: Any, field: str, check: Callable[[str], str]) -> str:
    path = _object(value, field, ["path"])["path"]
    if not isinstance(path, str):
        raise UsageError(f"work order: {field}.path is {_short(path)}: wanted a path")
    return _checked(f"{field}.path", lambda: check(path))


def _policy(value: Any, field: str) -> str:
    if value not in _POLICIES:
        raise UsageError(f"work order: {field} is {_short(value)}: wanted {' or '.join(_POLICIES)}")
    return str(value)


def _checked(field: str, check: Callable[[], T]) -> T:
    try:
        return check()
    except ValueError as error:
        raise UsageError(f"work order: {field}: {error}") from error


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
