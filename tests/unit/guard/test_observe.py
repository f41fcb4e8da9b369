from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from scorer.contract.outcome import Rows
from scorer.guard.facts import read_facts
from scorer.guard.observe import MAX_BYTES, longest_constant, observe
from scorer.model import Model
from scorer.readings import Readings
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T14:00:00Z")
TRAINING = {
    "rows": 280,
    "flagged": 0.01,
    "supportVectors": 5,
    "rowsPerHour": 70.0,
    "valueRange": {"value": [9.0, 11.0]},
    "longestConstant": {"value": 30.0},
}


def model(training: Any, features: tuple[str, ...] = ("value",)) -> Model:
    return Model(features, (), 1.0, "v", "0123456789abcdef" * 4, {"training": training}, False)


def seen(
    values: Any, flags: Any = None, training: Any = TRAINING, features: tuple[str, ...] = ("value",)
) -> dict[str, Any]:
    rows: NDArray[np.float64] = np.asarray(values, float).reshape(-1, len(features))
    times = np.arange(len(rows), dtype=np.int64)
    flagged = np.zeros(len(rows), np.int8) if flags is None else np.asarray(flags, np.int8)
    account = Rows(len(rows) + 2, len(rows), 2)
    return observe(model(training, features), Readings(times, rows, account, {}), flagged, SPAN)


def test_a_window_is_a_few_facts() -> None:
    values = [10.0, 12.0, 10.5, 8.0, 10.0]
    assert seen(values, [0, 1, 0, 1, 1]) == {
        "m": "0123456789ab",
        "n": 5,
        "f": 3,
        "g": 2,
        "r": 2,
        "k": 1,
        "o": 2,
        "x": 140.0,
        "t": [280, 3, 5],
    }


def test_runs_of_flags_are_counted_from_the_first_row_on() -> None:
    assert seen([1.0] * 6, [1, 1, 0, 1, 0, 1])["g"] == 3


def test_a_value_that_never_changes_is_told_with_how_long_it_did_not_in_training() -> None:
    assert seen([10.25] * 40)["c"] == ["value", 10.25, 30]
    assert seen([10.25] * 40, training={})["c"] == ["value", 10.25, None]
    assert "c" not in seen([10.25] * 39 + [10.5])


def test_what_never_changed_in_training_either_is_not_told() -> None:
    assert "c" not in seen([10.0] * 40, training={"valueRange": {"value": [10.0, 10.0]}})


def test_of_many_features_the_rows_outside_are_counted_once() -> None:
    rows = [[0.0, 0.0], [2.0, 2.0], [0.5, -1.0], [0.5, 0.5]]
    training = {"valueRange": {"a": [0.0, 1.0], "b": [0.0, 1.0]}}
    assert seen(rows, training=training, features=("a", "b"))["o"] == 2


def test_missing_values_are_passed_over() -> None:
    told = seen([np.nan, 10.0, 20.0, np.nan])
    assert told["o"] == 1
    assert "c" not in seen([np.nan] * 5)


def test_dependent_rows_are_told_and_independent_ones_are_not() -> None:
    chance = np.random.default_rng(1)
    steps = np.cumsum(chance.normal(size=600))
    assert seen(steps)["u"] > 20
    assert seen(chance.normal(size=600)).get("u", 1) <= 2


@pytest.mark.parametrize(
    "training",
    [
        None,
        [],
        "x",
        {"rows": "many", "flagged": None, "rowsPerHour": [], "valueRange": 3, "longestConstant": "x"},
        {"rows": -1, "flagged": 2.0, "rowsPerHour": float("nan"), "valueRange": {"value": [1]}},
        {"rows": True, "flagged": True, "valueRange": {"value": ["a", "b"]}},
        {"rows": 10**400, "flagged": 0.1, "rowsPerHour": 1e300, "valueRange": {"value": [2.0, 1.0]}},
        {"valueRange": {"value": [float("-inf"), float("nan")]}, "longestConstant": {"value": -1}},
    ],
)
def test_what_the_model_does_not_say_is_left_out(training: Any) -> None:
    told = seen([10.0, 10.5], training=training)
    assert set(told) == {"m", "n", "f", "g", "r", "k"}


def test_a_window_without_rows_has_facts_too() -> None:
    told = seen([])
    assert (told["n"], told["f"], told["g"], told["x"]) == (0, 0, 0, 140.0)
    read_facts(told)


NAMES = st.text(min_size=1, max_size=253)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers() | st.booleans() | st.none()


@given(
    rows=hnp.arrays(
        float,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=80),
        elements=st.floats(-1e100, 1e100) | st.sampled_from([0.0, 1.0, float("nan")]),
    ),
    training=st.fixed_dictionaries(
        {},
        optional={
            "rows": NUMBERS,
            "flagged": NUMBERS,
            "supportVectors": NUMBERS,
            "rowsPerHour": NUMBERS,
            "valueRange": st.dictionaries(NAMES, st.lists(NUMBERS, max_size=3)) | NUMBERS,
        },
    ),
    name=NAMES,
    chance=st.randoms(use_true_random=False),
)
def test_facts_always_fit_and_can_be_read(
    rows: NDArray[np.float64], training: Any, name: str, chance: Any
) -> None:
    features = tuple(f"{name}{place}" for place in range(rows.shape[1]))
    told = seen(rows, [chance.randrange(2) for _ in rows], training, features)
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= MAX_BYTES
    facts = read_facts(json.loads(text))
    assert (facts.rows, facts.model) == (len(rows), "0123456789ab")


def test_the_longest_stretch_with_one_value_is_in_seconds() -> None:
    times = np.array([0, 10, 20, 30, 40, 50], np.int64) * 1_000_000
    assert longest_constant(times, np.array([1.0, 2.0, 2.0, 2.0, 3.0, 3.0])) == 20.0
    assert longest_constant(times[:1], np.array([1.0])) == 0.0


def test_another_border_than_the_model_s_has_windows_of_its_own() -> None:
    """Training says nothing of how often it is crossed."""
    told = model(TRAINING)
    rows: NDArray[np.float64] = np.full((5, 1), 10.0)
    readings = Readings(np.arange(5, dtype=np.int64), rows, Rows(5, 5), {})
    flags = np.zeros(5, np.int8)
    own, other, third = (
        observe(told._replace(threshold=border), readings, flags, SPAN) for border in (0.0, 0.5, 0.25)
    )
    assert ("t" in own, "t" in other) == (True, False)
    assert len({own["m"], other["m"], third["m"]}) == 3
    assert len(other["m"]) == 12
