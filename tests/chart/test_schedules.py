"""What the chart makes of schedules: CronJobs whose pods the schedule's own code understands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from chart.manifests import settings_of
from chart.rendering import CHART, Manifests, Refusal, Render
from scoring_operator.schedule import settings as schedule_settings
from scoring_operator.schedule.objects import mark_name
from scoring_operator.settings import ScheduleSettings
from scoring_operator.settings import parse as parse_settings

Json = dict[str, Any]
STORES = {"default": {"url": "azure://account/container", "workloadIdentity": True}}
SENSORS = {"table": {"path": "fleet.parquet"}}
HOURLY: Json = {"namespace": "team-a", "run": {"sensors": SENSORS}}
EVERYTHING: Json = {
    "namespace": "team-b",
    "cron": "*/15 6-18 * * 1-5",
    "timeZone": "America/New_York",
    "windowSeconds": 900,
    "offsetSeconds": -60,
    "settleSeconds": 120,
    "startFrom": "2026-01-01T00:00:00+01:00",
    "suspend": True,
    "startingDeadlineSeconds": 600,
    "catchUp": {"maxWindows": 8, "maxAgeSeconds": 7200, "priority": -5},
    "run": {
        "sensors": {"discover": {"from": "Models", "prefix": "a"}},
        "store": "other",
        "readings": {"path": "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv", "waitFor": {"timeoutSeconds": 600}},
        "output": {"layout": "Sharded", "shards": 16},
        "sensorsPerJob": 100,
        "failurePolicy": {"maxFailedSensors": 3},
        "template": {"env": [{"name": "PARAM_X", "value": "1"}]},
        "ttlSecondsAfterFinished": 31536000,
    },
}


def values(**schedules: Json) -> Json:
    return {"stores": STORES | {"other": STORES["default"]}, "schedules": schedules}


def of(manifests: Manifests, kind: str, namespace: str = "team-a") -> Manifests:
    found = [manifest for manifest in manifests if manifest["kind"] == kind]
    return [each for each in found if each["metadata"].get("namespace") == namespace]


def only(manifests: Manifests, kind: str, namespace: str = "team-a") -> Json:
    found = [
        each
        for each in of(manifests, kind, namespace)
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "scheduler"
    ]
    (manifest,) = found
    return manifest


def told(manifests: Manifests, namespace: str = "team-a") -> schedule_settings.Schedule:
    """The file of its pod, as the pod reads it."""
    file = only(manifests, "ConfigMap", namespace)["data"]["schedule.yaml"]
    return schedule_settings.parse(yaml.safe_load(file))


def test_without_schedules_there_is_nothing_of_them(render: Render) -> None:
    manifests = render({"stores": STORES})
    assert not of(manifests, "CronJob")
    assert not any("scheduler" in manifest["metadata"]["name"] for manifest in manifests)


def test_an_hourly_schedule_needs_its_namespace_and_its_sensors_only(render: Render) -> None:
    manifests = render(values(hourly=HOURLY))
    cron = only(manifests, "CronJob")
    assert cron["metadata"]["name"] == "sensorscore-schedule-hourly"
    spec = cron["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("5 * * * *", "Etc/UTC", False)
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Forbid", 3600)
    found = told(manifests)
    assert (found.name, found.namespace) == ("hourly", "team-a")
    assert found.run["sensors"] == SENSORS


def test_everything_that_can_be_said_arrives(render: Render) -> None:
    manifests = render(values(quarterly=EVERYTHING))
    spec = only(manifests, "CronJob", "team-b")["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("*/15 6-18 * * 1-5", "America/New_York")
    assert (spec["suspend"], spec["startingDeadlineSeconds"]) == (True, 600)
    found, whole = told(manifests, "team-b"), {"name": "quarterly", **EVERYTHING}
    for cron_only in ("cron", "timeZone", "suspend", "startingDeadlineSeconds"):
        del whole[cron_only]
    assert found == schedule_settings.parse(whole)


@pytest.mark.parametrize(("window", "deadline"), [(900, 3600), (86_400, 86_400), (31_536_000, 604_800)])
def test_a_start_that_was_missed_is_made_up_for_as_long_as_a_window(
    render: Render, window: int, deadline: int
) -> None:
    schedule = hourly(windowSeconds=window, cron="0-5,30 6 * jan-Mar 1-5/2")
    assert only(render(values(hourly=schedule)), "CronJob")["spec"]["startingDeadlineSeconds"] == deadline


def test_the_schedulers_rights_are_among_those_that_an_administrator_makes() -> None:
    """`helm template --show-only templates/rbac.yaml` has to hold all that the team cannot give itself."""
    for name in ("schedules", "serviceaccounts"):
        assert "kind: Role" not in (CHART / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def test_the_operator_knows_each_schedule_before_its_first_run(render: Render) -> None:
    manifests = render(values(hourly=HOURLY, quarterly=EVERYTHING))
    (settings,) = (each for each in of(manifests, "ConfigMap", "system") if "settings.yaml" in each["data"])
    assert parse_settings(yaml.safe_load(settings["data"]["settings.yaml"])).schedules == (
        ScheduleSettings("hourly", "team-a", 3600, settle_seconds=0, suspended=False),
        ScheduleSettings("quarterly", "team-b", 900, 120, True, datetime(2025, 12, 31, 23, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({}, ("team-a", "team-b")),
        ({"scoringNamespaces": ["team-c"]}, ("team-c", "team-a", "team-b")),
    ],
)
def test_the_operator_knows_the_namespaces_where_runs_are_expected(
    render: Render, more: Json, known: tuple[str, ...]
) -> None:
    settings = settings_of(render(values(hourly=HOURLY, quarterly=EVERYTHING) | more))
    assert parse_settings(settings).known_namespaces == known


def test_without_catching_up_a_schedule_may_forbid_two_runs_at_once(render: Render) -> None:
    run = {"sensors": SENSORS, "concurrencyPolicy": "Forbid"}
    manifests = render(values(hourly=hourly(run=run, catchUp={"maxWindows": 0})))
    assert told(manifests).run["concurrencyPolicy"] == "Forbid"


def test_its_pods_have_just_the_rights_that_they_use(render: Render) -> None:
    manifests = render(values(a=HOURLY, b=HOURLY, other=EVERYTHING))
    role = only(manifests, "Role")
    rights = {
        (verb, resource, name)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }
    assert rights == {
        ("create", "scoringruns", ""),
        ("get", "scoringruns", ""),
        ("create", "configmaps", ""),
        *((verb, "configmaps", mark_name(name)) for verb in ("get", "update") for name in "ab"),
        ("create", "events", ""),
    }
    account = only(manifests, "ServiceAccount")["metadata"]["name"]
    assert account == "sensorscore-scheduler"
    binding = only(manifests, "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "team-a"}]
    pod = of(manifests, "CronJob")[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account


def test_its_pods_run_restricted_and_beside_the_scoring_pool(render: Render) -> None:
    more = {"nodeSelector": {"pool": "system"}, "imagePullSecrets": [{"name": "registry"}]}
    manifests = render(values(hourly=HOURLY) | more)
    job = only(manifests, "CronJob")["spec"]["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["command"] == ["python3", "-m", "scoring_operator.schedule"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert pod["nodeSelector"] == {"pool": "system"}
    assert pod["restartPolicy"] == "Never"
    assert job["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [2]
    assert only(manifests, "ServiceAccount")["imagePullSecrets"] == [{"name": "registry"}]


def test_without_rbac_there_are_no_roles(render: Render) -> None:
    manifests = render(values(hourly=HOURLY) | {"rbac": {"create": False, "aggregate": False}})
    assert not of(manifests, "Role")
    assert only(manifests, "ServiceAccount")


def test_manifests_fit_the_schemas_of_kubernetes(render: Render) -> None:
    manifests = render(values(a=HOURLY, b=HOURLY, quarterly=EVERYTHING))
    for manifest in manifests:
        for version in ("1.34", "1.35", "1.36"):
            kubernetes_validate.validate(manifest, version, strict=True)
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in manifests
    ]
    assert len(names) == len(set(names))


def hourly(**change: Any) -> Json:
    return {name: value for name, value in (HOURLY | change).items() if value is not None}


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (hourly(namespace=None), "missing property 'namespace'"),
        (hourly(run=None), "missing property 'run'"),
        (hourly(crom="5 * * * *"), "additional properties 'crom' not allowed"),
        (hourly(cron="5 * * *"), "/schedules/hourly/cron"),
        (hourly(cron="60 * * * *"), "/schedules/hourly/cron"),
        (hourly(cron="5 24 * * *"), "/schedules/hourly/cron"),
        (hourly(cron="5 * 0 * *"), "/schedules/hourly/cron"),
        (hourly(cron="5 * * 13 *"), "/schedules/hourly/cron"),
        (hourly(cron="5 * * * 7"), "/schedules/hourly/cron"),
        (hourly(cron="*/0 * * * *"), "/schedules/hourly/cron"),
        (hourly(cron="TZ=UTC 5 * * * *"), "/schedules/hourly/cron"),
        (hourly(timeZone="Europe Berlin"), "/schedules/hourly/timeZone"),
        (hourly(windowSeconds=90), "/schedules/hourly/windowSeconds"),
        (hourly(windowSeconds=7200), "schedules.hourly.cron: is missing"),
        (hourly(startFrom="2026-01-01"), "/schedules/hourly/startFrom"),
        (hourly(catchUp={"maxWindow": 1}), "additional properties 'maxWindow' not allowed"),
        (hourly(catchUp={"priority": 0}), "catchUp.priority: 0 is not less than run.priority"),
        (hourly(run={}), "missing property 'sensors'"),
        (hourly(run={"sensors": {}}), "schedules.hourly.run.sensors: found nothing; give one of names"),
        (hourly(run={"sensors": {**SENSORS, "names": ["a"]}}), "run.sensors: found names, table; give"),
        (hourly(run={"sensors": SENSORS, "window": {}}), "additional properties 'window' not allowed"),
        (
            hourly(run={"sensors": SENSORS, "concurrencyPolicy": "Forbid"}),
            'schedules.hourly.run.concurrencyPolicy: "Forbid" loses the window just ended',
        ),
        (
            hourly(run={"sensors": SENSORS, "ttlSecondsAfterFinished": 7199}),
            "schedules.hourly.run.ttlSecondsAfterFinished: 7199 is less than two windows or an hour, 7200",
        ),
        (
            hourly(run={"sensors": SENSORS, "ttlSecondsAfterFailed": 0}),
            "schedules.hourly.run.ttlSecondsAfterFailed: 0 is less than two windows",
        ),
        (hourly(run={"sensors": SENSORS, "suspend": True}), "additional properties 'suspend' not allowed"),
        (hourly(run={"sensors": SENSORS, "parallelism": 5000}), "/schedules/hourly/run/parallelism"),
        (hourly(run={"sensors": SENSORS, "output": {"shard": 1}}), "additional properties 'shard' not"),
        (hourly(run={"sensors": SENSORS, "store": "none"}), 'no store "none"; there is default, other'),
        (hourly(run={"sensors": SENSORS, "runtime": "gpu"}), 'there is no runtime "gpu"; there is default'),
    ],
)
def test_a_mistake_is_refused_by_its_key(refusal: Refusal, schedule: Json, says: str) -> None:
    assert says in refusal(values(hourly=schedule))


def test_a_name_that_a_cronjob_cannot_have_is_refused(refusal: Refusal) -> None:
    assert "give at most 31 lower-case letters" in refusal(values(**{"x" * 32: HOURLY}))


def test_a_namespace_that_nobody_watches_or_may_use_the_store_is_refused(refusal: Refusal) -> None:
    said = refusal(values(hourly=HOURLY) | {"watchNamespaces": ["team-b"]})
    assert 'schedules.hourly.namespace: "team-a" is not in watchNamespaces' in said
    theirs = {"default": STORES["default"] | {"namespaces": ["team-b"]}}
    said = refusal({"stores": theirs, "schedules": {"hourly": HOURLY}})
    assert 'schedules.hourly.run.store: stores.default.namespaces has no "team-a"' in said
