"""Kubernetes Events of a run: a handful, told from how its status changed. One per sensor were a flood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from scoring_operator.contract import Guard, Json, clean, digest8
from scoring_operator.resource import GROUP, KIND, VERSION, Run
from scoring_operator.status import (
    BLOCKED_CONDITION,
    COMPLETE_CONDITION,
    DELIVERED_CONDITION,
    FAILED_CONDITION,
    READINGS_CONDITION,
    SUSPENDED_CONDITION,
    WAITING_CONDITION,
    Status,
)

MESSAGE_BYTES = 1000  # the API's limit is 1,024


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that people should see with `kubectl describe`."""

    warning: bool
    reason: str
    message: str


def events_between(old: Status, new: Status) -> tuple[RunEvent, ...]:
    """What is worth an Event in the step from `old` to `new`."""
    events = []
    if new.pinned and not old.pinned:
        events.append(RunEvent(False, "Started", f"{new.pinned.total} sensors in {new.jobs} Jobs"))
    for kind, warning in (
        (BLOCKED_CONDITION, True),
        (SUSPENDED_CONDITION, False),
        (WAITING_CONDITION, False),
        (READINGS_CONDITION, False),
    ):
        condition = new.conditions.get(kind)
        if condition and condition.status and not old.holds(kind):
            events.append(RunEvent(warning, condition.reason, condition.message))
        if condition and not condition.status and old.holds(kind) and not new.ended:
            events.append(RunEvent(False, condition.reason, condition.message))
    if new.guard and not old.guard and new.guard.warnings:
        events.append(RunEvent(True, "GuardWarnings", _warnings(new.guard)))
    if new.ended and not old.ended:
        events.extend(_at_the_end(new))
    return tuple(events)


def _warnings(guard: Guard) -> str:
    """All warnings in one sentence, and the first sensor's own."""
    counted = ", ".join(f"{times} {reason}" for reason, times in sorted(guard.warnings.items()))
    first = next((sample for sample in guard.samples if sample.reason in guard.warnings), None)
    return f"{counted}; first: {first.sensor}: {first.message}" if first else counted


def _at_the_end(status: Status) -> list[RunEvent]:
    events = []
    sent = status.conditions.get(DELIVERED_CONDITION)
    if sent and not sent.status and sent.reason in ("DeadLettered", "SinkGone"):
        events.append(RunEvent(True, "AnomaliesNotDelivered", sent.message))
    if status.failed:
        reasons = ", ".join(
            f"{times} {reason.removeprefix('Failed/')}"
            for reason, times in sorted(status.reasons.items())
            if reason.startswith("Failed/")
        )
        events.append(
            RunEvent(True, "SensorsFailed", f"{status.failed} of {status.total} sensors: {reasons}")
        )
    for kind in (COMPLETE_CONDITION, FAILED_CONDITION):
        if status.holds(kind):
            condition = status.conditions[kind]
            events.append(RunEvent(kind == FAILED_CONDITION, condition.reason, condition.message))
    return events


def event_manifest(run: Run, event: RunEvent, now: datetime) -> Json:
    """The manifest; its name is the event's own: told again after a lost answer it is there already."""
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = digest8(f"{run.uid}/{event.reason}/{event.message}/{run.resource_version}")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{run.name}.{told}", "namespace": run.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
            "resourceVersion": run.resource_version,
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": clean(event.message, MESSAGE_BYTES),
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "source": {"component": "sensorscore-operator"},
        "reportingComponent": "sensorscore-operator",
        "reportingInstance": "sensorscore-operator",
    }
