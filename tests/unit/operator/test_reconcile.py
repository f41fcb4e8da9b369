"""The decision tables: what is seen of a run, and what must follow."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from scoring_operator.chunks import SensorSet
from scoring_operator.decision import (
    CreateJob,
    Decision,
    DeleteJob,
    DeleteRun,
    KeepPinned,
    Missing,
    Observation,
    Observed,
    PinSensors,
    ReadPods,
    Trouble,
    Unusable,
)
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Run
from scoring_operator.spec import Spec
from scoring_operator.status import Status, Verdict
from scoring_operator.status_json import of_api, to_api
from unit.operator.given import (
    COMPLETE,
    NO_ROWS,
    NOW,
    Json,
    a_failed_pod,
    a_finished_job,
    a_job,
    a_message,
    a_pod,
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


def decide(run: Run, now: datetime = NOW, **observed: Any) -> Decision:
    given = {"sensors": ABC} | observed
    if isinstance(given["sensors"], SensorSet) and isinstance(run.spec, Spec):
        given["sensors"] = chunks_of(given["sensors"], run.spec)
    return reconcile(run, Observed(**given), SETTINGS, now)


def made(decision: Decision) -> list[tuple[int, int]]:
    """Chunk and incarnation of each Job to make."""
    creates = [action for action in decision.actions if isinstance(action, CreateJob)]
    return [(action.chunk.number, action.incarnation) for action in creates]


def why(status: Status, kind: str) -> str:
    assert status.holds(kind)
    return status.conditions[kind].reason


def going(**more: Any) -> Run:
    """A run whose list is pinned, with parts of its status or spec replaced."""
    fields = Status.__dataclass_fields__
    status = pinned(ABC, **{name: value for name, value in more.items() if name in fields})
    return a_run(status, **{name: value for name, value in more.items() if name not in fields})


# Beginning


def test_the_list_is_pinned_before_anything_else() -> None:
    decision = decide(a_run(), sensors=None)
    assert decision.actions == (PinSensors(),)
    assert decision.status.pinned is None


def test_a_run_begins_with_one_job_a_sensor() -> None:
    decision = decide(a_run())
    assert made(decision) == [(0, 0), (1, 0), (2, 0)]
    status = decision.status
    assert (status.phase, status.start, status.jobs, status.total) == ("Running", NOW, 3, 3)
    assert status.pinned is not None
    assert status.pinned.sha256 == ABC.sha256


def test_packs_make_fewer_jobs() -> None:
    decision = decide(a_run(sensorsPerJob=2))
    assert [action.chunk.names for action in decision.actions if isinstance(action, CreateJob)] == [
        ("a", "b"),
        ("c",),
    ]


@pytest.mark.parametrize(
    ("change", "observed", "reason", "words"),
    [
        ({"store": "nowhere"}, {}, "UnknownStore", "'nowhere'; wanted one that is offered to"),
        ({"store": "theirs"}, {}, "UnknownStore", "offered to namespace scoring: default"),
        ({"runtime": "gpu"}, {}, "UnknownRuntime", "'gpu'; wanted one that is offered to"),
        ({"output": {"path": "x"}}, {}, "InvalidSpec", "spec.output.path 'x' has no {sensor}"),
        ({}, {"sensors": Unusable("line 3: found x")}, "InvalidSensors", "line 3: found x"),
        ({}, {"rejected": "spec.x: Invalid"}, "JobRejected", "will not take the run's Jobs: spec.x: Invalid"),
    ],
)  # fmt: skip
def test_a_run_that_can_never_be_done_fails_at_once(
    change: Json, observed: Json, reason: str, words: str
) -> None:
    decision = decide(a_run(**change), **observed)
    assert decision.status.phase == "Failed"
    assert why(decision.status, "Failed") == reason
    assert words in decision.status.conditions["Failed"].message
    assert decision.status.completion == NOW
    assert not made(decision)


def test_a_missing_list_is_waited_for_and_then_not() -> None:
    missing = Missing("no ConfigMap fleet in scoring")
    first = decide(a_run(), sensors=missing)
    assert (first.status.phase, why(first.status, "Blocked")) == ("Pending", "SensorListMissing")
    assert "no ConfigMap fleet in scoring; waiting up to 60 s" in first.status.conditions["Blocked"].message
    assert first.after == 2.0
    waiting = a_run(first.status)
    assert decide(waiting, after(59), sensors=missing).status.phase == "Pending"
    late = decide(waiting, after(60), sensors=missing)
    assert why(late.status, "Failed") == "InvalidSensors"
    there = decide(waiting, after(59))
    assert there.status.phase == "Running"
    assert not there.status.holds("Blocked")


def test_a_list_that_is_another_in_mid_run_ends_it() -> None:
    decision = decide(going(), sensors=sensors("x"), jobs=seen(a_job(0)))
    assert why(decision.status, "Failed") == "InvalidSensors"
    assert decision.actions == (DeleteJob(a_job(0)),)


# In the middle


@pytest.mark.parametrize(
    ("parallelism", "jobs", "created"),
    [
        (100, [], [0, 1, 2]),
        (2, [], [0, 1]),
        (0, [], []),
        (2, [a_job(0)], [1]),
        (2, [a_job(0), a_job(2)], []),
        (1, [a_job(0), a_job(2)], []),  # lowered: what runs may end
        (2, [a_job(0, terminating=True)], [1]),  # it still holds its name and perhaps a node
        (2, [scored(0), a_job(1)], [2]),
        (1, [a_finished_job(0), a_job(1)], []),  # waits for its message without a place
    ],
)
def test_jobs_are_made_up_to_parallelism(parallelism: int, jobs: list[Any], created: list[int]) -> None:
    decision = decide(going(parallelism=parallelism), jobs=seen(*jobs))
    assert [chunk for chunk, _ in made(decision)] == created
    assert not [action for action in decision.actions if isinstance(action, DeleteJob)]


@pytest.mark.parametrize(("allowance", "created", "again"), [(2, 2, 0.0), (0, 0, 2.0), (3, 3, None)])
def test_the_operators_own_limit_holds(allowance: int, created: int, again: float | None) -> None:
    decision = decide(going(), allowance=allowance)
    assert len(made(decision)) == created
    assert decision.after == again


def test_recorded_chunks_are_never_made_again() -> None:
    decision = decide(going(done=RangeSet.of([0, 2]), scored=2))
    assert made(decision) == [(1, 0)]


def test_an_outcome_is_counted_once() -> None:
    run = going()
    first = decide(run, jobs=seen(scored(0), a_job(1), a_job(2)))
    assert (first.status.scored, first.status.rows.read, first.status.anomalies) == (1, 12, 3)
    assert first.status.done == RangeSet.of([0])
    assert first.status.latency["score"].count == 1
    assert [outcome.chunk.number for outcome in first.recorded] == [0]
    # The status went through, the Job is still there: the same again is nothing new.
    again = decide(replace(run, status=first.status), jobs=seen(scored(0), a_job(1), a_job(2)))
    assert again.status == first.status
    assert again.recorded == ()


def test_the_same_input_gives_the_same_decision() -> None:
    jobs = seen(scored(0), a_job(1))
    assert decide(going(), jobs=jobs) == decide(going(), jobs=jobs)


def test_a_finished_job_is_waited_for_read_made_again_and_given_up() -> None:
    def look(incarnation: int, now: datetime, read: bool) -> Decision:
        job = a_finished_job(0, incarnation=incarnation)
        run = going(incarnations={0: incarnation} if incarnation else {}, sensors={"names": ["a"]})
        return decide(run, now, jobs=seen(Observation(job, (), read), a_job(1), a_job(2)))

    early = look(0, after(4), read=False)
    assert (early.actions, early.after, early.status.incarnations) == ((), 6.0, {})
    unread = look(0, after(10), read=False)
    assert unread.actions == (ReadPods(a_finished_job(0)),)
    for incarnation in (0, 1):
        again = look(incarnation, after(10), read=True)
        assert made(again) == [(0, incarnation + 1)]
        assert again.status.incarnations == {0: incarnation + 1}
        assert "left no message that can be read: making it again" in again.notes[0]
    last = look(2, after(10), read=True)
    assert (last.status.failed, last.status.reasons) == (1, {"Failed/OutcomeLost": 1})
    assert last.status.incarnations == {}
    assert made(last) == []


def test_only_so_many_jobs_are_made_again_at_once() -> None:
    """A status has to name them all; it must never grow beyond what the API server takes."""
    listed = sensors(*(f"s{number}" for number in range(1500)))
    run = a_run(pinned(listed), parallelism=0)
    jobs = seen(*(Observation(a_finished_job(number), (), True) for number in range(1500)))
    decision = decide(run, after(60), sensors=listed, jobs=jobs)
    assert len(decision.status.incarnations) == 500
    assert decision.after == 2.0


def test_a_job_of_an_earlier_incarnation_means_nothing_any_more() -> None:
    late = Observation(a_finished_job(0), (a_pod(a_finished_job(0), a_message()),))
    run = going(incarnations={0: 1})
    decision = decide(run, jobs=seen(late, a_job(1), a_job(2)))
    assert made(decision) == [(0, 1)]
    assert decision.recorded == ()


def test_a_failed_jobs_last_pod_is_waited_for() -> None:
    job = a_finished_job(0, "Failed", attempts=2)
    first = a_failed_pod(
        job, 75, a_message("U", {"U": "Undecided/StorageUnavailable"}, rows=NO_ROWS, anomalies=0)
    )
    others = (a_job(1), a_job(2))
    waiting = decide(going(), after(5), jobs=seen(Observation(job, (first,)), *others))
    assert (waiting.recorded, waiting.after) == ((), 5.0)
    gone = decide(going(), after(11), jobs=seen(Observation(job, (first,), pods_read=True), *others))
    assert gone.status.reasons == {"Failed/StorageUnavailable": 1}


def test_what_nobody_waits_for_is_deleted() -> None:
    stray = a_job(0)
    run = going(done=RangeSet.of([0]), scored=1)
    decision = decide(run, jobs=seen(stray, a_job(1), a_job(2), a_job(77)))
    assert set(decision.actions) == {DeleteJob(stray), DeleteJob(a_job(77))}


def test_trouble_is_said_and_its_end_too() -> None:
    trouble = Trouble("QuotaExceeded", "exceeded quota: few")
    blocked = decide(going(), trouble=trouble)
    assert (blocked.status.phase, why(blocked.status, "Blocked")) == ("Running", "QuotaExceeded")
    assert made(blocked) == [(0, 0), (1, 0), (2, 0)]  # it goes on trying
    on = decide(a_run(blocked.status), after(9))
    assert not on.status.holds("Blocked")
    assert on.status.conditions["Blocked"].since == after(9)


def test_a_run_that_is_suspended_is_not_blocked() -> None:
    blocked = decide(going(), trouble=Trouble("QuotaExceeded", "exceeded quota: few")).status
    for status in (blocked, decide(a_run(), sensors=Missing("no ConfigMap fleet")).status):
        rests = decide(a_run(status, suspend=True), after(9)).status
        assert (rests.phase, rests.holds("Blocked")) == ("Suspended", False)


# Suspending


def test_a_run_that_is_made_suspended_does_nothing() -> None:
    decision = decide(a_run(suspend=True), sensors=None)
    assert (decision.status.phase, decision.actions) == ("Suspended", ())
    assert decision.status.start is None


def test_suspend_stops_what_runs_and_records_what_ended() -> None:
    decision = decide(going(suspend=True), jobs=seen(scored(0), a_job(1), a_job(2, terminating=True)))
    assert decision.actions == (DeleteJob(a_job(1)),)
    assert (decision.status.phase, why(decision.status, "Suspended")) == ("Suspended", "Suspended")
    assert decision.status.scored == 1


def test_resume_makes_the_rest_again() -> None:
    suspended = decide(going(suspend=True), jobs=seen(scored(0))).status
    decision = decide(a_run(suspended), after(60), jobs=seen(a_job(1, terminating=True)))
    assert made(decision) == [(2, 0)]  # 1 when its old Job has let its name go
    assert not decision.status.holds("Suspended")
    assert decision.status.start == NOW


# The end


@pytest.mark.parametrize("ttl", [None, 30])
def test_after_the_end_nothing_is_done_but_cleaning(ttl: int | None) -> None:
    more = {"ttlSecondsAfterFinished": ttl} if ttl else {}
    ended = decide(a_run(publishing(ABC), **more), jobs=seen(has_published())).status
    run = a_run(ended, **more)
    soon = decide(run, after(1), jobs=seen(a_job(0, incarnation=1)))
    assert soon.actions == (DeleteJob(a_job(0, incarnation=1)),)
    assert soon.status == ended
    assert soon.after == (29.0 if ttl else None)
    late = decide(run, after(31))
    assert late.actions == ((DeleteRun(),) if ttl else ())


FAILED = Verdict("Failed", "TooManyFailedSensors", "3 failed of 3 sensors")


@pytest.mark.parametrize(
    ("verdict", "after_finished", "after_failed", "seconds"),
    [
        (COMPLETE, 30, 90, 30),
        (FAILED, 30, 90, 90),
        (FAILED, 30, 0, 0),
        (FAILED, 30, None, 30),
        (COMPLETE, None, 90, None),
        (FAILED, None, 90, 90),
    ],
)
def test_a_run_that_failed_has_a_time_to_live_of_its_own(
    verdict: Verdict, after_finished: int | None, after_failed: int | None, seconds: int | None
) -> None:
    told = {"ttlSecondsAfterFinished": after_finished, "ttlSecondsAfterFailed": after_failed}
    more = {name: value for name, value in told.items() if value is not None}
    ended = decide(a_run(publishing(ABC, verdict), **more), jobs=seen(has_published())).status
    assert ended.ended
    left = decide(a_run(ended, **more), after(100))
    assert left.actions == ((DeleteRun(),) if seconds is not None else ())
    if seconds:
        assert decide(a_run(ended, **more), after(seconds - 1)).after == 1.0


def test_a_run_that_is_being_deleted_only_stops_its_jobs() -> None:
    run = replace(going(), deleting=True)
    leaving, over = a_job(1, terminating=True), a_finished_job(2)
    decision = decide(run, jobs=seen(a_job(0), leaving, over))
    assert (decision.actions, decision.status) == ((DeleteJob(a_job(0)),), run.status)


@pytest.mark.parametrize(
    ("unchecked", "age", "looks"), [(True, 60, True), (True, 59, False), (False, 60, False)]
)
def test_a_job_that_takes_long_makes_it_look_for_what_its_pod_mounts(
    unchecked: bool, age: int, looks: bool
) -> None:
    job = a_job(0, created=after(-age))
    decision = decide(going(), jobs=seen(job, scored(1), scored(2)), unchecked=unchecked)
    wanted = (KeepPinned(chunks_of(ABC, spec_of(a_run()))),) if looks else ()
    assert decision.actions == wanted


def test_a_status_comes_back_from_the_api_as_it_was() -> None:
    job = a_finished_job(1, "Failed")
    pod = a_failed_pod(job, 137, exit_reason="OOMKilled")
    status = decide(
        going(incarnations={2: 1}), jobs=seen(scored(0), Observation(job, (pod,)), a_job(2, 1))
    ).status
    assert of_api(to_api(status)) == status
    warned = has_published(
        warnings={"FlagRate": 1}, samples=[{"sensor": "a", "reason": "FlagRate", "message": "a flags"}]
    )
    status = decide(a_run(publishing(ABC, publish_incarnation=0)), jobs=seen(warned)).status
    assert of_api(to_api(status)) == status


def test_the_50_failures_kept_do_not_depend_on_who_ended_first() -> None:
    listed = sensors(*(f"s{number:03d}" for number in range(120)))
    everything = []
    for number in range(120):
        skipped = number % 3 == 0
        job = a_finished_job(number, "Complete" if skipped else "Failed")
        nothing = a_message("N", {"N": "Skipped/NoModel"}, number, rows=NO_ROWS, anomalies=0)
        pod = a_pod(job, nothing) if skipped else a_failed_pod(job, 70)
        everything.append(Observation(job, (pod,)))
    whole = decide(a_run(pinned(listed)), sensors=listed, jobs=seen(*everything)).status
    status = pinned(listed)
    for one in reversed(everything):
        status = decide(a_run(status), sensors=listed, jobs=seen(one)).status
    assert status.failures == whole.failures
    assert len(status.failures) == 50
    assert all(failure.state == "Failed" for failure in status.failures)
    assert status.reasons == {"Skipped/NoModel": 40, "Failed/PodFailed": 80}


def test_a_status_stays_small_whatever_happens() -> None:
    import json

    total = 100_000
    names = [f"device-{number:06d}-temperature" for number in range(total)]
    listed = sensors(*names)
    status = pinned(
        listed,
        done=RangeSet.of(range(0, total, 2)),
        failed_sensors=RangeSet.of(range(0, total, 4)),
        failed=total // 4,
        scored=total // 4,
    )
    jobs = [a_finished_job(number, "Failed") for number in range(1, 201, 2)]
    pods = [a_failed_pod(job, 1, "x" * 2000) for job in jobs]
    observed = seen(*(Observation(job, (pod,)) for job, pod in zip(jobs, pods, strict=True)))
    status = decide(a_run(status), sensors=listed, jobs=observed).status
    assert len(json.dumps(to_api(status))) < 64 * 1024
