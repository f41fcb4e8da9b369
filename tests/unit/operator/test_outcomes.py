"""What becomes of sensors, told from a Job and its pods."""

import json
from typing import Any

import pytest

from scoring_operator.chunks import Chunk
from scoring_operator.outcomes import ChunkOutcome, all_seen, decide, lost, read_pods
from scoring_operator.records import JobRecord, PodRecord
from unit.operator.given import NO_ROWS, Json, a_failed_pod, a_finished_job, a_message, a_pod

PACK = Chunk(0, 0, ("a", "b", "c"))
ONE = Chunk(0, 0, ("a",))
LEGEND = {"S": "Scored", "N": "Skipped/NoReadings", "C": "Failed/ModelCorrupt"}
UNDECIDED = {"S": "Scored", "U": "Undecided/StorageUnavailable", "-": "Undecided/NotStarted"}


def outcome(job: JobRecord, chunk: Chunk, *pods: PodRecord) -> ChunkOutcome | None:
    return decide(job, read_pods(job, pods, len(chunk.names)), chunk)


def told(found: ChunkOutcome | None) -> list[tuple[str, str]]:
    assert found is not None
    return [(sensor.state.value, sensor.reason) for sensor in found.sensors]


def failed_job(**more: Any) -> JobRecord:
    return a_finished_job(state="Failed", **more)


def test_sensors_are_what_the_message_says() -> None:
    job = a_finished_job()
    failure = {"sensor": "c", "reason": "ModelCorrupt", "message": "sensor c: sha256 differs"}
    found = outcome(job, PACK, a_pod(job, a_message("SNC", LEGEND, failures=[failure])))
    assert told(found) == [("Scored", ""), ("Skipped", "NoReadings"), ("Failed", "ModelCorrupt")]
    assert found is not None
    assert [sensor.sentence for sensor in found.sensors] == [
        "",
        "sensor b has no readings in the window",
        "sensor c: sha256 differs",
    ]
    assert (found.rows.read, found.anomalies, found.succeeded) == (12, 3, False)


def test_a_failure_whose_sentence_did_not_fit_says_where_it_is() -> None:
    job = a_finished_job()
    found = outcome(job, ONE, a_pod(job, a_message("C", LEGEND, rows=NO_ROWS, anomalies=0)))
    assert found is not None
    assert "/outcomes/00000.*.json" in found.sensors[0].sentence


def test_a_failed_jobs_message_counts_like_any_other() -> None:
    job = failed_job()
    assert (
        told(outcome(job, PACK, a_failed_pod(job, 65, a_message("2SC", LEGEND))))[:2] == [("Scored", "")] * 2
    )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"code": 137, "exit_reason": "OOMKilled"}, "OutOfMemory"),
        ({"code": 124}, "Timeout"),
        ({"code": 143, "reason": "DeadlineExceeded"}, "Timeout"),
        ({"code": 137, "reason": "Evicted"}, "Evicted"),
        ({"code": 70}, "PodFailed"),
        ({"code": 64}, "Misconfigured"),
        ({"code": 137, "reason": "DeadlineExceeded", "started": None}, "NeverStarted"),
    ],
)
def test_sensors_that_nobody_decided_fail_for_what_killed_the_last_pod(how: Json, reason: str) -> None:
    job = failed_job()
    said = a_message("S2-", UNDECIDED, final=False)
    found = outcome(job, PACK, a_failed_pod(job, text=said, **how))
    assert told(found) == [("Scored", ""), ("Failed", reason), ("Failed", reason)]
    assert found is not None
    assert f"pod {job.name}-0" in found.sensors[1].sentence
    assert told(outcome(job, ONE, a_failed_pod(job, **how))) == [("Failed", reason)]


def test_a_sensors_own_reason_says_more_than_the_pods_end() -> None:
    job = failed_job()
    found = outcome(job, PACK, a_failed_pod(job, 75, a_message("SU-", UNDECIDED)))
    assert told(found) == [("Scored", ""), ("Failed", "StorageUnavailable"), ("Failed", "PodFailed")]


def test_the_logs_last_line_explains_a_pod_without_a_message() -> None:
    job = failed_job()
    found = outcome(job, ONE, a_failed_pod(job, 1, "Traceback\n  File x\nImportError: no numpy\x1b[0m\n"))
    assert found is not None
    assert found.sensors[0].sentence.endswith("failed with exit code 1: ImportError: no numpy [0m")


def test_the_newest_attempt_has_the_last_word() -> None:
    job = failed_job(attempts=2)
    first = a_failed_pod(job, 75, a_message("UU-", UNDECIDED), number=0)
    second = a_failed_pod(job, 75, a_message("SUU", UNDECIDED), number=1)
    for pods in ((first, second), (second, first)):
        states = [state for state, _ in told(outcome(job, PACK, *pods))]
        assert states == ["Scored", "Failed", "Failed"]


def test_an_attempt_that_dies_early_does_not_undo_what_was_written() -> None:
    job = failed_job(attempts=2)
    first = a_failed_pod(job, 75, a_message("2SU", UNDECIDED), number=0)
    second = a_failed_pod(
        job,
        137,
        a_message("3-", UNDECIDED, rows=NO_ROWS, anomalies=0, final=False),
        number=1,
        exit_reason="OOMKilled",
    )
    found = outcome(job, PACK, first, second)
    assert told(found)[:2] == [("Scored", "")] * 2
    assert found is not None
    assert found.rows.read == 12


def test_attempts_that_decide_different_sensors_add_up() -> None:
    job = failed_job(attempts=2)
    first = a_failed_pod(job, 75, a_message("SUU", UNDECIDED), number=0)
    second = a_failed_pod(job, 75, a_message("U2S", UNDECIDED), number=1)
    assert told(outcome(job, PACK, first, second)) == [("Scored", "")] * 3


def test_what_is_said_of_the_whole_pack_is_not_said_of_sensors_that_a_later_attempt_decided() -> None:
    job = failed_job(attempts=2)
    why = "runs/x/sensors: 503 ServerBusy"
    nobodys = [{"sensor": "#0", "reason": "StorageUnavailable", "message": why, "place": 0}]
    none = a_message("3U", UNDECIDED, rows=NO_ROWS, anomalies=0, failures=nobodys)
    some = a_message("NSU", LEGEND | UNDECIDED)
    pods = (a_failed_pod(job, 75, none, number=0), a_failed_pod(job, 75, some, number=1))
    found = outcome(job, PACK, *pods)
    assert found is not None
    sentences = [sensor.sentence for sensor in found.sensors]
    assert sentences == ["sensor a has no readings in the window", "", why]


def test_a_pod_that_cannot_begin_says_why() -> None:
    job = failed_job()
    why = "connection string names another account"
    line = json.dumps({"level": "error", "message": why})
    failures = [{"sensor": ONE.names[0], "reason": "Interrupted", "message": why}]
    message = a_message("-", UNDECIDED, rows=NO_ROWS, anomalies=0, failures=failures)
    for text in (line, message):
        found = outcome(job, ONE, a_failed_pod(job, 64, text))
        assert found is not None
        assert found.sensors[0].sentence == f"pod {job.name}-0 cannot begin: {why}"


def test_a_container_that_never_started_says_what_it_waited_for() -> None:
    job = failed_job()
    waiting = "ErrImagePull: no such image"
    pod = a_failed_pod(job, 137, reason="DeadlineExceeded", started=None, waiting=waiting)
    found = outcome(job, ONE, pod)
    assert found is not None
    assert waiting in found.sensors[0].sentence


def test_a_message_of_another_job_is_refused_and_named() -> None:
    job = a_finished_job()
    read = read_pods(job, [a_pod(job, a_message(chunk=7))], 1)
    assert read.message is None
    assert f"pod scoring/{job.name}-0: chunk is 7; wanted 0" in read.refused[0]


@pytest.mark.parametrize("text", ["", "no message", a_message("-", UNDECIDED, rows=NO_ROWS, anomalies=0)])
def test_a_complete_job_without_a_whole_message_tells_nothing(text: Json | str) -> None:
    job = a_finished_job()
    assert outcome(job, ONE, a_pod(job, text)) is None


@pytest.mark.parametrize("state", ["Complete", "Failed"])
def test_a_job_without_pods_tells_nothing(state: str) -> None:
    assert outcome(a_finished_job(state=state), ONE) is None


def test_the_last_pod_may_be_on_its_way() -> None:
    job = failed_job(attempts=2)
    first, second = (a_failed_pod(job, 75, number=number) for number in (0, 1))
    gone = a_failed_pod(job, 143, number=2, disrupted=True)
    assert not all_seen(job, [first])
    assert not all_seen(job, [first, gone])  # a disrupted pod is not one that the Job counts
    assert all_seen(job, [first, second])
    assert not all_seen(failed_job(attempts=0), [])


def test_stages_are_of_both_clocks() -> None:
    job = a_finished_job()
    found = outcome(job, ONE, a_pod(job, a_message()))
    assert found is not None
    expected = {
        "import": 152,
        "read": 12,
        "score": 3,
        "write": 14,
        "pending": 1000,
        "start": 2000,
        "total": 6000,
    }
    assert found.stages_ms == expected


def test_times_that_run_backwards_count_as_none() -> None:
    job = a_finished_job()
    pod = a_pod(job, a_message())
    found = outcome(job, ONE, a_pod(job, a_message(), started=pod.created, scheduled=pod.ended))
    assert found is not None
    assert found.stages_ms["start"] == 0


def test_a_lost_outcome_fails_all_its_sensors() -> None:
    job = a_finished_job(
        incarnation=2, message="CompletionsReached: Reached expected number of succeeded pods"
    )
    found = lost(job, PACK)
    assert told(found) == [("Failed", "OutcomeLost")] * 3
    assert job.name in found.sensors[0].sentence
