"""`make bench`: all benches, one after the other; a table, and a JSON file a figure in build/bench.

Arguments name those to run, like cold-start or cluster. Without any all run. A figure that misses its bar is
said, and fails nothing: bars are for people to look at.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import cluster_runs
import cold_start
import guard_rates
import image_size
import ingest_memory
import ingest_stream
import ingest_window
import pack_100x10k
import pack_1000
import read_formats
import score_d10
import score_univariate
import sharded_read
import train_models
from figures import Figure, show, write

BENCHES: dict[str, Callable[[], Sequence[Figure]]] = {
    "cold-start": cold_start.measure,
    "guard": guard_rates.measure,
    "ingest": ingest_stream.measure,
    "ingest-memory": ingest_memory.measure,
    "ingest-window": ingest_window.measure,
    "pack-100x10k": pack_100x10k.measure,
    "pack-1000-azurite": pack_1000.measure,
    "read-formats": read_formats.measure,
    "score-d10": score_d10.measure,
    "score-univariate": score_univariate.measure,
    "cluster": cluster_runs.measure,
    "image-size": image_size.measure,
    "sharded-read": sharded_read.measure,
    "train": train_models.measure,
}
NEED_ROOT = frozenset({"cluster", "image-size"})


def main(wanted: Sequence[str]) -> int:
    """Runs the wanted benches; 1 if one of them is not known."""
    if unknown := set(wanted) - set(BENCHES):
        sys.stderr.write(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}\n")
        return 1
    figures: list[Figure] = []
    for name in wanted or BENCHES:
        if name in NEED_ROOT and os.geteuid() != 0:
            sys.stderr.write(f"{name}: NOT RUN: a node, and a container's file tree, need root\n")
            continue
        found = BENCHES[name]()
        write(found)
        figures += found
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
