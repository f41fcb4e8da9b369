"""`cold-start`, `cold-start-rss`: a pod's process from start to end, one sensor of the Azure reference.

The pod runs in an environment made from `requirements/scorer.txt` alone; the reference does the same work in
the full one. Both against the same Azurite, in turns. The process's end is measured, which comes after the
first prediction.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from figures import ROOT, Figure, Used, used

from local.azurite import Azurite

RUNS = 15
WARM_UP = 2
SENSOR = "device-1-tag-1"
CONTAINER = "bench"
HOURS = ("00", "01", "02")
COMMAND = "make bench"
REFERENCE = "pandas + scikit-learn + azure-storage-blob"


def measure() -> list[Figure]:
    """Both figures."""
    python = environment_of_a_pod()
    with tempfile.TemporaryDirectory() as state, Azurite(Path(state)) as azurite:
        account = azurite.endpoint.rpartition("/")[2]
        url = f"azure://{account}/{CONTAINER}"
        data = [sys.executable, str(ROOT / "tests" / "bench" / "cold_start_data.py"), url, azurite.endpoint]
        subprocess.run([*data, azurite.connection_string], check=True)
        environment = {
            "PATH": os.environ["PATH"],
            "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
            "SENSORSCORE_MESSAGE_PATH": str(Path(state) / "message"),
            "PYTHONPATH": str(ROOT / "scorer"),
        }
        ours: list[Used] = []
        theirs: list[Used] = []
        for number in range(WARM_UP + RUNS):
            ours.append(used([str(python), *pod(number, url, azurite.endpoint)], environment))
            theirs.append(used([sys.executable, *reference(number)], environment))
    seconds = [statistics.median(run.seconds for run in runs[WARM_UP:]) for runs in (ours, theirs)]
    peaks = [max(run.peak_mib for run in runs[WARM_UP:]) for runs in (ours, theirs)]
    return [
        Figure("cold-start", seconds[0], "s", REFERENCE, seconds[1], 0.30, COMMAND),
        Figure("cold-start-rss", peaks[0], "MiB", REFERENCE, peaks[1], 90, COMMAND),
    ]


def environment_of_a_pod() -> Path:
    """An environment with what the scorer's image holds, made once for a requirements file."""
    requirements = ROOT / "requirements" / "scorer.txt"
    folder = ROOT / ".cache" / "bench-venv"
    stamp = folder / "made-from"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != digest:
        sys.stdout.write(f"making {folder.relative_to(ROOT)} from {requirements.relative_to(ROOT)}\n")
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--requirement", str(requirements)], check=True)
        stamp.write_text(digest)
    return python


def pod(number: int, url: str, endpoint: str) -> list[str]:
    """The pod's arguments; every run writes a prediction of its own."""
    order = {
        "v": 1,
        "run": {"name": "bench", "namespace": "bench", "uid": "bench", "created": "2026-01-01T13:00:07Z"},
        "chunk": 0,
        "incarnation": 0,
        "window": {"start": "2018-08-29T00:00:00Z", "end": "2018-08-29T03:00:00Z"},
        "sensors": {"names": [SENSOR]},
        "store": {"url": url, "endpoint": endpoint, "allowHttp": True},
        "model": {"path": "models/{sensor}"},
        "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "output": {"path": f"ours/{number}/{{sensor}}.parquet"},
        "onMissingReadings": "Fail",
        "onMissingModel": "Fail",
        "perAttemptSeconds": 300,
    }
    return ["-m", "scorer", "run", "--work", json.dumps(order)]


def reference(number: int) -> list[str]:
    """The reference's arguments."""
    readings = [f"readings/2018/08/29/{hour}/{SENSOR}.parquet" for hour in HOURS]
    script = str(ROOT / "tests" / "bench" / "reference_pod.py")
    return [script, CONTAINER, "reference/model.joblib", *readings, f"theirs/{number}.parquet"]
