"""The work order: what the operator tells a pod to do, one line of JSON in its arguments.

Every field is checked and unknown ones are refused: an operator that asks for what this scorer cannot do must
hear it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.contract.capture import LATE_SECONDS, MAX_LATE_SECONDS, check_capture_path
from scorer.contract.fields import UsageError, a_choice, a_number, a_text, an_object, checked, shown
from scorer.contract.paths import (
    MAX_VERSION,
    check_apart,
    check_model_path,
    check_output_path,
    check_readings_path,
    is_sensor_name,
)
from scorer.contract.sensors import NOTHING_GIVEN, Given, SensorFile, Sensors, sensor_names, sensors_of
from scorer.contract.staging import PREPARE, PUBLISH, SCORE, STAGES
from scorer.window import Window, utc_time, window

if TYPE_CHECKING:
    from scorer.contract.preparing import Source, WaitFor
    from scorer.contract.sinks import Sink

__all__ = ["SensorFile", "UsageError", "WorkOrder", "parse_work_order", "sensor_names"]

VERSION = 1
MAX_SENSORS = 1000
MAX_RUN_SENSORS = 100_000
"""Of a whole run, which is what the publish stage works on."""
MAX_SHARDS = 512
MAX_COLUMNS = 1000
MAX_COLUMN = 253
MAX_SECONDS = 86_400
_SCHEMES = ("azure://", "file://", "memory://")
_POLICIES = ("Skip", "Fail")

CURRENT, AS_OF_WINDOW_END = "Current", "AsOfWindowEnd"
AUTO, PARQUET, CSV, JSON_LINES, JSON_ARRAY = "Auto", "Parquet", "CSV", "JSONLines", "JSON"
READINGS_FORMATS = (AUTO, PARQUET, CSV, JSON_LINES, JSON_ARRAY)
HOURLY, ASA, CAPTURE = "hourly", "asa", "capture"
READINGS_LAYOUTS = (HOURLY, ASA, CAPTURE)
REJECT, EARLIER, LATER = "Reject", "Earlier", "Later"
AMBIGUOUS_TIMES = (REJECT, EARLIER, LATER)
OUTPUT_FORMATS = (PARQUET, CSV)
PER_SENSOR, SHARDED = "PerSensor", "Sharded"
OUTPUT_LAYOUTS = (PER_SENSOR, SHARDED)


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
    late_seconds: int = LATE_SECONDS
    """Of the layout capture: how long after its time a reading may have come to the hub."""


class Output(NamedTuple):
    """Where predictions go: a file for each sensor, or `shards` files, each of many sensors."""

    path: str
    format: str = PARQUET
    layout: str = PER_SENSOR
    shards: int = 1


class WorkOrder(NamedTuple):
    """One chunk's work, checked. Of the publish stage: the whole run's sensors, and `decisions`.

    Of the prepare stage: no sensors, but where they come from and what is waited for.
    """

    run: Run
    chunk: int
    incarnation: int
    window: Window
    sensors: Sensors
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
    resolve: Source | None = None
    """Where the run's sensors come from: the prepare stage only, if they are not known yet."""
    wait_for: WaitFor | None = None
    """What is waited for before they are looked for: the prepare stage only."""
    only: str = ""
    """A table: of the sensors that are found, those that it names are the run's. The prepare stage only."""
    part: bool = False
    """Whether the run is of some of its window's sensors, after one of all: the publish stage only."""
    rest: str = ""
    """Of a part: the UID of the run that has left just these sensors undone. The publish stage only."""
    sinks: tuple[Sink, ...] = ()
    """Where its anomalies are sent: the publish stage only."""
    schedule: str = ""
    """Whose run it is, for those who hear of it: the publish stage only."""
    given: Mapping[str, Given] = {}
    """What the run's table gives sensors; not of the order itself, it stands in the list in the store."""

    def of(self, sensor: str) -> Given:
        """What the run's table gives the sensor."""
        return self.given.get(sensor, NOTHING_GIVEN)


def parse_work_order(text: str) -> WorkOrder:
    """Reads a work order. Raises UsageError."""
    try:
        order = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"work order is not JSON: {error}") from error
    version = order.get("v") if isinstance(order, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise UsageError(f"work order has v = {version!r}: this scorer understands {VERSION}")
    fields = an_object(order, "", _FIELDS, _OPTIONAL)
    stage = _stage(fields)
    model = model_source(fields["model"])
    readings = readings_source(fields["readings"])
    output = output_of(fields["output"])
    captured = readings.path if readings.layout == CAPTURE else ""
    preparing, besides = _preparing(fields, captured) if stage == PREPARE else ({}, {})
    checked("output.path", lambda: check_apart(output.path, readings.path, model.path, besides))
    return WorkOrder(
        run=_run(fields["run"]),
        chunk=a_number(fields["chunk"], "chunk"),
        incarnation=a_number(fields["incarnation"], "incarnation"),
        window=_window(fields["window"]),
        sensors=() if stage == PREPARE else sensors_of(fields["sensors"], _MOST[stage]),
        store=_store(fields["store"]),
        model=model,
        readings=readings,
        output=output,
        on_missing_readings=a_choice(fields["onMissingReadings"], "onMissingReadings", _POLICIES),
        on_missing_model=a_choice(fields["onMissingModel"], "onMissingModel", _POLICIES),
        per_attempt_seconds=a_number(fields["perAttemptSeconds"], "perAttemptSeconds", 1, MAX_SECONDS),
        stage=stage,
        decisions=a_text(fields["decisions"], "decisions", 4096) if stage == PUBLISH else "",
        part=_part(fields),
        rest=_uid(fields["rest"], "rest") if "rest" in fields else "",
        sinks=_sinks(fields),
        schedule=a_text(fields["schedule"], "schedule", 63) if "schedule" in fields else "",
        **preparing,
    )


def _preparing(fields: Mapping[str, Any], captured: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields of the prepare stage, and which paths it reads besides, with a word for what they are."""
    # Imported here: a pod that scores need not load it.
    from scorer.contract.preparing import TableSource, only_of, source_of, wait_of

    source = source_of(fields["resolve"]) if "resolve" in fields else None
    wait_for = wait_of(fields["waitFor"], captured) if "waitFor" in fields else None
    only = only_of(fields["only"]) if "only" in fields else ""
    besides = {source.path: "the table"} if isinstance(source, TableSource) else {}
    if only:
        besides[only] = "the table of those that changed"
    if wait_for:
        besides[wait_for.marker] = "the marker"
    return {"resolve": source, "wait_for": wait_for, "only": only}, besides


def _sinks(fields: Mapping[str, Any]) -> tuple[Sink, ...]:
    if "sinks" not in fields:
        return ()
    from scorer.contract.sinks import sinks_of  # here: a pod that scores need not load it

    return sinks_of(fields["sinks"])


def _part(fields: Mapping[str, Any]) -> bool:
    part = fields.get("part", False)
    if not isinstance(part, bool):
        raise UsageError(f"work order: part is {shown(part)}: wanted true or false")
    if "rest" in fields and not part:
        raise UsageError("work order: rest is there without part: wanted a run of some of another's sensors")
    return part


_FIELDS = [
    "v",
    "run",
    "chunk",
    "incarnation",
    "window",
    "store",
    "model",
    "readings",
    "output",
    "onMissingReadings",
    "onMissingModel",
    "perAttemptSeconds",
]
_STAGES_OF = {
    "sensors": (SCORE, PUBLISH),
    "decisions": (PUBLISH,),
    "resolve": (PREPARE,),
    "waitFor": (PREPARE,),
    "only": (PREPARE,),
    "part": (PUBLISH,),
    "rest": (PUBLISH,),
    "sinks": (PUBLISH,),
    "schedule": (PUBLISH,),
}
_OPTIONAL = ("stage", *_STAGES_OF)
_MOST = {SCORE: MAX_SENSORS, PUBLISH: MAX_RUN_SENSORS}


def _stage(fields: Mapping[str, Any]) -> str:
    """The order's stage, which has its own fields and no others. Raises UsageError."""
    stage = a_choice(fields.get("stage", SCORE), "stage", STAGES)
    for field, stages in _STAGES_OF.items():
        if field in fields and stage not in stages:
            whose = f"the stage {' or '.join(stages)} and to no other"
            raise UsageError(f"work order: {field} belongs to {whose}: found {stage}")
    wanted = {PREPARE: (), SCORE: ("sensors",), PUBLISH: ("sensors", "decisions")}[stage]
    for field in wanted:
        if field not in fields:
            raise UsageError(f"work order: {field} is missing")
    if stage == PREPARE and not {"resolve", "waitFor"} & fields.keys():
        raise UsageError(f"work order: resolve or waitFor is missing: the stage {PREPARE} has nothing to do")
    if "only" in fields and "resolve" not in fields:
        raise UsageError("work order: only is there without resolve: wanted sensors that it is some of")
    return stage


def _run(value: Any) -> Run:
    run = an_object(value, "run", ["name", "namespace", "uid", "created"])
    uid = _uid(run["uid"], "run.uid")
    created = a_text(run["created"], "run.created")
    checked("run.created", lambda: utc_time(created))
    return Run(a_text(run["name"], "run.name"), a_text(run["namespace"], "run.namespace", 63), uid, created)


def _uid(value: Any, field: str) -> str:
    uid = a_text(value, field, 64)
    if not is_sensor_name(uid):  # it names a folder in the store
        raise UsageError(f"work order: {field} is {shown(uid)}: wanted a Kubernetes UID")
    return uid


def _window(value: Any) -> Window:
    times = an_object(value, "window", ["start", "end"])
    start, end = a_text(times["start"], "window.start"), a_text(times["end"], "window.end")
    checked("window.start", lambda: utc_time(start))
    checked("window.end", lambda: utc_time(end))
    return checked("window", lambda: window(start, end))


def _store(value: Any) -> StoreAddress:
    store = an_object(value, "store", ["url"], ("endpoint", "allowHttp"))
    url = a_text(store["url"], "store.url", 1024)
    if not url.startswith(_SCHEMES):
        raise UsageError(
            f"work order: store.url is {shown(url)}: wanted one beginning with {' or '.join(_SCHEMES)}"
        )
    allow_http = store.get("allowHttp", False)
    if not isinstance(allow_http, bool):
        raise UsageError(f"work order: store.allowHttp is {shown(allow_http)}: wanted true or false")
    return StoreAddress(
        url, a_text(store["endpoint"], "store.endpoint", 1024) if "endpoint" in store else None, allow_http
    )


def model_source(value: Any) -> ModelSource:
    """A work order's `model`, checked. Raises UsageError."""
    model = an_object(value, "model", ["path"], ("version", "at"))
    version = a_text(model.get("version", CURRENT), "model.version", MAX_VERSION)
    if not version.replace("-", "").isalnum() or not version.isascii():  # it becomes a part of a path
        raise UsageError(f"work order: model.version is {shown(version)}: wanted letters, digits and -")
    at = a_text(model["at"], "model.at") if "at" in model else None
    if at is not None:
        checked("model.at", lambda: utc_time(at))
    return ModelSource(_path(model["path"], "model", check_model_path), version, at)


def readings_source(value: Any) -> ReadingsSource:
    """A work order's `readings`, checked. Raises UsageError."""
    options = ("format", "layout", "columns", "timeZone", "ambiguousTimes", "lateSeconds")
    readings = an_object(value, "readings", ["path"], options)
    layout = a_choice(readings.get("layout", HOURLY), "readings.layout", READINGS_LAYOUTS)
    check = check_capture_path if layout == CAPTURE else check_readings_path
    source = ReadingsSource(
        path=_path(readings["path"], "readings", check),
        format=a_choice(readings.get("format", AUTO), "readings.format", READINGS_FORMATS),
        layout=layout,
        columns=_columns(readings.get("columns", {})),
        time_zone=a_text(readings.get("timeZone", "UTC"), "readings.timeZone", 64),
        ambiguous_times=a_choice(
            readings.get("ambiguousTimes", REJECT), "readings.ambiguousTimes", AMBIGUOUS_TIMES
        ),
        late_seconds=a_number(
            readings.get("lateSeconds", LATE_SECONDS), "readings.lateSeconds", 0, MAX_LATE_SECONDS
        ),
    )
    if layout != CAPTURE and "lateSeconds" in readings:
        raise UsageError(f"work order: readings.lateSeconds belongs to the layout {CAPTURE}: found {layout}")
    if layout == CAPTURE and source.format == PARQUET:
        raise UsageError(
            f"work order: readings.format is {PARQUET}: wanted what events' bodies are, JSON or CSV, "
            f"for the layout {CAPTURE}"
        )
    if source.layout == ASA and "{HH}" not in source.path:
        raise UsageError("work order: readings.layout is asa: wanted a readings.path with {HH}")
    return source


def _columns(value: Any) -> Columns:
    columns = an_object(value, "readings.columns", [], ("time", "sensor", "features"))
    features = columns.get("features", {})
    if not isinstance(features, dict) or len(features) > MAX_COLUMNS:
        raise UsageError(f"work order: readings.columns.features is {shown(features)}: wanted an object")
    return Columns(
        a_text(columns.get("time", "time"), "readings.columns.time", MAX_COLUMN),
        a_text(columns.get("sensor", "sensor"), "readings.columns.sensor", MAX_COLUMN),
        {
            a_text(feature, "readings.columns.features", MAX_COLUMN): a_text(
                column, f"readings.columns.features.{feature}", MAX_COLUMN
            )
            for feature, column in features.items()
        },
    )


def output_of(value: Any) -> Output:
    """A work order's `output`, checked. Raises UsageError."""
    output = an_object(value, "output", ["path"], ("format", "layout", "shards"))
    layout = a_choice(output.get("layout", PER_SENSOR), "output.layout", OUTPUT_LAYOUTS)
    path = _path(output["path"], "output", lambda path: check_output_path(path, layout == SHARDED))
    form = a_choice(output.get("format", PARQUET), "output.format", OUTPUT_FORMATS)
    if layout == PER_SENSOR and "shards" in output:
        raise UsageError(f"work order: output.shards belongs to the layout {SHARDED}: found {layout}")
    if layout == SHARDED and form != PARQUET:
        raise UsageError(f"work order: output.format is {form}: wanted {PARQUET} for the layout {SHARDED}")
    return Output(path, form, layout, a_number(output.get("shards", 1), "output.shards", 1, MAX_SHARDS))


def _path(path: Any, field: str, check: Callable[[str], str]) -> str:
    if not isinstance(path, str):
        raise UsageError(f"work order: {field}.path is {shown(path)}: wanted a path")
    return checked(f"{field}.path", lambda: check(path))
