"""Grafana's variables: `$name`, `${name}`, `${name:format}`, and its intervals.

The arithmetic is that of Grafana's Prometheus data source: `$__interval` is the range over the points that
fit, taken to a round number; `$__rate_interval` the larger of `$__interval` and a scrape interval, and four
of those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from local.preview.errors import PreviewError

REFERENCE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<braced>[\w.]+)(?::(?P<format>\w+))?\})")
DURATION = re.compile(r"(?P<number>\d+)(?P<unit>ms|s|m|h|d|w)")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
STEPS = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 604800),
)
"""Round numbers of seconds that a step is taken to."""


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """`text` with each variable's value in its place. PreviewError: `values` lacks one."""

    def value(match: re.Match[str]) -> str:
        name = match["bare"] or match["braced"]
        if name not in values:
            raise PreviewError(f"the variable ${name} has no value; used in: {text}")
        return values[name]

    return REFERENCE.sub(value, text)


def names(text: str) -> set[str]:
    """The variables that `text` uses."""
    return {match["bare"] or match["braced"] for match in REFERENCE.finditer(text)}


def seconds(duration: str) -> float:
    """`90s`, `5m`, `24h`. PreviewError: it is none of these."""
    match = DURATION.fullmatch(duration)
    if match is None:
        raise PreviewError(f"{duration!r} is no duration; wanted a number and one of {', '.join(UNITS)}")
    return float(match["number"]) * UNITS[match["unit"]]


def step(span: float, points: int, smallest: float) -> float:
    """Seconds between two points, when `points` fit into `span` seconds; at least `smallest`."""
    wanted = span / points
    rounded = next((candidate for candidate in STEPS if candidate >= wanted * 0.75), STEPS[-1])
    return max(float(rounded), smallest)


def intervals(span: float, each: float, scrape: float) -> dict[str, str]:
    """The values of Grafana's own variables for a range of `span` seconds in steps of `each` seconds."""
    return {
        "__range": f"{span:.0f}s",
        "__range_s": f"{span:.0f}",
        "__interval": f"{each:.0f}s",
        "__interval_ms": f"{each * 1000:.0f}",
        "__rate_interval": f"{max(each + scrape, 4 * scrape):.0f}s",
    }
