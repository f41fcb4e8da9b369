"""A panel's queries, asked and named: what each kind of panel is drawn from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from local import promql
from local.preview import variables
from local.preview.model import Panel, Target

LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
POINTS_PER_WIDTH = 20
"""Points that fit into one of the grid's 24 columns, about 50 pixels."""


class Source(Protocol):
    """Where answers come from; `promql.Client` is one."""

    def query(self, expression: str, at: float | None = None) -> Sequence[promql.Sample]:
        """The value of an expression at one time."""

    def query_range(self, expression: str, start: float, end: float, step: float) -> Sequence[promql.Series]:
        """Its values from `start` to `end`, every `step` seconds."""


@dataclass(frozen=True)
class Range:
    """What is looked at: seconds since 1970; and how often Prometheus scrapes."""

    start: float
    end: float
    scrape: float

    @property
    def span(self) -> float:
        """Its length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Series:
    """A named line on a regular grid of times; nan where there is no value."""

    name: str
    ref: str
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float:
        """The last value that is one; nan if none is."""
        return next((value for value in reversed(self.values) if not math.isnan(value)), math.nan)


def step(panel: Panel, spread: Range) -> float:
    """Seconds between a panel's points, by how many fit."""
    points = panel.points or panel.width * POINTS_PER_WIDTH
    smallest = variables.seconds(panel.smallest_step) if panel.smallest_step else 0.0
    return max(smallest, variables.step(spread.span, points, spread.scrape))


def ask(panel: Panel, source: Source, spread: Range, values: Mapping[str, str]) -> list[Series]:
    """All series of a panel, in the order of its queries. QueryError: Prometheus refused one."""
    each = step(panel, spread)
    scope = {**values, **variables.intervals(spread.span, each, spread.scrape)}
    return [
        series
        for target in panel.targets
        for series in _answer(target, variables.interpolate(target.expr, scope), source, spread, each)
    ]


def _answer(target: Target, expr: str, source: Source, spread: Range, each: float) -> list[Series]:
    if target.instant:  # in the order of the answer, which `sort_desc` may have made
        return [
            Series(
                _name(target, sample.labels),
                target.ref,
                sample.labels,
                (spread.end,),
                (_known(sample.value),),
            )
            for sample in source.query(expr, spread.end)
        ]
    # Grafana aligns a range to its step, so that a refresh moves no bar.
    start, end = (math.floor(bound / each) * each for bound in (spread.start, spread.end))
    times = tuple(start + index * each for index in range(round((end - start) / each) + 1))
    found = [
        Series(_name(target, line.labels), target.ref, line.labels, times, _on(times, line.points))
        for line in source.query_range(expr, start, end, each)
    ]
    return sorted(found, key=lambda series: sorted(series.labels.items()))


def _on(times: Sequence[float], points: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """The values at `times`; nan where there is none."""
    values = {round(time): value for time, value in points}
    return tuple(_known(values.get(round(time), math.nan)) for time in times)


def _known(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _name(target: Target, labels: Mapping[str, str]) -> str:
    if target.legend:
        return LEGEND.sub(lambda match: labels.get(match[1], ""), target.legend).strip()
    pairs = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{{{pairs}}}"
