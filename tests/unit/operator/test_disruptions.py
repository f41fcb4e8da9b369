"""How often a chunk's pods may be taken away, and what then becomes of its sensors."""

from typing import Any

import pytest

from scoring_operator.contract import Exit
from scoring_operator.decision import CreateJob, Decision, DeleteJob, Observation, Observed
from scoring_operator.disruptions import given_up
from scoring_operator.reconcile import reconcile
from scoring_operator.records import PodRecord
from scoring_operator.resource import Run
from scoring_operator.spec import Spec
from scoring_operator.status import PUBLISH
from unit.operator.given import (
    NOW,
    Json,
    a_failed_pod,
    a_job,
    a_message,
    a_publish_job,
    a_run,
    chunks_of,
    pinned,
    publishing,
    seen,
    sensors,
    settings,
)

LIMIT = 10
JOB = a_job()
DRAINED: Json = {"code": 143, "disrupted": True, "disruption": "EvictionByEvictionAPI"}
PREEMPTED: Json = {"code": 137, "disrupted": True, "disruption": "PreemptionByScheduler"}
RECLAIMED: Json = {"code": int(Exit.TERMINATED)}
FILLED: Json = {"code": 143, "reason": "Evicted"}
SLOW: Json = {"code": 143, "reason": "DeadlineExceeded"}
DIED: Json = {"code": 137}


def pods(*ends: Json) -> list[PodRecord]:
    return [a_failed_pod(JOB, number=number, **end) for number, end in enumerate(ends)]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ([], None),
        ([DRAINED] * LIMIT, None),
        ([DRAINED, PREEMPTED, RECLAIMED] * 3 + [DRAINED], None),
        ([DRAINED] * (LIMIT + 1), "Disrupted"),
        ([RECLAIMED] * (LIMIT + 1), "Disrupted"),
        ([DIED] * 20, None),  # the Job counts these itself
        ([FILLED] * 2, None),
        ([FILLED] * 3, "Evicted"),
        ([SLOW] * 3, "Timeout"),
        ([DRAINED, FILLED] * 2, None),
        ([{**DRAINED, "reason": "Evicted"}] * 3, None),  # the node lacked memory, and took this pod for it
    ],
)
def test_what_a_chunk_is_given_up_for(ends: list[Json], reason: str | None) -> None:
    cause = given_up(pods(*ends), LIMIT, backoff_limit=2)
    assert (cause and cause[0]) == reason


def test_the_sentence_names_pod_count_kubernetes_word_and_what_to_do() -> None:
    cause = given_up(pods(DRAINED, RECLAIMED, PREEMPTED), 2, backoff_limit=2)
    assert cause is not None
    assert cause[1] == (
        f"pod {JOB.name}-2 was taken from its node (PreemptionByScheduler), as 2 before it; wanted at most 2 "
        "times (limits.disruptionsPerChunk): nodes that last longer, or fewer sensorsPerJob"
    )


def decide(run: Run, *observed: Observation, limit: int = 1) -> Decision:
    assert isinstance(run.spec, Spec)
    chunks = chunks_of(sensors(), run.spec)
    return reconcile(
        run,
        Observed(sensors=chunks, jobs=seen(*observed)),
        settings(limits={"disruptionsPerChunk": limit}),
        NOW,
    )


def going(per_job: int = 1, **spec: Any) -> Run:
    return a_run(status=pinned(sensors(), per_job), sensorsPerJob=per_job, **spec)


def test_what_is_decided_stays_and_the_rest_fails() -> None:
    """The Job is stopped only when that is written: else a crash in between would make it again."""
    run = going(3, failurePolicy={"maxFailedSensors": 2})
    said = a_message("S2-", {"S": "Scored", "-": "Undecided/NotStarted"}, final=False)
    taken = (a_failed_pod(JOB, 143, said), a_failed_pod(JOB, 143, said, number=1))
    decision = decide(run, Observation(JOB, taken))
    assert (decision.status.scored, decision.status.failed) == (1, 2)
    assert decision.status.reasons == {"Failed/Disrupted": 2}
    assert decision.status.stage == PUBLISH


def test_its_job_is_stopped_once_that_is_written() -> None:
    run = going(failurePolicy={"maxFailedSensors": 1})
    observed = (Observation(JOB, tuple(pods(DRAINED, DRAINED))), Observation(a_job(1)), Observation(a_job(2)))
    first = decide(run, *observed)
    assert (first.status.failed, first.actions) == (1, ())
    written = a_run(status=first.status, failurePolicy={"maxFailedSensors": 1})
    second = decide(written, *observed)
    assert second.actions == (DeleteJob(JOB),)
    assert second.status.failed == 1
    assert not any(isinstance(action, CreateJob) for action in second.actions)


def test_a_stages_job_is_bounded_likewise() -> None:
    job = a_publish_job()
    status = publishing(sensors())
    pods = tuple(a_failed_pod(job, number=number, **DRAINED) for number in range(2))
    decision = decide(a_run(status=status), Observation(job, pods))
    failed = decision.status.conditions["Failed"]
    assert (failed.reason, failed.status) == ("PublishFailed", True)
    assert "was taken from its node (EvictionByEvictionAPI), as 1 before it" in failed.message
    assert decision.actions == (DeleteJob(job),)
