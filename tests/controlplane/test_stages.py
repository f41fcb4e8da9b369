"""The publish stage and shards, against a real API server and Job controller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, published, scored, work_of
from local.api import Api
from scoring_operator.contract import shard_of

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def decisions(api: Api, runs: Runs) -> Json:
    """What is pinned for the only run of the namespace."""
    maps = api.call("GET", f"/api/v1/namespaces/{runs.namespace}/configmaps")["items"]
    pinned = next(each for each in maps if "-decisions-" in each["metadata"]["name"])
    assert pinned["immutable"]
    read: Json = json.loads(pinned["data"]["decisions.json"])
    return read


class Publisher:
    """Lets the pods that publish end as it is told; until then they run on."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.orders: list[Json] = []
        self.more: Json | None = None

    def __call__(self, pod: Json) -> Ending | None:
        if not self.orders or self.orders[-1] != work_of(pod):
            self.orders.append(work_of(pod))
        return self.ending if self.more is None else published(work_of(pod), **self.more)


def test_a_run_is_published_before_it_is_complete(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    publisher = Publisher()
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, all_scored, publisher):
        until("it is being published", lambda: publisher.orders)
        status = runs.get()["status"]
        assert (status["stage"], status["phase"], status["progress"]) == ("Publish", "Running", "3/3")
        assert status["verdict"]["type"] == "Complete"
        operator.kill()
        operator.start()
        sample = {"sensor": "a", "reason": "FlagRate", "message": "sensor a flags too much"}
        publisher.more = {"warnings": {"FlagRate": 2}, "notes": {"UnusualFlagRate": 5}, "samples": [sample]}
        run = runs.ended()
    [order] = publisher.orders
    assert (order["stage"], order["chunk"], order["incarnation"]) == ("Publish", 0, 0)
    assert order["decisions"] == "/etc/sensorscore/decisions/decisions.json"
    assert order["sensors"] == {"names": ["a", "b", "c"]}
    told = decisions(api, runs)
    assert (told["total"], told["complete"], told["failed"], told["undecided"]) == (3, True, "", "")
    status = run["status"]
    assert (status["stage"], "verdict" in status) == ("Done", False)
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert status["published"]["success"] == "predictions/2026/01/01/12/_SUCCESS"
    assert status["guard"]["warnings"] == {"FlagRate": 2}
    assert status["guard"]["samples"] == [sample]
    assert status["latency"]["publish"] == {"buckets": "0,0,0,0,0,0,0,1", "sumMs": 1834, "count": 1}
    until("it is told", lambda: runs.events() == ["Started", "GuardWarnings", "AllSucceeded"])
    [job] = runs.publish_jobs()
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "1Gi"
    warned = f'sensorscore_guard_warnings_total{{namespace="{namespace}",reason="FlagRate"}} 2.0'
    assert warned in operator.get("/metrics")
    with KubeletDouble(api, namespace, all_scored):
        runs.delete()
        until("nothing is left", lambda: not runs.publish_jobs() and not runs.jobs())


def test_publishing_that_fails_for_good_fails_the_run(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    failure = {"reason": "StorageDenied", "message": "PUT x: storage answered 403"}

    def denied(pod: Json) -> Ending:
        body = published(work_of(pod)).message
        assert isinstance(body, dict)
        return Ending(65, body | {"failure": failure})

    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, all_scored, denied):
        run = runs.ended()
    assert condition(run, "Failed")["reason"] == "PublishFailed"
    words = "publishing failed: StorageDenied: PUT x: storage answered 403; 3 scored"
    assert condition(run, "Failed")["message"].startswith(words)
    assert (run["status"]["counts"]["scored"], "published" in run["status"]) == (3, False)
    [job] = runs.publish_jobs()
    assert job["status"]["failed"] == 1  # 65 is not tried again


def test_publishing_is_tried_again_and_its_lost_message_asked_for_again(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    seen: list[str] = []

    def third_time_lucky(pod: Json) -> Ending:
        name = pod["metadata"]["name"]
        if name not in seen:
            seen.append(name)
        match seen.index(name):
            case 0:
                return Ending(75, "storage is away")
            case 1:
                return Ending(0, "not a message")
        return published(work_of(pod))

    operator.start()
    runs.create(sensors={"names": ["a"]})
    with KubeletDouble(api, namespace, all_scored, third_time_lucky):
        run = runs.ended(seconds=60)  # the Job controller waits 10 s before a second pod
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert run["status"]["publishIncarnation"] == 1
    made = [job["metadata"]["labels"]["sensorscore.dev/incarnation"] for job in runs.publish_jobs()]
    assert sorted(made) == ["0", "1"]


def test_a_publishing_job_can_be_deleted_suspended_and_go_on(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    publisher = Publisher()
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, all_scored, publisher):
        until("it is being published", lambda: publisher.orders)
        [first] = runs.publish_jobs()
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{first['metadata']['name']}"
        api.call("DELETE", path, {"propagationPolicy": "Foreground"})

        def is_another() -> bool:
            return [job["metadata"]["uid"] for job in runs.publish_jobs()] not in (
                [first["metadata"]["uid"]],
                [],
            )

        until("it is made again", is_another)
        runs.patch({"suspend": True})
        until("it is stopped", lambda: runs.phase() == "Suspended" and not runs.publish_jobs())
        assert runs.get()["status"]["stage"] == "Publish"
        publisher.more = {}
        runs.patch({"suspend": False})
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert run["status"]["rows"]["read"] == 36


def test_jobs_score_whole_shards_in_the_pinned_order(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    names = [f"s{number:03d}" for number in range(300)]
    api.create(maps, {"metadata": {"name": "fleet"}, "data": {"sensors": "\n".join(names)}})
    orders: dict[int, Json] = {}

    def ends(pod: Json) -> Ending:
        orders[work_of(pod)["chunk"]] = work_of(pod)
        return scored(work_of(pod))

    publisher = Publisher()
    publisher.more = {}
    operator.start()
    output = {"layout": "Sharded", "shards": 16}
    runs.create(sensors={"configMapRef": {"name": "fleet"}}, sensorsPerJob=120, output=output, parallelism=1)
    with KubeletDouble(api, namespace, ends, publisher):
        until("one Job is over", lambda: runs.get().get("status", {}).get("counts", {}).get("scored"))
        operator.kill()  # the next one comes to the same chunks by the pinned copy alone
        api.call("DELETE", f"{maps}/fleet")
        operator.start()
        run = runs.ended()
    copy = api.call("GET", f"{maps}/{run['status']['sensorSet']['configMap']}")["data"]["names"].split()
    assert [shard_of(name, 16) for name in copy] == sorted(shard_of(name, 16) for name in names)
    places = sorted(orders)
    assert places == list(range(run["status"]["counts"]["jobs"]))
    assert (
        sum(orders[n]["sensors"].get("count", 0) or len(orders[n]["sensors"]["names"]) for n in places) == 300
    )
    path = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"
    assert orders[0]["output"] == {"path": path, "layout": "Sharded", "shards": 16}
    held = [
        {
            shard_of(name, 16)
            for name in order["sensors"].get("names")
            or copy[order["sensors"]["from"] : order["sensors"]["from"] + order["sensors"]["count"]]
        }
        for order in orders.values()
    ]
    assert sum(map(len, held)) == len(set().union(*held)) == 16
    at = {orders[n]["model"]["at"] for n in places}
    assert at == {run["status"]["modelsAsOf"]}
    assert publisher.orders[0]["sensors"] == {
        "file": "/etc/sensorscore/sensors/names",
        "from": 0,
        "count": 300,
    }
