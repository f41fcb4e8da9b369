"""Runs, the mark and Events as Kubernetes has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.resource import parse_run
from scoring_operator.schedule.objects import (
    MarkError,
    event_manifest,
    mark_for,
    mark_manifest,
    parse_mark,
    run_manifest,
    run_name,
    why_not_ours,
)
from scoring_operator.schedule.plan import Mark
from scoring_operator.spec import Spec
from unit.operator.given import run_body
from unit.schedule.given import HOUR, NOON, at, schedule

END = at("2026-01-01T12")


def test_a_runs_name_is_its_windows_end_and_fits_a_label() -> None:
    assert run_name("hourly", END) == "hourly-20260101t1200z"
    assert len(run_name("x" * 31, END)) <= 63
    assert run_name("hourly", at("2028-02-29T23:45")) == "hourly-20280229t2345z"


def test_a_run_is_of_its_window_and_its_schedules_group() -> None:
    made = run_manifest(schedule(), END, -100)
    assert made["metadata"]["labels"] == {"sensorscore.dev/schedule": "hourly"}
    assert made["spec"]["window"] == {"start": "2026-01-01T11:00:00Z", "end": "2026-01-01T12:00:00Z"}
    assert (made["spec"]["concurrencyGroup"], made["spec"]["concurrencyPolicy"]) == ("hourly", "Queue")
    assert made["spec"]["priority"] == -100


def test_the_operator_understands_what_the_schedule_makes() -> None:
    spec = run_manifest(schedule(), END, -100)["spec"]
    run = parse_run(run_body(**spec))
    assert isinstance(run.spec, Spec)
    assert (run.spec.concurrency.group, run.spec.concurrency.priority) == ("hourly", -100)
    assert (run.spec.ttl_seconds, run.spec.failed_ttl_seconds) == (604800, 2592000)
    assert (run.spec.failures.max_failed, run.spec.timeouts.pending) == ("5%", 1800)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("metadata", {"labels": {"sensorscore.dev/schedule": "daily"}}, "is 'daily'; wanted 'hourly'"),
        ("metadata", {}, "is None; wanted 'hourly'"),
        ("spec", {"window": {"start": "2026-01-01T10:00:00Z", "end": "2026-01-01T12:00:00Z"}}, "start is"),
        ("spec", {"window": {"start": "2026-01-01T12:00:00+01:00", "end": "2026-01-01T13:00:00+01:00"}}, ""),
    ],
)
def test_a_run_of_that_name_is_ours_by_label_and_window(part: str, value: Any, words: str) -> None:
    wanted = run_manifest(schedule(), END, 0)
    assert why_not_ours(wanted, wanted) == ""
    found = why_not_ours(wanted | {part: value}, wanted)
    assert words in found
    assert bool(found) == bool(words)


marks = st.builds(
    Mark,
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
        lambda time: time.replace(microsecond=0)
    ),
    st.frozensets(st.integers(0, 50).map(lambda number: NOON.replace(microsecond=0) + number * HOUR)),
    st.integers(0, 10**9),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20),
    st.sampled_from([(), ((END, END),), ((END - 9 * HOUR, END - 3 * HOUR), (END, END + HOUR))]),
)


@given(marks)
def test_a_mark_comes_back_as_it_was_written(mark: Mark) -> None:
    body = mark_manifest(schedule(), mark)
    assert parse_mark(body) == mark
    assert all(isinstance(text, str) and text for text in body["data"].values())


@pytest.mark.parametrize(
    ("change", "kept"),
    [({}, True), ({"windowSeconds": 7200}, False), ({"offsetSeconds": 1800}, False)],
)
def test_what_was_settled_ahead_counts_on_the_same_grid_only(change: dict[str, int], kept: bool) -> None:
    mark = Mark(END, frozenset({END + 2 * HOUR}), 3, runs=((END, END),))
    found = mark_for(mark_manifest(schedule(), mark), schedule(**change))
    assert found == (mark if kept else Mark(END, skipped=3))


def test_a_mark_that_does_not_name_its_grid_is_of_the_schedules() -> None:
    body = mark_manifest(schedule(), Mark(END, frozenset({END + 2 * HOUR})))
    del body["data"]["windowSeconds"], body["data"]["offsetSeconds"]
    assert mark_for(body, schedule()).ahead


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "data.lastWindowEnd is missing; wanted a time such as"),
        ({"lastWindowEnd": "noon"}, "data.lastWindowEnd is 'noon'; wanted a time such as"),
        ({"lastWindowEnd": "2026-01-01T12:00:00"}, "data.lastWindowEnd is '2026-01-01T12:00:00'"),
        ({"lastWindowEnd": "9999-12-31T23:59:59Z"}, "data.lastWindowEnd is '9999-12-31T23:59:59Z'"),
        ({"lastWindowEnd": "2026-01-01T12:00:00Z", "ahead": "x"}, "data.ahead is 'x'"),
        ({"lastWindowEnd": "2026-01-01T12:00:00Z", "runs": "x/y"}, "data.runs is 'x/y'; wanted times such"),
        ({"lastWindowEnd": "2026-01-01T12:00:00Z", "skipped": "few"}, "data.skipped is 'few'; wanted a num"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused_by_name(data: Any, words: str) -> None:
    with pytest.raises(MarkError) as refused:
        parse_mark({"metadata": {"name": "sensorscore-schedule-hourly"}, "data": data})
    assert "ConfigMap sensorscore-schedule-hourly: " in str(refused.value)
    assert words in str(refused.value)


def test_the_same_event_told_twice_has_one_name() -> None:
    stored = mark_manifest(schedule(), Mark(END))
    one, again, other = (
        event_manifest(stored, "WindowsSkipped", words, now)
        for words, now in (("a", NOON), ("a", NOON + HOUR), ("b", NOON))
    )
    assert one["metadata"] == again["metadata"] != other["metadata"]
    assert one["involvedObject"]["name"] == "sensorscore-schedule-hourly"
