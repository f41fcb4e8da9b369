"""`pack-1000-azurite`, `pack-1000-rss`: 1,000 sensors of the Azure reference's shape in one pod, on Azurite.

The reference is a bare loop over obstore that asks for the same and writes as much, with as many threads:
what storage and its client need by themselves. Both in turns, each from its process's start to its end. The
pod's peak memory is that of both layouts of predictions.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cold_start import environment_of_a_pod
from figures import ROOT, Figure, Used, used
from pack_data import SMALL_SENSORS, names

from local.azurite import Azurite
from scorer.ahead import READERS
from scorer.behind import WRITERS
from scorer.storage import open_store

RUNS = 5
CONTAINER = "bench"
COMMAND = "make bench"
REFERENCE = f"a bare obstore loop, {READERS} readers and {WRITERS} writers"
SHARDS = 8


def measure() -> list[Figure]:
    """All figures."""
    python = environment_of_a_pod()
    with tempfile.TemporaryDirectory() as folder, Azurite(Path(folder)) as azurite:
        bench = _Bench(Path(folder), azurite, str(python))
        ours: list[Used] = []
        theirs: list[Used] = []
        for number in range(1 + RUNS):
            ours.append(bench.pod(number, {"path": f"ours/{number}/{{sensor}}.parquet"}))
            theirs.append(bench.bare(number))
        sharded = {"path": "sharded/part-{shard}.parquet", "layout": "Sharded", "shards": SHARDS}
        peaks = [max(run.peak_mib for run in ours), bench.pod(RUNS + 1, sharded).peak_mib]
        bare_peak = max(run.peak_mib for run in theirs)
    seconds = [statistics.median(run.seconds for run in runs[1:]) for runs in (ours, theirs)]
    return [
        Figure("pack-1000-azurite", seconds[0], "s", REFERENCE, seconds[1], seconds[1] / 0.8, COMMAND),
        Figure("pack-1000-rss", peaks[0], "MiB", "the same loop", bare_peak, 256, COMMAND),
        Figure("pack-1000-rss-sharded", peaks[1], "MiB", "the same loop", bare_peak, 256, COMMAND),
    ]


class _Bench:
    """Azurite with 1,000 sensors, and the two that work on it."""

    def __init__(self, folder: Path, azurite: Azurite, python: str) -> None:
        self._folder = folder
        self._azurite = azurite
        self._python = python
        account = azurite.endpoint.rpartition("/")[2]
        self._url = f"azure://{account}/{CONTAINER}"
        self._account = account
        data = [sys.executable, str(ROOT / "tests" / "bench" / "pack_data.py"), "small", self._url]
        subprocess.run([*data, azurite.endpoint, azurite.connection_string], check=True)
        self._environment = {
            "PATH": os.environ["PATH"],
            "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
            "SENSORSCORE_MESSAGE_PATH": str(folder / "message"),
            "PYTHONPATH": str(ROOT / "scorer"),
        }

    def pod(self, number: int, output: dict[str, Any]) -> Used:
        """One pod on all sensors. Raises RuntimeError if one of them was not scored."""
        (self._folder / "sensors").write_text("".join(f"{name}\n" for name in names(SMALL_SENSORS)))
        order = {
            "v": 1,
            "run": {
                "name": "bench", "namespace": "bench", "uid": f"bench-{number}",
                "created": "2026-01-01T13:00:07Z",
            },
            "chunk": 0, "incarnation": 0,
            "window": {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"},
            "sensors": {"file": str(self._folder / "sensors"), "from": 0, "count": SMALL_SENSORS},
            "store": {"url": self._url, "endpoint": self._azurite.endpoint, "allowHttp": True},
            "model": {"path": "models/{sensor}"},
            "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
            "output": output,
            "onMissingReadings": "Fail", "onMissingModel": "Fail", "perAttemptSeconds": 600,
        }  # fmt: skip
        done = used([self._python, "-m", "scorer", "run", "--work", json.dumps(order)], self._environment)
        codes = json.loads((self._folder / "message").read_bytes())["codes"]
        if codes != f"{SMALL_SENSORS}S":
            raise RuntimeError(f"the pod came to {codes[:80]}: wanted {SMALL_SENSORS}S")
        return done

    def bare(self, number: int) -> Used:
        """The loop, with what the pod's first run has written as its measure."""
        store = open_store(self._url, self._azurite.endpoint, True, self._azurite.connection_string)
        first = names(SMALL_SENSORS)[0]
        written = store.get(f"ours/0/{first}.parquet")
        model = json.loads(store.get(f"models/{first}/current.json").data)
        told = {
            "account": self._account, "container": CONTAINER, "endpoint": self._azurite.endpoint,
            "key": self._azurite.connection_string.partition("AccountKey=")[2].partition(";")[0],
            "size": len(written.data), "metadata": dict(written.metadata),
            "readers": READERS, "writers": WRITERS,
            "sensors": [
                {
                    "prediction": f"theirs/{number}/{name}.parquet",
                    "reads": [
                        f"models/{name}/current.json", f"readings/2026/01/01/12/{name}.parquet",
                        f"models/{name}/{model['version']}/model.safetensors",
                    ],
                }
                for name in names(SMALL_SENSORS)
            ],
        }  # fmt: skip
        file = self._folder / "bare.json"
        file.write_text(json.dumps(told))
        return used(
            [self._python, str(ROOT / "tests" / "bench" / "bare_loop.py"), str(file)], self._environment
        )
