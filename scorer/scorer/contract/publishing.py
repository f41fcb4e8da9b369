"""The publish stage: what the operator tells it of the run, and what it says when it is done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scorer.contract.fields import UsageError
from scorer.contract.outcome import FAILED, MESSAGE_BYTES, UNDECIDED, Header, cut_utf8
from scorer.contract.staging import PUBLISH, WHY_BYTES, message, stage_head
from scorer.contract.work import MAX_RUN_SENSORS

DECISIONS_VERSION = 1
SINK_BYTES = 160
"""Of the sentence on a sink: all eight and what else is said fit into a message."""

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


class Failure(NamedTuple):
    """What the operator says of one sensor that is not well."""

    state: str
    reason: str
    message: str


class Decisions(NamedTuple):
    """The operator's decisions on a run's sensors: all that is neither failed nor undecided went well."""

    total: int
    complete: bool
    """Whether the run is over with a condition that lets its results count."""
    reason: str
    failed: frozenset[int]
    """0-based places in the run's list."""
    undecided: frozenset[int]
    failures: Mapping[str, Failure]
    """Of some of them, by sensor; by `#place` where the operator does not know the name."""

    def failure_of(self, place: int, sensor: str) -> Failure | None:
        """What the operator says of the sensor at this place of the run's list."""
        return self.failures.get(sensor) or self.failures.get(f"#{place}")


class Sample(NamedTuple):
    """One warning or note, for people."""

    sensor: str
    reason: str
    message: str


class Sent(NamedTuple):
    """What became of a run's anomalies at one of its sinks, in sensors."""

    delivered: int = 0
    deadlettered: int = 0
    """Given up: they lie among the dead letters."""
    suppressed: int = 0
    """The sink's rule wants more: more of them, a higher score, more windows."""
    skipped: int = 0
    """Not asked for: the window is too old, a route leads nowhere, an earlier run has told the same."""
    reason: str = ""
    """`Word: sentence`, where something is to be said."""

    def counts(self) -> dict[str, int]:
        """The numbers by their names."""
        return {name: count for name, count in self._asdict().items() if name != "reason"}


class Published(NamedTuple):
    """What was published. Paths are None where nothing was written, because it may not or a later run has."""

    manifest: str
    sha256: str
    success: str | None
    anomalies: str | None
    warnings: Mapping[str, int]
    notes: Mapping[str, int]
    samples: tuple[Sample, ...]
    sinks: Mapping[str, Sent] = {}
    """By name, if the run has any."""


def parse_decisions(text: str | bytes) -> Decisions:
    """Reads the operator's decisions. Raises UsageError."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"decisions are not JSON: {error}") from error
    version = told.get("v") if isinstance(told, dict) else None
    if version != DECISIONS_VERSION or isinstance(version, bool):
        raise UsageError(f"decisions have v = {version!r}: this scorer understands {DECISIONS_VERSION}")
    total, complete = told.get("total"), told.get("complete")
    if not isinstance(total, int) or isinstance(total, bool) or not 0 < total <= MAX_RUN_SENSORS:
        raise UsageError(f"decisions: total is {total!r}: wanted 1 to {MAX_RUN_SENSORS} sensors")
    if not isinstance(complete, bool):
        raise UsageError(f"decisions: complete is {complete!r}: wanted true or false")
    failed = _places(told.get("failed"), "failed", total)
    undecided = _places(told.get("undecided"), "undecided", total)
    if both := failed & undecided:
        raise UsageError(f"decisions: failed and undecided both hold sensor {min(both)}")
    return Decisions(
        total, complete, str(told.get("reason", "")), failed, undecided, _failures(told.get("failures"))
    )


def read_decisions(file: str, sensors: int) -> Decisions:
    """The operator's decisions on so many sensors. Raises UsageError."""
    try:
        with open(file, "rb") as told:  # noqa: PTH123 (as in `sensors`)
            text = told.read()
    except OSError as error:
        raise UsageError(f"work order: decisions {file!r} cannot be read: {error.strerror}") from error
    decisions = parse_decisions(text)
    if decisions.total != sensors:
        raise UsageError(f"decisions: total is {decisions.total}: the work order has {sensors} sensors")
    return decisions


def encode_published(header: Header, published: Published, stages_ms: Mapping[str, int]) -> bytes:
    """The termination message of a run that is published; of the samples as many as fit."""
    told = {
        **stage_head(header, PUBLISH),
        "manifest": {"path": published.manifest, "sha256": published.sha256},
        "success": published.success,
        "anomalies": published.anomalies,
        "warnings": dict(published.warnings),
        "notes": dict(published.notes),
        "samples": [],
        "stagesMs": dict(stages_ms),
    }
    if published.sinks:
        told["sinks"] = {name: _sent(sent) for name, sent in published.sinks.items()}
    room = MESSAGE_BYTES - len(message(told))
    samples = []
    for sample in published.samples:
        said = {**sample._asdict(), "message": cut_utf8(sample.message, WHY_BYTES)}
        room -= len(message(said)) + 1
        if room < 0:
            break
        samples.append(said)
    return message({**told, "samples": samples})


def _sent(sent: Sent) -> dict[str, Any]:
    told: dict[str, Any] = {name: count for name, count in sent.counts().items() if count}
    return told | ({"reason": _sentence(sent.reason, SINK_BYTES)} if sent.reason else {})


def _sentence(text: str, size: int) -> str:
    """In one line, and as JSON at most so many bytes."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:size])
    room = size
    while len(message(cut := cut_utf8(plain, room))) - 2 > size:
        room -= 1
    return cut


def _places(text: Any, field: str, total: int) -> frozenset[int]:
    """The places that ranges like `0-4,8` name."""
    if not isinstance(text, str):
        raise UsageError(f"decisions: {field} is {text!r}: wanted ranges like 0-4,8")
    places: set[int] = set()
    for part in text.split(",") if text else ():
        ends = _RANGE.fullmatch(part)
        first = int(ends[1]) if ends else 0
        last = int(ends[2] or ends[1]) if ends else -1
        if not first <= last < total:
            raise UsageError(
                f"decisions: {field} holds {part[:40]!r}: wanted ranges like 0-4,8 of {total} sensors"
            )
        places.update(range(first, last + 1))
    return frozenset(places)


def _failures(told: Any) -> dict[str, Failure]:
    failures = told if isinstance(told, list) else None
    if failures is None or not all(_is_failure(failure) for failure in failures):
        raise UsageError("decisions: failures are not a list of sensors with state, reason and message")
    return {
        failure["sensor"]: Failure(failure["state"], failure["reason"], failure["message"])
        for failure in failures
    }


def _is_failure(told: Iterable[Any]) -> bool:
    return (
        isinstance(told, dict)
        and all(isinstance(told.get(field), str) for field in ("sensor", "state", "reason", "message"))
        and told["state"] in (FAILED, UNDECIDED)
    )
