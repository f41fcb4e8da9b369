"""Plugin packages and models of theirs, for tests: each package is a file of a few lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorer.model import Model
from scorer.model.file import read_model, write_plugin_model
from scorer.plugin.payload import Packed, pack
from scorer.plugin.runner import Limits, Runner

ROWS = np.arange(12.0).reshape(6, 2)
SUM = """
def load(payload, params):
    return float(payload)

def score(model, rows):
    return rows.sum(axis=1) * model
"""


def model_of(
    name: str, data: bytes = b"2", params: Mapping[str, Any] | None = None, factor: float = 2.0
) -> Model:
    """A model of two features, whose golden scores are the rows' sums times `factor`."""
    payload = pack(Packed(data, params or {}, ROWS, ROWS.sum(axis=1) * factor))
    return read_model(write_plugin_model(name, payload, ("a", "b"), {}, 1.0, False), "v")


def expected(rows: NDArray[np.float64] = ROWS, factor: float = 2.0) -> NDArray[np.float64]:
    """What the model gives."""
    return rows.sum(axis=1) * factor


@contextmanager
def runner(
    folder: Path, limits: Limits | None = None, tell: Callable[[str], None] = lambda _: None, **sources: str
) -> Iterator[Runner]:
    """A runner whose image allows these packages, given by their source."""
    for name, source in sources.items():
        (folder / f"{name}_package.py").write_text(source)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    plugins = {name: f"{name}_package" for name in sources}
    made = Runner(plugins, environment, tell, limits or Limits(seconds=60, memory=1 << 30))
    try:
        yield made
    finally:
        made.close()


def documented(language: str) -> dict[str, str]:
    """The code blocks of docs/runtimes.md in this language, by the name in their first line."""
    page = Path(__file__).resolve().parents[1] / "docs" / "runtimes.md"
    blocks = re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return {block.partition("\n")[0].removeprefix("# "): block for block in blocks}
