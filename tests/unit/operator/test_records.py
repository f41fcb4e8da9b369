from datetime import UTC, datetime
from typing import Any

import pytest

from scoring_operator.contract import job_name
from scoring_operator.jobs import job_manifest
from scoring_operator.records import job_record, pod_record
from unit.operator.given import UID, Json, a_run, sensors, settings, spec_of

SETTINGS = settings()


def job_body(**status: Any) -> Json:
    """A Job as the API server gives it back."""
    from scoring_operator.chunks import chunk_of

    run = a_run()
    store, runtime = SETTINGS.stores["default"], SETTINGS.runtimes["default"]
    body = job_manifest(run, spec_of(run), store, runtime, chunk_of(sensors(), 2, 1), 1)
    more = {"uid": "job-uid", "resourceVersion": "77", "creationTimestamp": "2026-01-01T13:00:10Z"}
    body["metadata"] |= more
    return body | {"status": status}


def pod_body(phase: str = "Succeeded", **status: Any) -> Json:
    job = job_body()
    owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": "job-uid", "controller": True}
    terminated = {
        "exitCode": 0,
        "reason": "Completed",
        "message": "said",
        "startedAt": "2026-01-01T13:00:14Z",
        "finishedAt": "2026-01-01T13:00:15Z",
    }
    return {
        "metadata": {
            "name": "pod",
            "namespace": "scoring",
            "resourceVersion": "78",
            "creationTimestamp": "2026-01-01T13:00:11Z",
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner],
        },
        "status": {
            "phase": phase,
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T13:00:12Z"}
            ],
            "containerStatuses": [{"name": "scorer", "state": {"terminated": terminated}}],
            **status,
        },
    }


def test_a_job_is_known_by_its_owner_and_name() -> None:
    record = job_record(job_body())
    assert record is not None
    assert (record.run_uid, record.chunk, record.incarnation) == (UID, 2, 1)
    assert (record.name, record.version) == (job_name("hourly", UID, 2, 1), 77)
    assert record.unfinished


@pytest.mark.parametrize(
    "change",
    [
        {"ownerReferences": []},
        {"ownerReferences": [{"kind": "ScoringRun", "name": "hourly", "uid": "another", "controller": True}]},
        {"ownerReferences": [{"kind": "CronJob", "name": "hourly", "uid": UID, "controller": True}]},
        {"labels": {}},
        {"labels": {"sensorscore.dev/run-uid": UID, "sensorscore.dev/chunk": "2"}},
        {"labels": job_body()["metadata"]["labels"] | {"sensorscore.dev/chunk": "3"}},
        {"labels": job_body()["metadata"]["labels"] | {"sensorscore.dev/chunk": "-2"}},
        {"name": "somebody-elses"},
    ],
)
def test_a_job_with_our_labels_that_is_not_ours_is_none_of_ours(change: Json) -> None:
    body = job_body()
    body["metadata"] |= change
    assert job_record(body) is None


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], "Active"),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], "Active"),
        ([{"type": "FailureTarget", "status": "True"}], "Active"),
        ([{"type": "Failed", "status": "False"}], "Active"),
        ([{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T13:00:20Z"}], "Complete"),
        ([{"type": "Failed", "status": "True", "lastTransitionTime": "2026-01-01T13:00:20Z"}], "Failed"),
    ],
)
def test_a_job_is_over_by_its_conditions_alone(conditions: list[Json], state: str) -> None:
    record = job_record(job_body(conditions=conditions, failed=2, succeeded=1))
    assert record is not None
    assert (record.state, record.attempts) == (state, 3)
    assert (record.finished == datetime(2026, 1, 1, 13, 0, 20, tzinfo=UTC)) == (state != "Active")


def test_a_pod_carries_its_message_and_times() -> None:
    pod = pod_record(pod_body())
    assert pod is not None
    assert (pod.job_uid, pod.run_uid, pod.chunk) == ("job-uid", UID, 2)
    assert (pod.text, pod.exit_code, pod.succeeded) == ("said", 0, True)
    assert [time.second for time in (pod.created, pod.scheduled, pod.started, pod.ended) if time] == [
        *(11, 12, 14, 15)
    ]


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_a_pod_that_has_not_ended_is_nothing_yet(phase: str) -> None:
    assert pod_record(pod_body(phase)) is None


def test_a_pod_that_was_evicted_before_it_ran_has_no_container_to_speak_of() -> None:
    pod = pod_record(pod_body("Failed", reason="Evicted", containerStatuses=[], conditions=[]))
    assert pod is not None
    assert (pod.reason, pod.exit_code, pod.started, pod.scheduled) == ("Evicted", None, None, None)


def test_a_pod_that_kubernetes_took_away_says_so() -> None:
    condition = {"type": "DisruptionTarget", "status": "True"}
    pod = pod_record(pod_body("Failed", conditions=[condition]))
    assert pod is not None
    assert pod.disrupted
