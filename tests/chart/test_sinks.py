"""The chart's `sinks:` reach the operator's settings; mistakes end in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from chart.manifests import named, only
from chart.rendering import Refusal, Render
from scoring_operator.settings import parse

Json = dict[str, Any]
OPS: Json = {
    "type": "webhook",
    "url": "http://alertmanager.monitoring:9093/api/v2/alerts",
    "format": "alertmanager",
    "allowHttpHosts": ["alertmanager.monitoring"],
    "headers": {"Authorization": {"name": "ops", "key": "authorization"}},
    "debounce": {"atLeast": 2, "of": 3},
    "minScore": 0.5,
    "routes": [
        {"match": {"group": ["pumps"]}, "urlSecret": {"name": "pumps", "key": "url"}},
        {"match": {"owner": ["nobody"]}, "drop": True},
    ],
    "dashboardUrl": "https://grafana.example.com/d/s?var-sensor={sensor}",
}
STREAM: Json = {
    "type": "eventHub",
    "hub": "anomalies",
    "namespace": "some.servicebus.windows.net",
    "workloadIdentity": True,
    "namespaces": ["team-a"],
}
SINKS: Json = {"watchNamespaces": ["team-a", "team-b"], "sinks": {"ops": OPS, "stream": STREAM}}


def test_the_operator_is_told_of_the_sinks(render: Render) -> None:
    told = only(render(SINKS), "ConfigMap")["data"]["settings.yaml"]
    settings = parse(yaml.safe_load(told))
    assert sorted(settings.sinks) == ["ops", "stream"]
    assert settings.sinks["ops"].order["batch"] == 100
    assert settings.sinks["stream"].workload_identity
    assert not settings.sinks["stream"].offered_to("team-b")


def test_only_pods_that_publish_reach_sinks(render: Render) -> None:
    manifests = render(SINKS)
    ports = {}
    for namespace in ("team-a", "team-b"):
        policy = named(manifests, "NetworkPolicy", "system-sensorscore-sinks", namespace)["spec"]
        assert policy["podSelector"]["matchLabels"]["sensorscore.dev/stage"] == "publish"
        ports[namespace] = [port["port"] for port in policy["egress"][0]["ports"]]
    assert ports == {"team-a": [443, 5671, 9093], "team-b": [443, 9093]}


def test_without_sinks_there_is_nothing_of_them(render: Render) -> None:
    manifests = render({"watchNamespaces": ["team-a"]})
    assert "sinks" not in yaml.safe_load(only(manifests, "ConfigMap")["data"]["settings.yaml"])
    assert not [each for each in manifests if each["metadata"]["name"].endswith("-sinks")]


@pytest.mark.parametrize(
    ("sink", "says"),
    [
        ({"type": "webhook"}, "sinks.ops: give one of url and urlSecret"),
        ({"type": "pager"}, "/sinks/ops/type"),
        ({**OPS, "hub": "a"}, "sinks.ops.hub: is not of the type webhook"),
        ({**OPS, "allowHttpHosts": []}, "is not encrypted; give https://"),
        ({**OPS, "debounce": {"atLeast": 4, "of": 3}}, "sinks.ops.debounce: atLeast is 4, of 3 windows"),
        ({**OPS, "routes": [{"url": "https://example.com/"}]}, "missing property 'match'"),
        ({**STREAM, "workloadIdentity": False}, "sinks.ops: give workloadIdentity: true with namespace"),
        ({**STREAM, "namespaces": ["other"]}, 'sinks.ops.namespaces: "other" is not in watchNamespaces'),
    ],
)
def test_a_mistake_is_refused(refusal: Refusal, sink: Json, says: str) -> None:
    assert says in refusal({"watchNamespaces": ["team-a"], "sinks": {"ops": sink}})


def test_a_schedule_may_name_only_sinks_that_are_there(refusal: Refusal) -> None:
    run = {"sensors": {"names": ["a"]}, "sinks": ["ops", "pager"]}
    store = {"url": "azure://account/container", "workloadIdentity": True}
    values = {
        "stores": {"default": store},
        "sinks": {"ops": {"type": "webhook", "url": "https://example.com/"}},
        "schedules": {"hourly": {"namespace": "team-a", "run": run}},
    }
    assert 'schedules.hourly.run.sink: there is no sink "pager"' in refusal(values)
