"""Limits, clocks, turns, templates and reruns, against a real API server, scheduler and Job controller."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, failed, message, scored, work_of
from local.api import Api

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
NO_ROWS = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}


def sensor_of(pod: Json) -> str:
    name: str = work_of(pod)["sensors"]["names"][0]
    return name


class Ends:
    """Pods end by their sensors' names: bad ones fail, silent ones are skipped, long ones run on."""

    def __init__(self) -> None:
        self.released = False

    def __call__(self, pod: Json) -> Ending | None:
        work, name = work_of(pod), sensor_of(pod)
        if name.startswith("bad"):
            return failed(work, "ModelCorrupt", f"sensor {name}: sha256 differs")
        if name.startswith("silent"):
            return Ending(0, message(work, "N", {"N": "Skipped/NoReadings"}, rows=NO_ROWS, anomalies=0))
        if name.startswith("long") and not self.released:
            return None
        return scored(work)


def counts(run: Json) -> tuple[int, ...]:
    found = run["status"]["counts"]
    return tuple(found[name] for name in ("scored", "skipped", "failed", "undecided"))


# Limits


def test_a_run_over_its_limit_goes_on_stops_or_is_aborted(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    ends = Ends()
    names = {"names": ["bad", "long", "a", "b"]}
    operator.start()
    for policy in ("Continue", "StopNew", "Abort"):
        limits = {"onExceeded": policy}
        runs.create(policy.lower(), sensors=names, parallelism=2, failurePolicy=limits)
    with KubeletDouble(api, namespace, ends):
        aborted = runs.ended("abort")
        until("it made no further Jobs", lambda: runs.get("stopnew")["status"]["counts"]["failed"] == 1)
        until("it goes on", lambda: runs.get("continue")["status"]["counts"]["scored"] == 2)
        assert runs.get("stopnew")["status"]["counts"]["activeJobs"] == 1
        ends.released = True
        stopped, went_on = runs.ended("stopnew"), runs.ended("continue")
    assert counts(aborted)[2:] == (1, 3 - counts(aborted)[0])
    assert counts(stopped) == (1, 0, 1, 2)
    assert counts(went_on) == (3, 0, 1, 0)
    for run in (aborted, stopped, went_on):
        assert condition(run, "Failed")["reason"] == "TooManyFailedSensors"
        assert run["status"]["published"]["manifest"].endswith("manifest.json")
    assert "2 not decided of 4 sensors" in condition(stopped, "Failed")["message"]


def test_too_many_silent_sensors_fail_a_run(api: Api, namespace: str, operator: Operator, runs: Runs) -> None:
    operator.start()
    names = {"names": ["silent-1", "silent-2", "a", "b"]}
    runs.create("lax", sensors=names, failurePolicy={"maxSkippedSensors": "50%"})
    runs.create("strict", sensors=names, failurePolicy={"maxSkippedSensors": 1})
    with KubeletDouble(api, namespace, Ends()):
        lax, strict = runs.ended("lax"), runs.ended("strict")
    assert condition(lax, "Complete")["reason"] == "AllSucceeded"
    assert condition(strict, "Failed")["reason"] == "TooManySkippedSensors"
    words = "2 scored, 2 skipped, 0 failed of 4 sensors; wanted at most 1 skipped (maxSkippedSensors: 1)"
    assert condition(strict, "Failed")["message"] == f"{words}; 2 NoReadings"


# Clocks


def test_pods_that_find_no_node_fail_the_run_once_with_the_schedulers_words(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create(timeouts={"pendingSeconds": 10})

    def publishes_only(pod: Json) -> bool:
        return work_of(pod).get("stage") == "Publish"

    with KubeletDouble(api, namespace, Ends(), starts=publishes_only):
        run = runs.ended(seconds=60)
    assert condition(run, "Failed")["reason"] == "PendingDeadlineExceeded"
    assert "no pod started for 10 s (pendingSeconds); pod" in condition(run, "Failed")["message"]
    assert "0/1 nodes are available: 1 node(s) were unschedulable" in condition(run, "Failed")["message"]
    assert runs.jobs() == []


def test_a_pod_that_runs_is_not_waited_for_in_vain(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    ends = Ends()
    operator.start()
    runs.create(sensors={"names": ["long", "a"]}, timeouts={"pendingSeconds": 10})

    def one_node(pod: Json) -> bool:
        return work_of(pod).get("stage") == "Publish" or sensor_of(pod) == "long" or ends.released

    with KubeletDouble(api, namespace, ends, starts=one_node):
        until("a pod runs", lambda: any(pod["status"]["phase"] == "Running" for pod in runs.pods()))
        time.sleep(13)
        assert runs.phase() == "Running"
        ends.released = True
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"


def test_a_run_has_so_much_time_but_for_what_it_is_suspended(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create(sensors={"names": ["a", "long"]}, timeouts={"runSeconds": 8})
    with KubeletDouble(api, namespace, Ends()):
        until("one is decided", lambda: runs.get().get("status", {}).get("progress") == "1/2")
        runs.patch({"suspend": True})
        until("it is suspended", lambda: runs.phase() == "Suspended")
        operator.kill()
        time.sleep(9)
        operator.start()
        runs.patch({"suspend": False})
        until("it goes on", lambda: runs.phase() == "Running")
        run = runs.ended()
    assert condition(run, "Failed")["reason"] == "DeadlineExceeded"
    assert counts(run) == (1, 0, 0, 1)
    assert 8 <= run["status"]["running"]["seconds"] <= 14
    assert run["status"]["published"]["sha256"]
    assert runs.jobs() == [] or all(job["status"].get("succeeded") for job in runs.jobs())


# Turns


def window(hour: int) -> Json:
    return {"start": f"2026-01-01T{hour:02}:00:00Z", "end": f"2026-01-01T{hour + 1:02}:00:00Z"}


def test_runs_of_a_group_take_turns_by_their_windows(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    ends = Ends()
    group = {"concurrencyGroup": "hourly", "concurrencyPolicy": "Queue", "sensors": {"names": ["long"]}}
    operator.start()
    runs.create("first", window=window(12), **group)
    until("it goes on", lambda: runs.phase("first") == "Running")
    runs.create("late", window=window(15), **group)
    runs.create("early", window=window(9), **group)
    until("the others wait", lambda: runs.phase("late") == runs.phase("early") == "Waiting")
    assert "waits its turn: run first" in condition(runs.get("late"), "Waiting")["message"]
    assert "sensorSet" not in runs.get("late")["status"]
    operator.kill()
    operator.start()
    with KubeletDouble(api, namespace, ends):
        ends.released = True
        ended = [runs.ended(name) for name in ("first", "early", "late")]
    for one, other in pairwise(ended):
        assert one["status"]["completionTime"] <= other["status"]["startTime"]
        assert condition(other, "Waiting")["status"] == "False"


def test_a_run_is_forbidden_beside_another_or_replaces_it(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    ends = Ends()
    group = {"concurrencyGroup": "hourly", "sensors": {"names": ["long"]}}
    operator.start()
    with KubeletDouble(api, namespace, ends):
        runs.create("first", **group)
        until("its pod runs", lambda: any(pod["status"]["phase"] == "Running" for pod in runs.pods()))
        runs.create("second", concurrencyPolicy="Forbid", **group)
        forbidden = runs.ended("second")
        time.sleep(1.1)  # which of them was made later is told by whole seconds
        runs.create("third", concurrencyPolicy="Replace", **group)
        replaced = runs.ended("first")
        ends.released = True
        third = runs.ended("third")
    assert condition(forbidden, "Failed")["reason"] == "ConcurrencyForbidden"
    assert "run first of concurrencyGroup hourly has not ended" in condition(forbidden, "Failed")["message"]
    assert condition(replaced, "Failed")["reason"] == "Replaced"
    assert "published" not in replaced["status"]
    assert condition(third, "Complete")["reason"] == "AllSucceeded"


# In the middle


def test_parallelism_goes_up_and_down_and_to_nothing_while_it_runs(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    ends = Ends()
    operator.start()
    runs.create(sensors={"names": [f"long-{number}" for number in range(9)]}, parallelism=2)

    def unfinished() -> int:
        return sum(not job["status"].get("succeeded") for job in runs.jobs())

    with KubeletDouble(api, namespace, ends):
        until("two go on", lambda: unfinished() == 2)
        runs.patch({"parallelism": 4})
        until("four go on", lambda: unfinished() == 4)
        runs.patch({"parallelism": 1})
        time.sleep(2)
        assert unfinished() == 4  # what has begun may end
        runs.patch({"parallelism": 0})
        ends.released = True
        until("they have ended", lambda: runs.get()["status"]["progress"] == "4/9")
        time.sleep(2)
        assert (len(runs.jobs()), runs.phase()) == (4, "Running")
        runs.patch({"parallelism": 100})
        run = runs.ended()
    assert counts(run) == (9, 0, 0, 0)


# Templates


def test_pods_are_what_the_run_asks_for_within_the_runtimes_bounds(
    controlplane: ControlPlane, api: Api, namespace: str, tmp_path: Any, runs: Runs
) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    api.create(classes, {"metadata": {"name": f"batch-{namespace}"}, "value": -10})
    bounds = {
        "maxResources": {"cpu": "1", "memory": "1Gi"},
        "envPrefix": "PARAM_",
        "priorityClassNames": [f"batch-{namespace}"],
        "labelKeys": ["team"],
        "annotationKeys": ["note"],
    }
    runtime = {"image": "x", "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "64Mi"}}}
    runtimes = {"default": {**runtime, "template": bounds}, "theirs": {**runtime, "namespaces": ["else"]}}
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], runtimes=runtimes)
    template = {
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "128Mi"}},
        "labels": {"team": "a"},
        "annotations": {"note": "b"},
        "env": [{"name": "PARAM_X", "value": "1"}],
        "priorityClassName": f"batch-{namespace}",
    }
    operator.start()
    try:
        runs.create(template=template)
        runs.create("greedy", template={"resources": {"limits": {"memory": "2Gi"}}})
        runs.create("theirs", runtime="theirs")
        greedy, theirs = runs.ended("greedy"), runs.ended("theirs")
        until("its pods are there", lambda: len(runs.pods()) == 3)
        pod = runs.pods()[0]
    finally:
        operator.close()
    container = pod["spec"]["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "128Mi"},
        "limits": {"memory": "128Mi"},
    }
    assert (pod["metadata"]["labels"]["team"], pod["metadata"]["annotations"]["note"]) == ("a", "b")
    assert {"name": "PARAM_X", "value": "1"} in container["env"]
    assert pod["spec"]["priorityClassName"] == f"batch-{namespace}"
    assert condition(greedy, "Failed")["reason"] == "TemplateRefused"
    words = "spec.template.resources.limits.memory is 2Gi; wanted at most 1Gi, by runtime default"
    assert condition(greedy, "Failed")["message"] == words
    assert condition(theirs, "Failed")["reason"] == "UnknownRuntime"


# Reruns


def test_what_another_run_left_undone_is_scored_again(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    names = {"names": ["a", "bad-1", "b", "bad-2"]}
    first = runs.create("first", sensors=names)
    rerun = {"failedOf": {"name": "first", "uid": first["metadata"]["uid"]}}
    with KubeletDouble(api, namespace, Ends()):
        runs.ended("first")
        runs.create("rerun", sensors=rerun, failurePolicy={"maxFailedSensors": 2})
        run = runs.ended("rerun")
        runs.create("gone", sensors={"failedOf": {"name": "first", "uid": "another"}}, sinks=["alarms"])
        gone = runs.ended("gone")
    assert [failure["sensor"] for failure in run["status"]["failures"]] == ["bad-1", "bad-2"]
    assert counts(run) == (0, 0, 2, 0)
    assert condition(run, "Complete")["reason"] == "SomeFailed"
    assert "wanted another" in condition(gone, "Failed")["message"]
    told = condition(gone, "AnomaliesDelivered")
    assert (told["status"], told["reason"]) == ("False", "NotPublished")
