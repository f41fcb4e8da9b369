"""`score-univariate`: the score stage on models like the Azure reference's, with one feature.

StandardScaler + OneClassSVM(rbf, gamma=0.01): nu=1e-4 as there, with about six support vectors, on an hour of
a reading every three seconds and on 10,000 rows; and nu=0.05, with about a hundred. Scores, not only labels;
against scikit-learn's decision function. CPU time of 100 windows in a row, as in a pack.

What did not help: the distances (x - s)² element by element instead of the matrix product (twice the time of
it from 6 vectors on); a table of the normal limits, which is quicker still but has no scores, and differs
from the model at its borders' last bits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure
from score_timing import measured, medians

COMMAND = "make bench"
RATIO = 12
TURNS, WINDOWS = 9, 100
GAMMA = 0.01
CASES = {
    "score-univariate": (1e-4, 60_000, 1_200),
    "score-univariate-10k": (1e-4, 60_000, 10_000),
    "score-univariate-100v": (0.05, 2_000, 1_200),
}
"""nu, training rows, rows of a window."""


def measure() -> list[Figure]:
    """A figure for each case."""
    found = []
    for name, seconds in measured(Path(__file__)).items():
        ours, theirs = (seconds[way] / WINDOWS * 1e6 for way in ("ours", "theirs"))
        what = f"scikit-learn, {seconds['vectors']} support vectors, {CASES[name][2]:,} rows"
        found.append(Figure(name, ours, "us", what, theirs, theirs / RATIO, COMMAND))
    return found


def main() -> None:
    """Prints the seconds of each case and way."""
    sys.stdout.write(json.dumps({name: _case(*settings) for name, settings in CASES.items()}))


def _case(nu: float, training_rows: int, count: int) -> dict[str, Any]:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import OneClassSVM

    from scorer.fit.export import export, prove
    from scorer.model import anomalies, scores
    from scorer.model.file import read_model, write_model

    random = np.random.default_rng(0)
    training = random.normal(50, 3, (training_rows, 1))
    windows = random.normal(50, 3, (WINDOWS, count, 1))
    pipeline = make_pipeline(StandardScaler(), OneClassSVM(nu=nu, gamma=GAMMA)).fit(training)
    model = read_model(write_model(export(pipeline), ["value"], {}))
    prove(pipeline, model, training[:5000])
    ways = {
        "ours": lambda: [anomalies(model, scores(model, rows)) for rows in windows],
        "theirs": lambda: [pipeline.decision_function(rows) <= 0 for rows in windows],
    }
    return medians(ways, TURNS) | {"vectors": len(pipeline[-1].support_vectors_)}


if __name__ == "__main__":
    main()
