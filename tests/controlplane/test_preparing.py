"""The prepare stage against a real API server: sensors in the store, readings that are waited for."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, message, prepared, prepares, scored, work_of
from local.api import Api

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
TABLE: Json = {"table": {"path": "tables/fleet.csv"}}
NO_ROWS = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}


class Pods:
    """Those that prepare end once it is told what they say; those that score end at once, scored."""

    def __init__(self) -> None:
        self.says: Json | None = None
        self.prepared: dict[str, Json] = {}  # orders by pod
        self.scored: dict[int, Json] = {}  # by chunk

    def __call__(self, pod: Json) -> Ending | None:
        work = work_of(pod)
        if prepares(pod):
            self.prepared[pod["metadata"]["uid"]] = work
            return None if self.says is None else prepared(work, **self.says)
        self.scored[work["chunk"]] = work
        return scored(work)


def found(total: int, shards: list[int] | None = None) -> Json:
    return {"sensors": {"total": total, "sha256": "b" * 64, "shards": shards or []}}


def prepare_jobs(runs: Runs) -> list[Json]:
    stage = "sensorscore.dev/stage"
    return [job for job in runs.publish_jobs() if job["metadata"]["labels"][stage] == "prepare"]


def test_sensors_of_a_table_are_scored_whoever_is_killed(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    pods = Pods()
    operator.start()
    runs.create(sensors=TABLE, sensorsPerJob=2, output={"layout": "Sharded", "shards": 4}, parallelism=1)
    with KubeletDouble(api, namespace, pods):
        until("it is being prepared", lambda: pods.prepared)
        status = runs.get()["status"]
        assert (status["stage"], status["phase"], "sensorSet" in status) == ("Prepare", "Running", False)
        assert status["image"] == "localhost/sensorscore-scorer:test"
        assert not runs.jobs()
        operator.kill()
        operator.start()
        pods.says = found(7, [2, 0, 3, 2])
        until("a Job is over", lambda: pods.scored)
        operator.kill()  # the next one divides the list by the status alone
        for job in prepare_jobs(runs):
            path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{job['metadata']['name']}"
            api.call("DELETE", path, {"propagationPolicy": "Background"})
        operator.start()
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    status = run["status"]
    assert status["sensorSet"] == {"total": 7, "sha256": "b" * 64, "shards": "2,0,3,2"}
    assert (status["progress"], status["counts"]["jobs"]) == ("7/7", 3)
    path = f"runs/{run['metadata']['uid']}/sensors"
    places = [
        (order["sensors"]["from"], order["sensors"]["count"]) for _, order in sorted(pods.scored.items())
    ]
    assert places == [(0, 2), (2, 3), (5, 2)]
    assert {order["sensors"]["store"] for order in pods.scored.values()} == {path}
    assert {order["model"]["at"] for order in pods.scored.values()} == {status["modelsAsOf"]}
    assert status["latency"]["prepare"]["count"] == 1
    [order] = {str(order): order for order in pods.prepared.values()}.values()
    assert (order["resolve"], order["stage"]) == ({"table": "tables/fleet.csv"}, "Prepare")
    [publishes] = [job for job in runs.publish_jobs() if job not in prepare_jobs(runs)]
    assert work_of({"spec": publishes["spec"]["template"]["spec"]})["sensors"]["count"] == 7
    maps = api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"]
    assert not [each for each in maps if "-sensors-" in each["metadata"]["name"]]


def test_readings_are_waited_for_without_a_node_that_scores(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    pods = Pods()
    operator.start()
    runs.create(readings={"waitFor": {"timeoutSeconds": 3600}})
    with KubeletDouble(api, namespace, pods):
        until("it waits", lambda: pods.prepared)
        run = runs.get()
        assert (run["status"]["phase"], run["status"]["stage"], run["status"]["progress"]) == (
            "Waiting",
            "Prepare",
            "0/3",
        )
        assert condition(run, "WaitingForReadings")["status"] == "True"
        assert not runs.jobs()
        [order] = pods.prepared.values()
        marker = "readings/{yyyy}/{MM}/{dd}/{HH}/_SUCCESS"
        assert (order["waitFor"]["marker"], "resolve" in order) == (marker, False)
        [job] = prepare_jobs(runs)
        pod = job["spec"]["template"]["spec"]
        assert pod["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "256Mi"}
        # A pod that is lost goes on to the same deadline, and so does an operator.
        [pod_name] = [
            each["metadata"]["name"]
            for each in api.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        ]
        api.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod_name}", {"gracePeriodSeconds": 0})
        operator.kill()
        operator.start()
        until("another pod waits", lambda: len(pods.prepared) == 2, 60)
        assert {each["waitFor"]["until"] for each in pods.prepared.values()} == {order["waitFor"]["until"]}
        runs.patch({"suspend": True})
        until("it is stopped", lambda: runs.phase() == "Suspended" and not prepare_jobs(runs))
        runs.patch({"suspend": False})
        until("it waits again", lambda: len(pods.prepared) == 3)
        assert runs.phase() == "Waiting"
        pods.says = {}
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert condition(run, "WaitingForReadings")["reason"] == "Ready"
    assert [work["sensors"] for _, work in sorted(pods.scored.items())] == [
        {"names": ["a"]},
        {"names": ["b"]},
        {"names": ["c"]},
    ]
    assert "NotThereYet" in runs.events()


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("InvalidSensors", "table tables/fleet.csv, row 7, column threshold: found 'high'; wanted a number"),
        ("ReadingsNotReady", "waited until 2026-01-01T13:15:00Z for the readings: not there is x/_SUCCESS"),
    ],
)
def test_a_run_that_cannot_be_prepared_fails_with_the_pod_s_sentence(
    api: Api, namespace: str, operator: Operator, runs: Runs, reason: str, sentence: str
) -> None:
    pods = Pods()
    pods.says = {"failure": {"reason": reason, "message": sentence}}
    operator.start()
    waits = {"waitFor": {"timeoutSeconds": 900, "onTimeout": "Fail"}}
    runs.create(sensors=TABLE, readings=waits if reason == "ReadingsNotReady" else {})
    with KubeletDouble(api, namespace, pods):
        run = runs.ended()
    assert (condition(run, "Failed")["reason"], condition(run, "Failed")["message"]) == (reason, sentence)
    assert (runs.jobs(), len(runs.publish_jobs()), "published" in run["status"]) == ([], 1, False)
    labels = f'namespace="{namespace}",reason="{reason}",result="Failed",schedule=""'
    assert f"sensorscore_runs_ended_total{{{labels}}} 1.0" in operator.get("/metrics")


def test_what_such_a_run_left_undone_is_scored_again(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    orders: list[Json] = []

    def ends(pod: Json) -> Ending | None:
        work = work_of(pod)
        if prepares(pod):
            orders.append(work)
            return prepared(work, **found(4 if "table" in work["resolve"] else 1))
        if work["chunk"] == 1 and work["run"]["name"] == "first":
            failure = {"sensor": "pump-7", "reason": "ModelCorrupt", "message": "pump-7: sha256", "place": 1}
            legend = {"S": "Scored", "A": "Failed/ModelCorrupt"}
            return Ending(65, message(work, "SA", legend, failures=[failure]))
        return scored(work)

    operator.start()
    runs.create("first", sensors=TABLE, sensorsPerJob=2)
    with KubeletDouble(api, namespace, ends):
        first = runs.ended("first")
        [failure] = first["status"]["failures"]
        assert (failure["sensor"], failure["index"]) == ("pump-7", 3)
        uid = first["metadata"]["uid"]
        runs.create("again", sensors={"failedOf": {"name": "first", "uid": uid}})
        again = runs.ended("again")
    assert condition(again, "Complete")["reason"] == "AllSucceeded"
    assert again["status"]["progress"] == "1/1"
    assert orders[-1]["resolve"]["left"]["run"] == uid
    assert orders[-1]["resolve"]["left"]["sha256"] == "b" * 64


def test_a_run_that_is_being_prepared_holds_its_group_s_place(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    pods = Pods()
    operator.start()
    group = {"concurrencyGroup": "hourly", "concurrencyPolicy": "Queue"}
    with KubeletDouble(api, namespace, pods):
        runs.create("first", sensors=TABLE, **group)
        until("it is being prepared", lambda: pods.prepared)
        runs.create("second", sensors=TABLE, **group)
        until("the other waits its turn", lambda: runs.phase("second") == "Waiting")
        assert len(prepare_jobs(runs)) == 1
        pods.says = {}
        runs.ended("first")
        run = runs.ended("second")
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
