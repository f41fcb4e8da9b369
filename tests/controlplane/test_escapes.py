"""Somebody who may create ScoringRuns in one namespace, and nothing else, tries to get further than that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import RUNS, Operator, Runs, condition, manifest, until
from controlplane.kubelet_double import Ending, KubeletDouble, message, scored, work_of
from controlplane.rights import install, person, rendered
from local.api import Api, ApiError

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
SECRET = {"name": "storage", "key": "connection-string"}
STORES = {
    "default": {
        "url": "azure://account/container/tenant",
        "serviceAccountName": "sensorscore-scorer",
        "connectionStringSecret": SECRET,
    },
    "theirs": {"url": "azure://account/other", "namespaces": ["somebody-elses"]},
}
RUNTIME = {
    "image": "localhost/sensorscore-scorer:test",
    "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "64Mi"}},
    "template": {"envPrefix": "PARAM_", "labelKeys": ["team"]},
}
RUNTIMES = {"default": RUNTIME, "theirs": RUNTIME | {"namespaces": ["somebody-elses"]}}


@pytest.fixture
def tenant(controlplane: ControlPlane, api: Api, helm: Path, namespace: str, tmp_path: Path) -> Api:
    """Has the chart's role for editors of ScoringRuns, in the test's namespace."""
    roles = rendered(helm, namespace, watchNamespaces=[namespace], rbac={"aggregate": True})
    made = install(api, [role for role in roles if role["kind"] == "ClusterRole"])
    (editor,) = (one["metadata"]["name"] for one in made if one["metadata"]["name"].endswith("editor"))
    return person(controlplane, namespace, {"kind": "ClusterRole", "name": editor}, tmp_path)


@pytest.fixture
def bounded(controlplane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator with stores and runtimes that are offered to others, started."""
    settings = {"stores": STORES, "runtimes": RUNTIMES}
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], **settings)
    operator.start()
    yield operator
    operator.close()


@pytest.fixture
def other(api: Api) -> str:
    """Another team's namespace."""
    name = f"o-{time.time_ns() % 10**12}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    api.create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "sensorscore-scorer"}})
    return name


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def runs_in(namespace: str) -> str:
    return f"{RUNS}/namespaces/{namespace}/scoringruns"


# What the role does not give ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/api/v1/namespaces/{own}/secrets"),
        ("GET", "/api/v1/namespaces/{own}/configmaps"),
        ("GET", "/api/v1/namespaces/{own}/pods"),
        ("POST", "/api/v1/namespaces/{own}/pods"),
        ("POST", "/apis/batch/v1/namespaces/{own}/jobs"),
        ("POST", "/api/v1/namespaces/{own}/serviceaccounts/sensorscore-scorer/token"),
        ("GET", RUNS + "/namespaces/{other}/scoringruns"),
        ("POST", RUNS + "/namespaces/{other}/scoringruns"),
        ("GET", RUNS + "/scoringruns"),
    ],
)
def test_the_role_ends_at_the_namespaces_runs(
    tenant: Api, namespace: str, other: str, verb: str, path: str
) -> None:
    with pytest.raises(ApiError) as refused:
        tenant.call(verb, path.format(own=namespace, other=other), None if verb == "GET" else {})
    assert refused.value.status == 403


def test_a_status_is_the_operators_alone(tenant: Api, namespace: str, runs: Runs) -> None:
    """By it a run's image, its list and its outcomes could be chosen."""
    forged = {"phase": "Succeeded", "image": "theirs:1", "stage": "Done"}
    path = runs_in(namespace)
    assert "status" not in tenant.call("POST", path, manifest() | {"status": forged})
    body = runs.get()
    assert "status" not in tenant.call("PUT", f"{path}/hourly", body | {"status": forged})
    merge = "application/merge-patch+json"
    assert "status" not in tenant.call("PATCH", f"{path}/hourly", {"status": forged}, merge)
    for verb, content in (("PUT", "application/json"), ("PATCH", merge)):
        with pytest.raises(ApiError) as refused:
            tenant.call(verb, f"{path}/hourly/status", runs.get() | {"status": forged}, content)
        assert refused.value.status == 403


# What a run cannot say -------------------------------------------------------------------------------------


def test_what_the_schema_has_no_word_for_reaches_no_pod(
    tenant: Api, namespace: str, bounded: Operator, runs: Runs
) -> None:
    """Image, identity, nodes, volumes, privileges, and variables from Secrets."""
    theirs = {
        "image": "theirs:1",
        "serviceAccountName": "admin",
        "nodeName": "node",
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": "v", "secret": {"secretName": "storage"}}],
        "hostNetwork": True,
        "automountServiceAccountToken": True,
        "securityContext": {"runAsUser": 0},
        "command": ["sh"],
        "envFrom": [{"secretRef": {"name": "storage"}}],
        "queueName": "theirs",
    }
    from_secret = {"name": "PARAM_X", "valueFrom": {"secretKeyRef": SECRET}}
    template = theirs | {"env": [from_secret]}
    spec = {**manifest()["spec"], **theirs, "template": template, "sensors": {"names": ["a"]}}
    strict = f"{runs_in(namespace)}?fieldValidation=Strict"
    with pytest.raises(ApiError, match="strict decoding error: unknown field"):
        tenant.call("POST", strict, manifest() | {"spec": spec})
    tenant.call("POST", runs_in(namespace), manifest() | {"spec": spec})
    plain = {**manifest("plain")["spec"], "sensors": {"names": ["a"]}}
    tenant.call("POST", runs_in(namespace), manifest("plain") | {"spec": plain})
    until("both have a pod", lambda: len(runs.pods()) == 2)
    one, two = (pod_of(runs, name) for name in ("hourly", "plain"))
    assert one.pop("env")[0] == {"name": "PARAM_X"}
    assert one == {key: value for key, value in two.items() if key != "env"}
    assert not any("serviceAccountToken" in str(volume) for volume in runs.pods()[0]["spec"]["volumes"])


def pod_of(runs: Runs, run: str) -> Json:
    """What a pod is, but for its own work."""
    (job,) = runs.jobs_of(run)
    spec: Json = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    rest = {key: value for key, value in container.items() if key not in ("args", "env")}
    env = [each for each in container["env"] if each["name"].startswith("PARAM_")]
    return {"env": env, "container": rest, "spec": spec | {"containers": []}}


PATHS = [
    "../{sensor}",
    "a/../../{sensor}",
    "a/..",
    "./{sensor}",
    "/absolute/{sensor}",
    "//account.blob.core.windows.net/{sensor}",
    "a//{sensor}",
    "a\\..\\{sensor}",
    "a/{sensor}/../../x",
    "a/\u0000/{sensor}",
    "{sensor}/{run}",
    "{{sensor}}",
    "$" * 500 + "{sensor}/" + "x" * 50,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", ["model", "readings", "output"])
def test_no_path_leads_out_of_the_store(tenant: Api, namespace: str, field: str, path: str) -> None:
    with pytest.raises(ApiError) as refused:
        tenant.call("POST", runs_in(namespace), manifest(**{field: {"path": path}}))
    assert refused.value.status == 422
    assert f"spec.{field}" in str(refused.value)


def test_names_of_tables_and_markers_lead_nowhere_else_either(tenant: Api, namespace: str) -> None:
    for spec in (
        {"sensors": {"table": {"path": "../../fleet.csv"}}},
        {"sensors": {"discover": {"from": "Models", "prefix": "../"}}},
        {"sensors": {"names": [".."]}},
        {"sensors": {"names": ["a/../../b"]}},
        {"sensors": {"configMapRef": {"name": "../../kube-system/configmaps/extension"}}},
        {"sensors": {"configMapRef": {"name": "kube-system/extension"}}},
        {"sensors": {"failedOf": {"name": "../theirs", "uid": "x"}}},
        {"readings": {"waitFor": {"marker": "../_SUCCESS", "timeoutSeconds": 9}}},
        {"model": {"version": "../1"}},
        {"store": "../theirs"},
        {"runtime": "theirs/x"},
    ):
        with pytest.raises(ApiError) as refused:
            tenant.call("POST", runs_in(namespace), manifest(**spec))
        assert refused.value.status == 422, spec


@pytest.mark.parametrize(
    "key",
    [
        "sensorscore.dev/run-uid",
        "sensorscore.dev/sensor",
        "app.kubernetes.io/managed-by",
        "batch.kubernetes.io/controller-uid",
        "controller-uid",
        "job-name",
        "azure.workload.identity/use",
        "kubernetes.azure.com/scalesetpriority",
        "pod-security.kubernetes.io/enforce",
        "kueue.x-k8s.io/queue-name",
        "cluster.x-k8s.io/paused",
        "aadpodidbinding",
        "karpenter.sh/do-not-disrupt",
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "container.apparmor.security.beta.kubernetes.io/scorer",
    ],
)
@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_keys_that_mean_something_to_others_are_reserved(
    tenant: Api, namespace: str, field: str, key: str
) -> None:
    with pytest.raises(ApiError, match="reserved"):
        tenant.call("POST", runs_in(namespace), manifest(template={field: {key: "x"}}))


TEMPLATES = {
    "app": {"labels": {"app": "shop"}},
    "istio": {"annotations": {"sidecar.istio.io/proxyImage": "theirs:1"}},
    "vault": {"annotations": {"vault.hashicorp.com/agent-inject": "true"}},
    "login": {"env": [{"name": "AZURE_STORAGE_CONNECTION_STRING", "value": "theirs"}]},
    "path": {"env": [{"name": "PATH", "value": "/theirs"}]},
    "priority": {"priorityClassName": "system-node-critical"},
    "memory": {"resources": {"limits": {"memory": "1Ti"}}},
    "gpu": {"resources": {"limits": {"nvidia.com/gpu": 8}}},
}
REFUSED: dict[str, tuple[Json, str]] = {
    "store": ({"store": "theirs"}, "UnknownStore"),
    "runtime": ({"runtime": "theirs"}, "UnknownRuntime"),
    "over-outcomes": ({"output": {"path": "runs/{yyyy}/{MM}/{dd}/{HH}/{sensor}"}}, "InvalidSpec"),
    **{name: ({"template": template}, "TemplateRefused") for name, template in TEMPLATES.items()},
}


def test_what_the_administrator_does_not_offer_ends_before_a_job_is_made(
    tenant: Api, namespace: str, bounded: Operator, runs: Runs
) -> None:
    for name, (spec, _) in REFUSED.items():
        tenant.call("POST", runs_in(namespace), manifest(name, **spec))
    reasons = {name: condition(runs.ended(name), "Failed")["reason"] for name in REFUSED}
    assert reasons == {name: reason for name, (_, reason) in REFUSED.items()}
    assert runs.jobs() == []


# Variables of the container --------------------------------------------------------------------------------


def test_a_path_that_names_a_variable_reaches_the_pod_as_it_is(
    tenant: Api, namespace: str, bounded: Operator, runs: Runs
) -> None:
    """Kubernetes would put the store's connection string there, and errors about the path would tell it."""
    path = "models/$(AZURE_STORAGE_CONNECTION_STRING)/{sensor}"
    template = {"env": [{"name": "PARAM_X", "value": "$(AZURE_STORAGE_CONNECTION_STRING)"}]}
    spec = {"model": {"path": path}, "template": template, "sensors": {"names": ["a"]}}
    tenant.call("POST", runs_in(namespace), manifest(**spec))
    (pod,) = until("its pod is there", runs.pods)
    (container,) = pod["spec"]["containers"]
    assert "$" not in container["args"][2]
    assert json.loads(container["args"][2])["model"]["path"] == path
    values = {each["name"]: each.get("value", "") for each in container["env"]}
    assert values["PARAM_X"] == "$$(AZURE_STORAGE_CONNECTION_STRING)"


# Whose is it? ----------------------------------------------------------------------------------------------


def test_labels_and_owners_of_a_run_are_not_its_jobs(
    tenant: Api, namespace: str, bounded: Operator, runs: Runs
) -> None:
    """A run that says it is another's, or the operator's own, is a run like any other."""
    forged = {
        "labels": {
            "app.kubernetes.io/managed-by": "sensorscore",
            "sensorscore.dev/run-uid": "another",
            "sensorscore.dev/chunk": "0",
            "azure.workload.identity/use": "true",
        },
        "annotations": {"x": "y" * 200_000},
        "ownerReferences": [
            {"apiVersion": "sensorscore.dev/v1alpha1", "kind": "ScoringRun", "name": "other", "uid": "u-1"}
        ],
    }
    body = manifest()
    body["metadata"] |= forged
    del body["metadata"]["ownerReferences"]
    made = tenant.call("POST", runs_in(namespace), body)
    with KubeletDouble(api=runs.api, namespace=namespace, ends=all_scored):
        assert condition(runs.ended(), "Complete")["reason"] == "AllSucceeded"
    for job in runs.jobs():
        assert job["metadata"]["labels"]["sensorscore.dev/run-uid"] == made["metadata"]["uid"]
        assert "azure.workload.identity/use" not in job["spec"]["template"]["metadata"]["labels"]
        assert len(json.dumps(job)) < 20_000


def test_runs_whose_names_begin_alike_have_objects_of_their_own(
    tenant: Api, namespace: str, bounded: Operator, runs: Runs
) -> None:
    """Names of Jobs hold the first 40 characters only; and some runs are called as others' Jobs begin."""
    names = ["x" * 40 + "-a", "x" * 40 + "-b", "x" * 40, "x", "x-0", "x-publish", "x-sensors"]
    for name in names:
        tenant.call("POST", runs_in(namespace), manifest(name, sensors={"names": ["a", "b"]}))
    with KubeletDouble(api=runs.api, namespace=namespace, ends=all_scored):
        for name in names:
            assert condition(runs.ended(name), "Complete")["reason"] == "AllSucceeded"
    jobs = runs.jobs()
    assert len({job["metadata"]["name"] for job in jobs}) == len(jobs) == 2 * len(names)


def test_another_namespaces_run_cannot_be_continued_or_replaced(
    controlplane: ControlPlane, api: Api, namespace: str, other: str, tmp_path: Path
) -> None:
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace, other])
    operator.start()
    mine, theirs = Runs(api, namespace), Runs(api, other)
    group = {"concurrencyGroup": "hourly", "sensors": {"names": ["a"]}}
    try:
        held = theirs.create("held", **group)
        until("theirs goes on", theirs.pods)
        with KubeletDouble(api, namespace, all_scored):
            mine.create("replacing", concurrencyPolicy="Replace", **group)
            mine.ended("replacing")
            uid = held["metadata"]["uid"]
            mine.create("continuing", sensors={"failedOf": {"name": "held", "uid": uid}})
            assert "is not in" in condition(mine.ended("continuing"), "Failed")["message"]
        assert theirs.phase("held") == "Running"
    finally:
        operator.close()


def test_jobs_and_pods_forged_in_another_namespace_tell_nothing_of_a_run(
    controlplane: ControlPlane, api: Api, namespace: str, other: str, tmp_path: Path
) -> None:
    """Who may make Jobs and pods there knows the UID of a run here, and lets them say that all is scored."""
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace, other])
    runs = Runs(api, namespace)
    operator.start()
    try:
        runs.create(sensors={"names": list("abcdef")})
        until("its pods are there", lambda: len(runs.pods()) == 6)
        jobs = {job["metadata"]["uid"]: job for job in runs.jobs()}
        for pod in runs.pods():
            forge(api, other, jobs[pod["metadata"]["ownerReferences"][0]["uid"]], pod)
        time.sleep(3)
        assert runs.get()["status"]["counts"]["scored"] == 0
        assert runs.phase() == "Running"
        with KubeletDouble(api, namespace, all_scored):
            assert runs.ended()["status"]["rows"]["read"] == 6 * 12
    finally:
        operator.close()


def copied(body: Json) -> Json:
    """Its metadata; a finalizer keeps it from being collected for its owner's being elsewhere."""
    kept = {key: body["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    return kept | {"finalizers": ["example.com/held"]}


def forge(api: Api, other: str, job: Json, pod: Json) -> None:
    """The run's Job and its pod once more, in the other namespace, ended with a message of its own."""
    work = work_of(pod)
    lie = message(
        work, "S", {"S": "Scored"}, rows={"read": 666, "scored": 666, "rejected": 0, "duplicate": 0}
    )
    template = job["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    own = {key: value for key, value in labels if key.startswith(("sensorscore", "app."))}
    spec = {"suspend": True, "template": {"metadata": {"labels": own}, "spec": template["spec"]}}
    jobs = f"/apis/batch/v1/namespaces/{other}/jobs"
    made = api.call("POST", jobs, {"metadata": copied(job), "spec": spec})
    moment = made["metadata"]["creationTimestamp"]
    met = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    complete = {
        "startTime": moment,
        "completionTime": moment,
        "succeeded": 1,
        "conditions": [condition | {"lastTransitionTime": moment} for condition in met],
    }
    merge = "application/merge-patch+json"
    api.call("PATCH", f"{jobs}/{job['metadata']['name']}/status", {"status": complete}, merge)
    spec = {key: value for key, value in pod["spec"].items() if key not in ("nodeName",)}
    owner = pod["metadata"]["ownerReferences"][0] | {"uid": made["metadata"]["uid"]}
    metadata = copied(pod) | {"ownerReferences": [owner]}
    api.call("POST", f"/api/v1/namespaces/{other}/pods", {"metadata": metadata, "spec": spec})
    ended = {
        "phase": "Succeeded",
        "containerStatuses": [
            {
                "name": "scorer",
                "image": "x",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "message": json.dumps(lie)}},
            }
        ],
    }
    path = f"/api/v1/namespaces/{other}/pods/{pod['metadata']['name']}/status"
    api.call("PATCH", path, {"status": ended}, "application/merge-patch+json")


# How much ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        {"sensors": {"names": [f"s{number}" for number in range(1001)]}},
        {"sensors": {"names": ["s" * 64]}},
        {"template": {"labels": {f"k{number}": "x" for number in range(17)}}},
        {"template": {"annotations": {"k": "x" * 1025}}},
        {"template": {"env": [{"name": f"PARAM_{number}"} for number in range(33)]}},
        {"template": {"env": [{"name": "PARAM_X", "value": "x" * 1025}]}},
        {"readings": {"columns": {"features": {f"f{number}": "x" * 200 for number in range(50)}}}},
        {"parallelism": 2001},
        {"retry": {"backoffLimit": 11}},
        {"concurrencyGroup": "g" * 64},
    ],
)
def test_what_is_larger_than_it_may_be_is_refused(tenant: Api, namespace: str, spec: Json) -> None:
    with pytest.raises(ApiError) as refused:
        tenant.call("POST", runs_in(namespace), manifest(**spec))
    assert refused.value.status == 422


def test_a_quota_bounds_how_many_runs_a_namespace_has(tenant: Api, api: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    hard = {"count/scoringruns.sensorscore.dev": "1"}
    api.create(quotas, {"metadata": {"name": "runs"}, "spec": {"hard": hard}})
    until("it counts", lambda: api.call("GET", f"{quotas}/runs").get("status", {}).get("used"))
    tenant.call("POST", runs_in(namespace), manifest("one"))
    with pytest.raises(ApiError, match="exceeded quota: runs"):
        tenant.call("POST", runs_in(namespace), manifest("two"))
