"""The facts of a sensor's window, read back from what travelled beside its prediction, and checked.

They come out of the store, where others may write as well: anything else than `scorer.guard.observe` writes
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.errors import InputError
from scorer.guard.observe import LARGEST, MAX_COUNT, MAX_NAME

MODEL_LENGTH = 12


class Constant(NamedTuple):
    """A feature that had one value all through a window."""

    feature: str
    value: float
    longest: float | None
    """Seconds for which it had one value in training; None if nobody knows."""


class Training(NamedTuple):
    """Counts of the rows that the model was trained on."""

    rows: int
    flagged: int
    vectors: int
    """Support vectors; 0 for a model that has none."""


class Facts(NamedTuple):
    """One sensor's window. None is what the model file does not say."""

    model: str
    rows: int
    flagged: int
    runs: int
    rejected: int
    features: int
    dependence: int
    outside: int | None
    constant: Constant | None
    expected: float | None
    training: Training | None


def read_facts(told: Mapping[str, Any]) -> Facts:
    """The facts. Raises InputError naming what cannot be."""
    rows = _count(told, "n")
    flagged = _count(told, "f", most=rows)
    return Facts(
        model=_model(told.get("m")),
        rows=rows,
        flagged=flagged,
        runs=_count(told, "g", min(1, flagged), flagged),
        rejected=_count(told, "r"),
        features=_count(told, "k", 1),
        dependence=_count(told, "u", 1) if "u" in told else 1,
        outside=_count(told, "o", most=rows) if "o" in told else None,
        constant=read_constant(told["c"]) if "c" in told else None,
        expected=_number(told["x"], "x") if "x" in told else None,
        training=_training(told["t"]) if "t" in told else None,
    )


def _model(value: Any) -> str:
    if not isinstance(value, str) or len(value) != MODEL_LENGTH or set(value) - set("0123456789abcdef"):
        raise InputError(f"m is {value!r:.40}: wanted {MODEL_LENGTH} hexadecimal digits")
    return value


def _count(told: Mapping[str, Any], name: str, least: int = 0, most: int = MAX_COUNT) -> int:
    value = told.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.40}: wanted a whole number from {least} to {most}")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
        raise InputError(f"{name} is {value!r:.40}: wanted a number from 0 to {MAX_COUNT}")
    return float(value)


def read_constant(value: Any) -> Constant:
    """A feature, its value, and seconds or null. Raises InputError."""
    if not isinstance(value, list) or len(value) != 3:
        raise InputError(f"c is {value!r:.80}: wanted a feature, a value and seconds")
    feature, kept, longest = value
    if not isinstance(feature, str) or len(feature) > MAX_NAME or not feature.isprintable():
        raise InputError(f"c has the feature {feature!r:.80}: wanted at most {MAX_NAME} characters")
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not abs(kept) <= LARGEST:
        raise InputError(f"c has the value {kept!r:.40}: wanted a number")
    return Constant(feature, float(kept), None if longest is None else _number(longest, "c's seconds"))


def _training(value: Any) -> Training:
    if not isinstance(value, list) or len(value) != 3:
        raise InputError(f"t is {value!r:.80}: wanted rows, flagged and support vectors")
    counts = dict(zip(Training._fields, value, strict=True))
    rows = _count(counts, "rows", 1)
    return Training(rows, _count(counts, "flagged", most=rows), _count(counts, "vectors", most=rows))
