"""JSON and words from a pod: read with bounds, each part of its type or refused by its name."""

from __future__ import annotations

import json
from typing import Any, NoReturn

Json = dict[str, Any]

MESSAGE_LIMIT = 4096  # bytes; the kubelet cuts a termination message there, which would leave broken JSON
TEXT_LIMIT = 256  # bytes of one sensor's sentence, and of anything else that is copied into a status
NUMBER_LIMIT = (
    2**40
)  # of one message; so the sums over 100,000 Jobs stay within the status' int64 whatever pods say


class ContractError(ValueError):
    """Something does not keep the contract; its text names the field and what was wanted."""


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` without control characters and lone surrogates, at most `limit` bytes of whole characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip()


def load(text: str) -> Json:
    """The object that a termination message holds. Raises `ContractError`."""
    if len(text.encode("utf-8", "surrogatepass")) > MESSAGE_LIMIT:
        raise ContractError(f"message has more than {MESSAGE_LIMIT} bytes")
    try:
        # Old bytes may stand behind a message that was rewritten in place by a shorter one: read the first
        # value only.
        data, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"message is not JSON: {clean(str(error), 80)}") from None
    if not isinstance(data, dict):
        raise ContractError(f"message is {shown(data)}; wanted an object")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def shown(value: object) -> str:
    """A value as it may stand in a sentence."""
    return clean(repr(value), 60)


def check_head(data: Json, **wanted: object) -> None:
    """These fields have these values. Raises `ContractError` naming the first that has another."""
    for key, value in wanted.items():
        found = data.get(key)
        if type(found) is not type(value) or found != value:
            raise ContractError(f"{key} is {shown(found)}; wanted {value!r}")


def an_object(data: Json, key: str) -> Json:
    """The object at `key`."""
    value = data.get(key)
    if not isinstance(value, dict):
        raise ContractError(f"{key} is {shown(value)}; wanted an object")
    return value


def objects(data: Json, key: str) -> list[Json]:
    """The list of objects at `key`."""
    value = data.get(key)
    if not isinstance(value, list):
        raise ContractError(f"{key} is {shown(value)}; wanted a list")
    for item in value:
        if not isinstance(item, dict):
            raise ContractError(f"{key} hold {shown(item)}; wanted objects")
    return value


def a_text(data: Json, key: str) -> str:
    """The text at `key`."""
    value = data.get(key)
    if not isinstance(value, str):
        raise ContractError(f"{key} is {shown(value)}; wanted a text")
    return value


def a_flag(data: Json, key: str) -> bool:
    """True or false, at `key`."""
    value = data.get(key)
    if not isinstance(value, bool):
        raise ContractError(f"{key} is {shown(value)}; wanted true or false")
    return value


def a_count(data: Json, key: str, where: str = "") -> int:
    """The whole number at `key`, not negative."""
    value = data.get(key)
    if type(value) is not int or not 0 <= value <= NUMBER_LIMIT:  # bool is an int to Python
        raise ContractError(
            f"{where}{'.' if where else ''}{key} is {shown(value)}; wanted a whole number, not negative"
        )
    return value
