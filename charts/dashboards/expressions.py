"""Pieces of PromQL that the panels are made of."""

from __future__ import annotations

from collections.abc import Sequence

HOUR, DAY, RANGE, STEP = "1h", "1d", "$__range", "$__rate_interval"
JOB_SECONDS = "sensorscore_job_duration_seconds"
NEVER_IN_A_POD = 'stage!~"total|prepare|publish"'


def chosen(metric: str, *matchers: str, namespaced: bool = True) -> str:
    """A series of the clusters and namespaces that the dashboard is set to."""
    all_matchers = ('cluster=~"$cluster"', *(('namespace=~"$namespace"',) if namespaced else ()), *matchers)
    return f"{metric}{{{', '.join(all_matchers)}}}"


def scheduled(metric: str, *matchers: str) -> str:
    """A series of the schedules that the dashboard is set to."""
    return chosen(metric, 'schedule=~"$schedule"', *matchers)


def increase(series: str, over: str) -> str:
    """What was added to a counter."""
    return f"increase({series}[{over}])"


def each_step(series: str, by: Sequence[str] = ()) -> str:
    """What was added to a counter in each of the graph's steps, summed: for bars, which add up to the whole.

    A rate times the step, for `increase` over `$__rate_interval`, which is longer than a step, is too much.
    """
    return f"sum{_by(by)}(rate({series}[$__rate_interval])) * $__interval_ms / 1000"


def total(series: str, over: str, by: Sequence[str] = ()) -> str:
    """What was added to a counter, summed."""
    return f"sum{_by(by)}({increase(series, over)})"


def quantile(part: float, series: str, over: str, by: Sequence[str] = ()) -> str:
    """A quantile of a histogram (its name less `_bucket`, with matchers) of what was added."""
    name, brace, matchers = series.partition("{")
    buckets = f"{name}_bucket{brace}{matchers}"
    return f"histogram_quantile({part}, {total(buckets, over, ('le', *by))})"


def share(part: str, whole: str) -> str:
    """`part` of `whole`, 0 to 1; nothing where there is nothing to share."""
    return f"{part} / ({whole} > 0)"


def some(expr: str) -> str:
    """`expr`, and 0 where it is nothing at all."""
    return f"{expr} or vector(0)"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
