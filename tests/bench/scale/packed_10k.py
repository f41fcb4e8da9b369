"""`packed-10k`: 10,000 sensors, 100 a Job, scored by real containers on the local cluster, against Azurite.

Each sensor has its own model, registered as any other, and a file with an hour of readings of the reference's
shape. Beside it a sample of sensors with a Job each: what packing saves in pod-seconds.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cluster_runs import NAMESPACE, clear
from figures import Figure
from pack_data import SMALL_ROWS, feature_names, model_files, names, readings_file, small_model

from local.api import Api
from local.backend import choose
from local.console import stage
from local.deploy import STORE_URL, Deployed, deploy
from local.places import Places
from scale.plane import run_manifest, until
from scorer.storage import open_store
from scorer.storage.create import create_store

SENSORS = 10_000
SAMPLE = 100
PER_JOB = 100
KINDS_OF_READINGS = 20  # files of readings that differ; each sensor has one of them as its own
RUNS = f"/apis/sensorscore.dev/v1alpha1/namespaces/{NAMESPACE}/scoringruns"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
COMMAND = "make bench-operator"


def measure(sensors: int = SENSORS, sample: int = SAMPLE) -> list[Figure]:
    """On the cluster that is up, or on one that is brought up for it and removed again."""
    places = Places.here()
    backend = choose(places)
    was_up = backend.running()
    try:
        deployed = deploy(places, backend, [NAMESPACE])
        with stage(f"models and readings of {sensors} sensors"):
            seed(deployed, sensors)
        api = Api(backend.kubeconfig)
        clear(deployed)
        alone, _ = one_run(api, names(sensors)[:sample], per_job=1)
        packed, seconds = one_run(api, names(sensors), PER_JOB)
        clear(deployed)
    finally:
        if not was_up:
            backend.down()
    each = alone / sample
    shown = f"packed-{sensors // 1000}k" if sensors >= 1000 else f"packed-{sensors}"
    what = f"{sample} of them with a Job each, pod-seconds a sensor"
    floor = f"{sensors} sensors in pods of their own, pod-seconds"
    return [
        Figure(shown, seconds, "s", floor, each * sensors, 300, COMMAND),
        Figure(f"{shown}-pod-seconds", packed / sensors, "s a sensor", what, each, each / 20, COMMAND),
    ]


def seed(deployed: Deployed, sensors: int) -> None:
    """Models and readings into the store: 3 blobs a sensor, put by 16 threads."""
    address = (STORE_URL, deployed.azurite.endpoint, True, deployed.azurite.connection_string)
    create_store(*address)
    store = open_store(*address)
    random = np.random.default_rng(7)
    model = model_files(small_model())
    readings = [
        readings_file(20 + random.normal(size=(SMALL_ROWS, 1)), feature_names(1))
        for _ in range(KINDS_OF_READINGS)
    ]

    def put(sensor: str, hour: bytes) -> None:
        for name, data in model.items():
            store.put(f"models/{sensor}/{name}", data)
        store.put(f"readings/2026/01/01/12/{sensor}.parquet", hour)

    with ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(put, *each) for each in zip(names(sensors), itertools.cycle(readings))]:
            done.result()


def one_run(api: Api, sensors: list[str], per_job: int) -> tuple[int, float]:
    """A run over these sensors: its pod-seconds, and seconds from its creation to Complete."""
    name = f"packed-{per_job}-{time.time_ns() % 10**9}"
    listed = "".join(f"{sensor}\n" for sensor in sensors)
    api.create(CONFIG_MAPS, {"metadata": {"name": f"{name}-list"}, "data": {"names": listed}})
    # An output path of its own: else a run would find the work done.
    output = {"path": f"bench/{name}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/{{sensor}}.parquet"}
    started = time.monotonic()
    api.call("POST", RUNS, run_manifest(name, sensorsPerJob=per_job, output=output))
    status = until("the run has ended", lambda: _ended(api, name), 900)
    seconds = time.monotonic() - started
    if status["phase"] != "Succeeded" or status["counts"]["scored"] != len(sensors):
        raise AssertionError(f"{name}: {status['phase']}, {status['counts']}, {status['failures'][:2]}")
    return status["cost"]["podSeconds"], seconds


def _ended(api: Api, name: str) -> dict[str, object] | None:
    status = api.call("GET", f"{RUNS}/{name}").get("status", {})
    return status if status.get("phase") in ("Succeeded", "Failed") else None
