"""A ScoringRun's status as a frozen value: read from the object, changed by reconcile, written back whole.

Everything that is counted once (sums, histograms, recorded Jobs) lies in here and changes in one write, so
that a restart of the operator at any moment neither loses nor doubles anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from scoring_operator.contract import Json, Rows, clean, rfc3339
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet

FAILURES_LIMIT = 50
REASONS_LIMIT = 63  # the schema's 64, and one for Other: reasons come from pods and could be any word
MESSAGE_LIMIT = 1000  # bytes of a condition's message

PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED = "Pending", "Running", "Suspended", "Succeeded", "Failed"
COMPLETE_CONDITION, FAILED_CONDITION, SUSPENDED_CONDITION, BLOCKED_CONDITION = (
    "Complete",
    "Failed",
    "Suspended",
    "Blocked",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A standard Kubernetes condition, but for its type."""

    status: bool
    reason: str
    message: str
    since: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A sensor that failed or was skipped, and the sentence that explains it."""

    sensor: str
    index: int
    state: str
    reason: str
    message: str
    job: str

    @property
    def order(self) -> tuple[bool, int]:
        """Failed first, then as listed: which 50 are kept must not depend on who ended first."""
        return self.state != "Failed", self.index


@dataclass(frozen=True, slots=True)
class Pinned:
    """The sensor list that the run holds to."""

    total: int
    sha256: str
    config_map: str


@dataclass(frozen=True, slots=True)
class Status:
    """All of `.status`; defaults are those of a run that nobody has looked at."""

    observed_generation: int = 0
    phase: str = ""
    start: datetime | None = None
    completion: datetime | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    scored: int = 0
    skipped: int = 0
    failed: int = 0
    jobs: int = 0
    active_jobs: int = 0
    retried_jobs: int = 0
    done: RangeSet = field(default_factory=RangeSet)
    failed_sensors: RangeSet = field(default_factory=RangeSet)
    incarnations: Mapping[int, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    anomalies: int = 0
    latency: Mapping[str, Histogram] = field(default_factory=dict)
    pinned: Pinned | None = None

    @property
    def decided(self) -> int:
        """Sensors that are Scored, Skipped or Failed."""
        return self.scored + self.skipped + self.failed

    @property
    def total(self) -> int:
        """All sensors, 0 until the list is pinned."""
        return self.pinned.total if self.pinned else 0

    def holds(self, kind: str) -> bool:
        """Whether the condition `kind` is True."""
        condition = self.conditions.get(kind)
        return condition is not None and condition.status

    @property
    def ended(self) -> bool:
        """Whether the run is Complete or Failed, for ever."""
        return self.holds(COMPLETE_CONDITION) or self.holds(FAILED_CONDITION)

    def having(
        self, kind: str, status: bool, reason: str, message: str, now: datetime, generation: int
    ) -> Status:
        """With the condition `kind` set; its time moves only when its status does."""
        old = self.conditions.get(kind)
        since = old.since if old is not None and old.status == status else now
        condition = Condition(status, reason, clean(message, MESSAGE_LIMIT), since, generation)
        return replace(self, conditions={**self.conditions, kind: condition})


def to_api(status: Status) -> Json:
    """`.status` as it is written; what is not known yet is left out."""
    body: Json = {
        "observedGeneration": status.observed_generation,
        "phase": status.phase,
        "conditions": [
            _condition_to_api(kind, condition) for kind, condition in sorted(status.conditions.items())
        ],
    }
    if status.start:
        body["startTime"] = rfc3339(status.start)
    if status.completion:
        body["completionTime"] = rfc3339(status.completion)
    if status.pinned:
        body |= _progress_to_api(status, status.pinned)
    return body


def _progress_to_api(status: Status, pinned: Pinned) -> Json:
    return {
        "progress": f"{status.decided}/{pinned.total}",
        "sensorSet": {"total": pinned.total, "sha256": pinned.sha256, "configMap": pinned.config_map},
        "counts": {
            "total": pinned.total,
            "scored": status.scored,
            "skipped": status.skipped,
            "failed": status.failed,
            "undecided": pinned.total - status.decided,
            "jobs": status.jobs,
            "activeJobs": status.active_jobs,
            "retriedJobs": status.retried_jobs,
        },
        "recorded": {"done": status.done.text(), "failedSensors": status.failed_sensors.text()},
        "incarnations": {str(chunk): times for chunk, times in sorted(status.incarnations.items())},
        "failures": [
            {
                "sensor": f.sensor,
                "index": f.index,
                "state": f.state,
                "reason": f.reason,
                "message": f.message,
                "job": f.job,
            }
            for f in status.failures
        ],
        "reasons": dict(sorted(status.reasons.items())),
        "rows": {
            "read": status.rows.read,
            "scored": status.rows.scored,
            "rejected": status.rows.rejected,
            "duplicate": status.rows.duplicate,
        },
        "anomalies": status.anomalies,
        "latency": {stage: histogram.as_status() for stage, histogram in sorted(status.latency.items())},
    }


def of_api(body: Json) -> Status:
    """`.status` of an object; raises `ValueError`, `KeyError`, `TypeError` for one that is not of ours."""
    counts, recorded, pinned = body.get("counts") or {}, body.get("recorded") or {}, body.get("sensorSet")
    return Status(
        observed_generation=body.get("observedGeneration", 0),
        phase=body.get("phase", ""),
        start=_time(body.get("startTime")),
        completion=_time(body.get("completionTime")),
        conditions={item["type"]: _condition_of_api(item) for item in body.get("conditions") or ()},
        scored=counts.get("scored", 0),
        skipped=counts.get("skipped", 0),
        failed=counts.get("failed", 0),
        jobs=counts.get("jobs", 0),
        active_jobs=counts.get("activeJobs", 0),
        retried_jobs=counts.get("retriedJobs", 0),
        done=RangeSet.parse(recorded.get("done", "")),
        failed_sensors=RangeSet.parse(recorded.get("failedSensors", "")),
        incarnations={int(chunk): times for chunk, times in (body.get("incarnations") or {}).items()},
        failures=tuple(
            Failure(f["sensor"], f["index"], f["state"], f["reason"], f.get("message", ""), f.get("job", ""))
            for f in body.get("failures") or ()
        ),
        reasons=dict(body.get("reasons") or {}),
        rows=Rows(**(body.get("rows") or {})),
        anomalies=body.get("anomalies", 0),
        latency={stage: Histogram.of_status(value) for stage, value in (body.get("latency") or {}).items()},
        pinned=Pinned(pinned["total"], pinned["sha256"], pinned["configMap"]) if pinned else None,
    )


def parse_time(text: str) -> datetime:
    """An RFC 3339 time with a zone, as UTC; raises `ValueError`."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return time.astimezone(UTC)


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def _condition_to_api(kind: str, condition: Condition) -> Json:
    return {
        "type": kind,
        "status": "True" if condition.status else "False",
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": rfc3339(condition.since),
        "observedGeneration": condition.generation,
    }


def _condition_of_api(body: Json) -> Condition:
    return Condition(
        status=body["status"] == "True",
        reason=body["reason"],
        message=body["message"],
        since=parse_time(body["lastTransitionTime"]),
        generation=body.get("observedGeneration", 0),
    )
