import json
import re
from dataclasses import replace
from typing import Any

import pytest

from scoring_operator.chunks import Chunk
from scoring_operator.contract import job_name
from scoring_operator.jobs import decisions_config_map, publish_job, scoring_job, sensors_config_map
from scoring_operator.settings import Runtime
from unit.operator.given import (
    UID,
    Json,
    a_run,
    chunks_of,
    means,
    pinned,
    publishing,
    sensors,
    settings,
    spec_of,
)


def manifest(store: str = "default", listed: Any = None, number: int = 0, **spec: Any) -> Json:
    run = a_run(**spec)
    chunk = chunks_of(listed or sensors(), spec_of(run))[number]
    return scoring_job(run, spec_of(run), means(store), chunk, 0)


def pod(job: Json) -> Json:
    spec: Json = job["spec"]["template"]["spec"]
    return spec


def test_it_is_the_runs_and_says_so() -> None:
    job = manifest(number=1)
    metadata = job["metadata"]
    assert metadata["name"] == job_name("hourly", UID, 1, 0)
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "sensorscore.dev/v1alpha1",
            "kind": "ScoringRun",
            "name": "hourly",
            "uid": UID,
            "controller": True,
        }
    ]
    labels = {
        "app.kubernetes.io/managed-by": "sensorscore",
        "app.kubernetes.io/name": "sensorscore-scorer",
        "sensorscore.dev/run": "hourly",
        "sensorscore.dev/run-uid": UID,
        "sensorscore.dev/chunk": "1",
        "sensorscore.dev/incarnation": "0",
        "sensorscore.dev/sensor": "b",
    }
    assert metadata["labels"] == labels
    assert job["spec"]["template"]["metadata"]["labels"] == labels


def test_names_are_the_works_own_and_short() -> None:
    assert job_name("hourly", UID, 1, 0) == job_name("hourly", UID, 1, 0)
    others = {job_name("hourly", uid, n, i) for uid in ("x", "y") for n in (0, 1) for i in (0, 1)}
    assert len(others) == 8
    longest = job_name("a-" * 31 + "a", UID, 99_999, 2)
    assert len(longest) <= 63
    assert "--" not in longest


def test_retries_follow_the_contracts_exit_codes() -> None:
    spec = manifest(retry={"backoffLimit": 4})["spec"]
    assert spec["backoffLimit"] == 4
    ignore, fail, taken = spec["podFailurePolicy"]["rules"]
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"] == {"containerName": "scorer", "operator": "In", "values": [64, 65]}
    assert taken == {
        "action": "Ignore",
        "onExitCodes": {"containerName": "scorer", "operator": "In", "values": [143]},
    }
    assert pod(manifest())["restartPolicy"] == "Never"


def test_limits_of_time() -> None:
    job = manifest(timeouts={"perAttemptSeconds": 30}, jobTTLSecondsAfterFinished=100)
    assert pod(job)["activeDeadlineSeconds"] == 630
    assert "activeDeadlineSeconds" not in job["spec"]  # it would count the waiting for a node
    assert job["spec"]["ttlSecondsAfterFinished"] == 100
    lost = [t for t in pod(job)["tolerations"] if t.get("tolerationSeconds") == 60]
    assert {t["key"] for t in lost} == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


def test_it_is_restricted() -> None:
    spec = pod(manifest())
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]


def test_autoscalers_are_told_on_the_pod_not_to_take_its_node() -> None:
    annotations = manifest()["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }


def test_pods_say_all_that_an_autoscaler_has_to_know_to_make_a_node() -> None:
    """Cluster-autoscaler and Karpenter simulate the scheduler: anything else could keep a pod pending."""
    pool = {"sensorscore.dev/pool": "scoring"}
    tolerated = {"key": "sensorscore.dev/scoring", "operator": "Exists", "effect": "NoSchedule"}
    requests = {"cpu": "100m", "memory": "256Mi"}
    runtime = Runtime(
        *("default", "image"),
        resources={"requests": requests, "limits": {"memory": "512Mi"}},
        node_selector=pool,
        tolerations=(tolerated,),
    )
    spec = pod(
        scoring_job(a_run(), spec_of(a_run()), replace(means(), runtime=runtime), Chunk(0, 0, ("a",)), 0)
    )
    assert spec["nodeSelector"] == pool
    assert [each for each in spec["tolerations"] if "tolerationSeconds" not in each] == [tolerated]
    assert [each["resources"]["requests"] for each in spec["containers"]] == [requests]
    assert spec.keys().isdisjoint({"affinity", "topologySpreadConstraints", "nodeName", "schedulerName"})
    assert spec.keys().isdisjoint({"initContainers", "overhead", "resourceClaims"})
    # A volume that is bound to a zone, or that lives on the node, would hold up scaling up, or down.
    assert all(volume.keys() <= {"name", "emptyDir", "configMap"} for volume in spec["volumes"])


def test_runtime_and_store_are_the_administrators() -> None:
    spec = pod(manifest())
    container = spec["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == (
        "localhost/sensorscore-scorer:0.1.0",
        "IfNotPresent",
    )
    assert container["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "512Mi"}}
    assert spec["nodeSelector"] == {"pool": "scoring"}
    assert {"key": "scoring", "operator": "Exists"} in spec["tolerations"]
    assert spec["serviceAccountName"] == "scorer"
    environment = {each["name"]: each for each in container["env"]}
    assert environment["OPENBLAS_NUM_THREADS"]["value"] == "1"
    assert environment["EXTRA"]["value"] == "1"
    secret = {"secretKeyRef": {"name": "storage", "key": "connection-string"}}
    assert environment["AZURE_STORAGE_CONNECTION_STRING"]["valueFrom"] == secret
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_workload_identity_labels_the_pod_alone() -> None:
    job = manifest(store="theirs")
    label = "azure.workload.identity/use"
    assert job["spec"]["template"]["metadata"]["labels"][label] == "true"
    assert label not in job["metadata"]["labels"]
    names = {each["name"] for each in pod(job)["containers"][0]["env"]}
    assert "AZURE_STORAGE_CONNECTION_STRING" not in names


@pytest.mark.parametrize(("size", "inline"), [(100, True), (101, False)])
def test_many_names_come_from_the_pinned_list(size: int, inline: bool) -> None:
    listed = sensors(*(f"s{number}" for number in range(2 * size)))
    job = manifest(listed=listed, number=1, sensorsPerJob=size)
    container = pod(job)["containers"][0]
    work = json.loads(container["args"][2])
    if inline:
        assert work["sensors"] == {"names": list(listed.names[size:])}
        assert len(pod(job)["volumes"]) == 1
    else:
        assert work["sensors"] == {"file": "/etc/sensorscore/sensors/names", "from": size, "count": size}
        config_map = sensors_config_map(a_run(), listed)["metadata"]["name"]
        assert {"name": "sensors", "configMap": {"name": config_map}} in pod(job)["volumes"]
    assert "sensorscore.dev/sensor" not in job["metadata"]["labels"]


def test_the_pinned_list_is_immutable_and_the_runs() -> None:
    body = sensors_config_map(a_run(), sensors("b", "a"))
    assert body["data"] == {"names": "b\na\n"}
    assert body["immutable"] is True
    assert body["metadata"]["ownerReferences"][0]["uid"] == UID
    assert body["metadata"]["name"] != "hourly-sensors"  # what a user would call the source


def order(job: Json) -> Json:
    read: Json = json.loads(pod(job)["containers"][0]["args"][2])
    return read


def test_a_chunk_of_shards_has_no_sensors_label() -> None:
    job = manifest(output={"layout": "Sharded", "shards": 1})
    assert "sensorscore.dev/sensor" not in job["metadata"]["labels"]
    path = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"
    assert order(job)["output"] == {"path": path, "layout": "Sharded", "shards": 1}


@pytest.mark.parametrize(
    ("version", "model"),
    [
        ("Current", {"path": "models/{sensor}", "at": "2026-01-01T13:00:30Z"}),
        (
            "AsOfWindowEnd",
            {"path": "models/{sensor}", "version": "AsOfWindowEnd", "at": "2026-01-01T13:00:30Z"},
        ),
        ("v1", {"path": "models/{sensor}", "version": "v1"}),
    ],
)
def test_all_pods_of_a_run_ask_for_models_of_one_instant(version: str, model: Json) -> None:
    run = a_run(pinned(sensors()), model={"version": version})
    for number in (0, 2):
        job = scoring_job(run, spec_of(run), means(), chunks_of(sensors(), spec_of(run))[number], 0)
        assert order(job)["model"] == model


def test_what_a_run_asks_for_goes_over_the_runtimes_but_never_over_ours() -> None:
    template = {
        "resources": {"requests": {"memory": "1Gi"}, "limits": {"cpu": 2}},
        "labels": {"team": "a", "sensorscore.dev/run": "another's"},
        "annotations": {"note": "b", "karpenter.sh/do-not-disrupt": "false"},
        "env": [{"name": "PARAM_X", "value": "1"}, {"name": "EXTRA", "value": "theirs"}],
        "priorityClassName": "batch",
    }
    job = manifest(template=template)
    spec, metadata = pod(job), job["spec"]["template"]["metadata"]
    resources = spec["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert resources["limits"] == {"memory": "512Mi", "cpu": "2"}
    assert (metadata["labels"]["team"], metadata["labels"]["sensorscore.dev/run"]) == ("a", "hourly")
    assert metadata["annotations"]["note"] == "b"
    assert metadata["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    environment = {each["name"]: each["value"] for each in spec["containers"][0]["env"] if "value" in each}
    assert (environment["PARAM_X"], environment["EXTRA"]) == ("1", "1")
    assert spec["priorityClassName"] == "batch"
    assert "team" not in job["metadata"]["labels"]


def expanded(text: str, variables: dict[str, str]) -> str:
    """As the kubelet expands args and env: https://pkg.go.dev/k8s.io/kubernetes/third_party/forked/golang/expansion"""
    return re.sub(
        r"\$(\$|\((?P<name>[^)]*)\))",
        lambda found: "$" if found[1] == "$" else variables.get(found["name"], found[0]),
        text,
    )


def test_a_path_that_names_a_variable_is_not_told_its_value() -> None:
    """The connection string is a variable of the container: a path would carry it into errors and status."""
    path = "readings/$(AZURE_STORAGE_CONNECTION_STRING)/$$(AZURE_STORAGE_CONNECTION_STRING)/{sensor}$.csv"
    columns = {"time": "$(AZURE_STORAGE_CONNECTION_STRING)"}
    job = manifest(readings={"path": path, "columns": columns}, model={"path": f"models/{path}"})
    secret = {"AZURE_STORAGE_CONNECTION_STRING": "AccountKey=secret"}
    argument = expanded(pod(job)["containers"][0]["args"][2], secret)
    assert "secret" not in argument
    work = json.loads(argument)
    assert (work["readings"]["path"], work["model"]["path"]) == (path, f"models/{path}")
    assert work["readings"]["columns"]["time"] == columns["time"]


@pytest.mark.parametrize("value", ["$(HOME)", "$$", "a$b", "$$(HOME)", "$"])
def test_a_variable_that_a_run_sets_is_literal(value: str) -> None:
    job = manifest(template={"env": [{"name": "PARAM_X", "value": value}]})
    environment = {each["name"]: each.get("value") for each in pod(job)["containers"][0]["env"]}
    assert expanded(environment["PARAM_X"] or "", {"HOME": "/home"}) == value


# Publishing


def publishing_job(size: int = 3, store: str = "default", **spec: Any) -> Json:
    listed = sensors(*(f"s{number}" for number in range(size)))
    run = a_run(publishing(listed), **spec)
    return publish_job(run, spec_of(run), means(store), listed, 1)


def test_the_publishing_job_is_the_runs_and_no_chunks() -> None:
    job = publishing_job()
    labels = job["metadata"]["labels"]
    assert (labels["sensorscore.dev/stage"], labels["sensorscore.dev/incarnation"]) == ("publish", "1")
    assert "sensorscore.dev/chunk" not in labels
    assert job["metadata"]["name"].startswith("hourly-publish-")
    assert job["metadata"]["ownerReferences"] == manifest()["metadata"]["ownerReferences"]
    work = order(job)
    assert (work["stage"], work["chunk"], work["incarnation"]) == ("Publish", 0, 1)
    assert work["sensors"] == {"names": ["s0", "s1", "s2"]}


def test_it_reads_what_was_decided_and_a_long_list_from_files() -> None:
    job = publishing_job(101)
    volumes = {each["name"]: each["configMap"]["name"] for each in pod(job)["volumes"] if "configMap" in each}
    mounts = {each["name"]: each["mountPath"] for each in pod(job)["containers"][0]["volumeMounts"]}
    assert mounts["decisions"] == "/etc/sensorscore/decisions"
    assert order(job)["decisions"] == "/etc/sensorscore/decisions/decisions.json"
    body = decisions_config_map(a_run(), {"v": 1})
    assert body["data"] == {"decisions.json": '{"v":1}'}
    assert (volumes["decisions"], body["immutable"]) == (body["metadata"]["name"], True)
    assert body["metadata"]["ownerReferences"][0]["uid"] == UID
    assert mounts["sensors"] == "/etc/sensorscore/sensors"
    assert order(job)["sensors"] == {"file": "/etc/sensorscore/sensors/names", "from": 0, "count": 101}


def test_it_runs_beside_the_scoring_pool_with_the_same_identity_and_security() -> None:
    spec, scoring = pod(publishing_job()), pod(manifest())
    container = spec["containers"][0]
    assert "nodeSelector" not in spec
    assert {"key": "scoring", "operator": "Exists"} not in spec["tolerations"]
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert (container["image"], container["env"]) == tuple(
        scoring["containers"][0][part] for part in ("image", "env")
    )
    for part in ("serviceAccountName", "securityContext", "automountServiceAccountToken", "restartPolicy"):
        assert spec[part] == scoring[part]
    assert container["securityContext"] == scoring["containers"][0]["securityContext"]
    assert publishing_job()["spec"]["podFailurePolicy"] == manifest()["spec"]["podFailurePolicy"]
    label = "azure.workload.identity/use"
    assert publishing_job(store="theirs")["spec"]["template"]["metadata"]["labels"][label] == "true"


def test_its_limits_of_time_are_its_own() -> None:
    job = publishing_job(timeouts={"perAttemptSeconds": 30, "publishSeconds": 40}, retry={"backoffLimit": 4})
    assert order(job)["perAttemptSeconds"] == 40
    assert pod(job)["activeDeadlineSeconds"] == 640
    assert job["spec"]["backoffLimit"] == 4


def test_a_template_is_of_the_pods_that_score() -> None:
    job = publishing_job(template={"labels": {"team": "a"}, "priorityClassName": "batch"})
    assert "team" not in job["spec"]["template"]["metadata"]["labels"]
    assert "priorityClassName" not in pod(job)


def test_stages_have_their_own_nodes_and_priority() -> None:
    stages = {"nodeSelector": {"pool": "system"}, "tolerations": [{"key": "x"}], "priorityClassName": "high"}
    listed = sensors()
    run = a_run(publishing(listed))
    chosen = replace(means(), stages=settings(stages=stages).stages)
    spec = pod(publish_job(run, spec_of(run), chosen, listed, 0))
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"pool": "system"}, "high")
    assert {"key": "x"} in spec["tolerations"]
