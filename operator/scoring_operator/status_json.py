"""A ScoringRun's status as it lies in the API: read from the object, written back whole.

What is written here must be declared in the CRD: the API server silently drops everything else.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation

from scoring_operator.contract import Guard, Json, Published, Rows, Sample, rfc3339
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet
from scoring_operator.status import SCORE, Condition, Cost, Failure, Pinned, Status, Stopwatch, Verdict
from scoring_operator.times import parse_time, time_or_none

STATUS_LIMIT = 64 * 1024  # bytes: etcd keeps each write for minutes, and everybody who watches runs gets it


def to_api(status: Status) -> Json:
    """`.status` as it is written; what is not known yet is left out."""
    body: Json = {
        "observedGeneration": status.observed_generation,
        "phase": status.phase,
        "conditions": [
            _condition_to_api(kind, condition) for kind, condition in sorted(status.conditions.items())
        ],
    }
    for name, time in (
        ("startTime", status.start),
        ("completionTime", status.completion),
        ("modelsAsOf", status.models_as_of),
        ("pendingSince", status.pending_since),
    ):
        if time:
            body[name] = rfc3339(time)
    if status.begun:
        body |= _stage_to_api(status)
    if status.pinned:
        body |= _progress_to_api(status, status.pinned) | _end_to_api(status)
    return _within_limit(body)


def _within_limit(body: Json) -> Json:
    """With as many failures, the first ones, as leave it within the limit: all else has to be in it."""
    over = _size(body) - STATUS_LIMIT
    failures = body.get("failures") or []
    while over > 0 and failures:
        over -= _size(failures.pop())
    return body


def _size(body: object) -> int:
    return len(json.dumps(body, separators=(",", ":")))


def _stage_to_api(status: Status) -> Json:
    body: Json = {
        "stage": status.stage,
        "latency": {stage: histogram.as_status() for stage, histogram in sorted(status.latency.items())},
        "running": _running_to_api(status.stopwatch),
        "cost": _cost_to_api(status.cost, status.currency),
    }
    if status.stopping.spans:
        body["stopping"] = status.stopping.text()
    if status.image:
        body["image"] = status.image
    if status.prepare_incarnation:
        body["prepareIncarnation"] = status.prepare_incarnation
    return body


def _list_to_api(pinned: Pinned) -> Json:
    body: Json = {"total": pinned.total, "sha256": pinned.sha256}
    if pinned.in_store:
        return body | ({"shards": ",".join(map(str, pinned.shards))} if pinned.shards else {})
    return body | {"configMap": pinned.config_map}


def _list_of_api(body: Json) -> Pinned:
    shards = tuple(int(size) for size in body.get("shards", "").split(",") if size)
    return Pinned(body["total"], body["sha256"], body.get("configMap", ""), shards)


def _progress_to_api(status: Status, pinned: Pinned) -> Json:
    return {
        "progress": f"{status.decided}/{pinned.total}",
        "sensorSet": _list_to_api(pinned),
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
    }


def _end_to_api(status: Status) -> Json:
    body: Json = {}
    if status.verdict:
        verdict = status.verdict
        body["verdict"] = {"type": verdict.condition, "reason": verdict.reason, "message": verdict.message}
    if status.publish_incarnation:
        body["publishIncarnation"] = status.publish_incarnation
    if status.published:
        found = status.published
        paths = {"manifest": found.manifest, "success": found.success, "anomalies": found.anomalies}
        body["published"] = {"sha256": found.sha256} | {name: path for name, path in paths.items() if path}
    if status.guard:
        body["guard"] = {
            "warnings": dict(sorted(status.guard.warnings.items())),
            "notes": dict(sorted(status.guard.notes.items())),
            "samples": [
                {"sensor": each.sensor, "reason": each.reason, "message": each.message}
                for each in status.guard.samples
            ],
        }
    return body


def of_api(body: Json) -> Status:
    """`.status` of an object; raises `ValueError`, `KeyError`, `TypeError` for one that is not of ours."""
    counts, recorded, pinned = body.get("counts") or {}, body.get("recorded") or {}, body.get("sensorSet")
    verdict = body.get("verdict")
    cost = body.get("cost") or {}
    return Status(
        observed_generation=body.get("observedGeneration", 0),
        phase=body.get("phase", ""),
        # An operator of an earlier version knew one stage only.
        stage=body.get("stage", SCORE if pinned else ""),
        start=time_or_none(body.get("startTime")),
        completion=time_or_none(body.get("completionTime")),
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
        pinned=_list_of_api(pinned) if pinned else None,
        image=body.get("image", ""),
        models_as_of=time_or_none(body.get("modelsAsOf")),
        verdict=Verdict(verdict["type"], verdict["reason"], verdict["message"]) if verdict else None,
        prepare_incarnation=body.get("prepareIncarnation", 0),
        publish_incarnation=body.get("publishIncarnation", 0),
        published=_published_of_api(body.get("published")),
        guard=_guard_of_api(body.get("guard")),
        stopwatch=_running_of_api(body.get("running"), time_or_none(body.get("startTime"))),
        pending_since=time_or_none(body.get("pendingSince")),
        stopping=RangeSet.parse(body.get("stopping", "")),
        cost=_cost_of_api(cost),
        currency=cost.get("currency", ""),
    )


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


def _published_of_api(body: Json | None) -> Published | None:
    if not body:
        return None
    return Published(body["manifest"], body["sha256"], body.get("success", ""), body.get("anomalies", ""))


def _guard_of_api(body: Json | None) -> Guard | None:
    if not body:
        return None
    samples = (
        Sample(each["sensor"], each["reason"], each.get("message", "")) for each in body.get("samples") or ()
    )
    return Guard(dict(body.get("warnings") or {}), dict(body.get("notes") or {}), tuple(samples))


def _running_to_api(stopwatch: Stopwatch) -> Json:
    return {"seconds": stopwatch.seconds} | ({"since": rfc3339(stopwatch.since)} if stopwatch.since else {})


def _running_of_api(body: Json | None, start: datetime | None) -> Stopwatch:
    if body is None:  # of an operator that did not stop the time: it has been going on since it began
        return Stopwatch(since=start)
    return Stopwatch(body["seconds"], time_or_none(body.get("since")))


def _cost_to_api(cost: Cost, currency: str) -> Json:
    body: Json = {
        "podSeconds": cost.pod_seconds,
        "estimatedPodSeconds": cost.estimated,
        "cpuSeconds": _decimal(cost.cpu_ms, 3),
    }
    if currency:
        body |= {"money": _decimal(cost.money, 9), "currency": currency}
    if cost.node_seconds:
        body["estimatedNodeSeconds"] = cost.node_seconds
    if cost.node_money:
        body["estimatedNodeMoney"] = _decimal(cost.node_money, 9)
    return body


def _cost_of_api(body: Json) -> Cost:
    return Cost(
        body.get("podSeconds", 0),
        _whole(body.get("cpuSeconds", "0"), 3),
        _whole(body.get("money", "0"), 9),
        body.get("estimatedPodSeconds", 0),
        body.get("estimatedNodeSeconds", 0),
        _whole(body.get("estimatedNodeMoney", "0"), 9),
    )


def _decimal(number: int, places: int) -> str:
    """A whole number of parts as a decimal fraction: exact, which a JSON number is not to all readers."""
    return f"{Decimal(number).scaleb(-places):.{places}f}"


def _whole(text: str, places: int) -> int:
    try:
        return int(Decimal(text).scaleb(places))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
