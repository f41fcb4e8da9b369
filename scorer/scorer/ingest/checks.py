"""Checks of settings as they are written: what is wrong is refused by its key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scorer.errors import InputError

UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"(-?\d{1,15})(us|ms|s|m|h|d)", re.ASCII)


class SettingsError(InputError):
    """Settings that cannot be used, naming the field, what was found and what was wanted."""


def duration(text: object, field: str, least: int = 0, most: int = 21 * UNITS["d"]) -> int:
    """Microseconds of a text like `5s`, `300ms` or `-1ms`. Raises SettingsError."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise SettingsError(f"{field} is {text!r}: wanted a duration like 5s, 300ms or 5m")
    length = int(found[1]) * UNITS[found[2]]
    if not least <= length <= most:
        raise SettingsError(f"{field} is {text}: wanted {_shown(least)} to {_shown(most)}")
    return length


def object_of(value: Any, field: str) -> Mapping[str, Any]:
    """The value, if it is an object with texts as keys. Raises SettingsError."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"{field} is {value!r:.80}: wanted an object")
    return value


def known(
    given: Mapping[str, Any], inside: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    """Raises SettingsError for a key that is not known, or is missing; `inside` is what stands before it."""
    for key in given:
        if key not in required and key not in optional:
            raise SettingsError(f"{inside}{key} is not known: wanted {', '.join((*required, *optional))}")
    for key in required:
        if key not in given:
            raise SettingsError(f"{inside}{key} is missing")


def text_of(value: Any, field: str) -> str:
    """The value, if it is a text that can be shown. Raises SettingsError."""
    if not isinstance(value, str) or not 0 < len(value) <= 253 or not value.isprintable():
        raise SettingsError(f"{field} is {value!r:.80}: wanted 1 to 253 printable characters")
    return value


def choice_of(value: Any, field: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of these. Raises SettingsError."""
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"{field} is {value!r:.80}: wanted {' or '.join(map(repr, choices))}")
    return value


def number_of(value: Any, field: str) -> float:
    """The value as a number. Raises SettingsError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise SettingsError(f"{field} is {value!r:.80}: wanted a number")
    return float(value)


def whole(value: Any, field: str, least: int, most: int) -> int:
    """The value, if it is a whole number from `least` to `most`. Raises SettingsError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SettingsError(f"{field} is {value!r:.80}: wanted a whole number from {least} to {most}")
    return value


def _shown(length: int) -> str:
    for unit, size in reversed(UNITS.items()):
        if length % size == 0 and length:
            return f"{length // size}{unit}"
    return f"{length}us" if length else "0s"
