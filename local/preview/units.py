"""Values as people read them, by Grafana's names of units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from local.preview.errors import UnsupportedError

MINUS = "\N{MINUS SIGN}"
SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": (
        (1e-6, "µs"),
        (1e-3, "ms"),
        (1.0, "s"),
        (60.0, "min"),
        (3600.0, "h"),
        (86400.0, "d"),
        (604800.0, "w"),
    ),
    "short": ((1.0, ""), (1e3, "K"), (1e6, "Mil"), (1e9, "Bil")),
    "bytes": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB")),
    "none": ((1.0, ""),),
}
TIMES = {"dateTimeAsIso": "%Y-%m-%d %H:%M"}
UNITS = (*SCALES, *TIMES, "percentunit", "locale", "bool_yes_no", "suffix:…")


def text(value: float, unit: str = "", decimals: int | None = None) -> str:
    """`value` in words. UnsupportedError: the unit is none of `UNITS`."""
    if math.isnan(value):
        return "\N{EN DASH}"
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if unit in TIMES:
        return datetime.fromtimestamp(value / 1000, UTC).strftime(TIMES[unit])
    if unit == "percentunit":
        return f"{sign}{_number(size * 100, decimals)}%"
    if unit == "locale":
        return f"{sign}{size:,.{_decimals(size) if decimals is None else decimals}f}"
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    if unit.startswith("suffix:"):
        return f"{sign}{_number(size, decimals)} {unit.removeprefix('suffix:')}"
    if unit and unit not in SCALES:
        raise UnsupportedError(f"the unit {unit}; drawn are {', '.join(UNITS)}")
    return sign + _scaled(size, SCALES[unit or "none"], decimals)


def tick_texts(values: Sequence[float], unit: str, decimals: int | None = None) -> list[str]:
    """The words at an axis' ticks: each with as many decimals as it needs, up to three."""
    if decimals is not None:
        return [text(value, unit, decimals) for value in values]
    return [
        next(
            (
                tried
                for tried in (text(value, unit, fewer) for fewer in range(3))
                if _says(tried, value, unit)
            ),
            "",
        )
        or text(value, unit, 3)
        for value in values
    ]


def _says(tried: str, value: float, unit: str) -> bool:
    """Whether a short text is the value, to a hundredth of it."""
    short, whole = (
        float(each.strip(MINUS).split(" ")[0].rstrip("%").replace(",", ""))
        for each in (tried, text(value, unit, 6))
    )
    return abs(short - whole) <= 0.01 * whole


def _scaled(size: float, scale: tuple[tuple[float, str], ...], decimals: int | None) -> str:
    fitting = [entry for entry in scale if entry[0] <= size] or [scale[0]]
    factor, name = fitting[-1] if size else next(entry for entry in scale if entry[0] == 1.0)
    number = _number(size / factor, decimals)
    return f"{number} {name}".rstrip()


def _number(size: float, decimals: int | None) -> str:
    return f"{size:.{_decimals(size) if decimals is None else decimals}f}"


def _decimals(size: float) -> int:
    """Three significant digits, none after the point of a whole number."""
    if size == 0 or size == round(size):
        return 0
    return max(0, 2 - math.floor(math.log10(size)))
