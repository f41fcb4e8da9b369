"""How many events a group has, in as few bytes as hold it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from scorer.ingest.aggregates import EVENTS, Groups
from scorer.ingest.settings import settings


def groups(function: str, size: int) -> Groups:
    given = settings(
        {
            "mapping": {"sensor": "{D}", "values": "V", "time": "T"},
            "window": {"size": "5s"},
            "columns": {"value": function},
        }
    )
    found = Groups(given.columns, 1)
    found.grow(size)
    return found


def add(found: Groups, places: list[int]) -> None:
    at = np.array(places, np.int64)
    found.add(at, np.zeros(len(at), np.int64), np.ones((len(at), 1)))


@pytest.mark.parametrize("function", ["avg", "count"])
@pytest.mark.parametrize(
    "steps",
    [[255], [255, 1], [256], [300], [1] * 257, [65_535, 1], [65_536], [200, 66_000], [70_000, 70_000]],
    ids=lambda steps: "+".join(map(str, steps[:3])),
)
def test_a_group_has_as_many_events_as_came(function: str, steps: list[int]) -> None:
    found = groups(function, 3)
    for events in steps:
        add(found, [1] * events + [2])
    assert found.events(np.arange(3)).tolist() == [0, sum(steps), len(steps)]
    stored = found.read(np.arange(3))
    assert stored[EVENTS].dtype == np.uint32
    again = groups(function, 3)
    again.put(np.arange(3), stored)
    add(again, [0, 1])
    assert again.events(np.arange(3)).tolist() == [1, sum(steps) + 1, len(steps)]


def test_few_events_take_a_byte_and_more_places_are_of_the_same_kind() -> None:
    found = groups("avg", 2)
    add(found, [0, 0, 1])
    assert found.events(np.arange(2)).itemsize == 1
    add(found, [0] * 300)
    found.grow(1_000)
    add(found, [999])
    assert found.events(np.array([0, 1, 999])).tolist() == [302, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_any_groups_in_any_steps(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (chance, not a secret)
    found, wanted = groups("min", 200_000), dict.fromkeys((0, 1, 65_536, 65_537, 199_999), 0)
    for _ in range(40):
        places = chance.choices(list(wanted), k=chance.randrange(1, 200))
        add(found, places)
        for place in places:
            wanted[place] += 1
    assert found.events(np.array(list(wanted))).tolist() == list(wanted.values())


@pytest.mark.parametrize("function", ["avg", "min", "first", "stddev", "count"])
def test_one_event_of_each_new_group_is_chosen_and_nothing_is_left_of_that(function: str) -> None:
    found = groups(function, 1_000)
    add(found, [3])
    before = found.read(np.arange(1_000))
    places = np.array([3, *range(500, 900), *range(500, 900), 7], np.int64)
    chosen = found.new(places)
    assert sorted(places[chosen].tolist()) == [7, *range(500, 900)]
    for name, column in found.read(np.arange(1_000)).items():
        np.testing.assert_array_equal(column, before[name])
