"""`scorer models show`: one sensor's model in words, for whoever wonders why a reading was flagged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scorer.commands.console import say, table
from scorer.errors import InputError
from scorer.fit.catalogue import history, model
from scorer.model.limits import limits
from scorer.versions import History, Listed
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.model import Model
    from scorer.storage import Store

MOST_SPANS = 10
"""Intervals that one reads: a narrow kernel has one about each support vector."""


def show(store: Store, template: str, sensor: str, version: str | None) -> int:
    """Says all that is known of the sensor's version in use, or of the one named. Raises InputError."""
    known = history(store, template, sensor)
    chosen = known.in_use() if version is None else known.listed(version)
    if chosen is None:
        names = ", ".join(each.version for each in known.versions[-5:])
        raise InputError(f"sensor {sensor} has no version {version}: the last ones are {names}")
    used = model(store, template, sensor, chosen.version, chosen.sha256)
    lines = [("sensor", sensor), ("version", f"{chosen.version}, {_state(known, chosen)}")]
    lines += _training(used)
    lines += [(f"normal {name}", text) for name, text in _limits(used)]
    lines += [("proof", _proof(used)), ("stages", _stages(used)), ("sha256", chosen.sha256)]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        say(f"{name:<{width}}  {text}")
    say()
    say(table(("VERSION", "VALID FROM", "REGISTERED", "STATE"), _versions(known)))
    if known.older:
        say(f"and {known.older} older ones, in the store and to be had by name")
    return 0


def _state(known: History, chosen: Listed) -> str:
    current = known.in_use()
    if current and current.version == chosen.version:
        return f"in use since {utc_text(known.switches[-1].at)}"
    return f"withdrawn {utc_text(chosen.withdrawn)}" if chosen.withdrawn else "not in use"


def _versions(known: History) -> list[tuple[object, ...]]:
    return [
        (each.version, utc_text(each.valid_from), utc_text(each.registered), _state(known, each))
        for each in reversed(known.versions)
    ]


def _training(used: Model) -> list[tuple[str, str]]:
    told = used.metadata.get("training")
    training: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    lines = []
    if isinstance(settings := training.get("settings"), Mapping):
        rest = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "estimator")
        lines.append(("estimator", f"{settings.get('estimator')}{f' with {rest}' if rest else ''}"))
    by = "measured on" if "pickle" in training else "trained on"
    text = f"{training.get('rows')} readings of {training.get('window')}"
    if isinstance(hourly := training.get("rowsPerHour"), int | float):
        text += f", {hourly:g} an hour"
    if isinstance(flagged := training.get("flagged"), int | float):
        text += f"; {flagged:.1%} of them flagged"
    lines.append((by, text))
    if isinstance(ranges := training.get("valueRange"), Mapping):
        for name, edges in ranges.items():
            if isinstance(edges, list) and len(edges) == 2:
                lines.append((f"seen {name}", f"{edges[0]:g} to {edges[1]:g}"))
    return lines


def _limits(used: Model) -> list[tuple[str, str]]:
    """What is normal, for a model of one feature: outside of it a reading is an anomaly."""
    if len(used.features) != 1 or used.plugin:
        return []
    try:
        spans = limits(used)
    except InputError as error:
        return [(used.features[0], str(error))]
    told = ", or ".join(_span(low, high) for low, high in spans[:MOST_SPANS])
    if len(spans) > MOST_SPANS:
        told += f", and {len(spans) - MOST_SPANS} more"
    return [(used.features[0], told or "nothing: every value is an anomaly")]


def _span(low: float, high: float) -> str:
    if low == float("-inf"):
        return "any value" if high == float("inf") else f"up to {high:.6g}"
    return f"from {low:.6g} on" if high == float("inf") else f"{low:.6g} to {high:.6g}"


def _proof(used: Model) -> str:
    check = used.metadata.get("check")
    if not isinstance(check, Mapping):
        return "none"
    largest = check.get("largestDifference")
    size = "unknown how far"
    if isinstance(largest, int | float):
        size = f"{largest:.1e} of its scale at most" if largest else "not a bit"
    return f"equal to scikit-learn {used.metadata.get('sklearn')} on {check.get('rows')} rows: {size} apart"


def _stages(used: Model) -> str:
    if used.plugin:
        return f"none: scored by the plugin {used.plugin.name}"
    return ", ".join(form for form, _ in used.stages)
