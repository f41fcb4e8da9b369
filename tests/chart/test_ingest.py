"""Ingest: off unless asked for; its settings, sign-in, network and monitors as its process needs them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from chart.manifests import named, of_kind, only
from chart.rendering import CHART, Manifests, Notes, Refusal, Render
from chart.variants import AZURITE, IDENTITY, INGEST, INGEST_WHOLE, VARIANTS, VOLUME
from scorer.ingest.__main__ import main
from scorer.ingest.checks import SettingsError
from scorer.ingest.service_settings import ServiceSettings, service_settings

ANYWHERE = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}},
    {"ipBlock": {"cidr": "::/0"}},
]
HUB = {"EVENTHUB_CONNECTION_STRING": "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b"}
SECRET = {"name": "hub", "key": "connection-string"}
Json = dict[str, Any]


def with_ingest(stores: Json | None = None, **more: Any) -> Json:
    return {"stores": stores or {"default": IDENTITY}, "ingest": {**INGEST, **more}}


def by_secret(stores: Json | None = None, **more: Any) -> Json:
    return with_ingest(stores, hub={"name": "readings", "connectionStringSecret": SECRET}, **more)


def ours(manifests: Manifests) -> Manifests:
    return [
        item
        for item in manifests
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "ingest"
    ]


def settings_file(manifests: Manifests) -> str:
    return str(only(ours(manifests), "ConfigMap")["data"]["ingest.yaml"])


def parsed(manifests: Manifests) -> ServiceSettings:
    return service_settings(yaml.safe_load(settings_file(manifests)), HUB)


def pod_of(manifests: Manifests) -> Json:
    template = only(ours(manifests), "Deployment")["spec"]["template"]
    assert isinstance(template, dict)
    return template


def environment(manifests: Manifests) -> Json:
    (container,) = pod_of(manifests)["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_nothing_of_it_is_there_unless_asked_for(render: Render) -> None:
    assert ours(render()) == []
    assert ours(render({"ingest": {**INGEST, "enabled": False, "store": "absent"}})) == []


# Settings


@pytest.mark.parametrize("variant", ["ingest", "ingest whole"])
def test_the_process_takes_its_settings(
    render: Render, tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = render(VARIANTS[variant])
    for name, value in HUB.items() if variant == "ingest whole" else ():
        monkeypatch.setenv(name, value)
    file = tmp_path / "ingest.yaml"
    file.write_text(settings_file(manifests), encoding="utf-8")
    assert main([str(file), "--check"]) == 0


def test_what_is_left_out_has_the_processs_own_defaults(render: Render) -> None:
    given = parsed(render(VARIANTS["ingest"]))
    bare = {key: INGEST[key] for key in ("mapping", "window", "columns")}
    own = {"hub": {"name": "readings", "namespace": "plant.servicebus.windows.net"}, **bare}
    assert given == service_settings({**own, "store": {"url": IDENTITY["url"]}}, HUB)


def test_every_key_of_the_settings_reaches_the_process(render: Render) -> None:
    given = yaml.safe_load(settings_file(render(VARIANTS["ingest whole"])))
    keys = (
        "mapping",
        "window",
        "columns",
        "ordering",
        "maxSensors",
        "corrections",
        "landing",
        "folder",
        "rates",
    )
    assert {key: given[key] for key in keys} == {key: INGEST_WHOLE[key] for key in keys}
    assert given["deadLetters"] is None
    hub = {"name": "readings", "consumerGroup": "sensorscore", "start": "2026-01-01T12:00:00Z"}
    assert given["hub"] == hub
    assert given["store"] == {"url": "azure://account/container"}
    parsed_ = parsed(render(VARIANTS["ingest whole"]))
    assert (parsed_.dead_letters, parsed_.engine.ordering.early) == ("", None)


@pytest.mark.parametrize("section", ["mapping", "window", "ordering", "corrections", "landing", "rates"])
def test_values_and_process_know_the_same_keys(section: str) -> None:
    base = {"hub": {"name": "a"}, "store": {"url": "memory://a"}}
    base |= {key: INGEST[key] for key in ("mapping", "window", "columns")}
    with pytest.raises(SettingsError, match=rf"{section}[.]absent is not known: wanted ") as refused:
        service_settings({**base, section: {**base.get(section, {}), "absent": 1}}, HUB)
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    form = schema["definitions"][f"ingest{section.capitalize()}"]
    assert set(form["properties"]) == set(str(refused.value).partition("wanted ")[2].split(", "))


def test_a_path_pattern_of_stream_analytics_reaches_the_process(render: Render) -> None:
    pattern = {"path": "logs/{date}/{time}", "dateFormat": "YYYY-MM-DD", "timeFormat": "HH"}
    landing = parsed(render(with_ingest(landing=pattern))).landing
    assert landing.template("PerSensor") == "logs/{yyyy}-{MM}-{dd}/{HH}/{sensor}.parquet"


@pytest.mark.parametrize("start", ["Oldest", "Newest", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00+01:00"])
def test_where_reading_begins_reaches_the_process_as_text(render: Render, start: str) -> None:
    manifests = render(with_ingest(hub={**INGEST["hub"], "start": start}))
    assert yaml.safe_load(settings_file(manifests))["hub"]["start"] == start
    assert parsed(manifests).hub.start == start.replace("12:00:00+01:00", "11:00:00Z")


def test_a_store_of_its_own_endpoint_is_told_so(render: Render) -> None:
    told = parsed(render(by_secret({"default": AZURITE}))).store
    assert (told.url, told.endpoint, told.allow_http) == (AZURITE["url"], AZURITE["endpoint"], True)


def test_pods_are_renewed_when_their_settings_change(render: Render) -> None:
    def checksum(values: Json) -> str:
        return str(pod_of(render(values))["metadata"]["annotations"]["checksum/settings"])

    assert checksum(with_ingest()) == checksum(with_ingest(replicas=5))
    assert checksum(with_ingest()) != checksum(with_ingest(window={"size": "10s"}))


# Identity


def test_it_signs_in_by_workload_identity_without_a_kubernetes_token(render: Render) -> None:
    manifests = render(
        with_ingest(serviceAccount={"annotations": {"azure.workload.identity/client-id": "x"}})
    )
    pod = pod_of(manifests)
    account = only(ours(manifests), "ServiceAccount")
    assert account["metadata"]["annotations"] == {"azure.workload.identity/client-id": "x"}
    assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"] == "sensorscore-ingest"
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert (account["automountServiceAccountToken"], pod["spec"]["automountServiceAccountToken"]) == (
        False,
        False,
    )
    assert set(environment(manifests)) == {"OPENBLAS_NUM_THREADS", "SENSORSCORE_REPLICA"}


def test_its_secrets_are_where_the_process_reads_them(render: Render) -> None:
    manifests = render(by_secret({"default": AZURITE}))
    told = environment(manifests)
    assert told["EVENTHUB_CONNECTION_STRING"] == {"secretKeyRef": SECRET}
    assert told["AZURE_STORAGE_CONNECTION_STRING"] == {"secretKeyRef": AZURITE["connectionStringSecret"]}
    assert "azure.workload.identity/use" not in pod_of(manifests)["metadata"]["labels"]
    assert "connection" not in settings_file(manifests).lower()


@pytest.mark.parametrize(
    ("where", "volume"),
    [
        (
            {"secret": "storage"},
            {"secret": {"secretName": "storage", "items": [{"key": "text", "path": "text"}]}},
        ),
        (
            {"secretProviderClass": "vault"},
            {
                "csi": {
                    "driver": "secrets-store.csi.k8s.io",
                    "readOnly": True,
                    "volumeAttributes": {"secretProviderClass": "vault"},
                }
            },
        ),
    ],
)
def test_a_connection_string_may_be_a_file(render: Render, where: Json, volume: Json) -> None:
    store = {"url": "azure://account/container", "connectionStringFile": {**where, "file": "text"}}
    manifests = render(by_secret({"default": store}))
    assert environment(manifests)["AZURE_STORAGE_CONNECTION_STRING_FILE"] == "/var/sensorscore/secret/text"
    spec = pod_of(manifests)["spec"]
    assert {"name": "sensorscore-secret", **volume} in spec["volumes"]
    mount = {"name": "sensorscore-secret", "mountPath": "/var/sensorscore/secret", "readOnly": True}
    assert mount in spec["containers"][0]["volumeMounts"]


# Pods


def test_it_has_time_to_commit_and_is_replaced_one_by_one(render: Render) -> None:
    spec = only(ours(render(VARIANTS["ingest"])), "Deployment")["spec"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 60
    assert spec["replicas"] == 2
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["python3", "-m", "scorer.ingest"]
    assert "memory" in container["resources"]["limits"]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("readiness", "liveness")}
    assert probes == {"readiness": "/readyz", "liveness": "/healthz"}


def test_it_can_be_paused(render: Render) -> None:
    assert only(ours(render(with_ingest(replicas=0))), "Deployment")["spec"]["replicas"] == 0


def test_names_that_look_like_numbers_and_switches_stay_texts(render: Render) -> None:
    store = {"url": "azure://account/container", "connectionStringSecret": {"name": "42", "key": "0x1"}}
    numbers = {"namespace": "123", "serviceAccount": {"name": "no"}, "priorityClassName": "true"}
    manifests = render(
        with_ingest(
            {"default": store},
            hub={"name": "123", "connectionStringSecret": {"name": "null", "key": "1"}},
            **numbers,
        )
    )
    for item in ours(manifests):
        kubernetes_validate.validate(item, "1.36", strict=True)
    assert parsed(manifests).hub.name == "123"
    name = "sensorscore-system-ingest-metrics"
    assert only(ours(manifests), "Service")["metadata"]["name"] == name, "a Service's begins with a letter"


def test_what_is_the_administrators_reaches_its_pods(render: Render) -> None:
    manifests = render(VARIANTS["ingest whole"])
    pod = pod_of(manifests)
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    for key in ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName"):
        assert spec[key] == INGEST_WHOLE[key]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container["image"] == "registry.example.com/ingest@sha256:" + "1" * 64
    assert INGEST_WHOLE["extraEnv"][0] in container["env"]
    assert INGEST_WHOLE["extraVolumes"][0] in spec["volumes"]
    assert {**INGEST_WHOLE["extraVolumeMounts"][0], "readOnly": True} in container["volumeMounts"]
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["annotations"]["note"] == "a"
    assert {item["metadata"]["namespace"] for item in ours(manifests)} == {"a"}


# Network


def policy_of(manifests: Manifests) -> Json:
    policy = only(ours(manifests), "NetworkPolicy")["spec"]
    assert isinstance(policy, dict)
    return policy


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        (with_ingest(), [443]),
        (by_secret(), [443]),
        (by_secret({"default": AZURITE}), [10000]),
        (with_ingest({"default": AZURITE}), [10000, 443]),
    ],
    ids=["identity", "hub by secret", "all by secrets", "store by secret"],
)
def test_it_reaches_the_hub_its_store_and_entra_id(render: Render, values: Json, ports: list[int]) -> None:
    manifests = render(values)
    policy = policy_of(manifests)
    assert policy["podSelector"]["matchLabels"].items() <= pod_of(manifests)["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    _, hub, store = policy["egress"]
    assert hub == {"ports": [{"port": 5671, "protocol": "TCP"}], "to": ANYWHERE}
    assert store == {"ports": [{"port": port, "protocol": "TCP"} for port in ports], "to": ANYWHERE}


def test_what_is_known_of_the_network_narrows_it(render: Render) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
    rule = {"to": [{"ipBlock": {"cidr": "10.1.2.5/32"}}]}
    known = {
        "eventHubs": {"cidrs": ["30.0.0.0/8"], "ports": [5671, 5672]},
        "storage": {"cidrs": ["20.0.0.0/8"]},
        "metricsFrom": [peer],
        "extraEgress": {"ingest": [rule]},
    }
    policy = policy_of(render({**with_ingest(), "networkPolicy": known}))
    assert policy["ingress"][0]["from"] == [peer]
    _, hub, store, more = policy["egress"]
    assert [port["port"] for port in hub["ports"]] == [5671, 5672]
    assert (hub["to"], store["to"]) == (
        [{"ipBlock": {"cidr": "30.0.0.0/8"}}],
        [{"ipBlock": {"cidr": "20.0.0.0/8"}}],
    )
    assert more == rule


# Monitoring


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_its_own_monitor_finds_it_and_the_operators_does_not(render: Render, kind: str) -> None:
    monitoring = {"renderMode": "alwaysRender", kind[0].lower() + kind[1:]: {"enabled": True}}
    manifests = render({**with_ingest(namespace="a"), "monitoring": monitoring})
    target = only(ours(manifests), "Service") if kind == "ServiceMonitor" else pod_of(manifests)
    labels = target["metadata"]["labels"]
    chosen = {
        item["metadata"]["name"]: item["spec"]["selector"]["matchLabels"].items() <= labels.items()
        for item in of_kind(manifests, kind)
    }
    assert chosen == {"sensorscore": False, "sensorscore-system-ingest": True}
    assert only(ours(manifests), kind)["metadata"]["namespace"] == "a"


def test_a_prometheus_without_its_operator_finds_its_service_by_annotations(render: Render) -> None:
    manifests = render(with_ingest())
    service = only(ours(manifests), "Service")
    pod = pod_of(manifests)
    assert service["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (port,) = pod["spec"]["containers"][0]["ports"]
    assert (port["containerPort"], service["spec"]["ports"][0]["targetPort"]) == (8080, port["name"])
    operators = named(manifests, "Service", "sensorscore-metrics")["spec"]["selector"]
    assert not operators.items() <= pod["metadata"]["labels"].items()
    assert (
        of_kind(ours(render({**with_ingest(), "metrics": {"service": {"enabled": False}}})), "Service") == []
    )


# Refusals


def without(section: str, key: str) -> Json:
    values = copy.deepcopy(with_ingest())
    del values["ingest"][section][key]
    return values


OFFERED = {"default": {**IDENTITY, "namespaces": ["a", "b"]}}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"ingest": {"enabled": True}}, "ingest.hub.name: there is no hub to receive from"),
        (without("hub", "workloadIdentity"), "ingest.hub: no way to sign in; set workloadIdentity: true, or"),
        (
            with_ingest(hub={**INGEST["hub"], "connectionStringSecret": SECRET}),
            "ingest.hub: workloadIdentity and connectionStringSecret are two ways to sign in; give one",
        ),
        (without("hub", "namespace"), "ingest.hub.namespace: by workload identity nothing else says where"),
        (with_ingest(store=""), "ingest.store: there is no store to leave readings in; give the name of one"),
        (with_ingest(store="plant"), 'ingest.store: there is no store "plant"; stores has default'),
        ({"ingest": INGEST}, 'ingest.store: there is no store "default"; stores has none'),
        (with_ingest({"default": VOLUME}), 'ingest.store: "default" is a volume, on which replicas cannot'),
        (
            with_ingest(OFFERED),
            'ingest.store: "default" is not offered to namespace system; set ingest.namespace to one of',
        ),
        (with_ingest(OFFERED, namespace="c"), '"default" is not offered to namespace c'),
        (without("mapping", "values"), "ingest.mapping: give sensor and values"),
        (without("mapping", "time"), "ingest.mapping.time: give the field of an event's time"),
        (with_ingest(window={}), "ingest.window.size: give the length of windows"),
        (with_ingest(columns={}), "ingest.columns: readings would have none"),
        (with_ingest(window={"size": "5"}), "/ingest/window/size"),
        (with_ingest(mapping={**INGEST["mapping"], "sensors": "a"}), "additional properties 'sensors'"),
        (with_ingest(landing={"format": "ORC"}), "/ingest/landing/format"),
        (with_ingest(ordering={"lateArival": "5s"}), "additional properties 'lateArival'"),
        (with_ingest(rates={"commit": 10}), "/ingest/rates/commit"),
        (with_ingest(hub={**INGEST["hub"], "namespace": "sb://plant/"}), "/ingest/hub/namespace"),
        (with_ingest(image={"tag": "latest"}), 'ingest.image.tag: "latest" is refused'),
        (with_ingest(replicas=-1), "/ingest/replicas"),
        (with_ingest(resources={"requests": {"cpu": None}}), "missing property 'cpu'"),
    ],
)
def test_mistake_is_named(refusal: Refusal, values: Json, says: str) -> None:
    assert says in refusal(values)


def test_a_store_is_offered_where_ingest_runs(render: Render) -> None:
    assert (
        only(ours(render(with_ingest(OFFERED, namespace="b"))), "Deployment")["metadata"]["namespace"] == "b"
    )
    everybodys = with_ingest({"default": {**IDENTITY, "namespaces": []}})
    assert only(ours(render(everybodys)), "Deployment")["metadata"]["namespace"] == "system"


# Notes


def test_notes_say_what_it_does_and_what_it_wants(notes: Notes) -> None:
    text = notes(by_secret({"default": AZURITE}))
    assert "Ingest receives from Event Hub readings" in text
    assert "kubectl --namespace system rollout status deployment/sensorscore-ingest" in text
    assert "create secret generic hub --from-file=connection-string=FILE" in text
    assert "WARNING: ingest" not in text
    assert "Ingest" not in notes()
    assert (
        "WARNING: ingest signs in by workload identity, and ServiceAccount sensorscore-ingest names"
        in notes(with_ingest())
    )
