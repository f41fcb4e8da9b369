"""A ScoringRun's `.spec` as a frozen value, read from the API's object.

The CRD's schema refuses what is wrong; what is checked here again would otherwise become a path, an argument
or a number of Jobs, and an object may have been stored under an older schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from scoring_operator.contract import (
    DEFAULT_OUTPUT,
    MAX_SHARDS,
    Columns,
    ContractError,
    Json,
    ModelSource,
    Output,
    ReadingsSource,
    check_apart,
    check_capture,
    check_template,
    default_marker,
)
from scoring_operator.times import parse_time

Policy = Literal["Skip", "Fail"]
OnExceeded = Literal["Continue", "StopNew", "Abort"]
ConcurrencyPolicy = Literal["Allow", "Queue", "Forbid", "Replace"]
MAX_SINKS = 8
Share = int | str  # a number of sensors, or a percentage such as "5%"


@dataclass(frozen=True, slots=True)
class Discover:
    """Sensors that have Readings, or Models; those whose names begin with `prefix`."""

    of: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """What is waited for before a run begins to score, for how long, and what follows then."""

    marker: str
    timeout: int
    on_timeout: Literal["Score", "Fail"]


@dataclass(frozen=True, slots=True)
class SensorSource:
    """Where the sensor list comes from: names, a key of a ConfigMap, what another run left undone; or the
    store: a table there, or what has readings or a model."""

    names: tuple[str, ...] = ()
    config_map: str = ""
    key: str = ""
    failed_of: str = ""
    failed_of_uid: str = ""
    table: str = ""
    discover: Discover | None = None
    only: str = ""  # a table: of those in the store, the ones that it names

    @property
    def in_store(self) -> bool:
        """Whether only a pod can find it: the operator never speaks to a store."""
        return bool(self.table) or self.discover is not None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of time in seconds; None: there is none."""

    per_attempt: int
    publish: int
    pending: int | None
    run: int | None
    prepare: int = 600


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """When a run counts as failed, and what a sensor without readings or model is."""

    max_failed: Share
    max_skipped: Share | None
    on_exceeded: OnExceeded
    on_missing_readings: Policy
    on_missing_model: Policy


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Who goes on beside whom; a run without a `group` is alone. Of those that wait the highest `priority`
    comes first.
    """

    group: str
    policy: ConcurrencyPolicy
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """What the run asks of its scoring pods, within what the administrator allows."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    priority_class: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """All of `.spec`. Paths are relative to the store; times are UTC."""

    start: datetime
    end: datetime
    sensors: SensorSource
    store: str
    runtime: str
    model: ModelSource
    readings: ReadingsSource
    output: Output
    sensors_per_job: int
    parallelism: int
    suspend: bool
    concurrency: Concurrency
    backoff_limit: int
    timeouts: Timeouts
    failures: FailurePolicy
    template: Template
    ttl_seconds: int | None
    job_ttl_seconds: int
    wait_for: WaitFor | None = None
    failed_ttl_seconds: int | None = None  # of a run that ended Failed; None: ttl_seconds
    sinks: tuple[str, ...] = ()  # where its anomalies are sent


def allowed(share: Share, total: int) -> int:
    """A limit as a number of sensors; a percentage is of all `total` sensors, rounded down."""
    return share if isinstance(share, int) else total * int(share.removesuffix("%")) // 100


def parse_spec(body: Json) -> Spec:
    """Raises `ContractError` naming the field; `KeyError`, `TypeError`, `ValueError` for what is no spec."""
    spec = Spec(
        start=parse_time(body["window"]["start"]),
        end=parse_time(body["window"]["end"]),
        sensors=_sensors(body["sensors"]),
        store=body["store"],
        runtime=body["runtime"],
        model=_model(body["model"]),
        readings=_readings(body["readings"]),
        output=_output(body["output"]),
        sensors_per_job=int(body["sensorsPerJob"]),
        parallelism=int(body["parallelism"]),
        suspend=bool(body["suspend"]),
        concurrency=Concurrency(
            body.get("concurrencyGroup", ""),
            body.get("concurrencyPolicy", "Allow"),
            int(body.get("priority", 0)),
        ),
        backoff_limit=int(body["retry"]["backoffLimit"]),
        timeouts=_timeouts(body["timeouts"]),
        failures=_failures(body["failurePolicy"]),
        template=_template(body.get("template") or {}),
        ttl_seconds=body.get("ttlSecondsAfterFinished"),
        job_ttl_seconds=int(body["jobTTLSecondsAfterFinished"]),
        wait_for=_wait_for(body["readings"]),
        failed_ttl_seconds=body.get("ttlSecondsAfterFailed"),
        sinks=_sinks(body.get("sinks") or ()),
    )
    besides = {spec.sensors.table: "the table"} if spec.sensors.table else {}
    if spec.sensors.only:
        besides[spec.sensors.only] = "the table of those that changed"
    if spec.wait_for:
        besides[spec.wait_for.marker] = "the marker"
    check_apart(spec.output.path, spec.readings.path, spec.model.path, besides)
    return spec


def _sensors(body: Json) -> SensorSource:
    if "names" in body:
        return SensorSource(names=tuple(body["names"]))
    if "failedOf" in body:
        return SensorSource(failed_of=body["failedOf"]["name"], failed_of_uid=body["failedOf"]["uid"])
    only = body["only"]["path"] if "only" in body else ""
    if only:
        check_template("table", only)
    if "table" in body:
        check_template("table", body["table"]["path"])
        return SensorSource(table=body["table"]["path"], only=only)
    if "discover" in body:
        told = body["discover"]
        return SensorSource(discover=Discover(told["from"], told.get("prefix", "")), only=only)
    return SensorSource(config_map=body["configMapRef"]["name"], key=body["configMapRef"]["key"])


def _sinks(body: Sequence[str]) -> tuple[str, ...]:
    if len(body) > MAX_SINKS or len(set(body)) != len(body):
        raise ContractError(f"sinks has {len(body)} names; wanted at most {MAX_SINKS}, each once")
    return tuple(body)


def _wait_for(readings: Json) -> WaitFor | None:
    body = readings.get("waitFor")
    if body is None:
        return None
    captured = readings.get("layout") == "capture"
    # Capture leaves no marker: its own template says that its files are waited for.
    marker = body.get("marker") or (readings["path"] if captured else default_marker(readings["path"]))
    if not captured or marker != readings["path"]:
        check_template("marker", marker)
    return WaitFor(marker, int(body["timeoutSeconds"]), body.get("onTimeout", "Score"))


def _model(body: Json) -> ModelSource:
    check_template("model", body["path"])
    version = body.get("version", "Current")
    if not (version.isascii() and version.replace("-", "").isalnum()):  # it becomes a part of a path
        raise ContractError(f"model.version is {version!r}; wanted letters, digits and -")
    return ModelSource(body["path"], version)


def _readings(body: Json) -> ReadingsSource:
    if body.get("layout") == "capture":
        check_capture(body["path"])
    else:
        check_template("readings", body["path"])
    columns = body.get("columns") or {}
    default = ReadingsSource(body["path"])
    source = ReadingsSource(
        path=body["path"],
        format=body.get("format", default.format),
        layout=body.get("layout", default.layout),
        columns=Columns(
            columns.get("time", default.columns.time),
            columns.get("sensor", default.columns.sensor),
            dict(columns.get("features") or {}),
        ),
        time_zone=body.get("timeZone", default.time_zone),
        ambiguous_times=body.get("ambiguousTimes", default.ambiguous_times),
        late_seconds=int(body.get("lateSeconds", default.late_seconds)),
    )
    if source.layout == "capture" and source.format == "Parquet":
        raise ContractError("readings.format is Parquet; wanted what events' bodies are, JSON or CSV")
    if source.layout != "capture" and "lateSeconds" in body:
        raise ContractError("readings.lateSeconds is there; wanted it only with readings.layout capture")
    if source.layout == "asa" and "{HH}" not in source.path:
        raise ContractError("readings.layout is asa; wanted a readings.path with {HH}")
    return source


def _output(body: Json) -> Output:
    layout = body.get("layout", "PerSensor")
    sharded = layout == "Sharded"
    path = body.get("path") or DEFAULT_OUTPUT[layout]
    check_template("output", path, sharded=sharded)
    if not sharded:
        if "shards" in body:
            raise ContractError("output.shards is there; wanted it only with output.layout Sharded")
        return Output(path, body.get("format", "Parquet"))
    shards = int(body.get("shards", 1))
    if not 1 <= shards <= MAX_SHARDS:
        raise ContractError(f"output.shards is {shards}; wanted 1 to {MAX_SHARDS}")
    return Output(path, body.get("format", "Parquet"), shards)


def _timeouts(body: Json) -> Timeouts:
    return Timeouts(
        per_attempt=int(body["perAttemptSeconds"]),
        publish=int(body.get("publishSeconds", 600)),
        pending=body.get("pendingSeconds"),
        run=body.get("runSeconds"),
        prepare=int(body.get("prepareSeconds", 600)),
    )


def _failures(body: Json) -> FailurePolicy:
    return FailurePolicy(
        max_failed=body["maxFailedSensors"],
        max_skipped=body.get("maxSkippedSensors"),
        on_exceeded=body.get("onExceeded", "Continue"),
        on_missing_readings=body["onMissingReadings"],
        on_missing_model=body["onMissingModel"],
    )


def _template(body: Json) -> Template:
    resources = body.get("resources") or {}
    return Template(
        requests={name: str(value) for name, value in (resources.get("requests") or {}).items()},
        limits={name: str(value) for name, value in (resources.get("limits") or {}).items()},
        labels=dict(body.get("labels") or {}),
        annotations=dict(body.get("annotations") or {}),
        env={each["name"]: each.get("value", "") for each in body.get("env") or ()},
        priority_class=body.get("priorityClassName", ""),
    )
