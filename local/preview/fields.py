"""How a series is to be shown: Grafana's field configuration with its overrides, as typed values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.preview import svg, units
from local.preview.errors import UnsupportedError
from local.preview.model import Panel


@dataclass(frozen=True)
class Field:
    """Presentation of one series or column."""

    name: str
    unit: str
    decimals: int | None
    minimum: float | None
    maximum: float | None
    steps: tuple[tuple[float, str], ...]
    mappings: Mapping[str, tuple[str, str]]
    mode: str
    fixed: str
    custom: Mapping[str, Any]

    def text(self, value: float) -> str:
        """The value in words: those that its mapping gives, else in its unit."""
        mapped = self.mappings.get(_key(value))
        return mapped[0] if mapped and mapped[0] else units.text(value, self.unit, self.decimals)

    def colour(self, value: float) -> str:
        """The code of the value's colour: by its mapping, else by thresholds."""
        mapped = self.mappings.get(_key(value))
        if mapped and mapped[1]:
            return svg.colour(mapped[1])
        if math.isnan(value):
            return svg.FAINT
        return svg.colour(next(name for bound, name in reversed(self.steps) if value >= bound))

    def line_colour(self, place: int) -> str:
        """The code of a line's or bar's colour; `place`: its number among the panel's series."""
        if self.mode == "fixed":
            return svg.colour(self.fixed)
        return svg.PALETTE[place % len(svg.PALETTE)]


def field(panel: Panel, name: str, ref: str) -> Field:
    """The field of the series `name`, from query `ref`. UnsupportedError: an override is unknown here."""
    found: dict[str, Any] = {key: value for key, value in panel.defaults.items() if key != "custom"}
    custom = dict(panel.defaults.get("custom", {}))
    for override in panel.overrides:
        if not _matches(override["matcher"], name, ref):
            continue
        for entry in override["properties"]:
            if entry["id"].startswith("custom."):
                custom[entry["id"].removeprefix("custom.")] = entry["value"]
            else:
                found[entry["id"]] = entry["value"]
    colour = found.get("color", {})
    return Field(
        name=found.get("displayName", name),
        unit=found.get("unit", ""),
        decimals=None if found.get("decimals") is None else int(found["decimals"]),
        minimum=found.get("min"),
        maximum=found.get("max"),
        steps=_steps(found.get("thresholds", {})),
        mappings=_mappings(found.get("mappings", ())),
        mode=colour.get("mode", "palette-classic"),
        fixed=colour.get("fixedColor", ""),
        custom=custom,
    )


def _matches(matcher: Mapping[str, Any], name: str, ref: str) -> bool:
    kind, option = matcher["id"], str(matcher.get("options", ""))
    if kind == "byName":
        return option == name
    if kind == "byFrameRefID":
        return option == ref
    if kind == "byRegexp":
        return re.search(option.strip("/"), name) is not None
    raise UnsupportedError(f"an override by {kind}")


def _steps(thresholds: Mapping[str, Any]) -> tuple[tuple[float, str], ...]:
    if thresholds.get("mode", "absolute") != "absolute":
        raise UnsupportedError(f"thresholds in {thresholds['mode']}")
    listed = thresholds.get("steps") or [{"value": None, "color": "green"}]
    return tuple(
        (-math.inf if step.get("value") is None else float(step["value"]), step["color"]) for step in listed
    )


def _mappings(listed: Any) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for mapping in listed:
        if mapping["type"] != "value":
            raise UnsupportedError(f"a value mapping of type {mapping['type']}")
        for key, result in mapping["options"].items():
            found[key] = (result.get("text", ""), result.get("color", ""))
    return found


def _key(value: float) -> str:
    return "" if math.isnan(value) else f"{value:g}"
