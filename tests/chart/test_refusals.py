"""Mistakes in the values end in one sentence that names the key, before anything is applied."""

from __future__ import annotations

from typing import Any

import pytest

from chart.rendering import Refusal

STORE = {"url": "azure://account/container", "workloadIdentity": True}
RUNTIME_IMAGE = {"repository": "localhost/scorer"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
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
        ({"stores": {"default": {}}}, "/stores/default': missing property 'url'"),
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
