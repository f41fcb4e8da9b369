"""Whole runs on the real cluster: Helm-installed operator, real containers, real Blob Storage."""

from __future__ import annotations

import pytest

from stack import Stack, config_map, run_manifest

pytestmark = pytest.mark.cluster

GOOD = [f"good-{number}" for number in range(4)]


def test_a_run_goes_to_its_end(stack: Stack) -> None:
    """One Job per sensor, every sensor scored, rows in = rows out."""
    stack.apply(run_manifest("to-the-end", GOOD))
    run = stack.wait_ended("to-the-end")
    status = run["status"]
    assert status["phase"] == "Succeeded"
    assert status["progress"] == "4/4"
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert stack.condition(run, "Failed")[0] != "True"
    assert status["counts"]["scored"] == 4
    assert status["counts"]["jobs"] == 4
    rows = status["rows"]
    assert rows["read"] == rows["scored"] + rows["rejected"] + rows["duplicate"] == 4 * stack.rows_per_sensor
    stages = ("pending", "start", "import", "read", "score", "write", "total")
    timed = {stage: latency["count"] for stage, latency in status["latency"].items()}
    assert timed == {**dict.fromkeys(stages, 4), "publish": 1}
    jobs = stack.jobs("to-the-end")
    assert len(jobs) == 4
    assert {job["metadata"]["labels"]["sensorscore.dev/sensor"] for job in jobs} == set(GOOD)
    for sensor in GOOD:
        assert stack.predictions(sensor).num_rows == stack.rows_per_sensor


def test_kubectl_wait_and_the_printed_columns_tell_the_end(stack: Stack) -> None:
    """What people use at the terminal works as they expect."""
    stack.apply(run_manifest("columns", GOOD[:1]))
    stack.kubectl("wait", "--for=condition=Complete", "scoringrun/columns", "--timeout=90s")
    header, line = stack.kubectl("get", "srun", "columns").splitlines()
    assert header.split() == ["NAME", "PHASE", "PROGRESS", "FAILED", "ANOMALIES", "AGE"]
    assert line.split()[:4] == ["columns", "Succeeded", "1/1", "0"]
    assert "rounded down" in stack.kubectl("explain", "scoringrun.spec.failurePolicy")


def test_bad_sensors_are_named_and_do_not_harm_their_neighbours(stack: Stack) -> None:
    """A missing model, a corrupt model and an empty window among good sensors."""
    sensors = [GOOD[0], "no-model", "corrupt-model", GOOD[1], "silent", GOOD[2]]
    stack.apply(run_manifest("mixed", sensors, failurePolicy={"maxFailedSensors": 1}))
    run = stack.wait_ended("mixed")
    status = run["status"]
    assert stack.condition(run, "Complete") == ("True", "SomeFailed")
    assert (status["counts"]["scored"], status["counts"]["skipped"], status["counts"]["failed"]) == (3, 2, 1)
    named = {entry["sensor"]: (entry["state"], entry["reason"]) for entry in status["failures"]}
    assert named == {
        "no-model": ("Skipped", "NoModel"),
        "corrupt-model": ("Failed", "ModelCorrupt"),
        "silent": ("Skipped", "NoReadings"),
    }
    assert status["reasons"] == {"Failed/ModelCorrupt": 1, "Skipped/NoModel": 1, "Skipped/NoReadings": 1}
    corrupt = next(entry for entry in status["failures"] if entry["sensor"] == "corrupt-model")
    assert "corrupt-model" in corrupt["message"]
    # Permanent: not tried again.
    assert stack.pod_count("mixed") == len(sensors)


def test_too_many_failed_sensors_fail_the_run_and_lose_nothing(stack: Stack) -> None:
    """The limit is exceeded: Failed, with the good sensors' predictions written."""
    stack.apply(run_manifest("over-limit", [GOOD[3], "corrupt-model"], failurePolicy={"maxFailedSensors": 0}))
    run = stack.wait_ended("over-limit")
    assert run["status"]["phase"] == "Failed"
    assert stack.condition(run, "Failed") == ("True", "TooManyFailedSensors")
    assert run["status"]["counts"]["scored"] == 1
    assert stack.predictions(GOOD[3]).num_rows == stack.rows_per_sensor


def test_packs_read_their_names_from_the_pinned_list(stack: Stack) -> None:
    """More than 100 sensors a Job come by the mounted ConfigMap; the list comes from the user's own."""
    names = [f"pack-{number}" for number in range(130)]
    lines = "\n".join(["# a list of sensors", *names, "", *GOOD])
    stack.apply(config_map("many", lines))
    manifest = run_manifest("packed", [], sensorsPerJob=120)
    manifest["spec"]["sensors"] = {"configMapRef": {"name": "many"}}
    stack.apply(manifest)
    run = stack.wait_ended("packed")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    counts = run["status"]["counts"]
    assert (counts["total"], counts["jobs"], counts["scored"], counts["skipped"]) == (134, 2, 4, 130)
    assert len(run["status"]["failures"]) == 50
    pinned = stack.get("configmap", run["status"]["sensorSet"]["configMap"])
    assert pinned["immutable"] is True


def test_a_list_with_an_unusable_name_is_refused_before_any_job(stack: Stack) -> None:
    """The name, its line and what was wanted stand in the condition."""
    stack.apply(config_map("bad", "good-0\na/b\n"))
    manifest = run_manifest("bad-list", [])
    manifest["spec"]["sensors"] = {"configMapRef": {"name": "bad"}}
    stack.apply(manifest)
    run = stack.wait_ended("bad-list")
    assert stack.condition(run, "Failed") == ("True", "InvalidSensors")
    message = next(c["message"] for c in run["status"]["conditions"] if c["type"] == "Failed")
    assert "a/b" in message
    assert "line 2" in message
    assert stack.jobs("bad-list") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"window": {"start": "2026-01-01T11:00:00Z", "end": "2026-01-01T10:00:00Z"}}, "start < end"),
        ({"sensors": {"names": ["a/b"]}}, "spec.sensors.names[0]"),
        ({"sensors": {}}, "exactly one of"),
        ({"output": {"path": "../{sensor}.parquet"}}, "spec.output.path"),
        ({"failurePolicy": {"maxFailedSensors": "5"}}, "percentage"),
    ],
)
def test_invalid_runs_are_refused_with_a_clear_message(
    stack: Stack, change: dict[str, object], says: str
) -> None:
    """`kubectl apply` says which field, and what was wanted."""
    manifest = run_manifest("invalid", GOOD)
    manifest["spec"].update(change)
    refusal = stack.refused(manifest)
    assert says in refusal
    assert "Traceback" not in refusal
