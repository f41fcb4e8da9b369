"""Sensors that the store tells of, and readings that come late: with real pods, images and storage."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from scorer.listed import read_all
from scorer.verify import verify
from stack import Manifest, Stack, run_manifest

pytestmark = pytest.mark.cluster

GOOD = [f"good-{number}" for number in range(5)]
OUTPUT = {"path": "fleet/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"}
FOLDER = "readings/2026/01/01/10"


@pytest.fixture
def tidy(stack: Stack) -> Iterator[None]:
    """What is put beside the readings of other tests goes again."""
    yield
    for path in (f"{FOLDER}/_SUCCESS", "tables/fleet.csv"):
        stack.store.delete(path)


def manifest(name: str, sensors: Manifest, **spec: object) -> Manifest:
    body = run_manifest(name, [], **spec)
    body["spec"]["sensors"] = sensors
    return body


def table_of(stack: Stack, path: str) -> list[Manifest]:
    rows: list[Manifest] = pq.read_table(io.BytesIO(stack.store.get(path).data)).to_pylist()
    return rows


def test_a_table_a_rerun_of_what_failed_and_the_proof_of_both(stack: Stack, tidy: None) -> None:
    """Names, models, thresholds and owners come from the table; a rerun takes them over."""
    rows = [f"{name},,,plant {number}" for number, name in enumerate(GOOD)]
    rows[1] = "good-1,good-0,,plant 1"  # another sensor's model
    rows[2] = "good-2,,1000000,plant 2"  # nothing is ever so strange
    stack.store.put(
        "tables/fleet.csv", "\n".join(["sensor,model,threshold,owner", *rows, "no-model,,,x"]).encode()
    )
    policy = {"onMissingModel": "Fail", "maxFailedSensors": 1}
    fleet = {"table": {"path": "tables/fleet.csv"}}
    stack.apply(manifest("fleet", fleet, sensorsPerJob=2, failurePolicy=policy, output=OUTPUT))
    run = stack.wait_ended("fleet")
    status = run["status"]
    assert stack.condition(run, "Complete") == ("True", "SomeFailed")
    assert (status["counts"]["scored"], status["counts"]["failed"]) == (5, 1)
    assert [failure["sensor"] for failure in status["failures"]] == ["no-model"]
    uid = run["metadata"]["uid"]
    head, listed = read_all(stack.store, f"runs/{uid}/sensors")
    assert (head.total, head.digest) == (status["sensorSet"]["total"], status["sensorSet"]["sha256"])
    assert [each.sensor for each in listed] == [*GOOD, "no-model"]
    proof = verify(stack.store, uid)
    assert proof.holds, proof.findings
    results = {row["sensor"]: row for row in table_of(stack, f"runs/{uid}/results.parquet")}
    assert results["good-1"]["model"] == results["good-0"]["model"] != results["good-3"]["model"]
    assert (results["good-2"]["threshold"], results["good-2"]["anomalies"]) == (1_000_000.0, 0)
    assert results["good-4"]["owner"] == "plant 4"

    again = {"failedOf": {"name": "fleet", "uid": uid}}
    stack.apply(manifest("fleet-again", again, output=OUTPUT))
    rerun = stack.wait_ended("fleet-again")
    assert stack.condition(rerun, "Complete") == ("True", "AllSucceeded")
    assert (rerun["status"]["progress"], rerun["status"]["counts"]["skipped"]) == ("1/1", 1)
    assert verify(stack.store, rerun["metadata"]["uid"]).holds


def test_readings_that_come_late_are_waited_for_and_then_discovered(stack: Stack, tidy: None) -> None:
    """No pod scores before the marker is there, though operator and pod are killed meanwhile."""
    late = {"waitFor": {"timeoutSeconds": 600, "onTimeout": "Fail"}}
    discover = {"discover": {"from": "Readings", "prefix": "good-"}}
    stack.apply(manifest("late", discover, readings=late, sensorsPerJob=100, output=OUTPUT))

    def waiting_pod() -> str:
        uid = stack.get("scoringrun", "late")["metadata"]["uid"]
        label = f"sensorscore.dev/run-uid={uid},sensorscore.dev/stage=prepare"
        pods = json.loads(stack.kubectl("get", "pods", "-l", label, "-o", "json"))["items"]
        running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
        return str(running[0]["metadata"]["name"]) if running else ""

    stack.wait_for("a pod that waits", waiting_pod)
    first = waiting_pod()
    assert stack.status("late")["phase"] == "Waiting"
    assert stack.condition(stack.get("scoringrun", "late"), "WaitingForReadings")[0] == "True"
    assert stack.jobs("late") == []
    stack.kill_operator()
    stack.kubectl("delete", "pod", first, "--grace-period=1")
    stack.wait_for("another pod that waits", lambda: waiting_pod() not in ("", first))
    assert stack.status("late")["phase"] == "Waiting"
    stack.store.put(f"{FOLDER}/_SUCCESS", b"{}")
    run = stack.wait_ended("late")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert stack.condition(run, "WaitingForReadings") == ("False", "Ready")
    listed = {entry.path.rpartition("/")[2].removesuffix(".parquet") for entry in stack.store.list(FOLDER)}
    wanted = {name for name in listed if name.startswith("good-")}
    assert run["status"]["counts"]["total"] == len(wanted)
    assert verify(stack.store, run["metadata"]["uid"]).holds


def test_a_table_that_is_wrong_fails_the_run_with_row_and_column(stack: Stack, tidy: None) -> None:
    stack.store.put("tables/fleet.csv", b"sensor,threshold\ngood-0,1\ngood-1,high\n")
    stack.apply(manifest("wrong-table", {"table": {"path": "tables/fleet.csv"}}))
    run = stack.wait_ended("wrong-table")
    assert stack.condition(run, "Failed") == ("True", "InvalidSensors")
    [condition] = [each for each in run["status"]["conditions"] if each["type"] == "Failed"]
    assert condition["message"] == (
        "table tables/fleet.csv, row 3, column threshold: found 'high'; wanted a number"
    )
    assert stack.jobs("wrong-table") == []
