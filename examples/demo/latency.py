"""How long the run's Jobs took, stage by stage, as the local Prometheus has scraped it from the operator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from local.deploy import NAMESPACE
from local.promql import Client, Sample

STAGES = ("pending", "start", "import", "read", "score", "write", "total")
QUANTILES = (0.5, 0.95, 0.99)
SCRAPED_SECONDS = 15.0
"""Prometheus scrapes every two seconds: later than this it does not scrape at all."""

_BUCKETS = f'sensorscore_job_duration_seconds_bucket{{namespace="{NAMESPACE}"}}'


class Stage(NamedTuple):
    """One stage of a run's Jobs."""

    name: str
    buckets: tuple[tuple[float, int], ...]
    """Jobs in each bucket, by its upper bound in seconds, ascending; the last bound is infinite."""
    quantiles: tuple[float, ...]
    """In seconds, for each of QUANTILES, interpolated in its bucket as Prometheus does."""

    @property
    def jobs(self) -> int:
        """How many Jobs went through it."""
        return sum(count for _, count in self.buckets)


def during(start: float, end: float) -> str:
    """PromQL for the buckets' growth between two instants (Unix times).

    By `@` and not by `increase`, which extrapolates: these are exact numbers of Jobs.
    """
    then, now = (f"sum by (le, stage) ({_BUCKETS} @ {instant:.3f})" for instant in (start, end))
    return f"({now} - ({then} or 0 * {now}))"


def stages(client: Client, start: float, end: float) -> list[Stage]:
    """The stages of the Jobs whose outcomes were recorded between two instants."""
    grown = during(start, end)
    buckets = client.query(grown)
    by_quantile = [
        {each.labels["stage"]: each.value for each in client.query(f"histogram_quantile({q}, {grown})")}
        for q in QUANTILES
    ]
    return [
        Stage(name, counts, tuple(found.get(name, math.nan) for found in by_quantile))
        for name in STAGES
        if (counts := _apart(buckets, name))
    ]


def _apart(samples: Sequence[Sample], stage: str) -> tuple[tuple[float, int], ...]:
    """One stage's buckets, no longer cumulative."""
    bounds = sorted(
        (float(each.labels["le"]), round(each.value)) for each in samples if each.labels["stage"] == stage
    )
    below = [0, *(count for _, count in bounds)]
    return tuple((bound, count - before) for (bound, count), before in zip(bounds, below[:-1], strict=True))


def when_scraped(
    client: Client, jobs: int, start: float, clock: Callable[[], float] = time.time
) -> list[Stage]:
    """The stages once all the run's Jobs are in; what there is when that takes too long."""
    begun = clock()
    while True:
        now = clock()
        found = stages(client, start, now)
        if (found and found[-1].jobs >= jobs) or now - begun > SCRAPED_SECONDS:
            return found
        time.sleep(0.1)


def table(found: Sequence[Stage]) -> list[str]:
    """A line a stage."""
    head = f"{'stage':<9}{'Jobs':>6}" + "".join(f"{f'p{q * 100:g}':>10}" for q in QUANTILES)
    return [head, *map(_line, found)]


def _line(stage: Stage) -> str:
    return f"{stage.name:<9}{stage.jobs:>6}" + "".join(f"{seconds(each):>10}" for each in stage.quantiles)


def seconds(value: float) -> str:
    """For people, in the unit that fits."""
    if math.isnan(value):
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
