from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scoring_operator.settings import (
    Bounds,
    Limits,
    NodeCost,
    ScheduleSettings,
    SecretKey,
    SettingsError,
    Timing,
    load,
    parse,
)

MINIMAL: dict[str, Any] = {
    "stores": {"default": {"url": "azure://account/container"}},
    "runtimes": {"default": {"image": "scorer:1"}},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """MINIMAL with one key set."""
    import copy

    data: dict[str, Any] = copy.deepcopy(MINIMAL)
    *way, last = path.split(".")
    inner = data
    for key in way:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return data


def test_what_is_not_said_has_its_default() -> None:
    settings = parse(MINIMAL)
    assert settings.namespaces == ()
    assert settings.limits == Limits(unfinished_jobs=2000, writes_per_second=50, disruptions_per_chunk=10)
    assert settings.timing == Timing()
    assert settings.http.port == 8080
    assert settings.stages.resources["limits"] == {"memory": "1Gi"}
    store = settings.stores["default"]
    assert (store.allow_http, store.workload_identity, store.connection_string_secret) == (False, False, None)
    assert store.offered_to("anybody")


def test_everything_that_can_be_said_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        """
        namespaces: [scoring]
        stores:
          default:
            url: azure://devstoreaccount1/sensorscore
            endpoint: http://10.89.0.2:10000/devstoreaccount1
            allowHttp: true
            connectionStringSecret: {name: sensorscore-storage, key: connection-string}
            workloadIdentity: false
            serviceAccountName: sensorscore-scorer
            namespaces: [scoring]
        runtimes:
          default:
            image: localhost/sensorscore-scorer:0.1.0
            imagePullPolicy: IfNotPresent
            resources: {requests: {cpu: 1, memory: 192Mi}, limits: {memory: 512Mi}}
            nodeSelector: {pool: scoring}
            tolerations: [{key: scoring, operator: Exists}]
            env: {EXTRA: "1"}
            namespaces: [scoring]
            template:
              maxResources: {cpu: 2, memory: 4Gi}
              envPrefix: PARAM_
              priorityClassNames: [batch]
              labelKeys: [team, example.com/]
              annotationKeys: [example.com/note]
            cpuHourPrice: 0.045
            node: {pods: 30, idleSeconds: 60, hourPrice: 0.2}
        stages:
          resources: {requests: {cpu: 50m}}
          nodeSelector: {pool: system}
          tolerations: [{key: system}]
          priorityClassName: high
        currency: EUR
        limits: {unfinishedJobs: 100, unfinishedJobsPerNamespace: 50, writesPerSecond: 5}
        http: {port: 9090}
        timing: {debounceMilliseconds: 20}
        """
    )
    settings = load(file)
    assert settings.stores["default"].connection_string_secret == SecretKey(
        "sensorscore-storage", "connection-string"
    )
    assert not settings.stores["default"].offered_to("other")
    assert settings.runtimes["default"].resources["requests"] == {"cpu": "1", "memory": "192Mi"}
    assert settings.limits.unfinished_jobs == 100
    assert settings.limits.unfinished_jobs_per_namespace == 50
    runtime = settings.runtimes["default"]
    assert runtime.offered_to("scoring")
    assert not runtime.offered_to("other")
    assert runtime.template == Bounds(
        {"cpu": "2", "memory": "4Gi"},
        "PARAM_",
        frozenset({"batch"}),
        label_keys=frozenset({"team", "example.com/"}),
        annotation_keys=frozenset({"example.com/note"}),
    )
    assert (runtime.cpu_hour_price, settings.currency) == (Decimal("0.045"), "EUR")
    assert runtime.node == NodeCost(pods=30, boot_seconds=240, idle_seconds=60, hour_price=Decimal("0.2"))
    assert settings.stages.resources == {"requests": {"cpu": "50m"}}
    assert (settings.stages.node_selector, settings.stages.priority_class) == ({"pool": "system"}, "high")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("store", {}, "settings.store is not known; wanted one of"),
        ("stores", [], "settings.stores is a list"),
        ("stores.default.ur", "x", "settings.stores.default.ur is not known"),
        ("stores.default.url", None, "settings.stores.default.url is missing"),
        ("stores.default.url", "ftp://x/y", "default.url is 'ftp://x/y'; wanted azure://"),
        (
            "stores.default.allowHttp",
            "yes",
            "default.allowHttp is 'yes'; wanted true or false",
        ),
        (
            "stores.default.namespaces",
            "scoring",
            "default.namespaces is 'scoring'; wanted a list",
        ),
        (
            "stores.default.connectionStringSecret",
            {"key": "x"},
            "settings.stores.default.connectionStringSecret.name is missing",
        ),
        ("runtimes.default.image", 3, "settings.runtimes.default.image is 3; wanted a text"),
        ("runtimes.default.imagePullPolicy", "Sometimes", "wanted Always, IfNotPresent or Never"),
        (
            "runtimes.default.resources.request",
            {},
            "default.resources.request is not known",
        ),
        ("runtimes.default.env", {"A": True}, "settings.runtimes.default.env.A is True; wanted a text"),
        ("runtimes.default.tolerations", ["x"], "settings.runtimes.default.tolerations"),
        ("limits.unfinishedJobs", 0, "settings.limits.unfinishedJobs is 0; wanted a whole number from 1"),
        ("limits.unfinishedJobs", True, "settings.limits.unfinishedJobs is True; wanted a whole number"),
        (
            "runtimes.default.template.maxResources",
            {"cpu": "much"},
            "template.maxResources.cpu: 'much' is not",
        ),
        ("runtimes.default.template.envPrefix", "param", "envPrefix is 'param'; wanted capitals"),
        ("runtimes.default.template.envPrefix", "AZURE_", "envPrefix is 'AZURE_'; wanted capitals"),
        ("runtimes.default.template.envPrefix", "PYTHON_", "envPrefix is 'PYTHON_'; wanted capitals"),
        ("runtimes.default.template.envPrefix", "LD_X_", "envPrefix is 'LD_X_'; wanted capitals"),
        ("runtimes.default.template.labelKeys", ["a b"], "labelKeys is 'a b'; wanted keys such as team"),
        ("runtimes.default.template.annotationKeys", ["/"], "annotationKeys is '/'; wanted keys such as"),
        ("runtimes.default.node", {"pods": 0}, "settings.runtimes.default.node.pods is 0"),
        ("runtimes.default.cpuHourPrice", "-1", "cpuHourPrice is '-1'; wanted a decimal number"),
        ("runtimes.default.cpuHourPrice", 1, "settings.currency is missing; wanted that of runtimes.default"),
        ("currency", "euro", "settings.currency is 'euro'; wanted three letters such as EUR"),
        ("budgetPerDay", 1, "settings.currency is missing; wanted that of budgetPerDay"),
        ("budgetPerDay", "-1", "settings.budgetPerDay is '-1'; wanted a decimal number"),
        ("stages.image", "x", "settings.stages.image is not known"),
        ("schedules", {}, "settings.schedules is {}; wanted a list of mappings"),
        ("schedules", [{"namespace": "a"}], "settings.schedules[0].name is missing; wanted lower-case"),
        ("schedules", [{"name": "Hourly", "namespace": "a"}], "settings.schedules[0].name is 'Hourly'"),
        ("schedules", [{"name": "a", "namespace": "a", "cron": "x"}], "schedules[0].cron is not known"),
        ("schedules", [{"name": "a", "namespace": "a"}] * 2, "schedules[1].name is 'a' again; wanted each"),
        ("http.port", 70000, "settings.http.port is 70000; wanted a whole number from 0 to 65535"),
        ("timing.statusSeconds", 16, "statusSeconds is 16; wanted a whole number from 0 to 15"),
        ("timing.patience", 1, "settings.timing.patience is not known"),
    ],
)
def test_a_mistake_is_refused_with_its_path(path: str, value: object, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(changed(path, value))
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["a: [", "- x", "\x00"])
def test_a_file_that_is_no_settings_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="settings"):
        load(file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml cannot be read"):
        load(tmp_path / "absent.yaml")


def test_no_stores_are_the_state_right_after_an_installation() -> None:
    assert parse(MINIMAL | {"stores": {}}).stores == {}


def test_schedules_are_told_by_name_and_namespace() -> None:
    one = {"name": "hourly", "namespace": "team-a", "windowSeconds": 900, "suspended": True}
    one |= {"settleSeconds": 300, "startFrom": "2026-01-01T01:00:00+01:00"}
    other = {"name": "hourly", "namespace": "team-b"}
    assert parse(MINIMAL | {"schedules": [one, other]}).schedules == (
        ScheduleSettings("hourly", "team-a", 900, 300, True, datetime(2026, 1, 1, tzinfo=UTC)),
        ScheduleSettings("hourly", "team-b", 3600, suspended=False),
    )
    assert parse(MINIMAL).schedules == ()


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "a b"])
def test_a_schedule_that_starts_at_no_time_is_refused(text: str) -> None:
    one = {"name": "hourly", "namespace": "team-a", "startFrom": text}
    with pytest.raises(SettingsError, match=r"settings.schedules\[0\].startFrom is .*; wanted a time"):
        parse(MINIMAL | {"schedules": [one]})
