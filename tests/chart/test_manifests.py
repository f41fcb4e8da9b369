"""What the chart installs, by values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from chart.manifests import of_kind, only, settings_of
from chart.rendering import CHART, Manifests, Render, run_helm
from chart.variants import AZURITE, IDENTITY, VARIANTS
from scoring_operator.settings import parse

ROOT = CHART.parents[1]
# These are not Kubernetes' own; tests/chart/test_monitoring.py holds them to their definitions.
MONITORING = ("PodMonitor", "PrometheusRule", "ServiceMonitor")


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_lint_is_clean(helm: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    done = run_helm(helm, ["lint", "--strict"], values, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_manifests_fit_the_schemas_of_kubernetes(render: Render, values: dict[str, Any]) -> None:
    manifests = render(values)
    for manifest in manifests:
        if manifest["kind"] in MONITORING:
            continue
        for version in ("1.34", "1.35", "1.36"):
            kubernetes_validate.validate(manifest, version, strict=True)
    names = [
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in manifests
    ]
    assert len(names) == len(set(names))


def test_names_that_look_like_numbers_and_switches_stay_texts(render: Render) -> None:
    run = {"namespace": "123", "run": {"sensors": {"names": ["a"]}}}
    values = {
        "watchNamespaces": ["123"],
        "commonLabels": {"on": "2026"},
        "nameOverride": "on",
        "scorer": {"serviceAccount": {"name": "123"}},
        "priorityClassName": "007",
        "stores": {"default": IDENTITY},
        "schedules": {"on": run, "2026": run},
    }
    for manifest in render(values, release="x1", namespace="456"):
        if manifest["kind"] not in ("CustomResourceDefinition",):
            kubernetes_validate.validate(manifest, "1.36", strict=True)
            labels = manifest["metadata"]["labels"]
            assert all(isinstance(text, str) for pair in labels.items() for text in pair), manifest
            assert isinstance(manifest["metadata"].get("namespace", ""), str)


def test_crd_is_the_source_with_a_note_to_keep_it(render: Render) -> None:
    source = yaml.safe_load((ROOT / "crds" / "scoringruns.sensorscore.dev.yaml").read_text(encoding="utf-8"))
    crd = only(render(), "CustomResourceDefinition")
    assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crd == source


def test_crd_goes_with_the_chart_on_request(render: Render) -> None:
    crd = only(render({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in crd["metadata"]


def test_crd_can_be_left_out(render: Render) -> None:
    assert of_kind(render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


def test_settings_hold_stores_runtimes_and_limits(render: Render) -> None:
    settings = settings_of(render(VARIANTS["azurite"]))
    assert settings.pop("schedules", []) == []
    assert settings == {
        "namespaces": [],
        "knownNamespaces": ["demo"],
        "stores": {"default": {**AZURITE, "serviceAccountName": "sensorscore-scorer"}},
        "runtimes": {
            "default": {
                "image": "localhost/sensorscore-scorer:0.1.0",
                "imagePullPolicy": "IfNotPresent",
                "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
                "nodeSelector": {},
                "tolerations": [],
                "affinity": {},
                "topologySpreadConstraints": [],
                "priorityClassName": "",
                "podLabels": {},
                "podAnnotations": {},
                "env": {},
                "volumes": [],
                "volumeMounts": [],
                "namespaces": [],
                "template": {
                    "maxResources": {},
                    "envPrefix": "",
                    "priorityClassNames": [],
                    "labelKeys": [],
                    "annotationKeys": [],
                },
                "cpuHourPrice": "0",
            }
        },
        "stages": {
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "nodeSelector": {},
            "tolerations": [],
            "priorityClassName": "",
        },
        "currency": "",
        "budgetPerDay": "0",
        "limits": {
            "unfinishedJobs": 2000,
            "unfinishedJobsPerNamespace": 2000,
            "writesPerSecond": 50,
            "disruptionsPerChunk": 10,
        },
        "lease": {"namespace": "system", "name": "sensorscore"},
        "http": {"port": 8080},
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_operator_understands_its_settings(render: Render, variant: str) -> None:
    settings = parse(settings_of(render(VARIANTS[variant])))
    assert settings.namespaces == tuple(VARIANTS[variant].get("watchNamespaces", ()))
    assert set(settings.stores) == set(VARIANTS[variant].get("stores", {}))
    assert {each.name for each in settings.schedules} == set(VARIANTS[variant].get("schedules", {}))
    assert all(store.service_account_name == "sensorscore-scorer" for store in settings.stores.values())


def test_operator_understands_every_way_to_keep_a_secret_and_what_a_runtime_mounts(render: Render) -> None:
    settings = parse(settings_of(render(VARIANTS["everything"])))
    assert settings.stores["plant"].url.startswith("file:///")
    vault = settings.stores["vault"].connection_string_file
    assert vault is not None
    assert (vault.provider_class, vault.file) == ("storage", "connection-string")
    runtime = settings.runtimes["default"]
    assert runtime.mounts.mounts[0]["readOnly"] is True
    assert (dict(runtime.labels), dict(runtime.annotations)) == ({"team": "a"}, {"note": "a"})
    assert len(runtime.topology_spread) == 1
    assert str(settings.budget_per_day) == "25.00"


def checksum(manifests: Manifests) -> str:
    annotations = only(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    return str(annotations["checksum/settings"])


@pytest.mark.parametrize(
    ("values", "restarts"),
    [
        ({"limits": {"writesPerSecond": 51}}, True),
        ({"stores": {"default": IDENTITY}}, True),
        ({"runtimes": {"default": {"image": {"tag": "0.2.0"}}}}, True),
        ({"metrics": {"service": {"port": 80}}}, False),
    ],
)
def test_operator_restarts_when_its_settings_change(
    render: Render, values: dict[str, Any], restarts: bool
) -> None:
    assert (checksum(render()) != checksum(render(values))) is restarts


def test_operator_runs_alone_and_under_pod_security_restricted(render: Render) -> None:
    spec = only(render(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    probed = {name: container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe")}
    assert probed == {"readinessProbe": "/readyz", "livenessProbe": "/healthz"}


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "localhost/sensorscore-operator:0.1.0"),
        ({"tag": "0.3.0-rc.1"}, "localhost/sensorscore-operator:0.3.0-rc.1"),
        (
            {"repository": "team.azurecr.io/a/operator", "digest": "sha256:" + "1" * 64},
            "team.azurecr.io/a/operator@sha256:" + "1" * 64,
        ),
    ],
)
def test_image_by_tag_or_digest(render: Render, image: dict[str, str], reference: str) -> None:
    (container,) = only(render({"image": image}), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == reference


def test_pull_secrets_reach_operator_and_scoring_pods(render: Render) -> None:
    manifests = render({"imagePullSecrets": [{"name": "registry"}], "scoringNamespaces": ["a"]})
    pod = only(manifests, "Deployment")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    scorer = next(
        item for item in of_kind(manifests, "ServiceAccount") if item["metadata"]["namespace"] == "a"
    )
    assert scorer["imagePullSecrets"] == [{"name": "registry"}]


RIGHTS = {
    ("sensorscore.dev", "scoringruns"): {"get", "list", "watch", "delete"},
    ("sensorscore.dev", "scoringruns/status"): {"patch"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
    ("", "pods"): {"list", "watch"},
    ("", "configmaps"): {"get", "create"},
    ("", "events"): {"create", "list"},
}


def rights_of(role: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def own_roles(manifests: Manifests) -> Manifests:
    roles = of_kind(manifests, "ClusterRole") + of_kind(manifests, "Role")
    return [role for role in roles if not re.search("-scoringruns-|-lease$", role["metadata"]["name"])]


def test_operator_has_exactly_the_rights_that_it_uses(render: Render) -> None:
    (role,) = own_roles(render())
    assert (role["kind"], rights_of(role)) == ("ClusterRole", RIGHTS)


def test_operator_of_listed_namespaces_has_rights_in_these_only(render: Render) -> None:
    manifests = render(VARIANTS["namespaced"])
    roles = own_roles(manifests)
    assert [(role["kind"], role["metadata"]["namespace"]) for role in roles] == [("Role", "a"), ("Role", "b")]
    assert [rights_of(role) for role in roles] == [RIGHTS, RIGHTS]
    assert of_kind(manifests, "ClusterRoleBinding") == []


@pytest.mark.parametrize("variant", ["defaults", "namespaced", "everything"])
def test_operator_holds_a_lease_of_its_own_name_in_its_own_namespace(render: Render, variant: str) -> None:
    manifests = render(VARIANTS[variant])
    name = only(manifests, "Deployment")["metadata"]["name"]
    (role,) = [role for role in of_kind(manifests, "Role") if role["metadata"]["name"] == f"{name}-lease"]
    assert role["metadata"]["namespace"] == "system"
    lease = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    by_name = lease | {"resourceNames": [name], "verbs": ["get", "update"]}
    assert role["rules"] == [lease | {"verbs": ["create"]}, by_name]
    assert settings_of(manifests)["lease"] == {"namespace": "system", "name": name}
    (container,) = only(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    identity = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert {"name": "POD_NAME"} | identity in container["env"]


@pytest.mark.parametrize("variant", ["defaults", "namespaced", "everything"])
def test_rights_are_bound_to_the_operators_account(render: Render, variant: str) -> None:
    manifests = render(VARIANTS[variant])
    account = only(manifests, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    bindings = of_kind(manifests, "ClusterRoleBinding") + of_kind(manifests, "RoleBinding")
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "system"}
    assert [binding["subjects"] for binding in bindings] == [[subject]] * len(bindings)
    lease = f"{only(manifests, 'Deployment')['metadata']['name']}-lease"
    own = {lease, *(role["metadata"]["name"] for role in own_roles(manifests))}
    assert {binding["roleRef"]["name"] for binding in bindings} == own


def test_scoringruns_join_the_roles_that_people_have(render: Render) -> None:
    aggregated = {
        label.rpartition("-")[2]: rights_of(role)[("sensorscore.dev", "scoringruns")]
        for role in of_kind(render(), "ClusterRole")
        for label in role["metadata"]["labels"]
        if "/aggregate-to-" in label
    }
    assert aggregated["view"] == {"get", "list", "watch"}
    assert aggregated["edit"] == aggregated["admin"] > aggregated["view"]


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [
        ({}, []),
        ({"scoringNamespaces": ["a", "b"]}, ["a", "b"]),
        ({"watchNamespaces": ["a", "b"]}, ["a", "b"]),
        ({"watchNamespaces": ["a", "b"], "scoringNamespaces": ["b"]}, ["b"]),
        ({"scoringNamespaces": ["a"], "scorer": {"serviceAccount": {"create": False}}}, []),
    ],
)
def test_scoring_pods_get_an_account_without_a_token(
    render: Render, values: dict[str, Any], namespaces: list[str]
) -> None:
    accounts = [
        account
        for account in of_kind(render(values), "ServiceAccount")
        if account["metadata"]["name"] == "sensorscore-scorer"
    ]
    assert [account["metadata"]["namespace"] for account in accounts] == namespaces
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_metrics_service_points_at_the_operator(render: Render) -> None:
    manifests = render({"metrics": {"service": {"port": 80}}})
    service = only(manifests, "Service")
    pod = only(manifests, "Deployment")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container_port,) = pod["spec"]["containers"][0]["ports"]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": container_port["name"]}]
    assert service["metadata"]["annotations"]["prometheus.io/port"] == str(container_port["containerPort"])


def test_azure_example_renders(render: Render) -> None:
    text = (ROOT / "examples" / "values-azure.yaml").read_text(encoding="utf-8")
    manifests = render(yaml.safe_load(text))
    settings = settings_of(manifests)
    assert settings["stores"]["default"]["url"] == "azure://myaccount/sensorscore"
    assert settings["runtimes"]["default"]["tolerations"][0]["key"] == "sensorscore.dev/scoring"
    operator = only(manifests, "Deployment")["spec"]["template"]["spec"]
    (schedule,) = (item["spec"] for item in manifests if item["kind"] == "CronJob")
    scheduling = schedule["jobTemplate"]["spec"]["template"]["spec"]
    for other in (
        settings["stages"],
        scheduling,
    ):  # where the tainted pools take the operator only, they hang
        assert other["nodeSelector"] == operator["nodeSelector"]
        assert other["tolerations"] == operator["tolerations"]
