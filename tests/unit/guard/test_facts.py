from __future__ import annotations

from typing import Any

import pytest

from scorer.errors import InputError
from scorer.guard.facts import Constant, Training, read_facts

GOOD: dict[str, Any] = {
    "m": "0123456789ab",
    "n": 60,
    "f": 3,
    "g": 2,
    "r": 1,
    "k": 1,
    "u": 4,
    "o": 5,
    "c": ["value", 1.5, None],
    "x": 61.5,
    "t": [280, 3, 5],
}


def test_facts_are_read_as_they_were_written() -> None:
    facts = read_facts(GOOD)
    assert (facts.rows, facts.flagged, facts.runs, facts.rejected, facts.dependence) == (60, 3, 2, 1, 4)
    assert facts.constant == Constant("value", 1.5, None)
    assert facts.training == Training(280, 3, 5)
    assert facts.expected == 61.5


@pytest.mark.parametrize("name", ["u", "o", "c", "x", "t"])
def test_what_is_not_known_may_be_left_out(name: str) -> None:
    read_facts({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"m": "short"}, "m"),
        ({"m": 5}, "m"),
        ({"m": "0123456789aß"}, "m"),
        ({"n": -1}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": True}, "n"),
        ({"n": 10**12}, "n"),
        ({"f": 61}, "f"),
        ({"g": 0}, "g"),
        ({"g": 4}, "g"),
        ({"r": None}, "r"),
        ({"k": 0}, "k"),
        ({"u": 0}, "u"),
        ({"o": 61}, "o"),
        ({"c": ["value", 1.5]}, "c"),
        ({"c": ["value", float("nan"), None]}, "c"),
        ({"c": ["value", 10**400, None]}, "c"),
        ({"c": ["v" * 99, 1.5, None]}, "c"),
        ({"c": ["line\nbreak", 1.5, None]}, "c"),
        ({"c": ["value", 1.5, -1]}, "c"),
        ({"x": float("inf")}, "x"),
        ({"x": "many"}, "x"),
        ({"t": [0, 0, 0]}, "rows"),
        ({"t": [280, 281, 0]}, "flagged"),
        ({"t": [280, 1]}, "t"),
    ],
)
def test_facts_that_cannot_be_are_refused(change: dict[str, Any], names: str) -> None:
    with pytest.raises(InputError, match=rf"\b{names}\b"):
        read_facts(GOOD | change)
