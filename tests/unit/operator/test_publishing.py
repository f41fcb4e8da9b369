"""The stage Publish: what is pinned, what is made, and what its Job's end means."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.decision import (
    Decision,
    DeleteJob,
    KeepPinned,
    Observation,
    Observed,
    Publish,
    ReadPods,
)
from scoring_operator.jobs import decisions_config_map
from scoring_operator.publishing import decisions
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Run
from scoring_operator.status import Failure, Status, Verdict
from scoring_operator.status_json import of_api, to_api
from unit.operator.given import (
    NOW,
    Json,
    a_failed_pod,
    a_job,
    a_pod,
    a_publish_job,
    a_published,
    a_run,
    after,
    chunks_of,
    has_published,
    pinned,
    publishing,
    scored,
    seen,
    sensors,
    settings,
    spec_of,
)

SETTINGS = settings()
ABC = sensors()
STOPPED = Verdict("Failed", "TooManyFailedSensors", "1 failed")


def decide(run: Run, now: datetime = NOW, **observed: Any) -> Decision:
    given = {"sensors": chunks_of(ABC, spec_of(run))} | observed
    return reconcile(run, Observed(**given), SETTINGS, now)


def ended(job_state: str, *pods: Any, **more: Any) -> Observation:
    job = a_publish_job(state=job_state, finished=NOW, attempts=len(pods), **more)
    return Observation(job, tuple(pods))


def why(status: Status, kind: str) -> str:
    assert status.holds(kind)
    return status.conditions[kind].reason


def test_when_all_are_decided_the_verdict_is_reached_and_a_job_publishes_it() -> None:
    decision = decide(a_run(pinned(ABC)), jobs=seen(scored(0), scored(1), scored(2)))
    status = decision.status
    assert (status.stage, status.phase, status.completion) == ("Publish", "Running", None)
    assert status.verdict == Verdict("Complete", "AllSucceeded", "3 scored, 0 skipped, 0 failed of 3 sensors")
    [publish] = decision.actions
    assert isinstance(publish, Publish)
    assert publish.incarnation == 0
    assert publish.decisions == {
        "v": 1,
        "total": 3,
        "complete": True,
        "reason": "AllSucceeded",
        "failed": "",
        "undecided": "",
        "failures": [],
    }


def test_the_same_is_pinned_whoever_looks_and_whenever() -> None:
    first = decide(a_run(pinned(ABC)), jobs=seen(scored(0), scored(1), scored(2)))
    # The status went through, nothing else did: a new operator, an hour later, with what the API holds.
    run = a_run(of_api(to_api(first.status)))
    later = decide(run, after(3600), jobs=seen(a_job(1)))
    assert [each for each in later.actions if isinstance(each, Publish)] == list(first.actions)


def test_no_outcome_is_recorded_any_more() -> None:
    run = a_run(publishing(ABC, STOPPED, done=RangeSet.of([0]), scored=0, failed=1))
    decision = decide(run, jobs=seen(scored(1), a_publish_job()))
    assert (decision.status.scored, decision.recorded) == (0, ())


def test_what_still_scores_is_stopped() -> None:
    run = a_run(publishing(ABC, STOPPED, done=RangeSet.of([0])))
    decision = decide(run, jobs=seen(a_job(1), a_job(2, terminating=True), a_publish_job()))
    assert decision.actions == (DeleteJob(a_job(1)),)


@pytest.mark.parametrize("allowance", [0, 1])
def test_it_waits_for_the_operators_limit_but_not_for_the_runs(allowance: int) -> None:
    decision = decide(a_run(publishing(ABC), parallelism=0), allowance=allowance)
    assert bool(decision.actions) == bool(allowance)
    assert decision.after == (None if allowance else 2.0)


def test_a_job_on_its_way_is_waited_for() -> None:
    decision = decide(a_run(publishing(ABC)), jobs=seen(a_publish_job()))
    assert (decision.actions, decision.status.active_jobs) == ((), 1)


def test_one_that_takes_long_makes_it_look_for_what_was_pinned() -> None:
    run = a_run(publishing(ABC))
    late = a_publish_job(created=after(-60))
    decision = decide(run, jobs=seen(late), unchecked=True)
    chunks = chunks_of(ABC, spec_of(run))
    assert decision.actions == (KeepPinned(chunks, decisions(run.status, chunks)),)
    assert decide(run, jobs=seen(a_publish_job()), unchecked=True).actions == ()


def test_a_job_that_vanished_is_made_again_under_its_name() -> None:
    [publish] = decide(a_run(publishing(ABC))).actions
    assert isinstance(publish, Publish)
    assert publish.incarnation == 0


def test_what_the_pod_says_goes_into_the_status_and_the_run_ends() -> None:
    sample = {"sensor": "a", "reason": "FlagRate", "message": "sensor a flags too much"}
    more = {"warnings": {"FlagRate": 2}, "notes": {"UnusualFlagRate": 5}, "samples": [sample]}
    decision = decide(a_run(publishing(ABC)), jobs=seen(has_published(**more)))
    status = decision.status
    assert why(status, "Complete") == "AllSucceeded"
    assert (status.stage, status.phase, status.verdict) == ("Done", "Succeeded", None)
    assert status.published is not None
    assert status.published.success == "predictions/2026/01/01/12/_SUCCESS"
    assert status.guard is not None
    assert (status.guard.warnings, status.guard.notes) == ({"FlagRate": 2}, {"UnusualFlagRate": 5})
    assert status.guard.samples[0].message == "sensor a flags too much"
    assert status.latency["publish"].sum_ms == 1834
    assert decision.published is not None


def test_a_run_that_stopped_early_is_published_without_success() -> None:
    run = a_run(publishing(ABC, STOPPED, done=RangeSet.of([0]), scored=0, failed=1))
    pinned_for_it = decisions(run.status, chunks_of(ABC, spec_of(run)))
    assert (pinned_for_it["complete"], pinned_for_it["undecided"]) == (False, "1-2")
    status = decide(run, jobs=seen(has_published(success=None))).status
    assert why(status, "Failed") == "TooManyFailedSensors"
    assert status.published is not None
    assert status.published.success == ""


def test_an_attempt_that_published_is_enough_whatever_came_after() -> None:
    job = a_publish_job()
    first = a_failed_pod(job, 143, a_published(), 0)
    last = a_failed_pod(job, 137, "", 1, exit_reason="OOMKilled")
    status = decide(a_run(publishing(ABC)), jobs=seen(ended("Failed", first, last))).status
    assert why(status, "Complete") == "AllSucceeded"


FAILURE: Json = {"reason": "StorageDenied", "message": "PUT x: storage answered 403"}


def not_published() -> Json:
    said = a_published(failure=FAILURE)
    return {key: said[key] for key in ("v", "run", "chunk", "incarnation", "final", "stage", "failure")}


@pytest.mark.parametrize(
    ("code", "text", "more", "words"),
    [
        (65, not_published(), {}, "StorageDenied: PUT x: storage answered 403"),
        (137, "", {"exit_reason": "OOMKilled"}, "OutOfMemory: pod"),
        (64, "work order has v = 2", {}, "Misconfigured: pod"),
        (124, "", {}, "Timeout: pod"),
        (75, a_published(final=False), {}, "PodFailed: pod"),
    ],
)
def test_a_job_that_failed_for_good_fails_the_run_with_the_sentence(
    code: int, text: Json | str, more: Json, words: str
) -> None:
    pod = a_failed_pod(a_publish_job(), code, text, **more)
    decision = decide(a_run(publishing(ABC)), jobs=seen(ended("Failed", pod)))
    status = decision.status
    assert why(status, "Failed") == "PublishFailed"
    assert status.conditions["Failed"].message.startswith(f"publishing failed: {words}")
    assert "3 scored" in status.conditions["Failed"].message
    assert status.published is None
    assert decision.published is not None


def test_why_a_run_failed_before_stays_the_reason() -> None:
    pod = a_failed_pod(a_publish_job(), 65, not_published())
    status = decide(a_run(publishing(ABC, STOPPED)), jobs=seen(ended("Failed", pod))).status
    assert why(status, "Failed") == "TooManyFailedSensors"
    assert status.conditions["Failed"].message.startswith("1 failed; publishing failed: StorageDenied")


@pytest.mark.parametrize("text", ["", "no JSON", a_published(run="somebody-else's")])
def test_a_message_that_is_lost_is_waited_for_read_and_the_job_made_again(text: Json | str) -> None:
    def look(incarnation: int, now: datetime, read: bool) -> Decision:
        job = a_publish_job(incarnation, state="Complete", finished=NOW, attempts=1)
        run = a_run(publishing(ABC, publish_incarnation=incarnation))
        return decide(run, now, jobs=seen(Observation(job, (a_pod(job, text),), read)))

    assert look(0, after(4), read=False).after == 6.0
    job = a_publish_job(state="Complete", finished=NOW, attempts=1)
    assert look(0, after(10), read=False).actions == (ReadPods(job),)
    for incarnation in (0, 1):
        again = look(incarnation, after(10), read=True)
        assert again.status.publish_incarnation == incarnation + 1
        assert again.status.completion is None
        [publish] = decide(a_run(again.status)).actions
        assert isinstance(publish, Publish)
        assert publish.incarnation == incarnation + 1
    last = look(2, after(10), read=True).status
    assert why(last, "Failed") == "PublishFailed"
    assert "left no message that can be read: it was the last of 3" in last.conditions["Failed"].message


def test_a_job_of_an_earlier_incarnation_means_nothing_any_more() -> None:
    run = a_run(publishing(ABC, publish_incarnation=1))
    decision = decide(run, jobs=seen(a_publish_job(0), has_published(1)))
    assert why(decision.status, "Complete") == "AllSucceeded"
    assert DeleteJob(a_publish_job(0)) in decision.actions


def test_suspend_stops_it_and_resume_makes_it_again() -> None:
    stopped = decide(a_run(publishing(ABC), suspend=True), jobs=seen(a_publish_job()))
    assert (stopped.status.phase, stopped.status.stage) == ("Suspended", "Publish")
    assert stopped.actions == (DeleteJob(a_publish_job()),)
    on = decide(a_run(stopped.status), after(9))
    assert (on.status.phase, len(on.actions)) == ("Running", 1)


def test_while_suspended_a_lost_message_is_looked_for_but_nothing_made() -> None:
    job = a_publish_job(state="Complete", finished=NOW, attempts=1)
    run = a_run(publishing(ABC), suspend=True)
    again = decide(run, after(10), jobs=seen(Observation(job, (), True)))
    assert (again.status.phase, again.status.publish_incarnation, again.actions) == ("Suspended", 1, ())
    assert decide(a_run(again.status, suspend=True)).actions == ()


def test_a_job_that_the_api_refuses_fails_the_run() -> None:
    status = decide(a_run(publishing(ABC)), rejected="hourly-publish-x: spec.y: Invalid").status
    assert why(status, "Failed") == "PublishFailed"
    assert (
        "will not take the Job that publishes: hourly-publish-x: spec.y"
        in status.conditions["Failed"].message
    )


def test_what_the_api_refused_before_is_not_taken_for_the_publishing_job() -> None:
    run = a_run(pinned(ABC, done=RangeSet.of([0]), scored=1))
    decision = decide(run, rejected="hourly-1-x: spec.y: Invalid")
    assert decision.status.stage == "Publish"
    assert decision.status.verdict is not None
    assert decision.status.verdict.reason == "JobRejected"
    assert isinstance(decision.actions[0], Publish)


def test_a_run_whose_jobs_are_refused_from_the_start_has_nothing_to_publish() -> None:
    status = decide(a_run(pinned(ABC)), rejected="hourly-0-x: spec.y: Invalid").status
    assert (why(status, "Failed"), status.stage) == ("JobRejected", "Done")


def test_the_store_may_be_taken_away_meanwhile() -> None:
    decision = decide(a_run(publishing(ABC), store="nowhere"), jobs=seen(a_publish_job()))
    assert why(decision.status, "Failed") == "UnknownStore"
    assert decision.actions == (DeleteJob(a_publish_job()),)


# What is pinned


def test_decisions_name_failed_and_undecided_sensors_by_their_places() -> None:
    listed = sensors(*(f"s{number}" for number in range(10)))
    failures = (
        Failure("s3", 3, "Failed", "OutOfMemory", "pod x", "job"),
        Failure("s5", 5, "Skipped", "x", "", ""),
    )
    status = publishing(
        listed,
        STOPPED,
        done=RangeSet.of([0, 1]),
        failed_sensors=RangeSet.of([3]),
        failures=failures,
    )
    spec = spec_of(a_run(sensorsPerJob=3))
    found = decisions(status, chunks_of(listed, spec))
    assert (found["failed"], found["undecided"], found["total"]) == ("3", "6-9", 10)
    assert found["failures"] == [
        {"sensor": "s3", "state": "Failed", "reason": "OutOfMemory", "message": "pod x"}
    ]


@given(st.sets(st.integers(0, 29)), st.integers(1, 7))
def test_each_sensor_is_decided_or_not(done: set[int], per_job: int) -> None:
    listed = sensors(*(f"s{number}" for number in range(30)))
    chunks = chunks_of(listed, spec_of(a_run(sensorsPerJob=per_job)))
    known = RangeSet.of(number for number in done if number < len(chunks))
    undecided = set(chunks.without(known))
    decided = {place for number in known for place in range(number * per_job, (number + 1) * per_job)}
    assert undecided == set(range(30)) - decided


@pytest.mark.parametrize(("failed", "done"), [(2, 1), (3, 3), (2, 2), (1, 1)])
def test_pinned_decisions_fit_into_an_object_whatever_the_pattern(failed: int, done: int) -> None:
    """Every second sensor failed and the others undecided is the worst."""
    total = 100_000
    listed = sensors(*(f"device-{number:06d}" for number in range(total)))
    run = a_run()
    failures = tuple(Failure("s" * 63, n, "Failed", "R" * 64, "é" * 128, "j" * 63) for n in range(50))
    status = publishing(
        listed,
        STOPPED,
        done=RangeSet.of(range(0, total, done)),
        failed_sensors=RangeSet.of(range(0, total, failed)),
        failures=failures,
    )
    body = decisions_config_map(run, decisions(status, chunks_of(listed, spec_of(run))))
    assert len(json.dumps(body)) < 1024 * 1024


def test_a_change_of_the_run_does_not_change_what_is_pinned() -> None:
    status = publishing(ABC, STOPPED, done=RangeSet.of([1]))
    chunks = chunks_of(ABC, spec_of(a_run()))
    assert decisions(status, chunks) == decisions(replace(status, active_jobs=3, phase="Suspended"), chunks)
