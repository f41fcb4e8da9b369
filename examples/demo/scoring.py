"""Readings and models into the store, one ScoringRun over them, and what came of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from examples.demo import faults
from examples.demo.console import Progress, say, show
from examples.demo.errors import DemoError
from local.deploy import NAMESPACE, STORE_URL, Deployed
from scorer.land import read_table
from scorer.storage import open_store

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "demo"
SOURCE = ROOT / "examples" / "azure-reference" / "sensor_data.csv"
RUN_FILE = ROOT / "examples" / "scoringrun.yaml"
READINGS = BUILD / "readings.csv"
FAULTS = BUILD / "faults.json"
TRAINED_HOUR = "2018-08-28T23:00:00Z/2018-08-29T00:00:00Z"
RUN_SECONDS = 600
"""Longer than any run of 15 sensors: then something is stuck."""

PROGRESS = ("phase", "progress", "counts.activeJobs", "counts.failed")
"""What is watched, below the resource's status."""


def land(deployed: Deployed) -> None:
    """The readings, with a few faults put in, hour by hour into the store."""
    readings, injected = faults.inject(read_table(SOURCE))
    for fault in injected:
        say(f"   fault put in: {fault.sensor}, {fault.kind}, {len(fault.times)} readings")
    faults.write(injected, FAULTS)
    write_csv(readings, READINGS)
    show(f"export AZURE_STORAGE_CONNECTION_STRING='...' STORE='{' '.join(where(deployed))}'")
    scorer(deployed, "store", "init")
    scorer(deployed, "land", str(READINGS.relative_to(ROOT)))


def train(deployed: Deployed) -> None:
    """One one-class SVM a sensor, on the first full hour."""
    # A wide kernel: these values are spread evenly over one range, and a narrow one (`scale`) would flag some
    # in the middle of it, between two support vectors.
    scorer(deployed, "train", "--window", TRAINED_HOUR, "--nu", "0.01", "--gamma", "0.1")


def score(deployed: Deployed) -> dict[str, Any]:
    """The run, from `kubectl apply` to its end; returns the resource. DemoError if it does not succeed."""
    tools = deployed.tools
    name = str(run_file()["metadata"]["name"])
    tools.kubectl("delete", "scoringrun", name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    forget(deployed)
    show(f"kubectl --namespace {NAMESPACE} apply -f {RUN_FILE.relative_to(ROOT)}")
    begun = time.monotonic()
    tools.kubectl("apply", f"--namespace={NAMESPACE}", f"--filename={RUN_FILE}")
    phase = follow(deployed, name)
    seconds = time.monotonic() - begun
    run = tools.get("scoringrun", name, f"--namespace={NAMESPACE}")
    if phase != "Succeeded":
        raise DemoError(why(run, phase))
    jobs = run["status"]["counts"]["jobs"]
    say(f"   {phase} {seconds:.1f} s after apply: {jobs} Jobs, one container a sensor")
    return run


def follow(deployed: Deployed, name: str) -> str:
    """Show the run's progress until it has ended; returns its last phase."""
    phase = ""
    # Not tabs: kubectl turns those into blanks when it watches.
    form = "|".join(f"{{.status.{field}}}" for field in PROGRESS) + '{"\\n"}'
    run = ("scoringrun", name, f"--namespace={NAMESPACE}")
    with Progress() as progress, deployed.tools.watch(*run, form=form, seconds=RUN_SECONDS) as changes:
        for change in changes:
            phase, sensors, active, failed = change.rstrip("\n").split("|")
            done, _, total = sensors.partition("/")
            if total:
                words = f"{phase}, active Jobs {active or 0}, failed sensors {failed or 0}"
                progress.show(int(done), int(total), words)
            if phase in ("Succeeded", "Failed"):
                break
    return phase


def why(run: Mapping[str, Any], phase: str) -> str:
    """Why a run did not succeed, in its own words."""
    status = run.get("status", {})
    name = run["metadata"]["name"]
    look = f"look with: kubectl --namespace {NAMESPACE} describe scoringrun {name}"
    if phase != "Failed":
        return f"run {name} did not end: {phase or 'the operator has not seen it'}; {look}"
    ended: Mapping[str, Any] = next(
        (each for each in status.get("conditions", []) if each["type"] == "Failed"), {}
    )
    reasons = "; ".join(
        f"{failure['sensor']}: {failure['reason']}: {failure.get('message', '')}"
        for failure in status.get("failures", [])[:3]
    )
    return f"run {name} failed, {ended.get('reason', '')}: {ended.get('message', '')} {reasons}; {look}"


def check(run: Mapping[str, Any]) -> None:
    """Every landed reading of the window is accounted for. DemoError if not."""
    rows = run["status"]["rows"]
    landed = landed_in_window()
    accounted = rows["scored"] + rows["rejected"] + rows["duplicate"]
    if not landed == rows["read"] == accounted:
        raise DemoError(
            f"{landed} readings of the window were landed, {rows['read']} read, {accounted} accounted for: "
            "these should be equal, please report it"
        )
    say(f"   {landed:,} readings landed = {rows['read']:,} read = {accounted:,} accounted for")


def landed_in_window() -> int:
    """How many readings of the run's window are in the CSV file."""
    window = run_file()["spec"]["window"]
    start, end = (np.datetime64(window[edge].removesuffix("Z"), "us") for edge in ("start", "end"))
    return sum(int(((times > start) & (times <= end)).sum()) for times, _ in read_table(READINGS).values())


def report(deployed: Deployed, run: Mapping[str, Any]) -> None:
    """Table, page and picture, from the store alone."""
    window = run["spec"]["window"]
    scorer(
        deployed,
        *("report", "--run", run["metadata"]["uid"], "--name", run["metadata"]["name"]),
        *("--window", f"{window['start']}/{window['end']}"),
        *("--faults", str(FAULTS.relative_to(ROOT)), "--out", str(BUILD.relative_to(ROOT))),
    )


def forget(deployed: Deployed) -> None:
    """Remove the results of an earlier demo: their fingerprints are the same, nothing would be scored."""
    azurite = deployed.azurite
    store = open_store(STORE_URL, azurite.endpoint, True, azurite.connection_string)
    for folder in ("predictions", "runs"):
        for entry in list(store.list(folder)):
            store.delete(entry.path)


def scorer(deployed: Deployed, command: str, *arguments: str) -> None:
    """One command of the scorer, told as one would type it. DemoError if it fails; it has said why."""
    show(" ".join(["scorer", command, *arguments, "$STORE"]))
    environment = {**os.environ, "AZURE_STORAGE_CONNECTION_STRING": deployed.azurite.connection_string}
    argv = [command, *arguments, *where(deployed)]
    done = subprocess.run(
        [sys.executable, "-m", "scorer", *argv],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout + done.stderr).splitlines():
        say(f"   {line}".rstrip())
    if done.returncode:
        raise DemoError(f"`scorer {command}` ended with exit code {done.returncode}; its words are above")


def where(deployed: Deployed) -> tuple[str, ...]:
    """The scorer's arguments that name the store."""
    return ("--store", STORE_URL, "--endpoint", deployed.azurite.endpoint, "--allow-http")


def run_file() -> dict[str, Any]:
    """The example's ScoringRun."""
    run: dict[str, Any] = yaml.safe_load(RUN_FILE.read_text(encoding="utf-8"))
    return run


def write_csv(readings: Mapping[str, faults.Readings], path: Path) -> None:
    """Readings as `scorer land` takes them, a line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["time", "sensor", "value"])
        for sensor, (times, values) in readings.items():
            stamps = np.datetime_as_string(times, unit="ms")
            lines.writerows(
                [f"{time}Z", sensor, repr(float(value))] for time, value in zip(stamps, values, strict=True)
            )
