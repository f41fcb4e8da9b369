"""`make bench-operator`: speed and scale of the operator; a table, and a JSON file a figure in build/bench.

`make bench-operator SENSORS=500` is the short form: so many sensors, a tenth as many runs, and of the packed
ones none without root. It shows its figures and fails only when something was not scored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from figures import Figure, show, write
from scale import jobs_10k, packed_10k, runs_1000

SENSORS = 10_000
BENCHES: dict[str, Callable[[int], Sequence[Figure]]] = {
    "jobs": jobs_10k.measure,
    "runs": lambda sensors: runs_1000.measure(max(10, sensors // 10)),
    "packed": packed_10k.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Runs the named benches, or all, with so many sensors as SENSORS says; 1 if one is not known."""
    if unknown := set(arguments) - set(BENCHES):
        sys.stderr.write(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}\n")
        return 1
    sensors = int(os.environ.get("SENSORS") or SENSORS)
    figures: list[Figure] = []
    for name in arguments or BENCHES:
        if name == "packed" and os.geteuid() != 0:
            sys.stderr.write("packed: NOT RUN: a node needs root\n")
            continue
        found = BENCHES[name](sensors)
        if sensors == SENSORS:
            write(found)  # figures of a short form are no figures to keep
        figures += found
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
