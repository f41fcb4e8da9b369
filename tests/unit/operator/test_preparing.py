"""The stage Prepare: what makes a run go through it, and what its Job's end means."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.chunks import InStore, Left, SensorListError, StoredSensors, divide, in_order
from scoring_operator.contract import prepare_job_name, shard_of
from scoring_operator.decision import (
    CreateJob,
    Decision,
    DeleteJob,
    Observation,
    Observed,
    Prepare,
    Publish,
    ReadPods,
)
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.records import PREPARES, JobRecord
from scoring_operator.resource import Run
from scoring_operator.status import Pinned, Status, Stopwatch
from scoring_operator.status_json import of_api, to_api
from unit.operator.given import (
    NOW,
    UID,
    Json,
    a_failed_pod,
    a_job,
    a_message,
    a_pod,
    a_run,
    after,
    chunks_of,
    publishing,
    seen,
    sensors,
    settings,
    spec_of,
)

SETTINGS = settings()
TABLE: Json = {"table": {"path": "tables/fleet.csv"}}
WAIT: Json = {"waitFor": {"timeoutSeconds": 900}}
SHARDS: Json = {"layout": "Sharded", "shards": 3}
SHA256 = "a" * 64


def decide(run: Run, now: datetime = NOW, **observed: Any) -> Decision:
    given = {"sensors": InStore()} | observed
    return reconcile(run, Observed(**given), SETTINGS, now)


def begun(**spec: Any) -> Run:
    """A run whose preparing stands in its written status."""
    spec = {"sensors": TABLE} | spec
    return a_run(of_api(to_api(decide(a_run(**spec)).status)), **spec)


def a_prepare_job(incarnation: int = 0, **more: Any) -> JobRecord:
    own = {"name": prepare_job_name("hourly", UID, incarnation), "uid": f"prepare-{incarnation}"}
    return a_job(PREPARES, incarnation, **(own | more))


def a_prepared(total: int = 3, shards: tuple[int, ...] = (), **more: Any) -> Json:
    return {
        "v": 1,
        "run": UID,
        "chunk": 0,
        "incarnation": 0,
        "attempt": "2026-01-01T13:00:09.123Z",
        "final": True,
        "stage": "Prepare",
        "sensors": {"total": total, "sha256": SHA256, "shards": list(shards)},
        "readings": None,
        "stagesMs": {"total": 834},
        **more,
    }


def has_prepared(incarnation: int = 0, **more: Any) -> Observation:
    job = a_prepare_job(incarnation, state="Complete", finished=NOW, attempts=1, cpu_milli=100)
    return Observation(job, (a_pod(job, a_prepared(incarnation=incarnation, **more)),))


def has_failed(code: int, reason: str, why: str) -> Observation:
    job = a_prepare_job(state="Failed", finished=NOW, attempts=1)
    said = a_prepared(failure={"reason": reason, "message": why})
    return Observation(job, (a_failed_pod(job, code, said),))


def why(status: Status, kind: str) -> str:
    assert status.holds(kind)
    return status.conditions[kind].reason


def test_a_status_without_its_shards_ends_the_run_in_words() -> None:
    body = to_api(decide(begun(output=SHARDS), jobs=seen(has_prepared(shards=(1, 1, 1)))).status)
    del body["sensorSet"]["shards"]
    status = decide(a_run(of_api(body), sensors=TABLE, output=SHARDS)).status
    assert why(status, "Failed") == "InvalidSensors"
    assert "status.sensorSet: found 0 shards" in status.conditions["Failed"].message


# Into it


def test_a_run_whose_sensors_are_in_the_store_begins_with_one_job() -> None:
    decision = decide(a_run(sensors=TABLE))
    assert decision.actions == (Prepare(0, None, InStore()),)
    status = decision.status
    assert (status.stage, status.phase, status.pinned) == ("Prepare", "Running", None)
    assert (status.image, status.models_as_of) == ("localhost/sensorscore-scorer:0.1.0", None)


def test_a_run_of_names_that_waits_for_nothing_does_not() -> None:
    run = a_run()
    decision = decide(run, sensors=chunks_of(sensors(), spec_of(run)))
    assert decision.status.stage == "Score"


def test_the_inputs_stand_in_the_status_before_a_job_is_made() -> None:
    """Whoever carries a decision out writes the status first: here it must have them all."""
    run = a_run()
    decision = decide(run, sensors=chunks_of(sensors(), spec_of(run)))
    assert any(isinstance(action, CreateJob) for action in decision.actions)
    written = to_api(decision.status)
    assert written["sensorSet"]["total"] == 3
    assert written["modelsAsOf"] == "2026-01-01T13:00:30Z"
    assert written["image"] == "localhost/sensorscore-scorer:0.1.0"


def test_a_run_of_names_may_wait_for_its_readings_and_holds_to_its_names_meanwhile() -> None:
    run = a_run(readings=WAIT)
    listed = chunks_of(sensors(), spec_of(run))
    decision = decide(run, sensors=listed)
    assert decision.actions == (Prepare(0, after(900), None),)
    status = decision.status
    assert (status.stage, status.phase, status.total) == ("Prepare", "Waiting", 3)
    assert why(status, "WaitingForReadings") == "NotThereYet"
    assert status.conditions["WaitingForReadings"].message == (
        "waits for readings/{yyyy}/{MM}/{dd}/{HH}/_SUCCESS until 2026-01-01T13:15:30Z, "
        "and scores what there is then"
    )
    run = a_run(of_api(to_api(status)), readings=WAIT)
    done = decide(run, after(60), sensors=listed, jobs=seen(has_prepared(sensors=None, readings="Ready")))
    assert [action.chunk.names for action in done.actions if isinstance(action, CreateJob)] == [
        ("a",),
        ("b",),
        ("c",),
    ]
    assert not done.status.holds("WaitingForReadings")
    assert done.status.conditions["WaitingForReadings"].reason == "Ready"


def test_what_holds_the_group_s_place_is_a_run_that_is_being_prepared() -> None:
    assert begun().status.begun
    assert not a_run(sensors=TABLE).status.begun


# Out of it


def test_the_chunks_follow_from_the_message_and_then_from_the_status_alone() -> None:
    run = begun(sensorsPerJob=2)
    decision = decide(run, after(20), jobs=seen(has_prepared(total=5)))
    status = decision.status
    assert (status.stage, status.phase, status.jobs) == ("Score", "Running", 3)
    assert status.pinned == Pinned(5, SHA256, "")
    assert (status.models_as_of, status.start, status.stopwatch) == (
        after(20),
        after(20),
        Stopwatch(0, after(20)),
    )
    assert status.latency["prepare"].sum_ms == 834
    assert (status.cost.pod_seconds, status.cost.cpu_ms) == (3, 300)
    chunks = [action.chunk for action in decision.actions if isinstance(action, CreateJob)]
    assert [(chunk.first, len(chunk), chunk.names) for chunk in chunks] == [
        (0, 2, ()),
        (2, 2, ()),
        (4, 1, ()),
    ]
    # A new operator: it has not asked where the sensors are, and need not.
    later = a_run(of_api(to_api(status)), sensors=TABLE, sensorsPerJob=2)
    again = decide(later, after(60), sensors=None)
    assert [action.chunk for action in again.actions if isinstance(action, CreateJob)] == chunks


def test_with_shards_a_chunk_is_whole_shards() -> None:
    run = begun(output=SHARDS, sensorsPerJob=4)
    decision = decide(run, jobs=seen(has_prepared(total=10, shards=(3, 0, 7))))
    spans = [(each.chunk.first, len(each.chunk)) for each in decision.actions if isinstance(each, CreateJob)]
    assert spans == [(0, 3), (3, 7)]
    assert of_api(to_api(decision.status)).pinned == Pinned(10, SHA256, "", (3, 0, 7))


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=400, unique=True),
    st.integers(1, 30),
    st.integers(1, 40),
)
def test_a_list_in_the_store_is_divided_as_one_of_names(places: list[int], shards: int, per_job: int) -> None:
    spec = spec_of(a_run(output={"layout": "Sharded", "shards": shards}, sensorsPerJob=per_job))
    listed = in_order(sensors(*(f"s{place}" for place in places)), spec.output)
    named = divide(listed, spec.output, per_job)
    of = [shard_of(name, shards) for name in listed.names]
    stored = StoredSensors(len(listed), SHA256, tuple(of.count(shard) for shard in range(shards)))
    assert list(divide(stored, spec.output, per_job).starts) == list(named.starts)


def test_shards_that_are_not_the_run_s_end_it() -> None:
    decision = decide(begun(output=SHARDS), jobs=seen(has_prepared(total=10, shards=(3, 7))))
    assert why(decision.status, "Failed") == "PrepareFailed"
    assert "wanted 3 of 10" in decision.status.conditions["Failed"].message
    with pytest.raises(SensorListError):
        divide(StoredSensors(10, SHA256, (3, 7)), spec_of(a_run(output=SHARDS)).output, 1)


@pytest.mark.parametrize(
    ("code", "reason", "sentence", "ends"),
    [
        (
            64,
            "InvalidSensors",
            "table t.csv, row 7, column threshold: found 'high'; wanted a number",
            "InvalidSensors",
        ),
        (65, "ReadingsNotReady", "waited until 2026-01-01T13:15:30Z for the readings", "ReadingsNotReady"),
        (65, "StorageDenied", "GET t.csv: storage answered 403", "PrepareFailed"),
        (75, "StorageUnavailable", "GET t.csv: storage answered 503", "PrepareFailed"),
        (64, "Misconfigured", "work order: resolve is not known to this scorer", "PrepareFailed"),
    ],
)
def test_a_run_that_cannot_be_prepared_fails_with_the_sentence(
    code: int, reason: str, sentence: str, ends: str
) -> None:
    decision = decide(begun(), jobs=seen(has_failed(code, reason, sentence)))
    status = decision.status
    assert why(status, "Failed") == ends
    message = status.conditions["Failed"].message
    assert message == (sentence if ends == reason else f"preparing failed: {reason}: {sentence}")
    assert (status.phase, status.stage, decision.actions) == ("Failed", "Done", ())


def test_a_pod_without_a_message_says_how_it_died() -> None:
    job = a_prepare_job(state="Failed", finished=NOW, attempts=1)
    pod = a_failed_pod(job, 137, "", exit_reason="OOMKilled")
    status = decide(begun(), jobs=seen(Observation(job, (pod,)))).status
    assert status.conditions["Failed"].message.startswith("preparing failed: OutOfMemory: pod")


def test_a_run_of_corrected_sensors_that_finds_none_is_complete() -> None:
    of = TABLE | {"only": {"path": "readings/2026/01/01/12/_corrected.csv"}}
    decision = decide(begun(sensors=of), jobs=seen(has_prepared(total=0)))
    status = decision.status
    assert why(status, "Complete") == "AllSucceeded"
    assert "none of the sensors is in readings/2026/01/01/12/_corrected.csv" in (
        status.conditions["Complete"].message
    )
    assert (status.phase, status.stage, status.pinned) == ("Succeeded", "Done", None)
    assert not [action for action in decision.actions if isinstance(action, CreateJob | Publish)]
    assert of_api(to_api(status)) == status


def test_its_sinks_had_nothing_to_hear() -> None:
    of = TABLE | {"only": {"path": "changed.csv"}}
    run = begun(sensors=of)
    run = replace(run, spec=replace(spec_of(run), sinks=("ops",)))
    status = decide(run, jobs=seen(has_prepared(total=0))).status
    assert why(status, "AnomaliesDelivered") == "NothingToSend"


def test_a_run_of_all_sensors_that_finds_none_is_not() -> None:
    status = decide(begun(), jobs=seen(has_prepared(total=0))).status
    assert why(status, "Failed") == "PrepareFailed"


def test_a_pod_that_found_no_list_where_one_was_wanted_ends_the_run() -> None:
    status = decide(begun(), jobs=seen(has_prepared(sensors=None))).status
    assert why(status, "Failed") == "PrepareFailed"


# Meanwhile


def test_the_deadline_is_the_run_s_whatever_becomes_of_operators_and_pods() -> None:
    run = begun(readings=WAIT)
    [again] = decide(run, after(600)).actions
    assert again == Prepare(0, after(900), InStore())


def test_while_it_is_suspended_the_deadline_moves() -> None:
    run = begun(readings=WAIT)
    spec = {"sensors": TABLE, "readings": WAIT, "suspend": True}
    stopped = decide(a_run(run.status, **spec), after(300), jobs=seen(a_prepare_job()))
    assert stopped.actions == (DeleteJob(a_prepare_job()),)
    assert (stopped.status.phase, stopped.status.stage) == ("Suspended", "Prepare")
    resumed = a_run(of_api(to_api(stopped.status)), sensors=TABLE, readings=WAIT)
    decision = decide(resumed, after(5000))
    assert decision.actions == (Prepare(0, after(5600), InStore()),)
    assert (decision.status.phase, decision.status.holds("Suspended")) == ("Waiting", False)


def test_readings_that_did_not_come_are_told_and_what_there_is_is_scored() -> None:
    run = begun(readings=WAIT)
    status = decide(run, after(900), jobs=seen(has_prepared(readings="TimedOut"))).status
    assert (status.stage, status.conditions["WaitingForReadings"].reason) == ("Score", "TimedOut")


def test_a_run_that_ends_waits_no_longer() -> None:
    run = begun(readings=WAIT)
    status = decide(run, jobs=seen(has_failed(65, "ReadingsNotReady", "waited"))).status
    assert not status.holds("WaitingForReadings")
    assert why(status, "Failed") == "ReadingsNotReady"


def test_the_time_of_waiting_is_none_of_the_run_s() -> None:
    run = begun(readings=WAIT, timeouts={"runSeconds": 60})
    assert not decide(run, after(800), jobs=seen(a_prepare_job())).status.ended
    decision = decide(run, after(800), jobs=seen(has_prepared(readings="Ready")))
    assert decision.status.stopwatch == Stopwatch(0, after(800))


@pytest.mark.parametrize("text", ["", "no JSON", a_prepared(run="somebody-else's")])
def test_a_message_that_is_lost_is_asked_for_and_the_job_made_again(text: Json | str) -> None:
    def look(incarnation: int, now: datetime, read: bool) -> Decision:
        job = a_prepare_job(incarnation, state="Complete", finished=NOW, attempts=1)
        run = begun()
        run = replace(run, status=replace(run.status, prepare_incarnation=incarnation))
        return decide(run, now, jobs=seen(Observation(job, (a_pod(job, text),), read)))

    assert look(0, after(4), read=False).after == 6.0
    job = a_prepare_job(state="Complete", finished=NOW, attempts=1)
    assert look(0, after(10), read=False).actions == (ReadPods(job),)
    again = look(0, after(10), read=True)
    assert (again.status.prepare_incarnation, again.status.stage) == (1, "Prepare")
    assert why(look(2, after(10), read=True).status, "Failed") == "PrepareFailed"


def test_a_job_that_the_api_refuses_fails_the_run() -> None:
    status = decide(begun(), rejected="hourly-prepare-x: spec.y: Invalid").status
    assert why(status, "Failed") == "JobRejected"
    assert "the Job that prepares" in status.conditions["Failed"].message


def test_it_waits_for_the_operators_limit() -> None:
    decision = decide(begun(), allowance=0)
    assert (decision.actions, decision.after) == ((), 2.0)


def test_once_the_run_scores_a_job_that_prepares_is_superfluous() -> None:
    scoring = decide(begun(), jobs=seen(has_prepared())).status
    decision = decide(a_run(scoring, sensors=TABLE), jobs=seen(a_prepare_job(1)))
    assert DeleteJob(a_prepare_job(1)) in decision.actions


# Sensors whose names only pods know


def scoring_run(total: int = 3, **more: Any) -> Run:
    status = decide(begun(sensorsPerJob=total), jobs=seen(has_prepared(total=total))).status
    return a_run(
        replace(status, **more), sensors=TABLE, sensorsPerJob=total, failurePolicy={"maxFailedSensors": 9}
    )


def ended(message: Json | str, code: int = 65, **more: Any) -> Observation:
    job = a_job(0, state="Failed", finished=NOW, attempts=1)
    return Observation(job, (a_failed_pod(job, code, message, **more),))


def test_failed_sensors_have_the_names_that_the_message_tells() -> None:
    failures = [
        {"sensor": "pump-7", "reason": "ModelCorrupt", "message": "sensor pump-7: broken", "place": 2},
    ]
    said = a_message(
        "SBA", {"S": "Scored", "A": "Failed/ModelCorrupt", "B": "Skipped/NoReadings"}, failures=failures
    )
    status = decide(scoring_run(), jobs=seen(ended(said))).status
    told = [(each.sensor, each.index, each.reason, each.message) for each in status.failures]
    assert told[0] == ("pump-7", 2, "ModelCorrupt", "sensor pump-7: broken")
    assert told[1][:3] == ("#1", 1, "NoReadings")
    assert (status.scored, status.skipped, status.failed) == (1, 1, 1)


def test_sensors_that_nobody_names_are_told_by_their_places_in_the_list() -> None:
    status = decide(scoring_run(), jobs=seen(ended("", 137, exit_reason="OOMKilled"))).status
    assert [(each.sensor, each.reason) for each in status.failures] == [
        ("#0", "OutOfMemory"),
        ("#1", "OutOfMemory"),
        ("#2", "OutOfMemory"),
    ]


def test_the_only_sensor_of_a_pod_that_died_is_the_one_it_had_in_hand() -> None:
    said = a_message(
        "-",
        {"-": "Undecided/NotStarted"},
        final=False,
        inHand="pump-7",
        rows=dict.fromkeys(("read", "scored", "rejected", "duplicate"), 0),
        anomalies=0,
    )
    status = decide(scoring_run(1), jobs=seen(ended(said, 137, exit_reason="OOMKilled"))).status
    assert [(each.sensor, each.reason) for each in status.failures] == [("pump-7", "OutOfMemory")]


def test_why_a_pod_could_not_read_its_list_is_said_of_all_its_sensors() -> None:
    failures = [
        {"sensor": "#0", "reason": "Interrupted", "message": "runs/x/sensors was changed", "place": 0}
    ]
    said = a_message(
        "3A",
        {"A": "Undecided/Interrupted"},
        failures=failures,
        rows=dict.fromkeys(("read", "scored", "rejected", "duplicate"), 0),
        anomalies=0,
    )
    status = decide(scoring_run(), jobs=seen(ended(said, 64))).status
    assert {each.reason for each in status.failures} == {"Misconfigured"}
    assert "runs/x/sensors was changed" in status.failures[0].message


def test_the_publishing_pod_hears_of_them_by_their_places() -> None:
    run = scoring_run()
    decision = decide(run, jobs=seen(ended("", 137, exit_reason="OOMKilled")))
    [publish] = [action for action in decision.actions if isinstance(action, Publish)]
    assert publish.decisions["failed"] == "0-2"
    assert [each["sensor"] for each in publish.decisions["failures"]] == ["#0", "#1", "#2"]
    assert json.dumps(publish.decisions)


def test_a_status_of_the_largest_list_in_shards_is_small() -> None:
    status = publishing(sensors(), done=RangeSet.of(range(0, 512, 2)))
    body = to_api(replace(status, pinned=Pinned(100_000, SHA256, "", (195,) * 512), image="x" * 200))
    assert len(body["sensorSet"]["shards"]) <= 2600
    assert of_api(json.loads(json.dumps(body))).pinned == Pinned(100_000, SHA256, "", (195,) * 512)


@pytest.mark.parametrize(("age", "looks"), [(60, True), (59, False)])
def test_a_job_that_takes_long_makes_it_look_for_what_its_pod_mounts(age: int, looks: bool) -> None:
    left = InStore(Left("other", SHA256, {}))
    run = begun(sensors={"failedOf": {"name": "first", "uid": "other"}})
    job = a_prepare_job(created=after(-age))
    decision = decide(run, sensors=left, jobs=seen(job), unchecked=True)
    assert decision.actions == ((Prepare(0, None, left),) if looks else ())
    assert decide(begun(), jobs=seen(job), unchecked=True).actions == ()
