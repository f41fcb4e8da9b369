"""Sections of a YAML file, read key by key: what is wrong, or not known, is refused by its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from scoring_operator.quantity import quantity
from scoring_operator.times import parse_time

T = TypeVar("T")
_DOMAIN = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?/"
_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"


class SettingsError(ValueError):
    """A setting is not as wanted; the text names its path."""


class Section:
    """One mapping of the file: takes its keys one by one, and at the end refuses what nobody took."""

    def __init__(self, data: object, path: str) -> None:
        """`path` is how the user finds the mapping in the file."""
        if not isinstance(data, dict):
            raise SettingsError(f"{path} is {_kind(data)}; wanted a mapping of keys to values")
        self.data: dict[Any, Any] = data
        self.path = path
        self._taken: set[str] = set()

    def _take(self, key: str) -> Any:
        self._taken.add(key)
        return self.data.get(key)

    def _refuse(self, key: str, value: object, wanted: str) -> SettingsError:
        found = "missing" if value is None else f"{value!r}"
        return SettingsError(f"{self.path}.{key} is {found}; wanted {wanted}")

    def text(self, key: str, default: str | None = None, wanted: str = r"\S.*", words: str = "a text") -> str:
        """A text that matches `wanted`, which `words` describes; required when it has no default."""
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not re.fullmatch(wanted, value):
            raise self._refuse(key, value, words)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._refuse(key, value, "true or false")
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self._take(key)
        if value is None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise self._refuse(key, value, f"a whole number from {low} to {high}")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts, empty when missing."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._refuse(key, value, "a list of texts")
        return value

    def keys(self, key: str) -> frozenset[str]:
        """Keys of labels or annotations, and domains with their /; none when missing."""
        for text in self.texts(key):
            if not re.fullmatch(f"{_DOMAIN}|({_DOMAIN})?{_NAME}", text):
                raise self._refuse(key, text, "keys such as team, and domains such as example.com/")
        return frozenset(self.texts(key))

    def objects(self, key: str) -> list[dict[str, Any]]:
        """A list of mappings, empty when missing."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._refuse(key, value, "a list of mappings")
        return value

    def mapping(self, key: str) -> dict[str, str]:
        """Texts by text; numbers count as texts here, as in `cpu: 1`."""
        inner = self.section(key)
        for name, value in inner.data.items():
            if (
                not isinstance(name, str)
                or isinstance(value, bool)
                or not isinstance(value, str | int | float)
            ):
                raise SettingsError(f"{inner.path}.{name} is {value!r}; wanted a text")
        return {name: str(value) for name, value in inner.data.items()}

    def quantities(self, key: str) -> dict[str, str]:
        """Kubernetes' quantities by resource."""
        texts = self.mapping(key)
        for name, text in texts.items():
            try:
                quantity(text)
            except ValueError as error:
                raise SettingsError(f"{self.path}.{key}.{name}: {error}") from None
        return texts

    def real(self, key: str) -> float | None:
        """A number, if there is one."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            raise self._refuse(key, value, "a number")
        return float(value)

    def decimal(self, key: str) -> Decimal:
        """A decimal number such as 0.045, not negative; 0 when missing."""
        value = self._take(key)
        if value is None:
            return Decimal(0)
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise self._refuse(key, value, "a decimal number such as 0.045")
        return Decimal(text)

    def time(self, key: str) -> datetime | None:
        """A time with a zone, if there is one."""
        text = self.text(key, "", wanted=r"\S*", words="a time such as 2026-01-01T00:00:00Z")
        try:
            return parse_time(text) if text else None
        except (ValueError, OverflowError):
            raise self._refuse(key, text, "a time with a zone such as 2026-01-01T00:00:00Z") from None

    def section(self, key: str) -> Section:
        """A mapping within, empty when missing."""
        value = self._take(key)
        return Section({} if value is None else value, f"{self.path}.{key}")

    def named(self, key: str, build: Callable[[str, Section], T]) -> dict[str, T]:
        """A mapping of names to mappings; none at all is the state right after an installation."""
        inner = self.section(key)
        return {
            str(name): build(str(name), Section(value, f"{inner.path}.{name}"))
            for name, value in inner.data.items()
        }

    def end(self) -> None:
        """Refuse keys that nobody took."""
        for key in self.data:
            if key not in self._taken:
                raise SettingsError(
                    f"{self.path}.{key} is not known; wanted one of {', '.join(sorted(self._taken))}"
                )


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else f"{value!r}"
