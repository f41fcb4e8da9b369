import json
from typing import Any

import pytest

from scoring_operator.chunks import chunk_of
from scoring_operator.contract import job_name
from scoring_operator.jobs import job_manifest, sensors_config_map
from unit.operator.given import UID, Json, a_run, sensors, settings, spec_of

SETTINGS = settings()


def manifest(store: str = "default", listed: Any = None, number: int = 0, **spec: Any) -> Json:
    run = a_run(**spec)
    chunk = chunk_of(listed or sensors(), number, spec_of(run).sensors_per_job)
    runtime = SETTINGS.runtimes["default"]
    return job_manifest(run, spec_of(run), SETTINGS.stores[store], runtime, chunk, 0)


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
    ignore, fail = spec["podFailurePolicy"]["rules"]
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"] == {"containerName": "scorer", "operator": "In", "values": [64, 65]}
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
