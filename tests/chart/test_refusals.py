"""Mistakes in the values end in one sentence that names the key, before anything is applied."""

from __future__ import annotations

from typing import Any

import pytest

from chart.rendering import Refusal

STORE = {"url": "azure://account/container", "workloadIdentity": True}
CLAIM = {"persistentVolumeClaim": {"claimName": "readings"}}
IN_FILE = {"url": STORE["url"], "connectionStringFile": {"secret": "storage", "file": "connection-string"}}
RUNTIME_IMAGE = {"repository": "localhost/scorer"}


def mounting(*mounts: dict[str, str], name: str = "a") -> dict[str, Any]:
    return {
        "runtimes": {"default": {"volumes": [{"name": name, "emptyDir": {}}], "volumeMounts": list(mounts)}}
    }


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"networkPolicy": None}, "missing property 'networkPolicy'"),
        ({"scorer": {"priorityClass": None}}, "/scorer': missing property 'priorityClass'"),
        ({"colour": "red"}, "additional properties 'colour' not allowed"),
        ({"image": {"tag": "latest"}}, 'image.tag: "latest" is refused'),
        ({"image": {"repository": "localhost/operator:1.0"}}, "the tag has a key of its own, image.tag"),
        ({"image": {"digest": "sha256:abc"}}, 'image.digest: "sha256:abc" is not sha256: and 64'),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"runtimes": {"default": {"image": {"tag": "latest"}}}}, "runtimes.default.image.tag"),
        ({"runtimes": {"gpu": {"image": RUNTIME_IMAGE}}}, "/runtimes/gpu': missing property 'resources'"),
        ({"runtimes": {"default": {"resources": {"requests": {"cpu": None}}}}}, "missing property 'cpu'"),
        ({"runtimes": {"default": {"env": {"A": 1}}}}, "/runtimes/default/env/A': got number, want string"),
        ({"watchNamespaces": ["Team_A"]}, "/watchNamespaces/0"),
        (
            {"watchNamespaces": ["a"], "scoringNamespaces": ["b"]},
            'scoringNamespaces: "b" is not in watchNamespaces',
        ),
        ({"stores": {"default": {}}}, "stores.default: it is nowhere; give stores.default.url"),
        ({"stores": {"default": {"volume": {}}}}, "missing property 'persistentVolumeClaim'"),
        ({"stores": {"default": {"volume": {**CLAIM, "hostPath": {}}}}}, "additional properties 'hostPath'"),
        (
            {"stores": {"default": {"volume": CLAIM, **STORE}}},
            "stores.default.url: the store is a volume, and needs no such key",
        ),
        (
            {"stores": {"default": {"volume": {**CLAIM, "path": "a/../b"}}}},
            'stores.default.volume.path: "a/../b" holds . or ..',
        ),
        (
            {"stores": {"default": {**IN_FILE, "connectionStringFile": {"file": "a"}}}},
            "stores.default.connectionStringFile: give one of secret and secretProviderClass",
        ),
        (
            {"stores": {"default": {**IN_FILE, "workloadIdentity": True}}},
            "stores.default: workloadIdentity and connectionStringFile are two ways to sign in",
        ),
        ({"budgetPerDay": "1"}, "budgetPerDay: has no currency; set currency"),
        ({"budgetPerDay": 25}, "/budgetPerDay"),
        (
            {"commonLabels": {"helm.sh/chart": "a"}},
            'commonLabels: "helm.sh/chart" is one of the chart\'s own',
        ),
        ({"commonLabels": {"a": 1}}, "/commonLabels/a"),
        ({"commonLabels": {"a": "b c"}}, "/commonLabels/a"),
        ({"commonLabels": {"a": "x" * 64}}, "/commonLabels/a"),
        ({"podLabels": {"app.kubernetes.io/name": "a"}}, 'podLabels: "app.kubernetes.io/name" is one of the'),
        ({"commonLabels": {"a": "b"}, "podLabels": {"a": "b"}}, 'podLabels: "a" is in commonLabels too'),
        (
            {"runtimes": {"default": {"podLabels": {"sensorscore.dev/run": "a"}}}},
            'runtimes.default.podLabels: "sensorscore.dev/run" is one of the chart\'s own',
        ),
        (
            {"resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}},
            "resources.requests.memory: 1Gi is more than resources.limits.memory, 512Mi",
        ),
        (
            {"runtimes": {"default": {"resources": {"limits": {"cpu": 0.05}}}}},
            "runtimes.default.resources.requests.cpu: 100m is more than",
        ),
        (
            {"stages": {"resources": {"requests": {"cpu": "1", "memory": "1.5G"}}}},
            "stages.resources.requests.memory: 1.5G is more than stages.resources.limits.memory, 1Gi",
        ),
        ({"networkPolicy": {"storage": {"cidrs": ["10.0.0.256/8"]}}}, "/networkPolicy/storage/cidrs/0"),
        ({"networkPolicy": {"storage": {"cidrs": ["10.0.0.0/33"]}}}, "/networkPolicy/storage/cidrs/0"),
        ({"networkPolicy": {"storage": {"cidrs": ["fd00:::/8"]}}}, "/networkPolicy/storage/cidrs/0"),
        ({"fullnameOverride": "2026"}, "/fullnameOverride"),
        ({"serviceAccount": {"name": "a..b"}}, "/serviceAccount/name"),
        ({"scorer": {"priorityClass": {"value": -11}}}, "/scorer/priorityClass/value': minimum: got -11"),
        ({"extraVolumes": [{"name": "a", "hostPath": {"path": "/"}}]}, "/extraVolumes/0"),
        ({"runtimes": {"default": {"volumes": [{"name": "a", "nfs": {}}]}}}, "/runtimes/default/volumes/0"),
        (
            {"runtimes": {"default": {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}}},
            'runtimes.default.volumeMounts: "a" is not in runtimes.default.volumes',
        ),
        (mounting({"name": "a", "mountPath": "/etc"}), "/etc is, or holds, a folder of the container's own"),
        (mounting({"name": "a", "mountPath": "/tmp/x"}), "/tmp/x is, or holds"),  # noqa: S108
        (mounting({"name": "a", "mountPath": "/a", "subPath": "b/../c"}), 'subPath "b/../c" is not a folder'),
        (mounting(), 'runtimes.default.volumes: "a" is in no runtimes.default.volumeMounts'),
        (mounting(name="tmp"), '"tmp" is a volume of Sensorscore\'s own'),
        (
            {"runtimes": {"default": {"template": {"envPrefix": "AZURE_"}}}},
            'runtimes.default.template.envPrefix: variables that begin with "AZURE_" steer the pod itself',
        ),
        ({"runtimes": {"default": {"template": {"labelKeys": ["a b"]}}}}, "/template/labelKeys/0"),
        ({"runtimes": {"default": {"topologySpreadConstraints": [{"maxSkew": 1}]}}}, "missing properties"),
        (
            {"stores": {"default": {**STORE, "url": "https://account.blob"}}},
            "is not azure://ACCOUNT/CONTAINER",
        ),
        ({"stores": {"default": {**STORE, "workloadIdentity": False}}}, "stores.default: no way to sign in"),
        (
            {"stores": {"default": {**STORE, "connectionStringSecret": {"name": "a", "key": "b"}}}},
            "stores.default: workloadIdentity and connectionStringSecret are two ways to sign in",
        ),
        (
            {"stores": {"default": {**STORE, "endpoint": "http://10.0.0.1:10000/account"}}},
            "set stores.default.allowHttp: true",
        ),
        (
            {"watchNamespaces": ["a"], "stores": {"default": {**STORE, "namespaces": ["b"]}}},
            'stores.default.namespaces: "b" is not in watchNamespaces',
        ),
        ({"stores": {"Default_Store": STORE}}, "Default_Store"),
        (
            {"watchNamespaces": ["a"], "runtimes": {"default": {"namespaces": ["b"]}}},
            'runtimes.default.namespaces: "b" is not in watchNamespaces',
        ),
        (
            {"runtimes": {"default": {"cpuHourPrice": "0.04"}}},
            "runtimes.default.cpuHourPrice: has no currency; set currency",
        ),
        ({"runtimes": {"default": {"cpuHourPrice": 0.04}}}, "/runtimes/default/cpuHourPrice"),
        ({"runtimes": {"default": {"template": {"envPrefix": "x"}}}}, "/runtimes/default/template/envPrefix"),
        ({"stages": {"image": "x"}}, "/stages': additional properties 'image' not allowed"),
        ({"currency": "euro"}, "/currency"),
        ({"limits": {"unfinishedJobs": 0}}, "/limits/unfinishedJobs': minimum: got 0, want 1"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name must be given"),
        ({"tolerations": [{"key": "a", "effect": "NoShedule"}]}, "/tolerations/0/effect"),
    ],
)
def test_mistake_is_named(refusal: Refusal, values: dict[str, Any], says: str) -> None:
    assert says in refusal(values)


def test_old_kubernetes_is_refused(refusal: Refusal) -> None:
    assert "requires kubeVersion: >=1.34.0-0" in refusal({}, kube="1.33.9")
