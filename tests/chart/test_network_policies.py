"""Nothing goes to or from Sensorscore's pods but what they need."""

from __future__ import annotations

from typing import Any

import pytest

from chart.manifests import named, of_kind, only, pod_templates
from chart.rendering import Refusal, Render
from chart.variants import AZURITE, IDENTITY, VARIANTS, VOLUME
from scoring_operator import labels

ANYWHERE = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}},
    {"ipBlock": {"cidr": "::/0"}},
]
Json = dict[str, Any]


def ports(policy: Json) -> list[int]:
    """TCP ports out, besides DNS."""
    return sorted(
        port["port"]
        for rule in policy["spec"]["egress"]
        for port in rule.get("ports", [])
        if port["port"] != 53
    )


def scoring(manifests: list[Json], namespace: str) -> Json:
    return named(manifests, "NetworkPolicy", "system-sensorscore-scoring", namespace)


def test_the_operator_speaks_to_the_api_server_and_is_asked_for_metrics_only(render: Render) -> None:
    manifests = render()
    policy = only(manifests, "NetworkPolicy")["spec"]
    pod = only(manifests, "Deployment")["spec"]["template"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (container,) = pod["spec"]["containers"]
    assert policy["ingress"] == [{"ports": [{"port": container["ports"][0]["name"], "protocol": "TCP"}]}]
    dns, api = policy["egress"]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert [port["port"] for port in api["ports"]] == [443, 6443, 8443]
    assert api["to"] == ANYWHERE


def test_what_is_known_of_the_network_narrows_it(render: Render) -> None:
    manifests = render(VARIANTS["everything"])
    operator = named(manifests, "NetworkPolicy", "scoring")["spec"]
    assert operator["ingress"][0]["from"] == [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
    assert operator["egress"][1:] == [
        {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]},
        {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 3128}]},
    ]
    pods = named(manifests, "NetworkPolicy", "system-scoring-scoring")["spec"]
    assert pods["egress"][1]["to"] == [{"ipBlock": {"cidr": "20.0.0.0/8"}}]
    assert pods["egress"][2] == {"to": [{"podSelector": {}}]}


def test_scoring_pods_are_chosen_by_their_own_labels_and_let_nobody_in(render: Render) -> None:
    policy = scoring(render(VARIANTS["namespaced"]), "a")["spec"]
    assert policy["podSelector"] == {
        "matchLabels": {labels.MANAGED_BY: labels.OURS, labels.NAME: labels.SCORER}
    }
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == []


@pytest.mark.parametrize(
    ("stores", "wanted"),
    [
        ({}, []),
        ({"default": IDENTITY}, [443]),
        ({"default": AZURITE}, [10000]),
        ({"default": {**AZURITE, "endpoint": "http://azurite/account"}}, [80]),
        ({"default": {**AZURITE, "endpoint": "https://storage.example.com/account"}}, [443]),
        ({"default": VOLUME}, []),
        ({"default": IDENTITY, "second": AZURITE, "third": VOLUME}, [443, 10000]),
        # Tokens come from Entra ID, wherever the store is.
        ({"default": {**IDENTITY, "endpoint": "https://storage.example.com:8443/a"}}, [443, 8443]),
        ({"default": {**AZURITE, "namespaces": ["b"]}}, []),
    ],
)
def test_scoring_pods_reach_the_ports_of_their_namespaces_stores(
    render: Render, stores: Json, wanted: list[int]
) -> None:
    manifests = render({"watchNamespaces": ["a", "b"], "stores": stores})
    assert ports(scoring(manifests, "a")) == wanted


def test_a_schedules_pod_speaks_to_the_api_server_and_its_namespace_gets_what_scoring_needs(
    render: Render,
) -> None:
    manifests = render(VARIANTS["scheduled"])
    policy = named(manifests, "NetworkPolicy", "system-sensorscore-scheduler", "c")["spec"]
    ((_, pod),) = [each for each in pod_templates(manifests) if each[0].startswith("CronJob/")]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert (policy["ingress"], policy["policyTypes"]) == ([], ["Ingress", "Egress"])
    assert [port["port"] for port in policy["egress"][1]["ports"]] == [443, 6443, 8443]
    assert ports(scoring(manifests, "c")) == [443]
    named(manifests, "ServiceAccount", "sensorscore-scorer", "c")


def test_no_policy_chooses_others_pods(render: Render) -> None:
    for variant in VARIANTS.values():
        for policy in of_kind(render(variant), "NetworkPolicy"):
            chosen = policy["spec"]["podSelector"]["matchLabels"]
            assert chosen["app.kubernetes.io/name"] in ("sensorscore", "sensorscore-scorer")


def test_they_can_be_left_out(render: Render) -> None:
    assert of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy") == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"apiServer": {"ports": []}}, "/networkPolicy/apiServer/ports"),
        ({"apiServer": {"cidrs": ["10.0.0.1"]}}, "/networkPolicy/apiServer/cidrs/0"),
        ({"metricsFrom": [{"namespace": "a"}]}, "/networkPolicy/metricsFrom/0"),
        ({"extraEgress": {"pods": []}}, "/networkPolicy/extraEgress"),
    ],
)
def test_policies_that_cannot_be_are_refused(refusal: Refusal, values: Json, says: str) -> None:
    assert says in refusal({"networkPolicy": values})
