"""Monitors, rules and dashboards: fit for the Prometheus operator, and what the chart's own files say."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from chart.manifests import of_kind, only
from chart.rendering import CHART, Notes, Refusal, Render
from chart.variants import MONITORED, VARIANTS

RULES = sorted((CHART / "files" / "rules").glob("*.yaml"))
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
SERVICE_MONITOR = "monitoring.coreos.com/v1/ServiceMonitor"
Json = dict[str, Any]


def monitoring(**more: Any) -> Json:
    return {"monitoring": {"renderMode": "alwaysRender", **more}}


def rules_of(files: list[Path]) -> list[Json]:
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def panel_id(annotations: Json) -> int:
    """Of the panel that an alert's annotations name."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in DASHBOARDS]
    (panels,) = (each["panels"] for each in documents if each["uid"] == annotations["dashboard"])
    (found,) = (panel["id"] for panel in panels if panel["title"] == annotations["panel"])
    return int(found)


def closed(schema: Any) -> Any:
    """The same, but unknown keys are refused and not dropped, as the API server would."""
    if isinstance(schema, dict):
        schema = {key: closed(child) for key, child in schema.items()}
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    return schema


@pytest.fixture(scope="module")
def definitions() -> dict[str, Json]:
    """The Prometheus operator's own definitions, by kind."""
    from local import build
    from local.places import Places

    found = {}
    for file in build.kept(Places.here(), build.PROMETHEUS_OPERATOR).glob("*.yaml"):
        crd = yaml.safe_load(file.read_text(encoding="utf-8"))
        (version,) = crd["spec"]["versions"]
        schema = closed(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        found[crd["spec"]["names"]["kind"]] = schema
    return found


@pytest.mark.parametrize(
    "variant", ["everything", "pod monitor", "azure monitor", "azure pod monitor", "ingest whole"]
)
def test_what_is_the_prometheus_operators_fits_its_definitions(
    render: Render, definitions: dict[str, Json], variant: str
) -> None:
    ours = [item for item in render(VARIANTS[variant]) if item["kind"] in definitions]
    assert ours
    for manifest in ours:
        jsonschema.Draft202012Validator(definitions[manifest["kind"]]).validate(manifest)


def test_a_misspelt_key_would_be_found(render: Render, definitions: dict[str, Json]) -> None:
    monitor = copy.deepcopy(only(render(VARIANTS["everything"]), "ServiceMonitor"))
    monitor["spec"]["endpoints"][0]["intervall"] = "30s"
    with pytest.raises(jsonschema.ValidationError, match="intervall"):
        jsonschema.Draft202012Validator(definitions["ServiceMonitor"]).validate(monitor)


# Monitors


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
@pytest.mark.parametrize("group", ["monitoring.coreos.com", "azmonitoring.coreos.com"])
def test_a_monitor_finds_the_operator_and_keeps_the_runs_namespace(
    render: Render, kind: str, group: str
) -> None:
    manifests = render(monitoring(apiGroup=group, **{kind: {"enabled": True}}))
    monitor = only(manifests, kind[0].upper() + kind[1:])
    assert monitor["apiVersion"] == f"{group}/v1"
    (endpoint,) = monitor["spec"]["endpoints" if kind == "serviceMonitor" else "podMetricsEndpoints"]
    assert (endpoint["honorLabels"], endpoint["path"], endpoint["port"]) == (True, "/metrics", "http")
    pod = only(manifests, "Deployment")["spec"]["template"]
    service = only(manifests, "Service")
    target = service if kind == "serviceMonitor" else pod
    assert monitor["spec"]["selector"]["matchLabels"].items() <= target["metadata"]["labels"].items()
    ports = service["spec"]["ports"] if kind == "serviceMonitor" else pod["spec"]["containers"][0]["ports"]
    assert [port["name"] for port in ports] == ["http"]
    # Microsoft's template of a monitor has them; without them the managed Prometheus takes nothing.
    limits = {key for key in monitor["spec"] if key.startswith("label")}
    azure = group.startswith("az")
    assert limits == ({"labelLimit", "labelNameLengthLimit", "labelValueLengthLimit"} if azure else set())
    # Nobody wants every number twice.
    assert "annotations" not in service["metadata"]


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_series_stay_the_same_when_the_pod_is_another(render: Render, kind: str) -> None:
    """Else `increase` would miss what is counted before the first scrape of each new pod."""
    own = {"action": "replace", "targetLabel": "site", "replacement": "north"}
    manifests = render(monitoring(**{kind: {"enabled": True, "relabelings": [own]}}))
    spec = only(manifests, kind[0].upper() + kind[1:])["spec"]
    (endpoint,) = spec["endpoints" if kind == "serviceMonitor" else "podMetricsEndpoints"]
    assert endpoint["relabelings"] == [
        {"action": "replace", "targetLabel": "instance", "replacement": "system/sensorscore"},
        {"action": "labeldrop", "regex": "container|node|pod"},
        own,
    ]


def test_a_prometheus_without_its_operator_finds_the_service_by_annotations(render: Render) -> None:
    annotations = only(render(), "Service")["metadata"]["annotations"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
        "prometheus.io/path": "/metrics",
    }
    off = {"metrics": {"service": {"scrapeAnnotations": False}}}
    assert "annotations" not in only(render(off), "Service")["metadata"]


# What a cluster does not know


def test_a_cluster_without_the_api_refuses_skips_or_is_not_asked(
    render: Render, refusal: Refusal, notes: Notes
) -> None:
    wanted = {"serviceMonitor": {"enabled": True}}
    said = refusal({"monitoring": wanted})
    assert (
        "monitoring.serviceMonitor: the cluster does not know monitoring.coreos.com/v1 ServiceMonitor" in said
    )
    assert "monitoring.renderMode to skipIfMissing, or to alwaysRender" in said
    skipped = {"monitoring": {**wanted, "renderMode": "skipIfMissing"}}
    assert of_kind(render(skipped), "ServiceMonitor") == []
    # Else nobody would scrape it.
    assert "annotations" in only(render(skipped), "Service")["metadata"]
    assert "WARNING: the cluster does not know monitoring.coreos.com/v1" in notes(skipped)
    assert len(of_kind(render({"monitoring": wanted}, apis=[SERVICE_MONITOR]), "ServiceMonitor")) == 1
    assert len(of_kind(render(skipped, apis=[SERVICE_MONITOR]), "ServiceMonitor")) == 1
    assert len(of_kind(render(monitoring(**wanted)), "ServiceMonitor")) == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            monitoring(serviceMonitor={"enabled": True}, podMonitor={"enabled": True}),
            "serviceMonitor and podMonitor are both enabled",
        ),
        (
            {**monitoring(serviceMonitor={"enabled": True}), "metrics": {"service": {"enabled": False}}},
            "monitoring.serviceMonitor: there is no Service to monitor; set metrics.service.enabled: true",
        ),
        (
            monitoring(apiGroup="azmonitoring.coreos.com", rules={"enabled": True}),
            "azmonitoring.coreos.com has no PrometheusRule; Azure's managed Prometheus takes rules as",
        ),
        (
            monitoring(rules={"enabled": True, "disabled": ["SensorscoreRunMised"]}),
            'monitoring.rules.disabled: there is no alert "SensorscoreRunMised"; there are Sensorscore',
        ),
        ({"monitoring": {"rules": {"enabled": True}}}, "monitoring.rules: the cluster does not know"),
        (monitoring(apiGroup="monitoring.example.com"), "/monitoring/apiGroup"),
        (monitoring(renderMode="sometimes"), "/monitoring/renderMode"),
        (monitoring(serviceMonitor={"interval": "30"}), "/monitoring/serviceMonitor/interval"),
        (
            monitoring(serviceMonitor={"enabled": True, "interval": "5s"}),
            "serviceMonitor.scrapeTimeout: 10s is longer than monitoring.serviceMonitor.interval, 5s",
        ),
        (
            monitoring(podMonitor={"enabled": True, "labels": {"helm.sh/chart": "a"}}),
            'monitoring.podMonitor.labels: "helm.sh/chart" is one of the chart\'s own labels',
        ),
        (monitoring(rules={"alertLabels": {"my-team": "a"}}), "'my-team' does not match pattern"),
        (monitoring(dashboards={"labelValue": "a b"}), "/monitoring/dashboards/labelValue"),
        (monitoring(grafanaUrl="grafana.example.com"), "/monitoring/grafanaUrl"),
        (monitoring(rules={"runbookBaseUrl": "https://example.com"}), "/monitoring/rules/runbookBaseUrl"),
    ],
)
def test_monitoring_that_cannot_be_is_refused(refusal: Refusal, values: Json, says: str) -> None:
    assert says in refusal(values)


# Rules


def test_rules_are_the_files_with_the_values_labels_and_links(render: Render) -> None:
    found = of_kind(render({"monitoring": MONITORED}), "PrometheusRule")
    assert [item["metadata"]["name"] for item in found] == [f"sensorscore-{file.stem}" for file in RULES]
    assert all(item["metadata"]["labels"]["release"] == "kps" for item in found)
    rendered = [rule for item in found for group in item["spec"]["groups"] for rule in group["rules"]]
    source = rules_of(RULES)
    assert len(rendered) == len(source)
    for ours, theirs in zip(rendered, source, strict=True):
        same = ("alert", "record", "expr", "for", "keep_firing_for")
        assert [ours.get(key) for key in same] == [theirs.get(key) for key in same]
        if "alert" not in theirs:
            assert ours.get("labels") == theirs.get("labels")
            continue
        assert ours["labels"] == theirs["labels"] | {"team": "data"}
        told, known = ours["annotations"], theirs["annotations"]
        assert told["runbook_url"] == f"https://example.com/{known['runbook_url']}"
        address = f"https://grafana.example.com/d/{known['dashboard']}?viewPanel={panel_id(known)}"
        assert told["dashboard_url"] == address
        assert (told["summary"], told["description"]) == (known["summary"], known["description"])


def test_rules_as_they_are_without_links(render: Render) -> None:
    found = of_kind(render(monitoring(rules={"enabled": True})), "PrometheusRule")
    groups = [group for item in found for group in item["spec"]["groups"]]
    source = [group for file in RULES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    assert groups == source


def test_an_alert_can_be_left_out_by_name(render: Render) -> None:
    alerts = [rule["alert"] for rule in rules_of(RULES) if "alert" in rule]
    for left_out in ([alerts[0]], alerts):
        values = monitoring(rules={"enabled": True, "disabled": left_out})
        found = of_kind(render(values), "PrometheusRule")
        rules = [rule for item in found for group in item["spec"]["groups"] for rule in group["rules"]]
        assert [rule["alert"] for rule in rules if "alert" in rule] == [
            name for name in alerts if name not in left_out
        ]
        assert all(group["rules"] for item in found for group in item["spec"]["groups"])


# Dashboards


def test_each_dashboard_is_a_config_map_that_the_sidecar_finds(render: Render) -> None:
    found = of_kind(render(monitoring(dashboards={"enabled": True})), "ConfigMap")
    maps = {item["metadata"]["name"]: item for item in found if "-dashboard-" in item["metadata"]["name"]}
    assert sorted(maps) == [f"sensorscore-dashboard-{file.stem}" for file in DASHBOARDS]
    for file in DASHBOARDS:
        item = maps[f"sensorscore-dashboard-{file.stem}"]
        assert item["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert item["metadata"]["namespace"] == "system"
        assert item["data"] == {f"sensorscore-{file.stem}.json": file.read_text(encoding="utf-8")}
        assert len(json.dumps(item)) < 1_000_000


def test_dashboards_go_where_the_values_say_and_link_to_the_runbooks(render: Render) -> None:
    values = {"label": "dash", "labelValue": "yes", "annotations": {"folder": "a"}, "namespace": "grafana"}
    found = of_kind(
        render(
            monitoring(
                dashboards={"enabled": True, **values}, rules={"runbookBaseUrl": "https://example.com/"}
            )
        ),
        "ConfigMap",
    )
    maps = [item for item in found if "-dashboard-" in item["metadata"]["name"]]
    # Another release's may be there too.
    assert {item["metadata"]["name"] for item in maps} == {
        f"system-sensorscore-dashboard-{file.stem}" for file in DASHBOARDS
    }
    texts = [text for item in maps for text in item["data"].values()]
    for item in maps:
        assert (item["metadata"]["namespace"], item["metadata"]["labels"]["dash"]) == ("grafana", "yes")
        assert item["metadata"]["annotations"] == {"folder": "a"}
    assert all(json.loads(text)["uid"].startswith("sensorscore-") for text in texts)
    assert '"https://example.com/docs/runbooks"' in "".join(texts)
    assert '"docs/runbooks"' not in "".join(texts)


def test_nothing_of_it_is_there_unless_asked_for(render: Render) -> None:
    kinds = {item["kind"] for item in render()}
    assert kinds.isdisjoint({"ServiceMonitor", "PodMonitor", "PrometheusRule"})
    assert [item["metadata"]["name"] for item in of_kind(render(), "ConfigMap")] == ["sensorscore-settings"]
