"""What clusters demand of pods (Pod Security restricted, AKS Safeguards), and two releases of each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.manifests import of_kind, only, pod_templates
from chart.rendering import Render, run_helm
from chart.variants import IDENTITY, INGEST, VARIANTS
from scoring_operator.mounts import VOLUME_TYPES
from scoring_operator.quantity import quantity

Json = dict[str, Any]
OTHERS = {"create": False, "name": "somebody"}
NOT_NAMESPACED = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass")


def restricted(pod: Json) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, line by line."""
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec.keys().isdisjoint({"hostNetwork", "hostPID", "hostIPC", "hostname", "nodeName"})
    for volume in spec["volumes"]:
        (kind,) = volume.keys() - {"name"}
        assert kind in VOLUME_TYPES
    for container in spec["containers"] + spec.get("initContainers", []):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_pod_is_restricted(render: Render, variant: str) -> None:
    pods = pod_templates(render(VARIANTS[variant]))
    assert pods
    for _, pod in pods:
        restricted(pod)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_container_has_requests_and_an_image_that_stays_what_it_is(
    render: Render, variant: str
) -> None:
    for name, pod in pod_templates(render(VARIANTS[variant])):
        for container in pod["spec"]["containers"]:
            requests = container["resources"]["requests"]
            # Less than this AKS raises by itself, and then nobody's sums hold.
            assert quantity(requests["cpu"]) >= quantity("100m")
            assert quantity(requests["memory"]) >= quantity("100Mi")
            assert re.search(r":[^:/]+$|@sha256:[0-9a-f]{64}$", container["image"])
            assert not container["image"].endswith(":latest")
            if name.startswith("Deployment/"):
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def is_operator(manifest: Json) -> bool:
    return bool(manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "operator")


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_pod_disruption_budget_stops_a_drain(render: Render, variant: str) -> None:
    manifests = render(VARIANTS[variant])
    (operator,) = [item for item in of_kind(manifests, "Deployment") if is_operator(item)]
    assert operator["spec"]["replicas"] == 1
    assert of_kind(manifests, "PodDisruptionBudget") == []


def test_what_is_the_administrators_reaches_the_operators_pod(render: Render) -> None:
    values = VARIANTS["everything"]
    pod = only(render(values), "Deployment")["spec"]["template"]
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["priorityClassName"] == "system-cluster-critical"
    for key in ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints"):
        assert spec[key] == values[key]
    assert values["extraEnv"][0] in container["env"]
    assert values["extraVolumes"][0] in spec["volumes"]
    assert {**values["extraVolumeMounts"][0], "readOnly": True} in container["volumeMounts"]
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["annotations"]["note"] == "a"


def test_common_labels_are_on_everything_and_in_no_selector(render: Render) -> None:
    for manifest in render({**VARIANTS["everything"], "commonLabels": {"cost-centre": "42"}}):
        if manifest["kind"] == "CustomResourceDefinition":
            continue
        assert manifest["metadata"]["labels"]["cost-centre"] == "42", manifest["metadata"]
        assert "cost-centre" not in str(manifest.get("spec", {}).get("selector"))
    pod = only(render(VARIANTS["everything"]), "Deployment")["spec"]["template"]
    assert pod["metadata"]["labels"]["cost-centre"] == "42"


def test_the_scoring_pods_priority_class_is_theirs_by_default(render: Render) -> None:
    manifests = render(VARIANTS["everything"])
    made = only(manifests, "PriorityClass")
    assert (made["value"], made["preemptionPolicy"], made["globalDefault"]) == (-5, "Never", False)
    settings = yaml.safe_load(
        next(
            item["data"]["settings.yaml"]
            for item in of_kind(manifests, "ConfigMap")
            if "settings.yaml" in item["data"]
        )
    )
    assert settings["runtimes"]["default"]["priorityClassName"] == made["metadata"]["name"]
    own = {
        "scorer": {"priorityClass": {"create": True, "name": "batch"}},
        "runtimes": {"default": {"priorityClassName": "urgent"}},
    }
    manifests = render(own)
    assert only(manifests, "PriorityClass")["metadata"]["name"] == "batch"
    assert "priorityClassName: urgent" in only(manifests, "ConfigMap")["data"]["settings.yaml"]
    assert of_kind(render(), "PriorityClass") == []


@pytest.mark.parametrize(
    "values",
    [
        {**VARIANTS["namespaced"], "scorer": {"priorityClass": {"create": True}}},
        {"scorer": {"priorityClass": {"create": True}}, "stores": {"default": IDENTITY}},
        {"stores": {"default": IDENTITY}, "ingest": INGEST},
        {"stores": {"default": IDENTITY}, "ingest": {**INGEST, "namespace": "c", "serviceAccount": OTHERS}},
    ],
    ids=["namespaced", "cluster-wide", "ingest", "ingest in one namespace"],
)
def test_two_releases_of_one_name_in_two_namespaces_share_nothing(render: Render, values: Json) -> None:
    crds = {"crds": {"enabled": False}}
    first = render({**values, **crds}, namespace="team-a")
    other = {"watchNamespaces": ["c"]} if "watchNamespaces" in values else {}
    second = render({**values, **other, **crds}, namespace="team-b")

    def places(manifests: list[Json]) -> set[tuple[str, str, str]]:
        return {
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
            for item in manifests
        }

    assert places(first) & places(second) == set()
    whole = [item for item in first if item["kind"] in NOT_NAMESPACED]
    assert all("namespace" not in item["metadata"] for item in whole)


# Helm 3


def test_helm_3_renders_the_same(render: Render, tmp_path: Path) -> None:
    """Its linter too is content. Where it is not there, this says so aloud."""
    from local import build
    from local.places import Places

    if not build.is_built(Places.here(), build.HELM3):
        pytest.skip("HELM 3 WAS NOT TRIED: it is not built; `make test-chart` builds it")
    helm3 = build.program(Places.here(), "helm3")
    for variant, values in VARIANTS.items():
        done = run_helm(helm3, ["template", "--kube-version", "1.36.2"], values, tmp_path)
        assert done.returncode == 0, done.stderr
        theirs = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
        assert sorted(theirs, key=str) == sorted(render(values), key=str), variant
        linted = run_helm(helm3, ["lint", "--strict"], values, tmp_path)
        assert linted.returncode == 0, linted.stdout
