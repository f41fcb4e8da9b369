"""Round places for an axis' lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from local.preview.variables import STEPS

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SECONDS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(factor * MINUTE for factor in (1, 2, 5, 10, 15, 30)),
    *(factor * HOUR for factor in (1, 2, 3, 6, 12)),
    *(factor * DAY for factor in (1, 2, 5, 10, 20)),
)
"""Round times."""

DECADES = (*(10.0**exponent for exponent in range(-6, 2)), MINUTE, 10 * MINUTE, HOUR, 10 * HOUR, 5 * DAY)
"""Of times, about ten times longer each."""


def linear(low: float, high: float, unit: str = "", wanted: int = 4) -> list[float]:
    """About `wanted` numbers that span [low, high], round ones in `unit`."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / wanted
    base = 1024.0 ** max(0, math.floor(math.log(high, 1024))) if unit == "bytes" else 1.0
    power = base * 10.0 ** math.floor(math.log10(rough / base))
    each = next(factor * power for factor in ROUND if factor * power >= rough * 0.999)
    if unit == "s" and rough > 1:
        each = next((candidate for candidate in SECONDS if candidate >= rough * 0.999), each)
    first, last = math.floor(low / each + 1e-9), math.ceil(high / each - 1e-9)
    return [index * each for index in range(first, last + 1)]


def powers(low: float, high: float, unit: str = "") -> list[float]:
    """Powers of ten that span [low, high], both above 0; of times what is nearest to them and round."""
    known = DECADES if unit == "s" else tuple(10.0**exponent for exponent in range(-9, 19))
    first = max((place for place, each in enumerate(known) if each <= low * (1 + 1e-9)), default=0)
    last = next((place for place, each in enumerate(known) if each >= high * (1 - 1e-9)), len(known) - 1)
    return list(known[first : max(last, first + 1) + 1])


def times(start: float, end: float, wanted: int) -> list[float]:
    """Round times (UTC) between `start` and `end`."""
    rough = (end - start) / wanted
    each = next((candidate for candidate in STEPS if candidate >= rough), STEPS[-1])
    return [index * float(each) for index in range(math.ceil(start / each), math.floor(end / each) + 1)]


def extent(values: Sequence[float]) -> tuple[float, float] | None:
    """Smallest and largest of the values that are numbers; None if none is."""
    known = [value for value in values if not math.isnan(value)]
    return (min(known), max(known)) if known else None
