"""Runs the layers of tests in order, cheapest first, and ends by saying what ran and what could not, and why.

A layer that this machine cannot run is named in capitals, never passed over in silence.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import azurite, build, doctor, kind, unpacked
from local.errors import LocalError
from local.places import Places
from local.prepare import prepare

ROOT = Path(__file__).resolve().parent.parent


def nothing(_: Places) -> None:
    """Python is enough."""


def helm(places: Places) -> None:
    """Helm, built if need be, and what the chart is held against: the Helm before, others' definitions."""
    for module in (build.HELM, build.PROMETHEUS_OPERATOR):
        build.ensure(places, module)
    try:
        build.ensure(places, build.HELM3)
    except LocalError as error:
        print(f"   HELM 3 IS NOT THERE, the chart is rendered with Helm 4 only: {error}")  # noqa: T201


def control_plane(places: Places) -> None:
    """The programs of a control plane, built if need be."""
    for module in (build.KUBERNETES, build.ETCD):
        build.ensure(places, module)


def control_plane_and_helm(places: Places) -> None:
    """A control plane, and Helm: schedules are tested as the chart installs them."""
    control_plane(places)
    helm(places)


def autoscaler_and_storage(places: Places) -> None:
    """A control plane with simulated nodes that come and go, and Blob Storage that can be stopped."""
    control_plane(places)
    for module in (build.KWOK, build.KARPENTER):
        build.ensure(places, module)
    azurite.ensure(places)


def simulated_nodes(places: Places) -> None:
    """A control plane, and KWOK."""
    control_plane(places)
    build.ensure(places, build.KWOK)


def whole_cluster(places: Places) -> None:
    """Everything that the local cluster is made of."""
    if not kind.available():
        doctor.require(places)
        prepare(places)


def watched(places: Places) -> None:
    """A control plane, Prometheus and Alertmanager."""
    control_plane(places)
    for name in unpacked.PROGRAMS:
        unpacked.program(places, name)


def blob_storage(places: Places) -> None:
    """Azurite, installed if need be."""
    azurite.ensure(places)


@dataclass(frozen=True)
class Layer:
    """One folder or more of tests that need the same things of a machine.

    `get_ready` runs before pytest: what takes minutes the first time is seen, and charged to no test.
    """

    name: str
    paths: tuple[str, ...]
    get_ready: Callable[[Places], None] = nothing
    needs_root: bool = False
    note: str = ""


WHOLE = os.environ.get("SENSORSCORE_FAULTS") == "whole"
FEWER = "; a few of each kind: `make test-faults` runs all"

LAYERS = (
    Layer("unit", ("tests/unit", "tests/contract")),
    Layer("fuzz", ("tests/fuzz",)),
    Layer("chart", ("tests/chart",), helm),
    Layer("component", ("tests/component",), blob_storage),
    Layer("controlplane", ("tests/controlplane",), control_plane_and_helm),
    Layer("monitoring", ("tests/monitoring",), watched),
    Layer("faults", ("tests/faults",), autoscaler_and_storage, note="" if WHOLE else FEWER),
    Layer("scale", ("tests/shortform",), simulated_nodes, note="; `make bench-operator` is the long form"),
    Layer("cluster", ("tests/cluster",), whole_cluster, needs_root=True),
)


def why_not(layer: Layer) -> str:
    """Why this machine cannot run `layer`; empty when it can."""
    if layer.needs_root and os.geteuid() != 0 and not kind.available():
        return "kubelet, containerd and a network namespace need root: `sudo make test-cluster`"
    if layer.get_ready is watched and not unpacked.available(Places.here()):
        return "neither Prometheus and Alertmanager are on PATH, nor Debian's tools to fetch them"
    return ""


def run(layer: Layer) -> tuple[bool, str]:
    """Runs one layer; whether it passed, and a line that says so."""
    print(f"\n── {layer.name} tests: {' '.join(layer.paths)}", flush=True)  # noqa: T201
    started = time.monotonic()
    try:
        layer.get_ready(Places.here())
    except LocalError as error:
        return False, f"{layer.name}: FAILED, its tests did not run: {error}"
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *layer.paths], cwd=ROOT, check=False
    ).returncode
    seconds = time.monotonic() - started
    how = "passed" if code == 0 else f"FAILED (pytest exit code {code})"
    return code == 0, f"{layer.name}: {how} in {seconds:.0f} s{layer.note}"


def main(wanted: str) -> int:
    """Runs all layers, or the one named; 0 only if all that ran passed."""
    layers = [layer for layer in LAYERS if wanted in ("all", layer.name)]
    if not layers:
        names = ", ".join(layer.name for layer in LAYERS)
        sys.exit(f"no layer of tests is called {wanted}; there are: all, {names}")
    lines: list[str] = []
    passed = True
    for layer in layers:
        if reason := why_not(layer):
            lines.append(f"{layer.name}: NOT RUN: {reason}")
            continue
        ok, line = run(layer)
        passed = passed and ok
        lines.append(line)
    print("\n── summary", *lines, sep="\n   ", flush=True)  # noqa: T201
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
