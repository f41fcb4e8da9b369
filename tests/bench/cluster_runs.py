"""`run-15`, and a pod's start in the image: on the local cluster, with the operator that Helm installed.

`run-15` is what a user waits for: from `kubectl apply` of a ScoringRun of 15 sensors to phase Succeeded. Its
reference is what Kubernetes takes for 15 Jobs of the same image that do nothing, in the same minutes.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from figures import Figure

from local.backend import choose
from local.deploy import SECRET, STORE_URL, Deployed, deploy
from local.images import name as image_name
from local.places import Places
from scorer.fit.train import train
from scorer.land import land, read_table
from scorer.storage import open_store
from scorer.storage.create import create_store
from scorer.window import window
from scoring import CSV, work

NAMESPACE = "sensorscore-bench"
TRAINING = window("2018-08-28T23:00:00Z", "2018-08-29T00:00:00Z")
WINDOW = {"start": "2018-08-29T00:00:00Z", "end": "2018-08-29T03:00:00Z"}
RUNS = 5
STARTS = 15
COMMAND = "make bench"

# Runs in the container: each start is a process of its own, as in a pod; the page cache is warm after the
# first.
STARTS_SCRIPT = """
import json, os, resource, subprocess, sys, time
for name, arguments in json.loads(sys.argv[1]):
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert status == 0, (name, status)
    print(json.dumps([name, seconds, usage.ru_maxrss / 1024]), flush=True)
"""


def measure() -> list[Figure]:
    """Both, on the cluster that is up, or on one that is brought up for it and removed again."""
    places = Places.here()
    backend = choose(places)
    was_up = backend.running()
    try:
        deployed = deploy(places, backend, [NAMESPACE])
        sensors = prepare(deployed)
        image = image_name(places, "scorer")
        return [run_15(deployed, sensors, image), *starts_in_the_image(deployed, sensors[0], image)]
    finally:
        if not was_up:
            backend.down()


def prepare(deployed: Deployed) -> list[str]:
    """Readings and models of the 15 sensors."""
    address = (STORE_URL, deployed.azurite.endpoint, True, deployed.azurite.connection_string)
    create_store(*address)
    store = open_store(*address)
    rows = read_table(CSV)
    land(store, rows)
    for sensor in rows:
        train(store, sensor, TRAINING)
    return list(rows)


def run_15(deployed: Deployed, sensors: list[str], image: str) -> Figure:
    """Runs and their reference in turns; medians."""
    ours, theirs = [], []
    for number in range(RUNS + 1):
        # An output path of its own: else a run would find the work done.
        run = {
            "apiVersion": "sensorscore.dev/v1alpha1",
            "kind": "ScoringRun",
            "metadata": {"name": f"bench-{number}", "namespace": NAMESPACE},
            "spec": {
                "window": WINDOW,
                "sensors": {"names": sensors},
                "output": {"path": f"bench/{time.time_ns()}/{{sensor}}.parquet", "allowOverwrite": True},
            },
        }
        ours.append(seconds_to(deployed, [run], "scoringruns", "{.status.phase}", phase_succeeded))
        jobs = [idle_job(f"idle-{number}-{each}", image) for each in range(len(sensors))]
        clear(deployed)
        theirs.append(seconds_to(deployed, jobs, "jobs", "{.status.succeeded}", all_ended(len(jobs))))
        clear(deployed)
    what = f"{len(sensors)} plain Jobs of the same image that do nothing"
    # The first of each warms image and page cache.
    return Figure(
        "run-15", statistics.median(ours[1:]), "s", what, statistics.median(theirs[1:]), 15, COMMAND
    )


def clear(deployed: Deployed) -> None:
    """Nothing of the last measurement is left when the next one begins."""
    for kind in ("scoringruns", "jobs", "pods"):
        deployed.tools.kubectl("delete", kind, "--all", f"--namespace={NAMESPACE}", "--wait")


def phase_succeeded(lines: list[str]) -> bool:
    """Whether the one run is Succeeded."""
    assert "Failed" not in lines, "the run failed"
    return "Succeeded" in lines


def all_ended(number: int) -> Callable[[list[str]], bool]:
    """Whether so many Jobs told of their success."""
    return lambda lines: lines.count("1") >= number


def seconds_to(
    deployed: Deployed, manifests: list[Any], kind: str, field: str, ended: Callable[[list[str]], bool]
) -> float:
    """From `kubectl apply` to the change that tells the end, as `kubectl get --watch` shows it."""
    lines: list[str] = []
    form = "{.metadata.name} " + field + '{"\\n"}'
    with deployed.tools.watch(kind, f"--namespace={NAMESPACE}", form=form, seconds=300) as changes:
        started = time.perf_counter()
        deployed.tools.apply(*manifests)
        latest: dict[str, str] = {}
        for change in changes:
            name, _, value = change.strip().partition(" ")
            latest[name] = value
            lines = list(latest.values())
            if ended(lines):
                return time.perf_counter() - started
    raise AssertionError(f"{kind} did not end within 300 s: {lines}")


def idle_job(name: str, image: str) -> dict[str, Any]:
    """A Job that starts Python and does nothing."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"template": {"spec": pod_spec(image, ["python3", "-c", "pass"])}},
    }


def starts_in_the_image(deployed: Deployed, sensor: str, image: str) -> list[Figure]:
    """Process starts in a container of the image, against the imports that no start can do without."""
    processes: list[tuple[str, list[str]]] = []
    for number in range(STARTS + 1):
        store = {"url": STORE_URL, "endpoint": deployed.azurite.endpoint, "allowHttp": True}
        output = {"path": f"bench/{time.time_ns()}-{number}/{{sensor}}.parquet"}
        order = work([sensor], window=WINDOW, store=store, output=output)
        processes.append(("scorer", ["-m", "scorer", "run", "--work", json.dumps(order)]))
        processes.append(("floor", ["-c", "import numpy, pyarrow.parquet, obstore"]))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "starts", "namespace": NAMESPACE},
        "spec": pod_spec(image, ["python3", "-c", STARTS_SCRIPT, json.dumps(processes)]),
    }
    tools = deployed.tools
    tools.kubectl("delete", "pod", "starts", f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    tools.apply(pod)
    phase = "--for=jsonpath={.status.phase}=Succeeded"
    tools.kubectl("wait", "pod/starts", f"--namespace={NAMESPACE}", phase, "--timeout=120s")
    told = [
        json.loads(line) for line in tools.kubectl("logs", "starts", f"--namespace={NAMESPACE}").splitlines()
    ]
    mine, floor = ([each[1:] for each in told if each[0] == kind][1:] for kind in ("scorer", "floor"))
    seconds, rss = zip(*mine, strict=True)
    floor_seconds, floor_rss = zip(*floor, strict=True)
    what = "importing numpy, pyarrow.parquet and obstore, nothing else, in the image"
    name, median = "cold-start-image", statistics.median
    return [
        Figure(name, median(seconds), "s", what, median(floor_seconds), 0.30, COMMAND),
        Figure(f"{name}-rss", max(rss), "MiB", what, max(floor_rss), 90, COMMAND),
    ]


def pod_spec(image: str, command: list[str]) -> dict[str, Any]:
    """A pod as scoring pods are: restricted, with the storage's connection string in its environment."""
    secret = {"secretKeyRef": dict(SECRET)}
    container = {
        "name": "scorer",
        "image": image,
        "command": command,
        "env": [
            {"name": "AZURE_STORAGE_CONNECTION_STRING", "valueFrom": secret},
            {"name": "OPENBLAS_NUM_THREADS", "value": "1"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": security,
        "containers": [container],
    }
