"""`pack-100x10k`: 100 sensors of 10,000 rows and 10 features in one pod, over a folder.

The reference does each sensor in a fresh process of pandas and scikit-learn, as one Job a sensor would. A few
of those are measured, and their mean times 100 is what it would use; both are CPU seconds. The wall time of
the one pod has a bar of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cold_start import environment_of_a_pod
from figures import ROOT, Figure, Used, used
from pack_data import WIDE_SENSORS, names

RUNS = 5
REFERENCES = 5
WANTED = 100
COMMAND = "make bench"
REFERENCE = f"pandas + scikit-learn, a process a sensor: {REFERENCES} measured, times {WIDE_SENSORS}"


def measure() -> list[Figure]:
    """Both figures."""
    python = str(environment_of_a_pod())
    with tempfile.TemporaryDirectory() as folder:
        url = f"file://{folder}/store"
        data = [sys.executable, str(ROOT / "tests" / "bench" / "pack_data.py"), "wide", url]
        subprocess.run(data, check=True)
        ours = [pod(python, Path(folder), number) for number in range(1 + RUNS)][1:]
        theirs = [reference(Path(folder), name) for name in names(1 + REFERENCES)][1:]
    cpu = statistics.median(run.cpu_seconds for run in ours)
    seconds = statistics.median(run.seconds for run in ours)
    their_cpu = statistics.mean(run.cpu_seconds for run in theirs) * WIDE_SENSORS
    their_seconds = statistics.mean(run.seconds for run in theirs) * WIDE_SENSORS
    one_by_one = f"the same, one after the other: {REFERENCES} measured, times {WIDE_SENSORS}"
    return [
        Figure("pack-100x10k", cpu, "CPU s", REFERENCE, their_cpu, their_cpu / WANTED, COMMAND),
        Figure("pack-100x10k-wall", seconds, "s", one_by_one, their_seconds, 2.0, COMMAND),
    ]


def pod(python: str, folder: Path, number: int) -> Used:
    """One pod on all sensors. Raises RuntimeError if one of them was not scored."""
    order = {
        "v": 1,
        "run": {
            "name": "bench",
            "namespace": "b",
            "uid": f"bench-{number}",
            "created": "2026-01-01T13:00:07Z",
        },
        "chunk": 0,
        "incarnation": 0,
        "window": {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"},
        "sensors": {"names": names(WIDE_SENSORS)},
        "store": {"url": f"file://{folder}/store"},
        "model": {"path": "models/{sensor}"},
        "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "output": {"path": f"ours/{number}/{{sensor}}.parquet"},
        "onMissingReadings": "Fail",
        "onMissingModel": "Fail",
        "perAttemptSeconds": 600,
    }
    environment = {
        "PATH": os.environ["PATH"],
        "SENSORSCORE_MESSAGE_PATH": str(folder / "message"),
        "PYTHONPATH": str(ROOT / "scorer"),
    }
    done = used([python, "-m", "scorer", "run", "--work", json.dumps(order)], environment)
    message = json.loads((folder / "message").read_bytes())
    if message["codes"] != f"{WIDE_SENSORS}S":
        raise RuntimeError(f"the pod came to {message['codes'][:80]}: {message['failures'][:1]}")
    return done


def reference(folder: Path, sensor: str) -> Used:
    """One sensor in a process of its own."""
    script = str(ROOT / "tests" / "bench" / "reference_sensor.py")
    store = folder / "store"
    prediction = folder / f"{sensor}.parquet"
    readings = store / f"readings/2026/01/01/12/{sensor}.parquet"
    arguments = [str(store / "reference" / "model.joblib"), str(readings), str(prediction)]
    # One thread, as in the pod: more of them cost CPU time and gain nothing at this size.
    environment = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return used([sys.executable, script, *arguments], environment)
