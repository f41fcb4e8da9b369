"""Volumes of pods: a store that is one, a mounted secret, a plugin's data; by the administrator only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from scoring_operator.jobs import Means, publish_job, scoring_job
from scoring_operator.mounts import VOLUME_TYPES
from scoring_operator.sections import SettingsError
from scoring_operator.settings import parse
from unit.operator.given import Json, a_run, chunks_of, publishing, sensors, spec_of

CLAIM = {"persistentVolumeClaim": {"claimName": "readings"}}
AZURE = "azure://account/container"
DATA = {"name": "data", "persistentVolumeClaim": {"claimName": "weights"}}


def means(store: Json | None = None, runtime: Json | None = None) -> Means:
    settings = parse(
        {
            "stores": {"default": store or {"url": AZURE}},
            "runtimes": {"default": {"image": "scorer:1"} | (runtime or {})},
        }
    )
    return Means(settings.stores["default"], settings.runtimes["default"], settings.stages)


def scoring(given: Means, **spec: Any) -> Json:
    run = a_run(**spec)
    job = scoring_job(run, spec_of(run), given, chunks_of(sensors(), spec_of(run))[0], 0)
    kubernetes_validate.validate(job, "1.36", strict=True)
    return job


def publish(given: Means) -> Json:
    run = a_run(publishing(sensors()))
    return publish_job(run, spec_of(run), given, sensors(), 0)


def pod(job: Json) -> Json:
    spec: Json = job["spec"]["template"]["spec"]
    return spec


def environment(job: Json) -> Json:
    return {each["name"]: each for each in pod(job)["containers"][0]["env"]}


@pytest.mark.parametrize("stage", [scoring, publish])
def test_a_store_can_be_a_volume_to_which_all_stages_write(stage: Any) -> None:
    given = means({"volume": CLAIM | {"path": "team-a/scoring"}})
    spec = pod(stage(given))
    assert {"name": "sensorscore-store", **CLAIM} in spec["volumes"]
    mount = {
        "name": "sensorscore-store",
        "mountPath": "/var/sensorscore/store",
        "subPath": "team-a/scoring",
    }
    assert mount in spec["containers"][0]["volumeMounts"]
    assert given.store.url == "file:///var/sensorscore/store"
    # Not for each pod through all files.
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert "AZURE_STORAGE_CONNECTION_STRING" not in environment(stage(given))


def test_a_pod_without_volumes_is_as_it_was() -> None:
    spec = pod(scoring(means()))
    assert "fsGroupChangePolicy" not in spec["securityContext"]
    assert [each["name"] for each in spec["volumes"]] == ["tmp"]


@pytest.mark.parametrize("stage", [scoring, publish])
@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            {"secret": "storage", "file": "connection-string"},
            {
                "secret": {
                    "secretName": "storage",
                    "items": [{"key": "connection-string", "path": "connection-string"}],
                }
            },
        ),
        (
            {"secretProviderClass": "vault", "file": "connection-string"},
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
def test_a_connection_string_can_be_a_file_rather_than_in_the_environment(
    stage: Any, file: Json, source: Json
) -> None:
    job = stage(means({"url": AZURE, "connectionStringFile": file}))
    assert {"name": "sensorscore-storage"} | source in pod(job)["volumes"]
    mount = {"name": "sensorscore-storage", "mountPath": "/etc/sensorscore/storage", "readOnly": True}
    assert mount in pod(job)["containers"][0]["volumeMounts"]
    variables = environment(job)
    path = "/etc/sensorscore/storage/connection-string"
    assert variables["AZURE_STORAGE_CONNECTION_STRING_FILE"]["value"] == path
    assert "AZURE_STORAGE_CONNECTION_STRING" not in variables


def test_a_runtime_places_and_marks_its_pods_and_gives_them_data_to_read() -> None:
    affinity = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "sensorscore-scorer"}},
        }
    ]
    runtime = {
        "affinity": affinity,
        "topologySpreadConstraints": spread,
        "podLabels": {"team": "a", "sensorscore.dev/run": "forged"},
        "podAnnotations": {"note": "b"},
        "priorityClassName": "batch",
        "volumes": [DATA, {"name": "scratch", "emptyDir": {}}],
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "scratch", "mountPath": "/scratch", "subPath": "a"},
        ],
    }
    given = means(runtime=runtime)
    job = scoring(given)
    spec, metadata = pod(job), job["spec"]["template"]["metadata"]
    assert (spec["affinity"], spec["topologySpreadConstraints"]) == (affinity, spread)
    assert spec["priorityClassName"] == "batch"
    assert (metadata["labels"]["team"], metadata["labels"]["sensorscore.dev/run"]) == ("a", "hourly")
    assert metadata["annotations"]["note"] == "b"
    mounts = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    assert mounts["data"] == {"name": "data", "mountPath": "/data", "readOnly": True}
    assert mounts["scratch"] == {"name": "scratch", "mountPath": "/scratch", "subPath": "a"}
    asked = scoring(given, template={"priorityClassName": "urgent", "labels": {"team": "theirs"}})
    assert pod(asked)["priorityClassName"] == "urgent"
    assert asked["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    # The pods of other stages score nothing.
    assert [each["name"] for each in pod(publish(given))["volumes"]] == ["tmp", "decisions"]
    assert "affinity" not in pod(publish(given))


def test_a_pod_with_all_kinds_of_volumes_is_one_that_restricted_lets_in() -> None:
    given = means(
        {"volume": CLAIM}, {"volumes": [DATA], "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    )
    given = replace(given, store=replace(given.store, connection_string_file=None))
    spec = pod(scoring(given))
    for volume in spec["volumes"]:
        (kind,) = volume.keys() - {"name"}
        assert kind in VOLUME_TYPES


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ({"volume": CLAIM, "url": AZURE}, "default.url is there; wanted no such key beside volume"),
        ({"volume": CLAIM, "workloadIdentity": True}, "default.workloadIdentity is there"),
        ({"volume": {"path": "a"}}, "volume.persistentVolumeClaim.claimName is missing"),
        ({"volume": {"hostPath": {"path": "/"}, **CLAIM}}, "volume.hostPath is not known"),
        ({"volume": CLAIM | {"path": "../a"}}, "volume.path is '../a'; wanted a path below"),
        ({"volume": CLAIM | {"path": "a/../b"}}, "volume.path is 'a/../b'"),
        ({"volume": CLAIM | {"path": "/a"}}, "volume.path is '/a'"),
        (
            {"url": AZURE, "connectionStringFile": {"file": "a"}},
            "wanted one of secret and secretProviderClass",
        ),
        (
            {"url": AZURE, "connectionStringFile": {"file": "a", "secret": "b", "secretProviderClass": "c"}},
            "wanted one of secret and secretProviderClass",
        ),
        (
            {"url": AZURE, "connectionStringFile": {"file": "../a", "secret": "b"}},
            "connectionStringFile.file is '../a'; wanted a file's name",
        ),
    ],
)
def test_a_store_that_cannot_be_is_refused_by_key(store: Json, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        means(store)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("volume", "mount", "words"),
    [
        (
            {"name": "a", "hostPath": {"path": "/"}},
            {},
            "volumes[0] has hostPath, name; wanted a name, and",
        ),
        ({"name": "a", "nfs": {}}, {}, "a source that Pod Security restricted allows"),
        ({"name": "a"}, {}, "volumes[0] has name; wanted"),
        ({"name": "tmp", "emptyDir": {}}, {}, "volumes[0].name is 'tmp', Sensorscore's own"),
        ({"name": "a.b", "emptyDir": {}}, {}, "volumes[0].name is 'a.b'; wanted at most 63 lower-case"),
        ({"name": "a|b", "emptyDir": {}}, {}, "volumes[0].name is 'a|b'; wanted at most 63 lower-case"),
        ({"name": "x" * 64, "emptyDir": {}}, {}, "wanted at most 63 lower-case letters, digits and -"),
        ({"name": "", "emptyDir": {}}, {}, "volumes[0].name is ''; wanted at most 63"),
        ({"name": "a", "emptyDir": {}}, {"name": "b"}, "volumeMounts[0].name is 'b'; wanted the name of one"),
        ({"name": "a", "emptyDir": {}}, {"mountPath": "x"}, "mountPath is 'x'; wanted an absolute path"),
        ({"name": "a", "emptyDir": {}}, {"mountPath": "/dev/x"}, "wanted a folder outside /tmp"),
        ({"name": "a", "emptyDir": {}}, {"mountPath": "/etc"}, "wanted a folder outside /tmp"),
        ({"name": "a", "emptyDir": {}}, {"mountPath": "/"}, "wanted an absolute path"),
        ({"name": "a", "emptyDir": {}}, {"subPath": "../x"}, "subPath is '../x'"),
        (
            {"name": "a", "emptyDir": {}},
            {"mountPropagation": "Bidirectional"},
            "mountPropagation is not known",
        ),
        ({"name": "a", "emptyDir": {}}, None, "volumes: 'a' is in no volumeMounts"),
    ],
)
def test_a_runtimes_volume_that_cannot_be_is_refused_by_key(
    volume: Json, mount: Json | None, words: str
) -> None:
    mounts = [] if mount is None else [{"name": volume["name"], "mountPath": "/data"} | mount]
    with pytest.raises(SettingsError) as refused:
        means(runtime={"volumes": [volume], "volumeMounts": mounts})
    assert words in str(refused.value)
