"""What the chart makes of a schedule's `rescore`: one container for the store, one for the API."""

from __future__ import annotations

from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from chart.rendering import Manifests, Refusal, Render
from scorer.changes import list_template
from scoring_operator.schedule import settings as schedule_settings

Json = dict[str, Any]
IDENTITY = {"url": "azure://account/container", "workloadIdentity": True}
RESCORE = {"horizonSeconds": 172_800, "maxPerHour": 4}
RUN: Json = {"sensors": {"table": {"path": "fleet.parquet"}}}
HOURLY: Json = {"namespace": "team-a", "run": RUN, "rescore": RESCORE | {"clientId": "reader"}}


def values(store: Json = IDENTITY, **change: Any) -> Json:
    told = {key: value for key, value in (HOURLY | change).items() if value is not None}
    return {"stores": {"default": store}, "schedules": {"hourly": told}}


def named(manifests: Manifests, kind: str, name: str) -> Json:
    (found,) = (each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod_of(manifests: Manifests) -> Json:
    job = named(manifests, "CronJob", "sensorscore-rescore-hourly")["spec"]["jobTemplate"]["spec"]
    template: Json = job["template"]
    return template


def both(manifests: Manifests) -> tuple[Json, Json]:
    """The container that looks at the store, and the one that makes runs."""
    spec = pod_of(manifests)["spec"]
    (looks,), (makes,) = spec["initContainers"], spec["containers"]
    return looks, makes


def test_without_rescore_there_is_nothing_of_it(render: Render) -> None:
    manifests = render(values(rescore=None))
    assert not [each for each in manifests if "rescore" in each["metadata"]["name"]]


def test_it_is_a_cronjob_beside_the_schedule_s_own(render: Render) -> None:
    manifests = render(values(suspend=True))
    cron = named(manifests, "CronJob", "sensorscore-rescore-hourly")["spec"]
    assert (cron["schedule"], cron["timeZone"], cron["suspend"]) == ("*/10 * * * *", "Etc/UTC", True)
    own = named(manifests, "CronJob", "sensorscore-schedule-hourly")["spec"]
    assert "initContainers" not in own["jobTemplate"]["spec"]["template"]["spec"]


def test_what_it_is_told_arrives(render: Render) -> None:
    run = RUN | {"readings": {"path": "in/{yyyy}/{MM}/{dd}/{HH}/*.parquet"}}
    manifests = render(values(run=run))
    file = named(manifests, "ConfigMap", "sensorscore-schedule-hourly.settings")["data"]["schedule.yaml"]
    told = schedule_settings.parse(yaml.safe_load(file)).rescore
    assert told is not None
    assert (told.horizon.total_seconds(), told.max_per_hour) == (172_800, 4)
    looks, makes = both(manifests)
    arguments = looks["args"]
    (readings,) = (each for each in arguments if each.startswith("--readings="))
    assert list_template(readings.partition("=")[2]) == told.path == "in/{yyyy}/{MM}/{dd}/{HH}/_corrected.csv"
    assert arguments[arguments.index("--horizon") + 1] == "172800"
    file = arguments[arguments.index("--to") + 1]
    assert {"name": "SENSORSCORE_CHANGES", "value": file} in makes["env"]
    assert makes["command"] == ["python3", "-m", "scoring_operator.schedule", "rescore"]


@pytest.mark.parametrize("run", [RUN, RUN | {"readings": {"path": "{yyyy}/{MM}/{dd}/{HH}/x-{sensor}.csv"}}])
def test_scorer_schedule_and_chart_mean_the_same_list(render: Render, run: Json) -> None:
    manifests = render(values(run=run))
    file = named(manifests, "ConfigMap", "sensorscore-schedule-hourly.settings")["data"]["schedule.yaml"]
    told = schedule_settings.parse(yaml.safe_load(file)).rescore
    (readings,) = (each for each in both(manifests)[0]["args"] if each.startswith("--readings="))
    assert told is not None
    assert list_template(readings.partition("=")[2]) == told.path


SECRET_STORES: list[Json] = [
    {"url": "azure://account/container", "connectionStringSecret": {"name": "s", "key": "k"}},
    {"url": "azure://account/container", "connectionStringFile": {"secret": "s", "file": "k"}},
    {"url": "azure://account/container", "connectionStringFile": {"secretProviderClass": "s", "file": "k"}},
    {"volume": {"persistentVolumeClaim": {"claimName": "claim"}, "path": "some/folder"}},
    IDENTITY,
]


@pytest.mark.parametrize("store", SECRET_STORES)
def test_no_container_has_both_the_store_and_the_api(render: Render, store: Json) -> None:
    template = pod_of(manifests := render(values(store)))
    looks, makes = both(manifests)
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert [token in {each["mountPath"] for each in one["volumeMounts"]} for one in (looks, makes)] == [
        False,
        True,
    ]
    shared = {each["name"] for each in looks["volumeMounts"]} & {
        each["name"] for each in makes["volumeMounts"]
    }
    assert shared == {"changes"}
    assert [each.get("readOnly") for each in makes["volumeMounts"] if each["name"] == "changes"] == [True]
    assert {each["name"] for each in makes["env"]} == {"SENSORSCORE_SCHEDULE", "SENSORSCORE_CHANGES"}
    skips = template["metadata"]["annotations"].get("azure.workload.identity/skip-containers")
    labelled = template["metadata"]["labels"].get("azure.workload.identity/use") == "true"
    assert (labelled, skips) == ((True, "schedule") if store is IDENTITY else (False, None))


@pytest.mark.parametrize("store", SECRET_STORES)
def test_its_pods_run_restricted(render: Render, store: Json) -> None:
    manifests = render(values(store))
    spec = pod_of(manifests)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in both(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    for version in ("1.34", "1.36"):
        for manifest in manifests:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_volume_is_looked_at_and_not_written_to(render: Render) -> None:
    looks, _ = both(render(values(SECRET_STORES[3])))
    assert "file:///var/sensorscore/store" in looks["args"]
    (mount,) = (each for each in looks["volumeMounts"] if each["name"] == "sensorscore-store")
    assert (mount["readOnly"], mount["subPath"]) == (True, "some/folder")


def test_an_identity_is_that_of_the_scorer_where_no_other_is_given(render: Render) -> None:
    account = {"annotations": {"azure.workload.identity/client-id": "the-scorer"}}
    told = values(rescore=RESCORE) | {"scorer": {"serviceAccount": account}}
    assert {"name": "AZURE_CLIENT_ID", "value": "the-scorer"} in both(render(told))[0]["env"]
    assert {"name": "AZURE_CLIENT_ID", "value": "reader"} in both(render(values()))[0]["env"]


def test_it_may_write_a_mark_of_its_own(render: Render) -> None:
    role = next(
        each
        for each in render(values())
        if (each["kind"], each["metadata"]["name"]) == ("Role", "sensorscore-scheduler")
    )
    names = [name for rule in role["rules"] for name in rule.get("resourceNames", [])]
    assert "sensorscore-rescore-hourly" in names


def test_its_pods_reach_storage_and_those_of_windows_do_not(render: Render) -> None:
    manifests = render(values() | {"networkPolicy": {"enabled": True}})
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    (own,) = (each for each in policies if each["metadata"]["name"].endswith("-rescore"))
    labels = own["spec"]["podSelector"]["matchLabels"]
    assert labels.items() <= pod_of(manifests)["metadata"]["labels"].items()
    windows = named(manifests, "CronJob", "sensorscore-schedule-hourly")["spec"]["jobTemplate"]["spec"]
    assert not labels.items() <= windows["template"]["metadata"]["labels"].items()
    assert [each["port"] for rule in own["spec"]["egress"] for each in rule["ports"]] == [443]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rescore": {}}, "missing property 'horizonSeconds'"),
        ({"rescore": RESCORE | {"horizonSeconds": 60}}, "/schedules/hourly/rescore/horizonSeconds"),
        ({"rescore": RESCORE | {"maxPerHour": 0}}, "/schedules/hourly/rescore/maxPerHour"),
        ({"rescore": RESCORE | {"cron": "often"}}, "/schedules/hourly/rescore/cron"),
        ({"rescore": RESCORE | {"horizon": "1d"}}, "additional properties 'horizon' not allowed"),
        ({"rescore": RESCORE}, "schedules.hourly.rescore.clientId: is missing"),
        ({"windowSeconds": 900, "cron": "*/15 * * * *"}, "schedules.hourly.rescore: is of hours"),
        ({"offsetSeconds": 1800}, "schedules.hourly.rescore: is of hours"),
        ({"run": {"sensors": {"names": ["a"]}}}, "run.sensors by table or discover"),
        ({"run": {"sensors": RUN["sensors"] | {"only": {"path": "x"}}}}, "and without only"),
        ({"run": RUN | {"readings": {"layout": "asa"}}}, "run.readings.layout hourly, not asa"),
        (
            {"run": RUN | {"readings": {"path": "{sensor}/{yyyy}/{MM}/{dd}/{HH}.csv"}}},
            "a folder for each hour",
        ),
        ({"run": RUN | {"readings": {"path": "{yyyy}/{MM}/{dd}/{HH}-{sensor}.csv"}}}, "has no {HH} in its"),
    ],
)
def test_a_mistake_is_refused_by_its_key(refusal: Refusal, change: Json, says: str) -> None:
    assert says in refusal(values(**change))
