"""The same bytes from every processor, number of threads, block and pack, by environment switches."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from estimators import APPROXIMATIONS, ESTIMATORS, TRANSFORMS, fitted, probes_of, rows_of
from scorer.fit.export import export
from scorer.model.file import write_model
from scorer.storage import open_store
from scoring import put_model, put_readings, work

FOLDER = Path(__file__).parent
# NumPy's groups of instructions that this machine has, the newest first.
GROUPS = [group for group in reversed(__cpu_dispatch__) if __cpu_features__.get(group)]
# OpenBLAS's kernels, which do not look whether the machine can run them: by the group that they need.
KERNELS = [
    name
    for name, group in {
        "SkylakeX": "X86_V4",
        "Haswell": "X86_V3",
        "Sandybridge": "X86_V3",
        "Nehalem": "",
    }.items()
    if group in GROUPS or not group
]


def pipelines() -> Iterator[tuple[str, int, Any]]:
    """One of every form, and some that are hard on the last bits: name, width, fitted pipeline."""
    for (name, estimator), width in zip(ESTIMATORS.items(), itertools.cycle((1, 3, 6)), strict=False):
        yield name, width, fitted((StandardScaler(),), estimator, rows_of(width))
    for name, steps in TRANSFORMS.items():
        yield f"after-{name}", 3, fitted(steps, OneClassSVM(nu=0.1), rows_of(3))
    for name, steps in APPROXIMATIONS.items():
        for last in ("sgd", "forest", "rbf"):
            yield f"{name}-{last}", 3, fitted(steps, ESTIMATORS[last], rows_of(3))
    yield "many-vectors", 2, fitted((StandardScaler(),), OneClassSVM(nu=0.5, tol=0.1), rows_of(2, 2600))
    yield "ten-features", 10, fitted((StandardScaler(),), OneClassSVM(nu=0.05), rows_of(10, 2000))
    yield "far-from-zero", 2, fitted((), OneClassSVM(nu=0.1), rows_of(2, 300, centre=1000.0, spread=0.01))
    yield "hopeless", 1, fitted((), OneClassSVM(nu=0.1, gamma=1e8), rows_of(1))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, width, pipeline in pipelines():
            features = [f"f{number}" for number in range(width)]
            (folder / f"{name}.safetensors").write_bytes(write_model(export(pipeline), features, {}))
    for width in (1, 2, 3, 6, 10):
        rows = probes_of(rows_of(width, 500, seed=11))
        np.save(folder / f"rows-{width}.npy", np.concatenate([rows, 1000 + (rows - 50) / 300]))
    return folder


def digests(script: str, argument: Path, **switches: str) -> Any:
    environment = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1", **switches}
    arguments = [sys.executable, "-W", "error", str(FOLDER / script), str(argument)]
    return json.loads(subprocess.run(arguments, env=environment, check=True, capture_output=True).stdout)


def machines() -> list[dict[str, str]]:
    """Every switch alone against the machine as it is, and all of them together."""
    without = [" ".join(GROUPS[:count]) for count in range(len(GROUPS) + 1)]
    found = [{"NPY_DISABLE_CPU_FEATURES": groups} for groups in without]
    found += [{"OPENBLAS_CORETYPE": name} for name in KERNELS]
    found += [{"OPENBLAS_NUM_THREADS": "2"}]
    found += [
        {"NPY_DISABLE_CPU_FEATURES": without[-1], "OPENBLAS_CORETYPE": name, "OPENBLAS_NUM_THREADS": threads}
        for name, threads in ((KERNELS[-1], "1"), (KERNELS[0], "2"))
    ]
    return found


def test_stored_scores_have_one_hash_over_all_machines_blocks_and_packs(models: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda switches: digests("stored_bits.py", models, **switches), machines()))
    unrounded = 0
    for name in found[0]:
        told = [machine[name] for machine in found]
        unrounded += len({machine.pop("unrounded") for machine in told}) > 1
        assert len({machine.pop("finely") for machine in told}) == 1, name
        assert len({digest for machine in told for digest in machine.values()}) == 1, name
    # Otherwise nothing was put to the test.
    assert unrounded > 10 or not GROUPS


def pod_digests(folder: Path, number: int, names: list[str], switches: dict[str, str]) -> dict[str, str]:
    """What a pod with these switches writes for a pack, from Parquet to Parquet and from CSV to CSV."""
    url = {"url": f"file://{folder}"}
    environment = {"PATH": os.environ["PATH"], "SENSORSCORE_MESSAGE_PATH": str(folder / f"message-{number}")}
    for kind in ("parquet", "csv"):
        paths = f"{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/{{sensor}}.{kind}"
        readings = {"path": f"readings/{paths}"}
        output = {"path": f"{number}/{paths}", "format": {"parquet": "Parquet", "csv": "CSV"}[kind]}
        order = work(names, store=url, readings=readings, output=output)
        arguments = [sys.executable, "-m", "scorer", "run", "--work", json.dumps(order)]
        subprocess.run(arguments, env=environment | switches, check=True, capture_output=True)
    written = sorted((folder / str(number)).rglob("[a-z].*"))
    assert len(written) == 2 * len(names)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written}


def test_a_pod_writes_the_same_bytes_on_any_machine_and_in_any_pack(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    names = ["a", "b", "c"]
    for seed, (name, nu) in enumerate(zip(names, (0.001, 0.05, 0.5), strict=True)):
        rows = rows_of(1, 900, seed)
        pipeline = fitted((StandardScaler(),), OneClassSVM(nu=nu), rows)
        put_model(store, name, write_model(export(pipeline), ["value"], {}))
        put_readings(store, name, rows[:, 0], seconds=4.0)
        lines = (
            f"2026-01-01T12:{i // 15:02}:{i % 15 * 4 + 1:02}.123456Z,{float(x)!r}"
            for i, x in enumerate(rows[:, 0])
        )
        store.put(f"readings/2026/01/01/12/{name}.csv", "\n".join(["time,value", *lines]).encode())
    machines = [
        (names, {}),
        (names[::-1], {"NPY_DISABLE_CPU_FEATURES": " ".join(GROUPS), "ARROW_USER_SIMD_LEVEL": "NONE"}),
        (names[1:], {"OPENBLAS_CORETYPE": KERNELS[-1], "ARROW_USER_SIMD_LEVEL": "SSE4_2"}),
        (names, {"OPENBLAS_CORETYPE": KERNELS[-2:][0], "OPENBLAS_NUM_THREADS": "2"}),
    ]
    found = [pod_digests(tmp_path, number, *machine) for number, machine in enumerate(machines)]
    for digests_of_pod in found[1:]:
        assert digests_of_pod.items() <= found[0].items()
