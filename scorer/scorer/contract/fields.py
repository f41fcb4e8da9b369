"""Fields of JSON that a pod is given: each of its type and within bounds, or refused by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from scorer.errors import InputError

MAX_NUMBER = (
    1_000_000  # chunks, incarnations and lines of a sensor list: beyond any run that Kubernetes could hold
)

T = TypeVar("T")


class UsageError(InputError):
    """A work order that cannot be understood, naming the field, what was found and what was wanted."""


def an_object(
    value: Any, field: str, required: list[str], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    """A JSON object with all required fields, perhaps the optional ones, and no others."""
    inside = f"{field}." if field else ""
    if not isinstance(value, dict):
        raise UsageError(f"work order: {field} is {shown(value)}: wanted an object")
    for key in value:
        if key not in required and key not in optional:
            raise UsageError(f"work order: {inside}{_one_line(key)} is not known to this scorer")
    for key in required:
        if key not in value:
            raise UsageError(f"work order: {inside}{key} is missing")
    return value


def a_text(value: Any, field: str, longest: int = 253) -> str:
    """A text of printable characters. Raises UsageError."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise UsageError(f"work order: {field} is {shown(value)}: wanted 1 to {longest} printable characters")
    return value


def a_number(value: Any, field: str, least: int = 0, most: int = MAX_NUMBER) -> int:
    """A whole number within bounds. Raises UsageError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(
            f"work order: {field} is {shown(value)}: wanted a whole number from {least} to {most}"
        )
    return value


def a_choice(value: Any, field: str, choices: tuple[str, ...]) -> str:
    """One of the choices. Raises UsageError."""
    if value not in choices:
        raise UsageError(f"work order: {field} is {shown(value)}: wanted {' or '.join(choices)}")
    return str(value)


def checked(field: str, check: Callable[[], T]) -> T:
    """What the check gives; what it says against the value is said of the field. Raises UsageError."""
    try:
        return check()
    except ValueError as error:
        raise UsageError(f"work order: {field}: {error}") from error


def _one_line(key: str) -> str:
    return key[:80] if key.isprintable() else repr(key[:80])


def shown(value: Any) -> str:
    """A value as it may stand in a sentence."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
