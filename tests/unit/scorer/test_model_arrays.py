"""A model file's arrays: views of its bytes where they stand, whatever another writer has done to them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scorer.contract import SensorError
from scorer.fence import Claim
from scorer.fetch import Fetched, fetch
from scorer.model import scores
from scorer.model.file import MAX_BYTES, read_model, write_model
from scorer.outputs import Outputs
from scorer.predictions import Prediction
from scorer.score import Scoring
from scorer.sources import Sources
from scorer.storage.memory import MemoryStore
from scorer.versions import MAX_MODEL_BYTES
from scoring import model_bytes, order, put_sensor

WEIGHED = """
import sys
from pathlib import Path
from scorer.model import scores
from scorer.model.file import read_model
import numpy as np

def peak():
    said = Path("/proc/self/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0]) * 1024

data = Path(sys.argv[1]).read_bytes()
before = peak()
model = read_model(data)
scores(model, np.zeros((60, len(model.features))))
print(peak() - before)
"""


@pytest.mark.parametrize("width", [1, 10, 100])
def test_a_model_at_the_bound_is_read_in_less_than_five_times_its_bytes(width: int, tmp_path: Path) -> None:
    count = (MAX_BYTES - 8192) // (8 * (width + 1))
    arrays = {
        "support_vectors": np.linspace(-1, 1, count * width).reshape(count, width),
        "dual_coef": np.full(count, 1 / count),
        "intercept": np.array([-0.3]),
        "gamma": np.array([0.1]),
    }
    names = [f"f{number}" for number in range(width)]
    file = tmp_path / "model.safetensors"
    file.write_bytes(write_model([("one_class_svm_rbf", arrays)], names, {}))
    assert 0.99 * MAX_BYTES < file.stat().st_size <= MAX_BYTES
    done = subprocess.run(
        [sys.executable, "-c", WEIGHED, str(file)], capture_output=True, text=True, timeout=100, check=True
    )
    assert int(done.stdout) < 5 * MAX_BYTES


@pytest.mark.parametrize("gap", range(8))
def test_arrays_that_another_writer_has_not_aligned_are_read(gap: int) -> None:
    data = model_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].rstrip() + b" " * gap
    moved = len(header).to_bytes(8, "little") + header + data[8 + length :]
    rows = np.linspace(5, 15, 40)[:, None]
    assert np.array_equal(scores(read_model(moved), rows), scores(read_model(data), rows))


def reheaded(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file with another header."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


GAMMA = "1.gamma"


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header[GAMMA].update(data_offsets=[0, 8]),
        lambda header: header[GAMMA].update(data_offsets=[10**6, 10**6 + 8]),
        lambda header: header[GAMMA].update(data_offsets=[-8, 0]),
        lambda header: header[GAMMA].update(data_offsets=[8, 0]),
        lambda header: header[GAMMA].update(data_offsets=[0.0, 8.0]),
        lambda header: header[GAMMA].update(data_offsets=[0]),
        lambda header: header[GAMMA].update(shape=[2]),
        lambda header: header[GAMMA].update(shape=[-1]),
        lambda header: header[GAMMA].update(shape=[True]),
        lambda header: header[GAMMA].update(shape=[10**12] * 100),
        lambda header: header[GAMMA].update(shape=[0, 10**7]),
        lambda header: header[GAMMA].update(more=1),
        lambda header: header.update({GAMMA: [1]}),
        lambda header: header.pop(GAMMA),
    ],
)
def test_arrays_lie_one_after_the_other_or_the_file_is_corrupt(change: Callable[[Any], object]) -> None:
    with pytest.raises(SensorError) as refusal:
        read_model(reheaded(model_bytes(), change))
    assert refusal.value.reason == "ModelCorrupt"


def test_what_waits_to_be_written_holds_no_model() -> None:
    store, wanted = MemoryStore(), order(["a"])
    put_sensor(store, "a")
    claim = Claim(wanted.run.created, wanted.run.uid, "2026-01-01T13:00:09.000Z")
    sources = Sources(store, wanted.readings, wanted.window, ["a"])
    fetched = fetch(store, wanted, sources, Outputs(store, wanted.output, wanted.window, claim, ["a"]), "a")
    assert isinstance(fetched, Fetched)
    prediction = Scoring(wanted).score(fetched)
    assert isinstance(prediction, Prediction)
    assert prediction.model.stages == ()
    assert prediction.encode() == Scoring(wanted).score(fetched).encode()  # type: ignore[union-attr]


def test_a_file_that_can_be_fetched_can_be_read() -> None:
    assert MAX_MODEL_BYTES == MAX_BYTES
