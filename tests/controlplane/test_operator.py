"""The operator against a real API server and Job controller; only the pods' kubelet is a double."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

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


def counts(**known: int) -> Json:
    names = ("total", "scored", "skipped", "failed", "undecided", "jobs", "activeJobs", "retriedJobs")
    return {name: known.get(name, 0) for name in names}


class Gate:
    """Lets the pods of some sensors end, all scored; the others run on."""

    def __init__(self, sensors: str = "") -> None:
        self._open = set(sensors)

    def open(self, sensors: str) -> None:
        self._open |= set(sensors)

    def __call__(self, pod: Json) -> Ending | None:
        return scored(work_of(pod)) if sensor_of(pod) in self._open else None


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def delete_jobs(api: Api, namespace: str, jobs: list[Json], policy: str) -> None:
    for job in jobs:
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{job['metadata']['name']}"
        api.call("DELETE", path, {"propagationPolicy": policy})


def test_a_run_goes_to_its_end(api: Api, namespace: str, operator: Operator, runs: Runs) -> None:
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, all_scored):
        run = runs.ended()
    status = run["status"]
    assert (status["phase"], status["progress"]) == ("Succeeded", "3/3")
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert status["counts"] == counts(total=3, scored=3, jobs=3)
    assert status["rows"] == {"read": 36, "scored": 27, "rejected": 6, "duplicate": 3}
    assert status["anomalies"] == 9
    assert status["latency"]["score"] == {"buckets": "3", "sumMs": 9, "count": 3}
    stages = {"pending", "start", "import", "read", "score", "write", "total", "publish"}
    assert set(status["latency"]) == stages
    assert status["cost"]["cpuSeconds"] >= "0.000"
    assert status["recorded"] == {"done": "0-2", "failedSensors": ""}
    until("its Events are told", lambda: runs.events() == ["Started", "AllSucceeded"])
    config_map = status["sensorSet"]["configMap"]
    pinned = api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{config_map}")
    assert (pinned["data"], pinned["immutable"]) == ({"names": "a\nb\nc\n"}, True)
    series = operator.get("/metrics")
    assert f'sensorscore_sensors_total{{namespace="{namespace}",reason="",result="Scored"}} 3.0' in series
    labels = f'namespace="{namespace}",reason="",result="Succeeded",stage="total"'
    assert f"sensorscore_job_duration_seconds_count{{{labels}}} 3.0" in series
    assert (operator.get("/healthz"), operator.get("/readyz")) == ("ok\n", "ok\n")
    assert operator.stop() == 0


def test_sensors_end_scored_skipped_or_failed_and_say_why(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    def ends(pod: Json) -> Ending:
        work = work_of(pod)
        match sensor_of(pod):
            case "silent":
                return Ending(0, message(work, "N", {"N": "Skipped/NoReadings"}, rows=NO_ROWS, anomalies=0))
            case "corrupt":
                return failed(work, "ModelCorrupt", "sensor corrupt: sha256 differs")
            case "hungry":
                return Ending(137, "", "OOMKilled")
            case "wordless":
                return Ending(1, "Traceback ...\nModuleNotFoundError: No module named 'scorer'")
        return scored(work)

    operator.start()
    sensors = {"names": ["good", "silent", "corrupt", "hungry", "wordless"]}
    for name, limit in (("strict", 2), ("lax", "60%")):
        policy = {"maxFailedSensors": limit}
        runs.create(name, sensors=sensors, retry={"backoffLimit": 0}, failurePolicy=policy)
    with KubeletDouble(api, namespace, ends):
        strict, lax = runs.ended("strict"), runs.ended("lax")
    for run in (strict, lax):
        assert run["status"]["counts"] == counts(total=5, scored=1, skipped=1, failed=3, jobs=5)
        told = {f["sensor"]: (f["state"], f["reason"], f["message"]) for f in run["status"]["failures"]}
        assert told["silent"] == ("Skipped", "NoReadings", "sensor silent has no readings in the window")
        assert told["corrupt"] == ("Failed", "ModelCorrupt", "sensor corrupt: sha256 differs")
        assert told["hungry"][:2] == ("Failed", "OutOfMemory")
        assert told["wordless"][:2] == ("Failed", "PodFailed")
        assert "exit code 1: ModuleNotFoundError: No module named 'scorer'" in told["wordless"][2]
        assert run["status"]["recorded"]["failedSensors"] == "2-4"
    assert condition(lax, "Complete")["reason"] == "SomeFailed"
    assert condition(strict, "Failed")["reason"] == "TooManyFailedSensors"
    assert "3 failed of 5 sensors; wanted at most 2 failed" in condition(strict, "Failed")["message"]
    until("the failures are told", lambda: runs.events().count("SensorsFailed") == 2)


def test_an_attempt_that_can_be_repeated_is(api: Api, namespace: str, operator: Operator, runs: Runs) -> None:
    pods: list[str] = []

    def ends(pod: Json) -> Ending:
        if not pods:
            pods.append(pod["metadata"]["name"])
        legend = {"U": "Undecided/StorageUnavailable"}
        away = Ending(75, message(work_of(pod), "U", legend, rows=NO_ROWS, anomalies=0))
        return away if pod["metadata"]["name"] in pods else scored(work_of(pod))

    operator.start()
    runs.create(sensors={"names": ["a"]})
    with KubeletDouble(api, namespace, ends):
        run = runs.ended(seconds=60)  # the Job controller waits 10 s before a second pod
    assert run["status"]["counts"] == counts(total=1, scored=1, jobs=1, retriedJobs=1)
    assert len(runs.pods()) == 2


def test_killed_in_mid_run_it_goes_on_where_it_was(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    gate = Gate("ab")
    operator.start()
    runs.create(sensors={"names": list("abcdef")}, parallelism=4)
    with KubeletDouble(api, namespace, gate):
        until("two sensors are decided", lambda: runs.get().get("status", {}).get("progress") == "2/6")
        until("four Jobs are unfinished", lambda: len(runs.jobs()) == 6)
        operator.kill()
        gate.open("def")
        # What happens now nobody watches: three Jobs end, one vanishes.
        until("they end", lambda: sum(bool(job["status"].get("succeeded")) for job in runs.jobs()) == 5)
        c = [job for job in runs.jobs() if job["metadata"]["labels"]["sensorscore.dev/sensor"] == "c"]
        delete_jobs(api, namespace, c, "Background")
        gate.open("c")
        operator.start()
        run = runs.ended()
    assert run["status"]["counts"] == counts(total=6, scored=6, jobs=6)
    assert run["status"]["rows"]["read"] == 6 * 12
    assert len(runs.jobs()) == 6


def test_suspend_stops_the_pods_and_resume_goes_on(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    gate = Gate("a")
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, gate):
        until("one sensor is decided", lambda: runs.get().get("status", {}).get("progress") == "1/3")
        runs.patch({"suspend": True})
        until("it is suspended", lambda: runs.phase() == "Suspended")
        until("what was unfinished is gone", lambda: (len(runs.jobs()), len(runs.pods())) == (1, 1))
        assert condition(runs.get(), "Suspended")["status"] == "True"
        gate.open("bc")
        runs.patch({"suspend": False})
        run = runs.ended()
    assert run["status"]["counts"] == counts(total=3, scored=3, jobs=3)
    assert condition(run, "Suspended")["status"] == "False"
    told = ["Started", "Suspended", "Resumed", "AllSucceeded"]
    until("its Events are told", lambda: runs.events() == told)


def test_parallelism_holds_and_can_be_changed(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create(sensors={"names": list("abcdef")}, parallelism=0)
    until("it runs without Jobs", lambda: runs.phase() == "Running")
    assert runs.jobs() == []
    runs.patch({"parallelism": 2})
    until("two Jobs are there", lambda: len(runs.jobs()) == 2)
    runs.patch({"parallelism": 3})
    until("three Jobs are there", lambda: len(runs.jobs()) == 3)
    with KubeletDouble(api, namespace, all_scored):
        assert runs.ended()["status"]["progress"] == "6/6"


def test_a_deleted_run_leaves_nothing_behind(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, lambda _: None):
        until("its pods run", lambda: len(runs.pods()) == 3)
        assert "finalizers" not in runs.get()["metadata"]  # nothing holds it up
        runs.delete()
        until("the run is gone", runs.gone)
        until("its Jobs and pods are gone", lambda: not runs.jobs() and not runs.pods())
    maps = api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps")["items"]
    assert [each["metadata"]["name"] for each in maps] == ["kube-root-ca.crt"]
    assert "Traceback" not in operator.log.read_text()


def test_a_run_that_is_over_deletes_itself_after_its_time_to_live(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    operator.start()
    runs.create(ttlSecondsAfterFinished=1)
    with KubeletDouble(api, namespace, all_scored):
        until("the run is gone", runs.gone)


def test_a_list_in_a_config_map_is_waited_for_and_pinned(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    orders: dict[int, Json] = {}
    mounts: list[Json] = []

    def ends(pod: Json) -> Ending:
        orders[work_of(pod)["chunk"]] = work_of(pod)["sensors"]
        mounts.extend(pod["spec"]["containers"][0]["volumeMounts"])
        return scored(work_of(pod))

    operator.start()
    runs.create(sensors={"configMapRef": {"name": "fleet"}}, sensorsPerJob=115)
    until("it says what it waits for", lambda: condition(runs.get(), "Blocked").get("status") == "True")
    assert "no ConfigMap fleet" in condition(runs.get(), "Blocked")["message"]
    assert runs.phase() == "Pending"
    text = "# all of them\n\n" + "\n".join(f"s{number:03d}" for number in range(230))
    api.create(maps, {"metadata": {"name": "fleet"}, "data": {"sensors": text}})
    until("it has begun", lambda: runs.phase() == "Running")
    api.call("DELETE", f"{maps}/fleet")  # the source does not matter any more, not even to a new operator
    operator.kill()
    operator.start()
    with KubeletDouble(api, namespace, ends):
        run = runs.ended()
    assert run["status"]["progress"] == "230/230"
    file = "/etc/sensorscore/sensors/names"
    assert orders[0] == {"file": file, "from": 0, "count": 115}
    assert orders[1] == {"file": file, "from": 115, "count": 115}
    assert {"mountPath": "/etc/sensorscore/sensors", "name": "sensors", "readOnly": True} in mounts
    assert condition(run, "Blocked")["status"] == "False"


def test_runs_that_can_never_be_done_fail_with_a_sentence(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    api.create(maps, {"metadata": {"name": "bad"}, "data": {"sensors": "a\nb/c\n"}})
    api.create(maps, {"metadata": {"name": "twice"}, "data": {"sensors": "a\nb\na\n"}})
    api.create(maps, {"metadata": {"name": "empty"}, "data": {"sensors": "# none\n"}})
    api.create(maps, {"metadata": {"name": "other-key"}, "data": {"names": "a\n"}})
    many = "".join(f"s{number}\n" for number in range(1001))
    api.create(maps, {"metadata": {"name": "many"}, "data": {"sensors": many}})
    operator.start()
    wanted = {
        "bad": ("InvalidSensors", "ConfigMap bad, key sensors, line 2: found 'b/c'; wanted a sensor's name"),
        "twice": (
            "InvalidSensors",
            "line 3: found sensor a again, first in ConfigMap twice, key sensors, line 1",
        ),
        "empty": ("InvalidSensors", "found no sensors; wanted at least one"),
        "other-key": ("InvalidSensors", "found keys names; wanted key sensors"),
        "missing": ("InvalidSensors", "no ConfigMap missing in"),
    }
    for name in wanted:
        runs.create(name, sensors={"configMapRef": {"name": name}})
    offered = f"wanted one that is offered to namespace {namespace}: default"
    runs.create("no-store", store="nowhere")
    wanted["no-store"] = ("UnknownStore", f"spec.store is 'nowhere'; {offered}")
    runs.create("their-store", store="theirs")
    wanted["their-store"] = ("UnknownStore", f"spec.store is 'theirs'; {offered}")
    runs.create("no-runtime", runtime="gpu")
    wanted["no-runtime"] = ("UnknownRuntime", f"spec.runtime is 'gpu'; {offered}")
    runs.create("shard", sensors={"configMapRef": {"name": "many"}}, output={"layout": "Sharded"})
    wanted["shard"] = (
        "InvalidSensors",
        "spec.output.shards: shard 0 of 1 has 1001 of the 1001 sensors; wanted at most 1000, so at least 2",
    )
    runs.create("greedy", template={"env": [{"name": "PATH", "value": "x"}]})
    wanted["greedy"] = ("TemplateRefused", "spec.template.env: found PATH; runtime default allows none")
    readings = "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
    output = readings.replace("{sensor}", "of-{sensor}")
    runs.create("over-readings", output={"path": output})
    overwrites = (
        f"spec.output.path '{output}' may overwrite readings at {readings}; wanted a folder of its own"
    )
    wanted["over-readings"] = ("InvalidSpec", overwrites)
    for name, (reason, sentence) in wanted.items():
        run = runs.ended(name)
        assert run["status"]["phase"] == "Failed"
        assert condition(run, "Failed")["reason"] == reason
        assert sentence in condition(run, "Failed")["message"]
    assert runs.jobs() == []


def test_jobs_that_the_api_refuses_fail_the_run_with_its_words(
    controlplane: ControlPlane, namespace: str, tmp_path: Path, runs: Runs
) -> None:
    resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    runtimes = {"default": {"image": "x", "resources": resources}}
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], runtimes=runtimes)
    operator.start()
    try:
        runs.create()
        run = runs.ended()
    finally:
        operator.close()
    assert condition(run, "Failed")["reason"] == "JobRejected"
    assert "must be less than or equal to memory limit" in condition(run, "Failed")["message"]


def test_a_quota_holds_a_run_up_and_is_said(api: Api, namespace: str, operator: Operator, runs: Runs) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.create(quotas, {"metadata": {"name": "few"}, "spec": {"hard": {"count/jobs.batch": "1"}}})
    until("the quota is counted", lambda: api.call("GET", f"{quotas}/few").get("status", {}).get("used"))
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, all_scored):
        until("it says so", lambda: condition(runs.get(), "Blocked").get("reason") == "QuotaExceeded")
        assert "exceeded quota: few" in condition(runs.get(), "Blocked")["message"]
        assert runs.phase() == "Running"
        more = {"spec": {"hard": {"count/jobs.batch": "10"}}}
        api.call("PATCH", f"{quotas}/few", more, "application/merge-patch+json")
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert condition(run, "Blocked")["status"] == "False"


def test_an_outcome_that_cannot_be_read_is_asked_for_again_then_given_up(
    api: Api, namespace: str, operator: Operator, runs: Runs
) -> None:
    def ends(pod: Json) -> Ending:
        work = work_of(pod)
        if sensor_of(pod) == "never":
            return Ending(0, "I am not JSON")
        return scored(work) if work["incarnation"] == 1 else Ending(0, message(work, "9S", {"S": "Scored"}))

    operator.start()
    runs.create(sensors={"names": ["never", "once"]}, failurePolicy={"maxFailedSensors": 1})
    with KubeletDouble(api, namespace, ends):
        run = runs.ended()
    assert run["status"]["counts"] == counts(total=2, scored=1, failed=1, jobs=2, retriedJobs=2)
    assert run["status"]["reasons"] == {"Failed/OutcomeLost": 1}
    labels = [job["metadata"]["labels"] for job in runs.jobs()]
    made = sorted((each["sensorscore.dev/sensor"], each["sensorscore.dev/incarnation"]) for each in labels)
    assert made == [("never", "0"), ("never", "1"), ("never", "2"), ("once", "0"), ("once", "1")]
    assert "codes speak of 9 sensors; wanted 1" in operator.log.read_text()


def test_a_job_that_vanishes_is_made_again(api: Api, namespace: str, operator: Operator, runs: Runs) -> None:
    gate = Gate()
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, gate):
        until("its pods are there", lambda: len(runs.pods()) == 3)
        first = {job["metadata"]["uid"] for job in runs.jobs()}
        delete_jobs(api, namespace, runs.jobs(), "Foreground")  # such a Job holds its name for a while
        gate.open("abc")
        run = runs.ended()
    assert run["status"]["counts"]["scored"] == 3
    assert first.isdisjoint({job["metadata"]["uid"] for job in runs.jobs()})


def test_the_permissions_that_the_readme_lists_are_enough_in_all_namespaces(
    controlplane: ControlPlane, api: Api, namespace: str, tmp_path: Path, runs: Runs
) -> None:
    text = (Path(__file__).resolve().parents[2] / "operator/README.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]
    rules, for_lease = (yaml.safe_load(block)["rules"] for block in blocks)
    rbac, who = "/apis/rbac.authorization.k8s.io/v1", f"operator-{namespace}"
    api.create(f"{rbac}/clusterroles", {"metadata": {"name": who}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": who}
    api.create(
        f"{rbac}/clusterrolebindings", {"metadata": {"name": who}, "roleRef": role, "subjects": [subject]}
    )
    api.create(f"{rbac}/namespaces/{namespace}/roles", {"metadata": {"name": who}, "rules": for_lease})
    api.create(
        f"{rbac}/namespaces/{namespace}/rolebindings",
        {"metadata": {"name": who}, "roleRef": role | {"kind": "Role"}, "subjects": [subject]},
    )
    tokens = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    token = api.call("POST", tokens, {"spec": {"expirationSeconds": 600}})["status"]["token"]
    config = yaml.safe_load(Path(controlplane.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))

    gate = Gate("a")
    operator = Operator(tmp_path / "kubeconfig", tmp_path, [], lease={"namespace": namespace})
    operator.start()
    try:
        maps = f"/api/v1/namespaces/{namespace}/configmaps"
        api.create(maps, {"metadata": {"name": "fleet"}, "data": {"sensors": "a\nb\n"}})
        runs.create(sensors={"configMapRef": {"name": "fleet"}}, ttlSecondsAfterFinished=1)
        with KubeletDouble(api, namespace, gate):
            until("one sensor is decided", lambda: runs.get().get("status", {}).get("progress") == "1/2")
            runs.patch({"suspend": True})
            until("what was unfinished is gone", lambda: len(runs.jobs()) == 1)
            gate.open("b")
            runs.patch({"suspend": False})
            until("the run is over and gone", runs.gone)
    finally:
        operator.close()
        log = operator.log.read_text()
        sys.stderr.write(log)
    assert "AllSucceeded" in log
    assert "orbidden" not in log
