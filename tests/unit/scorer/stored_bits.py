"""Prints digests of the stored scores of all models in a folder: the same on every processor.

Each `*.safetensors` is scored on `rows-<features>.npy` in several ways. For each of them there is a digest of
the unrounded quick decisions as well, which is not the same everywhere: else the other one would prove
nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import scorer.model
from scorer.model import Model, anomalies, grid, scores
from scorer.model.file import read_model
from scorer.model.forms import kernel

Array = NDArray[np.float64]
FINE = 42
"""Bits of a grid a thousand times as fine: more roundings are in doubt, and would go wrong without care."""


def ways(model: Model, rows: Array) -> Iterator[tuple[str, Array]]:
    """Stored scores, as they come from packs and blocks of several sizes, in the rows' order."""
    order = np.random.default_rng(5).permutation(len(rows))
    yield "whole", scores(model, rows)
    yield "columns", scores(model, np.asfortranarray(rows))
    shuffled = np.empty(len(rows))
    shuffled[order] = scores(model, rows[order])
    yield "shuffled", shuffled
    parts = np.split(rows, [1, 4, 333])
    yield "in parts", np.concatenate([scores(model, part) for part in parts])
    usual = kernel.BLOCK_BYTES, scorer.model.BLOCK_BYTES
    kernel.BLOCK_BYTES = scorer.model.BLOCK_BYTES = 48 * 1024
    yield "in small blocks", scores(model._replace(block=100), rows)
    kernel.BLOCK_BYTES, scorer.model.BLOCK_BYTES = usual


def digest(*arrays: NDArray[np.generic]) -> str:
    """Of their bytes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def told(path: Path) -> dict[str, str]:
    """One model's digests, by way."""
    model = read_model(path.read_bytes())
    rows = np.load(path.parent / f"rows-{len(model.features)}.npy")
    found = {"unrounded": digest(scorer.model._quick_decisions(model, rows)[0])}
    for way, stored in ways(model, rows):
        found[way] = digest(stored, anomalies(model, stored))
    grid.BITS = FINE
    found["finely"] = digest(scores(model, rows))
    grid.BITS = 32
    return found


if __name__ == "__main__":
    models = sorted(Path(sys.argv[1]).glob("*.safetensors"))
    sys.stdout.write(json.dumps({path.stem: told(path) for path in models}))
