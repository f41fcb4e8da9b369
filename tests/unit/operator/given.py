"""Runs, Jobs, pods and messages to test with: valid ones, of which a test changes what it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scoring_operator.chunks import Chunks, SensorSet, divide, in_order
from scoring_operator.contract import job_name, publish_job_name
from scoring_operator.decision import Observation
from scoring_operator.jobs import Means
from scoring_operator.ranges import RangeSet
from scoring_operator.records import PUBLISHES, JobRecord, PodRecord
from scoring_operator.resource import Run, parse_run
from scoring_operator.settings import Settings, parse
from scoring_operator.spec import Spec
from scoring_operator.status import Pinned, Status, Stopwatch, Verdict

Json = dict[str, Any]
UID = "6f0c1a2e-0000-4000-8000-000000000001"
NOW = datetime(2026, 1, 1, 13, 0, 30, tzinfo=UTC)
NESTED = ("model", "readings", "output", "timeouts", "failurePolicy")
POLICY: Json = {
    "maxFailedSensors": 0,
    "onExceeded": "Continue",
    "onMissingReadings": "Skip",
    "onMissingModel": "Skip",
}
NO_ROWS = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def run_body(**spec: Any) -> Json:
    """A ScoringRun as the API server gives it, defaults included."""
    whole: Json = {
        "window": {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"},
        "sensors": {"names": ["a", "b", "c"]},
        "store": "default",
        "runtime": "default",
        "model": {"path": "models/{sensor}", "version": "Current"},
        "readings": {
            "path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet",
            "format": "Auto",
            "layout": "hourly",
            "columns": {"time": "time", "sensor": "sensor"},
            "timeZone": "UTC",
            "ambiguousTimes": "Reject",
        },
        "output": {"format": "Parquet", "layout": "PerSensor"},
        "sensorsPerJob": 1,
        "parallelism": 100,
        "suspend": False,
        "concurrencyPolicy": "Allow",
        "priority": 0,
        "retry": {"backoffLimit": 2},
        "timeouts": {"perAttemptSeconds": 300, "publishSeconds": 600},
        "failurePolicy": POLICY,
        "jobTTLSecondsAfterFinished": 900,
    }
    metadata = {
        "name": "hourly",
        "namespace": "scoring",
        "uid": UID,
        "resourceVersion": "100",
        "generation": 1,
        "creationTimestamp": "2026-01-01T13:00:07Z",
    }
    # Defaults within an object are the API server's doing, too.
    given = {name: whole[name] | part if name in NESTED else part for name, part in spec.items()}
    return {"metadata": metadata, "spec": whole | given}


def a_run(status: Status | None = None, **spec: Any) -> Run:
    run = parse_run(run_body(**spec))
    return run if status is None else replace(run, status=status)


def spec_of(run: Run) -> Spec:
    assert isinstance(run.spec, Spec)
    return run.spec


def sensors(*names: str) -> SensorSet:
    return SensorSet.of(names or ("a", "b", "c"))


def chunks_of(listed: SensorSet, spec: Spec) -> Chunks:
    """The list, ordered and divided as the run's spec wants it."""
    return divide(in_order(listed, spec.output), spec.output, spec.sensors_per_job)


def pinned(listed: SensorSet, per_job: int = 1, **more: Any) -> Status:
    """The status of a run that has begun."""
    status = Status(
        observed_generation=1,
        phase="Running",
        stage="Score",
        start=NOW,
        jobs=-(-len(listed) // per_job),
        pinned=Pinned(len(listed), listed.sha256, "hourly-sensors-x"),
        models_as_of=NOW,
        stopwatch=Stopwatch(0, NOW),
    )
    return replace(status, **more)


COMPLETE = Verdict("Complete", "AllSucceeded", "3 scored, 0 skipped, 0 failed of 3 sensors")


def publishing(listed: SensorSet, verdict: Verdict = COMPLETE, **more: Any) -> Status:
    """The status of a run that is being published, all its sensors scored unless something else is said."""
    whole: Json = {"done": RangeSet.of(range(len(listed))), "scored": len(listed)}
    return pinned(listed, stage="Publish", verdict=verdict, **(whole | more))


def a_job(chunk: int = 0, incarnation: int = 0, **more: Any) -> JobRecord:
    """An unfinished Job of the run."""
    job = JobRecord(
        namespace="scoring",
        name=job_name("hourly", UID, chunk, incarnation),
        uid=f"job-{chunk}-{incarnation}",
        version=200 + chunk,
        run_name="hourly",
        run_uid=UID,
        chunk=chunk,
        incarnation=incarnation,
        created=after(-20),
        terminating=False,
        state="Active",
        finished=None,
        attempts=0,
        message="",
    )
    return replace(job, **more)


def a_publish_job(incarnation: int = 0, **more: Any) -> JobRecord:
    """The Job that publishes the run."""
    own = {"name": publish_job_name("hourly", UID, incarnation), "uid": f"publish-{incarnation}"}
    return a_job(PUBLISHES, incarnation, **(own | more))


def a_published(**more: Any) -> Json:
    """What the pod says that has published the run."""
    return {
        "v": 1,
        "run": UID,
        "chunk": 0,
        "incarnation": 0,
        "attempt": "2026-01-01T13:00:19.123Z",
        "final": True,
        "stage": "Publish",
        "manifest": {"path": f"runs/{UID}/manifest.json", "sha256": "a" * 64},
        "success": "predictions/2026/01/01/12/_SUCCESS",
        "anomalies": "anomalies/2026/01/01/12/hourly.parquet",
        "warnings": {},
        "notes": {},
        "samples": [],
        "stagesMs": {"total": 1834},
        **more,
    }


def has_published(incarnation: int = 0, **more: Any) -> Observation:
    """A Job that is Complete, and its pod's message that the run is published."""
    job = a_publish_job(incarnation, state="Complete", finished=NOW, attempts=1)
    return Observation(job, (a_pod(job, a_published(incarnation=incarnation, **more)),))


def a_finished_job(chunk: int = 0, state: str = "Complete", **more: Any) -> JobRecord:
    ended: Json = {"state": state, "finished": NOW, "attempts": 1}
    return a_job(chunk, **(ended | more))


def a_message(codes: str = "S", legend: Json | None = None, chunk: int = 0, **more: Any) -> Json:
    """A scored sensor's message, of incarnation 0."""
    return {
        "v": 1,
        "run": UID,
        "chunk": chunk,
        "incarnation": 0,
        "attempt": "2026-01-01T13:00:09.123Z",
        "final": True,
        "codes": codes,
        "legend": legend or {"S": "Scored"},
        "rows": {"read": 12, "scored": 9, "rejected": 2, "duplicate": 1},
        "anomalies": 3,
        "stagesMs": {"import": 152, "read": 12, "score": 3, "write": 14, "total": 190},
        "failures": [],
        **more,
    }


def a_pod(job: JobRecord, text: Json | str = "", number: int = 0, **more: Any) -> PodRecord:
    """A pod of the Job that has ended well, or with what `more` says; `number` orders attempts."""
    pod = PodRecord(
        namespace=job.namespace,
        name=f"{job.name}-{number}",
        version=300 + number,
        job_uid=job.uid,
        run_uid=job.run_uid,
        chunk=job.chunk,
        succeeded=True,
        disrupted=False,
        reason="",
        exit_code=0,
        exit_reason="Completed",
        waiting="",
        text=text if isinstance(text, str) else json.dumps(text),
        created=after(-18 + 4 * number),
        scheduled=after(-17 + 4 * number),
        started=after(-15 + 4 * number),
        ended=after(-14 + 4 * number),
    )
    return replace(pod, **more)


def a_failed_pod(job: JobRecord, code: int, text: Json | str = "", number: int = 0, **more: Any) -> PodRecord:
    return a_pod(
        job, text, number, **({"succeeded": False, "exit_code": code, "exit_reason": "Error"} | more)
    )


def seen(*jobs: JobRecord | Observation) -> dict[tuple[int, int], Observation]:
    """Observations by chunk and incarnation."""
    observed = [each if isinstance(each, Observation) else Observation(each) for each in jobs]
    return {(each.job.chunk, each.job.incarnation): each for each in observed}


def scored(chunk: int) -> Observation:
    """A Job that is Complete, and its pod's message that its one sensor is scored."""
    job = a_finished_job(chunk)
    return Observation(job, (a_pod(job, a_message(chunk=chunk)),))


def means(store: str = "default") -> Means:
    """What the administrator lists."""
    chosen = settings()
    return Means(chosen.stores[store], chosen.runtimes["default"], chosen.stages)


def settings(**more: Any) -> Settings:
    return parse(
        {
            "stores": {
                "default": {
                    "url": "azure://account/container",
                    "endpoint": "http://10.89.0.2:10000/account",
                    "allowHttp": True,
                    "connectionStringSecret": {"name": "storage"},
                    "serviceAccountName": "scorer",
                },
                "theirs": {"url": "azure://account/other", "namespaces": ["else"], "workloadIdentity": True},
            },
            "runtimes": {
                "default": {
                    "image": "localhost/sensorscore-scorer:0.1.0",
                    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "512Mi"}},
                    "nodeSelector": {"pool": "scoring"},
                    "tolerations": [{"key": "scoring", "operator": "Exists"}],
                    "env": {"EXTRA": "1"},
                }
            },
        }
        | more
    )
