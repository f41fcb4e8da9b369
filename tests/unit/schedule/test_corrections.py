"""Which corrected hours are due, by what an untrusted file says of them; and the settings and mark of it."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.changes import Change as Found
from scorer.changes import Changes as FoundChanges
from scorer.changes import encode, list_template
from scoring_operator.contract import ContractError
from scoring_operator.schedule.corrections import (
    MAX_BYTES,
    Change,
    Changes,
    Mark,
    due,
    mark_data,
    parse_changes,
    parse_mark,
    read_changes,
)
from scoring_operator.schedule.rescore import Rescore
from scoring_operator.schedule.settings import Schedule, parse
from scoring_operator.sections import SettingsError
from unit.schedule.given import HOUR, MINIMAL, at

Json = dict[str, Any]
END = at("2026-01-01T12")
NOW = END + timedelta(minutes=35)
RESCORE = Rescore(timedelta(days=1), 3, "r/{yyyy}/{MM}/{dd}/{HH}/_corrected.csv")
RUN: Json = {"sensors": {"table": {"path": "fleet.csv"}}}
GOOD: Json = {"v": 1, "error": "", "changes": [{"end": "2026-01-01T12:00:00Z", "count": 2}]}


def told(**change: Any) -> Schedule:
    return parse(MINIMAL | {"run": RUN, "rescore": {"horizonSeconds": 86_400}} | change)


# Settings


def test_a_schedule_has_none_unless_it_says_so() -> None:
    assert parse(MINIMAL).rescore is None


def test_the_list_lies_in_the_hour_s_folder() -> None:
    rescore = told().rescore
    assert rescore is not None
    assert (rescore.horizon, rescore.max_per_hour) == (timedelta(days=1), 6)
    assert rescore.list_path(END) == "readings/2026/01/01/11/_corrected.csv"
    assert rescore.list_path(at("2026-03-01T00")) == "readings/2026/02/28/23/_corrected.csv"


@pytest.mark.parametrize(
    "path",
    ["r/{yyyy}/{MM}/{dd}/{HH}/*.parquet", "{yyyy}/{MM}/{dd}/{HH}/x-{sensor}.csv", "a/{yyyy}{MM}{dd}{HH}/x"],
)
def test_the_scorer_looks_for_the_same_list(path: str) -> None:
    rescore = told(run=RUN | {"readings": {"path": path}}).rescore
    assert rescore is not None
    assert rescore.path == list_template(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rescore": {"horizonSeconds": 60}}, "rescore.horizonSeconds is 60"),
        ({"rescore": {"maxPerHour": 0}}, "rescore.maxPerHour is 0"),
        ({"rescore": {"horizon": 60}}, "rescore.horizon"),
        ({"windowSeconds": 900}, "is of hours: found windows of 900 seconds, moved by 0"),
        ({"windowSeconds": 86_400}, "is of hours: found windows of 86400 seconds"),
        ({"offsetSeconds": 1800}, "moved by 1800"),
        ({"run": {"sensors": {"names": ["a"]}}}, "wants run.sensors by table or discover"),
        ({"run": {"sensors": {**RUN["sensors"], "only": {"path": "x"}}}}, "without only; found only, table"),
        ({"run": RUN | {"readings": {"layout": "asa"}}}, "found run.readings.layout 'asa'; wanted hourly"),
        ({"run": RUN | {"readings": {"layout": "capture", "path": 3}}}, "layout 'capture'"),
        ({"run": RUN | {"readings": "x"}}, "layout 'x'"),
        ({"run": RUN | {"readings": {"path": 3}}}, "rescore: run."),
        ({"run": RUN | {"readings": {"path": "/x"}}}, "begins with /"),
        (
            {"run": RUN | {"readings": {"path": "{sensor}/{yyyy}/{MM}/{dd}/{HH}.csv"}}},
            "has no {yyyy} {MM} {dd} {HH}",
        ),
        ({"run": RUN | {"readings": {"path": "{yyyy}/{MM}/{dd}/{HH}.csv"}}}, "has no {HH} in its folders"),
    ],
)
def test_what_cannot_be_rescored_is_refused_by_its_key(change: Json, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        told(**change)
    assert says in str(refused.value)


def test_hours_moved_by_whole_hours_are_hours() -> None:
    assert told(offsetSeconds=-7200).rescore is not None


# What was found in the store


def test_what_the_scorer_writes_is_read() -> None:
    found = FoundChanges([Found(END - HOUR, 1), Found(END, 12)], "HEAD x: no answer")
    assert parse_changes(encode(found)) == Changes(
        (Change(END - HOUR, 1), Change(END, 12)), "HEAD x: no answer"
    )


def entry(**change: Any) -> Json:
    return GOOD | {"changes": [GOOD["changes"][0] | change]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b" " * (MAX_BYTES + 1), "more than"),
        (b"[]", "it is []; wanted an object"),
        (GOOD | {"v": 2}, "v is 2"),
        (GOOD | {"v": True}, "v is True"),
        (GOOD | {"changes": {}}, "changes is {}"),
        (GOOD | {"changes": [1]}, "changes hold 1"),
        (GOOD | {"changes": GOOD["changes"] * 2}, "changes are 2 of 1 hours"),
        (GOOD | {"error": None}, "error is None"),
        (entry(end="2026-01-01T12:30:00Z"), "wanted a full hour"),
        (entry(end="2026-01-01T12:00:00"), "wanted a time"),
        (entry(end="../../x"), "wanted a time"),
        (entry(end=7), "end is 7"),
        (entry(end="9999-12-31T23:00:00Z"), "wanted a time"),
        (entry(count=0), "count is 0"),
        (entry(count=True), "count is True"),
        (entry(count=1.0), "count is 1.0"),
        (entry(count="1"), "count is '1'"),
        (entry(count=10**6), "count is 1000000"),
    ],
)
def test_what_is_not_of_its_form_is_refused_whole(data: Any, says: str, tmp_path: Path) -> None:
    file = tmp_path / "changes.json"
    file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    changes = read_changes(file)
    assert changes.found == ()
    assert says in changes.error


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in read_changes(tmp_path / "none").error


def test_what_it_says_went_wrong_is_short_and_plain() -> None:
    error = parse_changes(json.dumps(GOOD | {"error": "a\nb\u001b[1m" + "x" * 10_000}).encode()).error
    assert len(error) <= 500
    assert error.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["v", "error", "changes", "end", "count"]), JSON)
def test_any_value_in_any_field_is_refused_or_sound(key: str, value: Any) -> None:
    data = entry(**{key: value}) if key in ("end", "count") else GOOD | {key: value}
    with contextlib.suppress(ContractError):
        for change in parse_changes(json.dumps(data).encode()).found:
            assert 0 < change.count < 10**6
            assert (change.end.minute, change.end.second) == (0, 0)
            assert "/../" not in RESCORE.list_path(change.end)


# What is due


def changes(*counts: int, last: datetime = END) -> Changes:
    """Of the hours that end with `last`, oldest first; 0 is one that was not corrected."""
    ends = [last - number * HOUR for number in reversed(range(len(counts)))]
    return Changes(tuple(Change(*each) for each in zip(ends, counts, strict=True) if each[1]))


def test_hours_are_due_whose_count_grew_oldest_first() -> None:
    mark = Mark({END - HOUR: 2, END: 1})
    found = Changes(tuple(reversed(changes(4, 2, 3).found)))
    assert due(found, mark, RESCORE, NOW) == [Change(END - 2 * HOUR, 4), Change(END, 3)]


def test_a_count_that_shrank_is_none_that_grew() -> None:
    assert due(changes(1), Mark({END: 2}), RESCORE, NOW) == []


def test_neither_the_future_nor_what_lies_beyond_the_horizon_is_due() -> None:
    found = Changes((Change(END - 25 * HOUR, 1), Change(END - 23 * HOUR, 1), Change(END + HOUR, 1)))
    assert [change.end for change in due(found, Mark(), RESCORE, NOW)] == [END - 23 * HOUR]


def test_an_hour_of_the_clock_has_so_many_and_the_next_as_many_again() -> None:
    mark = Mark()
    for number in range(3):
        assert mark.left(RESCORE, NOW) == 3 - number
        mark = mark.settled(Change(END - number * HOUR, 1), RESCORE, NOW)
    assert mark.left(RESCORE, NOW) == 0
    assert mark.left(RESCORE, NOW + HOUR) == 3
    assert mark.settled(Change(END, 2), RESCORE, NOW + HOUR).left(RESCORE, NOW + HOUR) == 2


def test_the_mark_forgets_hours_beyond_the_horizon() -> None:
    mark = Mark({END - 30 * HOUR: 7, END - HOUR: 1}).settled(Change(END, 1), RESCORE, NOW)
    assert mark.counts == {END - HOUR: 1, END: 1}


@pytest.mark.parametrize("mark", [Mark(), Mark({END: 3, END - HOUR: 12}, END, 2)])
def test_the_mark_comes_back_as_it_was_written(mark: Mark) -> None:
    assert parse_mark({key: text for key, text in mark_data(mark).items() if text}) == mark


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"rescored": "noon=1"}, "rescored"),
        ({"rescored": "2026-01-01T12:00:00Z"}, "rescored"),
        ({"hour": "x"}, "hour"),
        ({"made": "many"}, "made"),
    ],
)
def test_a_mark_that_cannot_be_read_names_its_key(data: dict[str, str], key: str) -> None:
    with pytest.raises(ValueError, match=f"data.{key} is"):
        parse_mark(data)
