"""A series as one number, by Grafana's names of reducers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from local.preview.errors import UnsupportedError

SUMS = {"lastNotNull": "last", "max": "max", "min": "min", "mean": "mean", "sum": "total"}
"""The reducers, and what a legend's column is called."""


def reduced(values: Sequence[float], calc: str) -> float:
    """One number for `values`; nan if none is a number. UnsupportedError: the reducer is not in `SUMS`."""
    if calc not in SUMS:
        raise UnsupportedError(f"the reducer {calc}; known are {', '.join(SUMS)}")
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan
    if calc == "lastNotNull":
        return known[-1]
    if calc == "mean":
        return sum(known) / len(known)
    if calc == "sum":
        return sum(known)
    return max(known) if calc == "max" else min(known)
