"""Histograms with fixed buckets, which add up: over Jobs, runs and restarts of the operator."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Upper bounds in seconds, the last bucket has none. In-pod stages are milliseconds, a node that boots takes
# minutes.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_BOUNDS_MS = tuple(round(bound * 1000) for bound in BOUNDS)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per bucket (not cumulative), their sum in milliseconds and their number."""

    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    sum_ms: int = 0
    count: int = 0

    def observe(self, milliseconds: int) -> Histogram:
        """With one more value; a value on a bound belongs below it, as in Prometheus."""
        place = bisect_left(_BOUNDS_MS, milliseconds)
        buckets = (*self.buckets[:place], self.buckets[place] + 1, *self.buckets[place + 1 :])
        return Histogram(buckets, self.sum_ms + milliseconds, self.count + 1)

    def as_status(self) -> dict[str, Any]:
        """As it stands in a run's status: one line for people, without the empty buckets at the end."""
        counts = list(self.buckets)
        while counts and not counts[-1]:
            counts.pop()
        return {"buckets": ",".join(map(str, counts)), "sumMs": self.sum_ms, "count": self.count}

    @classmethod
    def of_status(cls, value: Mapping[str, Any]) -> Histogram:
        """Back from a status; what this version did not write cannot be added to, and begins anew."""
        counts = [text for text in str(value.get("buckets") or "").split(",") if text]
        if len(counts) > len(BOUNDS) + 1 or not all(text.isdecimal() for text in counts):
            return cls()
        buckets = tuple(map(int, counts)) + (0,) * (len(BOUNDS) + 1 - len(counts))
        return cls(buckets, int(value.get("sumMs") or 0), int(value.get("count") or 0))
