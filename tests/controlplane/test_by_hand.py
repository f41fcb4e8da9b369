"""What people and controllers do to a run's objects behind the operator's back, on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, scored, work_of
from local.api import Api
from scoring_operator.contract import job_name

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
MERGE = "application/merge-patch+json"


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def uids(objects: list[Json]) -> set[str]:
    return {each["metadata"]["uid"] for each in objects}


def runs_on(_: Json) -> None:
    return None


def path_of(namespace: str, plural: str, name: str) -> str:
    group = "/apis/batch/v1" if plural == "jobs" else "/api/v1"
    return f"{group}/namespaces/{namespace}/{plural}/{name}"


def finalizers(api: Api, namespace: str, plural: str, name: str, *wanted: str) -> None:
    api.call("PATCH", path_of(namespace, plural, name), {"metadata": {"finalizers": list(wanted)}}, MERGE)


def complete(run: Json, sensors: int) -> bool:
    counts = run["status"]["counts"]
    return (condition(run, "Complete").get("reason"), counts["scored"], counts["jobs"]) == (
        "AllSucceeded",
        sensors,
        sensors,
    )


def test_a_job_of_somebody_elses_that_has_our_name_is_said_and_left_alone(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    run = runs.create(parallelism=0)
    name = job_name("hourly", run["metadata"]["uid"], 1, 0)
    container = {"name": "x", "image": "x"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    theirs = {"metadata": {"name": name}, "spec": {"suspend": True, "template": {"spec": pod}}}
    made = api.call("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", theirs)
    operator.start()
    runs.patch({"parallelism": 3})
    with KubeletDouble(api, namespace, all_scored):
        until("it is said", lambda: condition(runs.get(), "Blocked").get("reason") == "NameTaken")
        assert name in condition(runs.get(), "Blocked")["message"]
        until("the others are scored", lambda: runs.get()["status"]["progress"] == "2/3")
        found = api.call("GET", path_of(namespace, "jobs", name))
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        api.call("DELETE", path_of(namespace, "jobs", name), {"propagationPolicy": "Background"})
        assert complete(runs.ended(seconds=90), 3)


def test_a_job_that_somebody_elses_finalizer_holds_is_waited_for(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, runs_on):
        until("its pods run", lambda: len(runs.pods()) == 3)
        held = runs.jobs()[0]["metadata"]
        finalizers(api, namespace, "jobs", held["name"], "example.com/audit")
        runs.patch({"suspend": True})
        until("it alone is left", lambda: [job["metadata"]["uid"] for job in runs.jobs()] == [held["uid"]])
        until("it is suspended", lambda: runs.phase() == "Suspended")
        runs.patch({"suspend": False})
        until("the others are made again", lambda: len(runs.jobs()) == 3)
        assert held["uid"] in uids(runs.jobs())
        finalizers(api, namespace, "jobs", held["name"])
        until("it too", lambda: held["uid"] not in uids(runs.jobs()))
    with KubeletDouble(api, namespace, all_scored):
        assert complete(runs.ended(), 3)


def test_a_deleted_run_that_somebody_elses_finalizer_holds_stops_its_pods(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create()
    path = f"/apis/sensorscore.dev/v1alpha1/namespaces/{namespace}/scoringruns/hourly"
    with KubeletDouble(api, namespace, runs_on):
        until("its pods run", lambda: len(runs.pods()) == 3)
        api.call("PATCH", path, {"metadata": {"finalizers": ["example.com/audit"]}}, MERGE)
        runs.delete()
        until("its Jobs and pods are gone", lambda: not runs.jobs() and not runs.pods())
        assert runs.get()["metadata"]["deletionTimestamp"]
        api.call("PATCH", path, {"metadata": {"finalizers": []}}, MERGE)
        until("the run is gone", runs.gone)
    assert "Traceback" not in operator.log.read_text()


def test_pods_that_are_deleted_while_they_run_are_made_again_by_their_jobs(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, runs_on):
        until("its pods run", lambda: len(runs.pods()) == 3)
        first = uids(runs.pods())
        for pod in runs.pods():
            api.call("DELETE", path_of(namespace, "pods", pod["metadata"]["name"]))
        # The Job controller waits 10 s before a second pod.
        until("others take their place", lambda: len(uids(runs.pods()) - first) == 3, 90)
    with KubeletDouble(api, namespace, all_scored):
        run = runs.ended(seconds=60)
    assert complete(run, 3)
    assert {job["metadata"]["labels"]["sensorscore.dev/incarnation"] for job in runs.jobs()} == {"0"}


@pytest.mark.parametrize("watched", [True, False], ids=["seen", "while nobody watched"])
def test_pods_that_podgc_deletes_after_their_end_cost_no_result(
    api: Api, namespace: str, operator: Operator, runs: Runs, watched: bool
) -> None:
    """As PodGC does when a pool is scaled to zero. Their messages die with them, but for what was seen."""
    operator.start()
    runs.create(parallelism=3)
    until("its Jobs are there", lambda: len(runs.jobs()) == 3)
    if not watched:
        operator.kill()
    ended: set[str] = set()

    def end_and_collect(pod: Json) -> Ending:
        ended.add(pod["metadata"]["name"])
        return scored(work_of(pod))

    with KubeletDouble(api, namespace, end_and_collect):
        until("their Jobs are over", lambda: sum(j["status"].get("succeeded", 0) for j in runs.jobs()) == 3)
        for name in ended:
            api.call("DELETE", path_of(namespace, "pods", name), {"gracePeriodSeconds": 0})
        if not watched:
            until("they are gone", lambda: not runs.pods())
            operator.start()
        assert complete(runs.ended(seconds=90), 3)
    made = {job["metadata"]["labels"]["sensorscore.dev/incarnation"] for job in runs.jobs()}
    assert made == ({"0"} if watched else {"0", "1"})
    assert runs.get()["status"]["rows"]["read"] == 36


def test_jobs_that_their_time_to_live_takes_while_nobody_watches_are_made_again(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create()
    until("its Jobs are there", lambda: len(runs.jobs()) == 3)
    operator.kill()
    first = uids(runs.jobs())
    for job in runs.jobs():  # the schema's least is a minute
        api.call(
            "PATCH",
            path_of(namespace, "jobs", job["metadata"]["name"]),
            {"spec": {"ttlSecondsAfterFinished": 0}},
            MERGE,
        )
    with KubeletDouble(api, namespace, all_scored):
        until("they end, and are gone", lambda: not runs.jobs())
        operator.start()
        run = runs.ended()
    assert complete(run, 3)
    assert first.isdisjoint(uids(runs.jobs()))


def test_pinned_lists_that_are_deleted_are_made_again(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    """While the pods that mount them wait for them, which nothing else would end."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"

    def pinned(word: str) -> Json:
        found = [each for each in api.call("GET", maps)["items"] if word in each["metadata"]["name"]]
        return found[0] if found else {}

    def delete(word: str) -> Json:
        old = pinned(word)
        api.call("DELETE", f"{maps}/{old['metadata']['name']}")
        until(
            f"that of {word} is made again",
            lambda: (
                pinned(word).get("metadata", {}).get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]
            ),
        )
        return old

    operator.start()
    names = "\n".join(f"s{number:03d}" for number in range(300))
    api.create(maps, {"metadata": {"name": "fleet"}, "data": {"sensors": names}})
    runs.create(sensors={"configMapRef": {"name": "fleet"}}, sensorsPerJob=150)
    until("its Jobs are there", lambda: len(runs.jobs()) == 2)
    api.call("PATCH", f"{maps}/fleet", {"data": {"sensors": "other"}}, MERGE)  # it is another list by now
    old = delete("-sensors-")
    assert pinned("-sensors-")["data"] == old["data"]
    with KubeletDouble(api, namespace, all_scored, runs_on):
        until("it is being published", runs.publish_jobs)
        for word in ("-decisions-", "-sensors-"):
            old = delete(word)
            assert (pinned(word)["data"], pinned(word)["immutable"]) == (old["data"], True)
    with KubeletDouble(api, namespace, all_scored):
        run = runs.ended()
    assert run["status"]["progress"] == "300/300"
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
