"""The work order: what the operator tells a pod to do, one line of JSON in its arguments.

Every field is checked and unknown ones are refused: an operator that asks for what this scorer cannot do must
hear it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from scorer.contract.paths import (
    MAX_VERSION,
    check_apart,
    check_model_path,
    check_output_path,
    check_readings_path,
    is_sensor_name,
)
from scorer.errors import InputError
from scorer.window import Window, utc_time, window

VERSION = 1
MAX_SENSORS = 1000
MAX_RUN_SENSORS = 100_000
"""Of a whole run, which is what the publish stage works on."""
MAX_SHARDS = 512
MAX_COLUMNS = 1000
MAX_COLUMN = 253
MAX_SECONDS = 86_400
MAX_NUMBER = (
    1_000_000  # chunks, incarnations and lines of a sensor list: beyond any run that Kubernetes could hold
)
_SCHEMES = ("azure://", "file://", "memory://")
_POLICIES = ("Skip", "Fail")

SCORE, PUBLISH = "Score", "Publish"
STAGES = (SCORE, PUBLISH)
CURRENT, AS_OF_WINDOW_END = "Current", "AsOfWindowEnd"
AUTO, PARQUET, CSV, JSON_LINES, JSON_ARRAY = "Auto", "Parquet", "CSV", "JSONLines", "JSON"
READINGS_FORMATS = (AUTO, PARQUET, CSV, JSON_LINES, JSON_ARRAY)
HOURLY, ASA = "hourly", "asa"
READINGS_LAYOUTS = (HOURLY, ASA)
REJECT, EARLIER, LATER = "Reject", "Earlier", "Later"
AMBIGUOUS_TIMES = (REJECT, EARLIER, LATER)
OUTPUT_FORMATS = (PARQUET, CSV)
PER_SENSOR, SHARDED = "PerSensor", "Sharded"
OUTPUT_LAYOUTS = (PER_SENSOR, SHARDED)

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


class ModelSource(NamedTuple):
    """Where models lie and which version of each counts.

    `version` is Current, AsOfWindowEnd or a version's name. What is registered or switched after the instant
    `at` (RFC 3339) does not count, so that all pods of a run see the same; None means now.
    """

    path: str
    version: str = CURRENT
    at: str | None = None


class Columns(NamedTuple):
    """What a readings file calls its columns.

    `sensor` is a column's name, or a template of them like `device-{Device}-tag-{Tag}`; it matters only in
    files that many sensors share. `features` maps a model's feature to its column; others keep their name.
    """

    time: str = "time"
    sensor: str = "sensor"
    features: Mapping[str, str] = {}


class ReadingsSource(NamedTuple):
    """Where readings lie and how they are written.

    A path without `{sensor}` is of files that all sensors share; its last segment may hold one `*`, for
    several files in the folder. `time_zone` is an IANA name, for times that are written without a zone.
    """

    path: str
    format: str = AUTO
    layout: str = HOURLY
    columns: Columns = Columns()
    time_zone: str = "UTC"
    ambiguous_times: str = REJECT


class Output(NamedTuple):
    """Where predictions go: a file for each sensor, or `shards` files, each of many sensors."""

    path: str
    format: str = PARQUET
    layout: str = PER_SENSOR
    shards: int = 1


class WorkOrder(NamedTuple):
    """One chunk's work, checked. Of the publish stage: the whole run's sensors, and `decisions`."""

    run: Run
    chunk: int
    incarnation: int
    window: Window
    sensors: tuple[str, ...] | SensorFile
    store: StoreAddress
    model: ModelSource
    readings: ReadingsSource
    output: Output
    on_missing_readings: str
    on_missing_model: str
    per_attempt_seconds: int
    stage: str = SCORE
    decisions: str = ""
    """Path of a file with the operator's decisions on the run's sensors: the publish stage only."""


def parse_work_order(text: str) -> WorkOrder:
    """Reads a work order. Raises UsageError."""
    try:
        order = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"work order is not JSON: {error}") from error
    version = order.get("v") if isinstance(order, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise UsageError(f"work order has v = {version!r}: this scorer understands {VERSION}")
    fields = _object(order, "", _FIELDS, ("stage", "decisions"))
    stage = _choice(fields.get("stage", SCORE), "stage", STAGES)
    if (stage == PUBLISH) != ("decisions" in fields):
        raise UsageError(
            f"work order: decisions belong to the stage {PUBLISH} and to no other: found {stage}"
        )
    model = model_source(fields["model"])
    readings = readings_source(fields["readings"])
    output = output_of(fields["output"])
    _checked("output.path", lambda: check_apart(output.path, readings.path, model.path))
    return WorkOrder(
        run=_run(fields["run"]),
        chunk=_number(fields["chunk"], "chunk"),
        incarnation=_number(fields["incarnation"], "incarnation"),
        window=_window(fields["window"]),
        sensors=_sensors(fields["sensors"], MAX_SENSORS if stage == SCORE else MAX_RUN_SENSORS),
        store=_store(fields["store"]),
        model=model,
        readings=readings,
        output=output,
        on_missing_readings=_choice(fields["onMissingReadings"], "onMissingReadings", _POLICIES),
        on_missing_model=_choice(fields["onMissingModel"], "onMissingModel", _POLICIES),
        per_attempt_seconds=_number(fields["perAttemptSeconds"], "perAttemptSeconds", 1, MAX_SECONDS),
        stage=stage,
        decisions=_text(fields["decisions"], "decisions", 4096) if stage == PUBLISH else "",
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
            raise UsageError(f"work order: {inside}{_one_line(key)} is not known to this scorer")
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


def _sensors(value: Any, most: int) -> tuple[str, ...] | SensorFile:
    if isinstance(value, dict) and "names" in value:
        names = _object(value, "sensors", ["names"])["names"]
        if not isinstance(names, list) or not 0 < len(names) <= most:
            raise UsageError(
                f"work order: sensors.names is {_short(names)}: wanted a list of 1 to {most} names"
            )
        return _names(names, "sensors.names")
    lines = _object(value, "sensors", ["file", "from", "count"])
    return SensorFile(
        _text(lines["file"], "sensors.file", 4096),
        _number(lines["from"], "sensors.from"),
        _number(lines["count"], "sensors.count", 1, most),
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


def model_source(value: Any) -> ModelSource:
    """A work order's `model`, checked. Raises UsageError."""
    model = _object(value, "model", ["path"], ("version", "at"))
    version = _text(model.get("version", CURRENT), "model.version", MAX_VERSION)
    if not version.replace("-", "").isalnum() or not version.isascii():  # it becomes a part of a path
        raise UsageError(f"work order: model.version is {_short(version)}: wanted letters, digits and -")
    at = _text(model["at"], "model.at") if "at" in model else None
    if at is not None:
        _checked("model.at", lambda: utc_time(at))
    return ModelSource(_path(model["path"], "model", check_model_path), version, at)


def readings_source(value: Any) -> ReadingsSource:
    """A work order's `readings`, checked. Raises UsageError."""
    readings = _object(
        value, "readings", ["path"], ("format", "layout", "columns", "timeZone", "ambiguousTimes")
    )
    source = ReadingsSource(
        path=_path(readings["path"], "readings", check_readings_path),
        format=_choice(readings.get("format", AUTO), "readings.format", READINGS_FORMATS),
        layout=_choice(readings.get("layout", HOURLY), "readings.layout", READINGS_LAYOUTS),
        columns=_columns(readings.get("columns", {})),
        time_zone=_text(readings.get("timeZone", "UTC"), "readings.timeZone", 64),
        ambiguous_times=_choice(
            readings.get("ambiguousTimes", REJECT), "readings.ambiguousTimes", AMBIGUOUS_TIMES
        ),
    )
    if source.layout == ASA and "{HH}" not in source.path:
        raise UsageError("work order: readings.layout is asa: wanted a readings.path with {HH}")
    return source


def _columns(value: Any) -> Columns:
    columns = _object(value, "readings.columns", [], ("time", "sensor", "features"))
    features = columns.get("features", {})
    if not isinstance(features, dict) or len(features) > MAX_COLUMNS:
        raise UsageError(f"work order: readings.columns.features is {_short(features)}: wanted an object")
    return Columns(
        _text(columns.get("time", "time"), "readings.columns.time", MAX_COLUMN),
        _text(columns.get("sensor", "sensor"), "readings.columns.sensor", MAX_COLUMN),
        {
            _text(feature, "readings.columns.features", MAX_COLUMN): _text(
                column, f"readings.columns.features.{feature}", MAX_COLUMN
            )
            for feature, column in features.items()
        },
    )


def output_of(value: Any) -> Output:
    """A work order's `output`, checked. Raises UsageError."""
    output = _object(value, "output", ["path"], ("format", "layout", "shards"))
    layout = _choice(output.get("layout", PER_SENSOR), "output.layout", OUTPUT_LAYOUTS)
    path = _path(output["path"], "output", lambda path: check_output_path(path, layout == SHARDED))
    form = _choice(output.get("format", PARQUET), "output.format", OUTPUT_FORMATS)
    if layout == PER_SENSOR and "shards" in output:
        raise UsageError(f"work order: output.shards belongs to the layout {SHARDED}: found {layout}")
    if layout == SHARDED and form != PARQUET:
        raise UsageError(f"work order: output.format is {form}: wanted {PARQUET} for the layout {SHARDED}")
    return Output(path, form, layout, _number(output.get("shards", 1), "output.shards", 1, MAX_SHARDS))


def _path(path: Any, field: str, check: Callable[[str], str]) -> str:
    if not isinstance(path, str):
        raise UsageError(f"work order: {field}.path is {_short(path)}: wanted a path")
    return _checked(f"{field}.path", lambda: check(path))


def _choice(value: Any, field: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"work order: {field} is {_short(value)}: wanted {' or '.join(choices)}")
    return str(value)


def _checked(field: str, check: Callable[[], T]) -> T:
    try:
        return check()
    except ValueError as error:
        raise UsageError(f"work order: {field}: {error}") from error


def _one_line(key: str) -> str:
    return key[:80] if key.isprintable() else repr(key[:80])


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
