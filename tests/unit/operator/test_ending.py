"""How a run ends: the truth table, and the clocks."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from scoring_operator.decision import (
    AskWhy,
    CreateJob,
    Decision,
    DeleteJob,
    Observation,
    Observed,
    Publish,
)
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Run
from scoring_operator.status import Status
from scoring_operator.status_json import of_api, to_api
from unit.operator.given import (
    NOW,
    a_failed_pod,
    a_finished_job,
    a_job,
    a_publish_job,
    a_run,
    after,
    chunks_of,
    has_published,
    pinned,
    publishing,
    seen,
    sensors,
    settings,
    spec_of,
)

SETTINGS = settings()
HUNDRED = sensors(*(f"s{number}" for number in range(100)))
ABC = sensors()


def decide(run: Run, now: datetime = NOW, listed: Any = HUNDRED, **observed: Any) -> Decision:
    chunks = chunks_of(listed, spec_of(run))
    return reconcile(run, Observed(sensors=chunks, **observed), SETTINGS, now)


def so_far(decided: int, failed: int, skipped: int) -> Status:
    """A run of 100 sensors, the first ones decided: failed, then skipped, then scored."""
    return pinned(
        HUNDRED,
        done=RangeSet.of(range(decided)),
        failed_sensors=RangeSet.of(range(failed)),
        scored=decided - failed - skipped,
        failed=failed,
        skipped=skipped,
        reasons={"Failed/NoModel": failed, "Skipped/NoReadings": skipped},
    )


def made(decision: Decision, kind: type) -> int:
    return sum(isinstance(action, kind) for action in decision.actions)


ON = "goes on"
TABLE = [
    # decided, failed, skipped, maxFailed, maxSkipped, onExceeded, active → end, Jobs made, Jobs deleted
    (100, 0, 0, 0, None, "Continue", 0, "Complete/AllSucceeded", 0, 0),
    (100, 0, 100, 0, None, "Continue", 0, "Complete/AllSucceeded", 0, 0),
    (100, 1, 0, 0, None, "Continue", 0, "Failed/TooManyFailedSensors", 0, 0),
    (100, 1, 0, 1, None, "Continue", 0, "Complete/SomeFailed", 0, 0),
    (100, 2, 0, 1, None, "Continue", 0, "Failed/TooManyFailedSensors", 0, 0),
    (100, 5, 0, "5%", None, "Continue", 0, "Complete/SomeFailed", 0, 0),
    (100, 6, 0, "5%", None, "Continue", 0, "Failed/TooManyFailedSensors", 0, 0),
    (100, 100, 0, "100%", None, "Continue", 0, "Complete/SomeFailed", 0, 0),
    (100, 100, 0, 1000, None, "Abort", 0, "Complete/SomeFailed", 0, 0),
    (100, 0, 10, 0, "10%", "Continue", 0, "Complete/AllSucceeded", 0, 0),
    (100, 0, 11, 0, "10%", "Continue", 0, "Failed/TooManySkippedSensors", 0, 0),
    (100, 1, 11, 0, "10%", "Continue", 0, "Failed/TooManyFailedSensors", 0, 0),
    (100, 1, 1, 1, 0, "StopNew", 0, "Failed/TooManySkippedSensors", 0, 0),
    (50, 1, 0, 1, None, "Abort", 2, ON, 3, 0),
    (50, 1, 0, 0, None, "Continue", 2, ON, 3, 0),
    (50, 0, 9, 0, 8, "Continue", 2, ON, 3, 0),
    (50, 1, 0, 0, None, "StopNew", 2, ON, 0, 0),
    (50, 1, 0, 0, None, "StopNew", 0, "Failed/TooManyFailedSensors", 0, 0),
    (50, 0, 9, 0, 8, "StopNew", 1, ON, 0, 0),
    (50, 0, 9, 0, 8, "StopNew", 0, "Failed/TooManySkippedSensors", 0, 0),
    (50, 1, 0, 0, None, "Abort", 2, "Failed/TooManyFailedSensors", 0, 2),
    (50, 0, 9, 0, "8%", "Abort", 0, "Failed/TooManySkippedSensors", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("decided", "failed", "skipped", "limit", "skips", "policy", "active", "end", "creates", "deletes"), TABLE
)
def test_the_truth_table_of_the_end(
    decided: int,
    failed: int,
    skipped: int,
    limit: int | str,
    skips: int | str | None,
    policy: str,
    active: int,
    end: str,
    creates: int,
    deletes: int,
) -> None:
    limits: dict[str, Any] = {"maxFailedSensors": limit, "onExceeded": policy}
    if skips is not None:
        limits["maxSkippedSensors"] = skips
    run = a_run(so_far(decided, failed, skipped), failurePolicy=limits, parallelism=5 - (2 - active))
    decision = decide(run, jobs=seen(*(a_job(98 + number) for number in range(active))))
    assert (made(decision, CreateJob), made(decision, DeleteJob)) == (creates, deletes)
    if end == ON:
        assert (decision.status.stage, decision.status.verdict) == ("Score", None)
        return
    verdict = decision.status.verdict
    assert verdict is not None
    assert f"{verdict.condition}/{verdict.reason}" == end
    assert (decision.status.stage, decision.status.phase) == ("Publish", "Running")
    assert made(decision, Publish) == 1
    over = decide(replace(run, status=decision.status), jobs=seen(has_published())).status
    assert over.holds(verdict.condition)
    assert over.holds("Complete") != over.holds("Failed")
    assert over.conditions[verdict.condition].reason == verdict.reason
    assert (over.stage, over.completion, over.active_jobs) == ("Done", NOW, 0)
    assert over.phase == ("Succeeded" if verdict.complete else "Failed")


def test_too_many_failures_are_explained() -> None:
    job = a_finished_job(0, "Failed")
    pod = a_failed_pod(job, 137, exit_reason="OOMKilled")
    run = a_run(pinned(ABC, done=RangeSet.of([1, 2]), scored=2))
    verdict = decide(run, listed=ABC, jobs=seen(Observation(job, (pod,)))).status.verdict
    assert verdict is not None
    assert "2 scored, 0 skipped, 1 failed of 3 sensors; wanted at most 0 failed" in verdict.message
    assert "1 OutOfMemory; first: a: pod" in verdict.message


def test_a_run_that_stopped_early_says_how_far_it_came() -> None:
    run = a_run(so_far(50, 1, 9), failurePolicy={"onExceeded": "Abort"})
    verdict = decide(run).status.verdict
    assert verdict is not None
    assert "40 scored, 9 skipped, 1 failed, 50 not decided of 100 sensors" in verdict.message


def test_an_open_outcome_is_waited_for_before_a_run_stops() -> None:
    run = a_run(so_far(50, 1, 0), failurePolicy={"onExceeded": "StopNew"})
    waiting = decide(run, jobs=seen(a_finished_job(50)))
    assert (waiting.status.verdict, waiting.after) == (None, 10.0)


# Clocks


def test_time_limit_of_the_whole_run() -> None:
    run = a_run(so_far(50, 0, 0), timeouts={"runSeconds": 60})
    early = decide(run, after(59), jobs=seen(a_job(60)))
    assert (early.status.verdict, early.after) == (None, 1.0)
    late = decide(run, after(60), jobs=seen(a_job(60)))
    assert late.status.verdict is not None
    assert late.status.verdict.reason == "DeadlineExceeded"
    assert "50 not decided of 100 sensors; wanted all within 60 s (runSeconds)" in late.status.verdict.message
    assert DeleteJob(a_job(60)) in late.actions


def test_the_clock_stands_still_while_the_run_is_suspended() -> None:
    timeouts = {"runSeconds": 60}
    status = decide(a_run(so_far(50, 0, 0), timeouts=timeouts, suspend=True), after(40)).status
    assert (status.phase, status.stopwatch.seconds, status.stopwatch.since) == ("Suspended", 40, None)
    status = of_api(to_api(status))  # an operator that starts now knows as much
    status = decide(a_run(status, timeouts=timeouts, suspend=True), after(4000)).status
    resumed = decide(a_run(status, timeouts=timeouts), after(5000))
    assert (resumed.status.verdict, resumed.after) == (None, 20.0)
    again = a_run(of_api(to_api(resumed.status)), timeouts=timeouts)
    assert decide(again, after(5019)).status.verdict is None
    late = decide(again, after(5020)).status.verdict
    assert late is not None
    assert late.reason == "DeadlineExceeded"


def test_publishing_does_not_count_as_the_runs_time() -> None:
    run = a_run(publishing(ABC), timeouts={"runSeconds": 60})
    decision = decide(run, after(600), listed=ABC, jobs=seen(a_publish_job()))
    assert (decision.status.stage, decision.after) == ("Publish", None)


PENDING = {"pendingSeconds": 100}


def test_pods_that_never_start_end_a_run_with_the_schedulers_words() -> None:
    jobs = seen(a_job(1), a_job(0, created=after(-30)))
    status = decide(a_run(pinned(ABC), timeouts=PENDING), listed=ABC, jobs=jobs).status
    assert status.pending_since == NOW
    run = a_run(of_api(to_api(status)), timeouts=PENDING)
    waiting = decide(run, after(99), listed=ABC, jobs=jobs)
    assert (waiting.status.verdict, waiting.after) == (None, 1.0)
    asked = decide(run, after(100), listed=ABC, jobs=jobs)
    assert asked.actions == (AskWhy(a_job(0, created=after(-30))),)
    assert asked.status.verdict is None
    words = "pod x: 0/3 nodes are available: 3 Insufficient cpu"
    verdict = decide(run, after(101), listed=ABC, jobs=jobs, why=words).status.verdict
    assert verdict is not None
    assert verdict.reason == "PendingDeadlineExceeded"
    assert verdict.message == f"no pod started for 100 s (pendingSeconds); {words}"


@pytest.mark.parametrize(
    "jobs",
    [
        [a_job(0), a_job(1, runs=True)],
        [a_job(0, terminating=True)],
        [],
    ],
    ids=["one runs", "nothing waits", "there are none"],
)
def test_it_is_not_pending_when(jobs: list[Any]) -> None:
    run = a_run(pinned(ABC, pending_since=after(-500)), timeouts=PENDING)
    decision = decide(run, listed=ABC, jobs=seen(*jobs))
    assert (decision.status.pending_since, decision.status.verdict) == (None, None)


def test_a_pod_that_ended_has_started() -> None:
    job = a_finished_job(0, "Failed")
    ended = Observation(job, (a_failed_pod(job, 65),))
    run = a_run(
        pinned(ABC, pending_since=after(-500)), timeouts=PENDING, failurePolicy={"maxFailedSensors": 3}
    )
    decision = decide(run, listed=ABC, jobs=seen(ended, a_job(1)))
    assert (decision.status.pending_since, decision.status.verdict) == (None, None)


def test_a_pod_that_failed_and_is_tried_again_has_started_too() -> None:
    job = a_job(0, attempts=1)
    failed = Observation(job, (a_failed_pod(job, 75, number=0),))
    run = a_run(pinned(ABC, pending_since=after(-500)), timeouts=PENDING)
    decision = decide(run, listed=ABC, jobs=seen(failed))
    assert (decision.status.pending_since, decision.status.verdict) == (failed.pods[0].ended, None)


def test_without_the_limit_nothing_is_kept_of_waiting() -> None:
    decision = decide(a_run(pinned(ABC)), listed=ABC, jobs=seen(a_job(0)))
    assert decision.status.pending_since is None


def test_suspending_ends_the_waiting() -> None:
    run = a_run(pinned(ABC, pending_since=after(-500)), timeouts=PENDING, suspend=True)
    assert decide(run, listed=ABC, jobs=seen(a_job(0))).status.pending_since is None


def test_a_pod_that_publishes_may_be_pending_too() -> None:
    run = a_run(publishing(ABC, pending_since=after(-100)), timeouts=PENDING)
    asked = decide(run, listed=ABC, jobs=seen(a_publish_job()))
    assert asked.actions == (AskWhy(a_publish_job()),)
    status = decide(run, listed=ABC, jobs=seen(a_publish_job()), why="pod x: no node").status
    assert status.conditions["Failed"].reason == "PublishFailed"
    assert "no pod started for 100 s (pendingSeconds); pod x: no node" in status.conditions["Failed"].message
