"""What the pod of the publish stage says: where the run's manifest is, and what the guard noticed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring_operator.contract.names import is_sensor_name
from scoring_operator.contract.staged import check_reason, failure_of, stage_message
from scoring_operator.contract.untrusted import (
    ContractError,
    Json,
    a_count,
    a_text,
    an_object,
    clean,
    objects,
    shown,
)

PATH_LIMIT = 1024  # characters, of a blob's name
SAMPLES_LIMIT = 10
REASONS_LIMIT = 32  # of warnings, and of notes
SINKS_LIMIT = 8
SINK_REASON = 200  # bytes
_SINK = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Published:
    """Where a run's results are; empty where nothing was written, since it is not complete or outdone."""

    manifest: str
    sha256: str
    success: str
    anomalies: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A sensor that the guard warns of, and the sentence that says why."""

    sensor: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What the guard noticed of the run's models: sensors by reason, and the first few of them."""

    warnings: Mapping[str, int]
    notes: Mapping[str, int]
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a run's anomalies at one of its sinks, in sensors."""

    delivered: int = 0
    deadlettered: int = 0
    suppressed: int = 0
    skipped: int = 0
    reason: str = ""  # `Word: sentence`, or empty


@dataclass(frozen=True, slots=True)
class PublishMessage:
    """What one attempt says: that it has published, or why it could not; neither if it was cut short."""

    published: Published | None
    guard: Guard | None
    failure: str  # `Reason: sentence`, or empty
    total_ms: int
    sinks: Mapping[str, Sent] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether the attempt has done what it was to do."""
        return self.published is not None


def parse_published(text: str, run: str, incarnation: int) -> PublishMessage:
    """Read a termination message; raises `ContractError` for all but a well-formed one of that attempt's."""
    data, final, total = stage_message(text, run, incarnation, "Publish")
    if not final or "failure" in data:
        return PublishMessage(None, None, failure_of(data), total)
    samples = objects(data, "samples")
    guard = Guard(
        _counts(data, "warnings"),
        _counts(data, "notes"),
        tuple(_sample(sample) for sample in samples[:SAMPLES_LIMIT]),
    )
    return PublishMessage(_published(data), guard, "", total, _sinks(data))


def _published(data: Json) -> Published:
    manifest = an_object(data, "manifest")
    sha256 = a_text(manifest, "sha256")
    if not _SHA256.fullmatch(sha256):
        raise ContractError(f"manifest.sha256 is {shown(sha256)}; wanted 64 hexadecimal digits")
    return Published(
        _path(manifest, "path", "manifest."),
        sha256,
        _path_or_null(data, "success"),
        _path_or_null(data, "anomalies"),
    )


def _sinks(data: Json) -> dict[str, Sent]:
    """By name; none, of a pod that was not told of any."""
    if "sinks" not in data:
        return {}
    told = an_object(data, "sinks")
    if len(told) > SINKS_LIMIT:
        raise ContractError(f"sinks has {len(told)} names; wanted at most {SINKS_LIMIT}")
    return {_sink_name(name): _sent(an_object(told, name)) for name in told}


def _sink_name(name: str) -> str:
    if not _SINK.fullmatch(name):
        raise ContractError(f"sinks name {shown(name)}; wanted a sink's name")
    return name


def _sent(told: Json) -> Sent:
    counts = ("delivered", "deadlettered", "suppressed", "skipped")
    numbers = {name: a_count(told, name, "sinks") for name in counts if name in told}
    return Sent(**numbers, reason=clean(a_text(told, "reason"), SINK_REASON) if "reason" in told else "")


def _path_or_null(data: Json, key: str) -> str:
    if key not in data:
        raise ContractError(f"{key} is missing; wanted a path, or null")
    return "" if data[key] is None else _path(data, key)


def _path(data: Json, key: str, where: str = "") -> str:
    path = a_text(data, key)
    if not 0 < len(path) <= PATH_LIMIT or not path.isprintable():
        raise ContractError(
            f"{where}{key} is {shown(path)}; wanted a path of at most {PATH_LIMIT} characters"
        )
    return path


def _counts(data: Json, key: str) -> dict[str, int]:
    counted = an_object(data, key)
    if len(counted) > REASONS_LIMIT:
        raise ContractError(f"{key} has {len(counted)} reasons; wanted at most {REASONS_LIMIT}")
    for reason in counted:
        check_reason(reason, key)
    return {reason: a_count(counted, reason, key) for reason in sorted(counted)}


def _sample(sample: Json) -> Sample:
    sensor, reason = a_text(sample, "sensor"), a_text(sample, "reason")
    if not is_sensor_name(sensor):
        raise ContractError(f"samples name the sensor {shown(sensor)}; wanted a sensor's name")
    check_reason(reason, "samples")
    return Sample(sensor, reason, clean(a_text(sample, "message")))
