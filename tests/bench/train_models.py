"""`scorer train` and `scorer register` over 1,000 sensors of the reference's shape, in a folder.

Reference: what a user writes without them, one process that reads, fits and pickles one sensor after the
other, with no proof, no versions and no checks.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from figures import Figure
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.estimators import TOLERANCE
from scorer.land import land
from scorer.storage import open_store

SENSORS = 1000
ROWS = 285
"""An hour of one of the reference's sensors."""
HOUR = "2026-01-01T12:00:00Z/2026-01-01T13:00:00Z"
BAR = 60.0
"""Seconds, for two cores that have other work as well."""
COMMAND = "PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py train"


def measure() -> Sequence[Figure]:
    """Three figures: training, training again (nothing changes), and registering the files elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "store").mkdir()
        (Path(folder) / "other").mkdir()
        url = f"file://{folder}/store"
        _land(url)
        bare = _bare(Path(folder))
        train = ("train", "--window", HOUR, "--gamma", "0.1", "--store", url)
        first, again = _scorer(*train), _scorer(*train)
        register = _scorer("register", f"{folder}/store/models", "--store", f"file://{folder}/other")
    what = f"reading, fitting and pickling {SENSORS} sensors one by one"
    return [
        Figure("train-1000", first, "s", what, bare, BAR, COMMAND),
        Figure("train-1000-again", again, "s", what, bare, BAR, COMMAND),
        Figure("register-1000", register, "s", what, bare, BAR, COMMAND),
    ]


def _land(url: str) -> None:
    random = np.random.default_rng(0)
    first = np.datetime64("2026-01-01T12:00:00", "us")
    rows = {}
    for number in range(SENSORS):
        seconds = 5 * np.sort(random.choice(np.arange(1, 721), ROWS, replace=False))
        values = np.round(random.uniform(10, 15, ROWS), 2)
        rows[f"device-{number // 5:03}-tag-{number % 5}"] = first + seconds.astype("timedelta64[s]"), values
    land(open_store(url), rows)


def _bare(folder: Path) -> float:
    """Seconds of the reference, without its imports: they are done already."""
    started = time.perf_counter()
    for file in sorted((folder / "store").glob("readings/*/*/*/*/*.parquet")):
        values = pq.read_table(file).column("value").to_numpy()[:, None]
        classifier = OneClassSVM(nu=0.01, gamma=0.1, tol=TOLERANCE)
        fitted = Pipeline([("scaler", StandardScaler()), ("classifier", classifier)]).fit(values)
        (folder / f"{file.stem}.pkl").write_bytes(pickle.dumps(fitted))
    return time.perf_counter() - started


def _scorer(*arguments: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "scorer", *arguments]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"scorer {arguments[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    sys.stderr.write(done.stdout)
    return time.perf_counter() - started
