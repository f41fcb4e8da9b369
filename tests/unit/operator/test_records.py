from datetime import UTC, datetime
from typing import Any

import pytest

from scoring_operator.contract import job_name
from scoring_operator.jobs import publish_job, scoring_job
from scoring_operator.records import PUBLISHES, job_record, pod_record, why_waiting
from unit.operator.given import UID, Json, a_run, chunks_of, means, sensors, spec_of


def job_body(publishes: bool = False, **status: Any) -> Json:
    """A Job as the API server gives it back."""
    run = a_run()
    spec = spec_of(run)
    if publishes:
        body = publish_job(run, spec, means(), sensors(), 1)
    else:
        body = scoring_job(run, spec, means(), chunks_of(sensors(), spec)[2], 1)
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
    assert (pod.disrupted, pod.taken, pod.by_own_doing) == (True, True, False)


def test_a_publishing_job_is_known_likewise() -> None:
    record = job_record(job_body(publishes=True))
    assert record is not None
    assert (record.run_uid, record.chunk, record.incarnation) == (UID, PUBLISHES, 1)
    body = job_body(publishes=True)
    body["metadata"]["name"] = job_name("hourly", UID, 0, 1)
    assert job_record(body) is None


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        ({}, False),
        ({"active": 1, "ready": 0}, False),
        ({"active": 1, "ready": 1}, True),
        ({"ready": 1, "conditions": [{"type": "Complete", "status": "True"}]}, False),
    ],
)
def test_a_job_runs_when_its_pod_is_ready(status: Json, runs: bool) -> None:
    record = job_record(job_body(**status))
    assert record is not None
    assert record.runs is runs


@pytest.mark.parametrize(("cpu", "milli"), [("100m", 100), ("2", 2000), (1, 1000), ("much", 0), (None, 0)])
def test_a_job_says_what_its_pods_request(cpu: str | int | None, milli: int) -> None:
    body = job_body()
    requests = {} if cpu is None else {"cpu": cpu}
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": requests}
    record = job_record(body)
    assert record is not None
    assert record.cpu_milli == milli


UNSCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/3 nodes are available: 3 Insufficient cpu.",
}
PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"conditions": [UNSCHEDULED]}, "pod pod: 0/3 nodes are available: 3 Insufficient cpu."),
        (
            {"containerStatuses": [{"name": "scorer", "state": PULLING}]},
            "pod pod: ImagePullBackOff: not found",
        ),
        ({"containerStatuses": [], "conditions": []}, "pod pod: its node has not started it yet"),
    ],
)
def test_why_a_pod_waits_is_said_in_kubernetes_words(status: Json, words: str) -> None:
    assert why_waiting([pod_body("Succeeded"), pod_body("Pending", **status)]) == words


def test_where_no_pod_waits_nothing_is_said() -> None:
    assert why_waiting([pod_body("Running")]) == why_waiting([]) == ""
