"""Stores besides Blob Storage with a Secret in the environment: a volume, and a Secret that is a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from local import kind
from local.deploy import RELEASE, SECRET, STORE_URL
from releases import CHART
from scorer.fit.train import train
from scorer.land import land
from scorer.storage import Store, open_store
from scorer.verify import verify
from scorer.window import window
from stack import Stack, run_manifest

pytestmark = pytest.mark.cluster

CLAIM, FOLDER, SENSOR = "sensorscore-plant", "team-a", "pump"
NEVER = {"storageClassName": "", "accessModes": ["ReadWriteMany"]}


@pytest.fixture(scope="module")
def plant(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in a folder of a volume, which the release has, beside one whose secret is a file."""
    if kind.available():
        pytest.skip("a folder of this machine is none of a kind node's")
    root = tmp_path_factory.mktemp("plant")
    (root / FOLDER).mkdir()
    store = open_store(f"file://{root}/{FOLDER}")
    times = np.datetime64("2026-01-01T09:00:00", "us") + np.arange(1, 601) * np.timedelta64(12, "s")
    land(store, {SENSOR: (times, np.random.default_rng(7).normal(10.0, 1.0, 600))})
    train(store, SENSOR, window("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"))
    writable(root)
    stack.tools.apply(volume(root), claim(stack.namespace))
    try:
        upgrade(stack, {"plant": {"volume": mounted()}, "filed": filed(stack)})
        yield store
    finally:
        upgrade(stack, {"plant": None, "filed": None})
        stack.kubectl("delete", "pvc", CLAIM, "--wait=false")
        stack.tools.kubectl("delete", "pv", CLAIM, "--wait=false")


def writable(root: Path) -> None:
    """To the pods' user, as a share's mount options make it."""
    for parent in (*root.parents[:2], root, *root.rglob("*")):
        parent.chmod(parent.stat().st_mode | (0o777 if parent.is_dir() else 0o666))


def mounted() -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": CLAIM}, "path": FOLDER}


def filed(stack: Stack) -> dict[str, Any]:
    file = {"secret": SECRET["name"], "file": SECRET["key"]}
    where = {"url": STORE_URL, "endpoint": stack.azurite.endpoint, "allowHttp": True}
    return {**where, "connectionStringFile": file}


def volume(root: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": CLAIM},
        "spec": {"capacity": {"storage": "1Gi"}, "hostPath": {"path": str(root)}, **NEVER},
    }


def claim(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": CLAIM, **NEVER},
    }


def upgrade(stack: Stack, stores: dict[str, Any]) -> None:
    keep = ("--reset-then-reuse-values", "--wait", "--timeout=120s", "--values=-")
    where = f"--namespace={stack.release_namespace}"
    stack.tools.helm("upgrade", RELEASE, str(CHART), where, *keep, stdin=yaml.safe_dump({"stores": stores}))


def test_a_run_reads_from_a_volume_and_writes_to_its_folder_only(stack: Stack, plant: Store) -> None:
    stack.apply(run_manifest("from-a-volume", [SENSOR], store="plant"))
    run = stack.wait_ended("from-a-volume")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert verify(plant, run["metadata"]["uid"]).holds
    root = Path(plant.url.removeprefix("file://")).parent
    assert [each.name for each in root.iterdir()] == [FOLDER]


def test_a_connection_string_in_a_file_is_in_no_environment(stack: Stack, plant: Store) -> None:
    stack.apply(run_manifest("by-a-file", ["good-0"], store="filed"))
    run = stack.wait_ended("by-a-file")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    (job,) = stack.jobs("by-a-file")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert "AZURE_STORAGE_CONNECTION_STRING_FILE" in {each["name"] for each in container["env"]}
    assert "secretKeyRef" not in json.dumps(container["env"])
