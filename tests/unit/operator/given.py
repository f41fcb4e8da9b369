"""Runs, Jobs, pods and messages to test with: valid ones, of which a test changes what it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scoring_operator.chunks import SensorSet
from scoring_operator.contract import job_name
from scoring_operator.decision import Observation
from scoring_operator.records import JobRecord, PodRecord
from scoring_operator.resource import Run, Spec, parse_run
from scoring_operator.settings import Settings, parse
from scoring_operator.status import Pinned, Status

Json = dict[str, Any]
UID = "6f0c1a2e-0000-4000-8000-000000000001"
NOW = datetime(2026, 1, 1, 13, 0, 30, tzinfo=UTC)
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
        "model": {"path": "models/{sensor}"},
        "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "output": {"path": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "sensorsPerJob": 1,
        "parallelism": 100,
        "suspend": False,
        "retry": {"backoffLimit": 2},
        "timeouts": {"perAttemptSeconds": 300},
        "failurePolicy": {"maxFailedSensors": 0, "onMissingReadings": "Skip", "onMissingModel": "Skip"},
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
    return {"metadata": metadata, "spec": whole | spec}


def a_run(status: Status | None = None, **spec: Any) -> Run:
    run = parse_run(run_body(**spec))
    return run if status is None else replace(run, status=status)


def spec_of(run: Run) -> Spec:
    assert isinstance(run.spec, Spec)
    return run.spec


def sensors(*names: str) -> SensorSet:
    return SensorSet.of(names or ("a", "b", "c"))


def pinned(listed: SensorSet, per_job: int = 1, **more: Any) -> Status:
    """The status of a run that has begun."""
    status = Status(
        observed_generation=1,
        phase="Running",
        start=NOW,
        jobs=-(-len(listed) // per_job),
        pinned=Pinned(len(listed), listed.sha256, "hourly-sensors-x"),
    )
    return replace(status, **more)


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
