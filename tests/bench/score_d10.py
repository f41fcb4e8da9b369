"""`score-d10`, `score-d10-floor`: the score stage on 100,000 rows of 10 features, one core.

StandardScaler + OneClassSVM(rbf, nu=0.01) with about 213 support vectors; scores rounded to their grid,
doubtful ones computed again, labels included. Against scikit-learn's decision function, and against a floor:
the matrix product and the exponentials alone, of the same shape, in blocks of the best size that was found.

The same with what a processor without AVX-512 has, for comparison.

What did not help (Zen 4): blocks of 128 KiB or 2 MiB instead of 512 KiB (25 to 40 % slower); rows along the
first axis: NumPy then runs loops of 10 numbers, 230 ns a row more than along the last; einsum or a sum for
the weights instead of a matrix product (2 to 4 times as slow); the weights' logarithms in the exponent, which
leaves a sum to do that takes longer than the product with the weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure
from score_timing import measured, medians

ROWS, FEATURES, NU, TRAINING_ROWS = 100_000, 10, 0.01, 10_000
TURNS = 7
COMMAND = "make bench"
RATIO, OF_FLOOR = 10, 0.75
AVX2 = {"OPENBLAS_CORETYPE": "Haswell"}


def measure() -> list[Figure]:
    """Both figures, and both of AVX2."""
    found = _figures("", measured(Path(__file__)), RATIO, OF_FLOOR)
    without = avx512()
    if without:
        slower = measured(Path(__file__), NPY_DISABLE_CPU_FEATURES=" ".join(without), **AVX2)
        found += _figures("-avx2", slower, None, None)
    return found


def avx512() -> list[str]:
    """NumPy's groups of AVX-512 instructions that this processor has, as it names them."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    dear = (group for group in __cpu_dispatch__ if group == "X86_V4" or group.startswith("AVX512"))
    return [group for group in dear if __cpu_features__.get(group)]


def _figures(suffix: str, seconds: Any, ratio: float | None, of_floor: float | None) -> list[Figure]:
    ours, theirs, floor = (seconds[name] / ROWS * 1e9 for name in ("ours", "theirs", "floor"))
    reference = f"scikit-learn, {seconds['vectors']} support vectors"
    bars = theirs / ratio if ratio else None, floor / of_floor if of_floor else None
    return [
        Figure(f"score-d10{suffix}", ours, "ns/row", reference, theirs, bars[0], COMMAND),
        Figure(f"score-d10-floor{suffix}", ours, "ns/row", "matrix product + exp", floor, bars[1], COMMAND),
    ]


def main() -> None:
    """Prints the seconds of each way."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    from scorer.fit.export import export, prove
    from scorer.model import anomalies, scores
    from scorer.model.file import read_model, write_model

    random = np.random.default_rng(0)
    training, rows = (random.normal(50, 3, (count, FEATURES)) for count in (TRAINING_ROWS, ROWS))
    pipeline = make_pipeline(StandardScaler(), OneClassSVM(nu=NU)).fit(training)
    features = [f"f{number}" for number in range(FEATURES)]
    model = read_model(write_model(export(pipeline), features, {}))
    prove(pipeline, model, training)
    vectors = len(pipeline[-1].support_vectors_)
    ways = {
        "ours": lambda: anomalies(model, scores(model, rows)),
        "theirs": lambda: pipeline.decision_function(rows) <= 0,
        "floor": floor(vectors, FEATURES + 2, random),
    }
    sys.stdout.write(json.dumps(medians(ways, TURNS) | {"vectors": vectors}))


def floor(vectors: int, terms: int, random: np.random.Generator) -> Any:
    """A matrix product and its exponentials, block by block, of the model's shape."""
    matrix = random.normal(0, 0.1, (vectors, terms))
    columns = np.ascontiguousarray(random.normal(0, 0.1, (terms, ROWS)))
    size = 512 * 1024 // 8 // vectors
    space = np.empty((vectors, size))

    def run() -> None:
        for start in range(0, ROWS, size):
            block = columns[:, start : start + size]
            kernel = space[:, : block.shape[1]]
            np.matmul(matrix, block, out=kernel)
            np.exp(kernel, out=kernel)

    return run


if __name__ == "__main__":
    main()
