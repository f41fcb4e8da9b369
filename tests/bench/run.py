"""`make bench`: all benches, one after the other; a table, and a JSON file a figure in build/bench.

Arguments name those to run: cold-start, cluster. Without any all run. A figure that misses its bar is said,
and fails nothing: bars are for people to look at.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import cluster_runs
import cold_start
from figures import Figure, show, write

BENCHES: dict[str, Callable[[], Sequence[Figure]]] = {
    "cold-start": cold_start.measure,
    "cluster": cluster_runs.measure,
}


def main(wanted: Sequence[str]) -> int:
    """Runs the wanted benches; 1 if one of them is not known."""
    if unknown := set(wanted) - set(BENCHES):
        sys.stderr.write(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}\n")
        return 1
    figures: list[Figure] = []
    for name in wanted or BENCHES:
        if name == "cluster" and os.geteuid() != 0:
            sys.stderr.write("cluster: NOT RUN: the local cluster's node needs root\n")
            continue
        found = BENCHES[name]()
        write(found)
        figures += found
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
