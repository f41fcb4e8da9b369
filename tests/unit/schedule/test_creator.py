"""What a schedule's pod does with Kubernetes: refused, killed, started twice."""

from __future__ import annotations

import logging
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from scoring_operator.cluster import CONFIG_MAPS, RUNS, ApiError, Kind
from scoring_operator.schedule.objects import MarkError, mark_manifest, mark_name, run_manifest
from scoring_operator.schedule.plan import Mark
from unit.schedule.given import HOUR, MARK, MINIMAL, NOON, Memory, at, finish, interleave, schedule

END = at("2026-01-01T12")


def scored(first: int, last: int = 0, **more: Any) -> Mark:
    """The mark of a schedule that made the runs of the windows from so many hours before END to so many."""
    return Mark(END - last * HOUR, runs=((END - first * HOUR, END - last * HOUR),), **more)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def missed(memory: Memory, number: int) -> None:
    """The mark stands so many windows before the live one."""
    memory._store(CONFIG_MAPS, MARK, mark_manifest(schedule(), Mark(END - (number + 1) * HOUR)))


def test_the_first_start_makes_the_run_of_the_window_just_ended(memory: Memory) -> None:
    result = memory.run(schedule())
    assert (result.made, result.there, result.skipped) == (["hourly-20260101t1200z"], [], [])
    assert memory.mark == scored(0)


def test_an_hour_later_the_next_one(memory: Memory) -> None:
    memory.run(schedule())
    memory.now += HOUR
    memory.run(schedule())
    assert memory.names() == ["hourly-20260101t1200z", "hourly-20260101t1300z"]
    assert memory.mark == scored(0, -1)


def test_started_again_within_the_hour_it_does_nothing(memory: Memory) -> None:
    memory.run(schedule())
    written = len(memory.marks)
    assert memory.run(schedule()).made == []
    assert len(memory.marks) == written


def test_the_mark_and_not_the_runs_says_what_is_done(memory: Memory) -> None:
    memory.run(schedule())
    memory.drop(RUNS, "hourly-20260101t1200z")  # its time to live was over
    assert memory.run(schedule()).made == []


def test_missed_windows_follow_the_live_one_oldest_first_below_its_priority(memory: Memory) -> None:
    missed(memory, 3)
    memory.run(schedule(catchUp={"priority": -7}))
    assert memory.hours() == [12, 9, 10, 11]
    assert [run["spec"]["priority"] for run in memory.made] == [0, -7, -7, -7]
    assert memory.mark == scored(3)


def test_missed_windows_queue_even_where_the_live_one_replaces_others(memory: Memory) -> None:
    missed(memory, 2)
    memory.run(schedule(run=MINIMAL["run"] | {"concurrencyPolicy": "Replace"}))
    policies = [(run["spec"]["concurrencyPolicy"], run["spec"]["priority"]) for run in memory.made]
    assert policies == [("Replace", 0), ("Queue", -100), ("Queue", -100)]


def test_what_was_made_ahead_on_another_grid_stands_for_no_window_of_this_one(memory: Memory) -> None:
    """The hours until 09:00 and that until 12:00 are settled; the two until 12:00 are not."""
    mark = Mark(END - 3 * HOUR, frozenset({END}))
    memory._store(CONFIG_MAPS, MARK, mark_manifest(schedule(), mark))
    two_hours = schedule(windowSeconds=7200)
    memory.run(two_hours)
    assert memory.hours() == [12, 10]
    assert memory.mark == Mark(END, runs=((END - 2 * HOUR, END),))
    assert memory.run(two_hours).made == []


def test_windows_beyond_the_bound_are_named_and_counted(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    missed(memory, 5)
    with caplog.at_level(logging.WARNING):
        result = memory.run(schedule(catchUp={"maxWindows": 2}))
    words = "3 windows ending 2026-01-01T07:00:00Z to 2026-01-01T09:00:00Z"
    assert memory.hours() == [12, 10, 11]
    assert memory.mark == scored(2, skipped=3, last_skipped=words)
    assert [skip.count for skip in result.skipped] == [3]
    assert memory.events() == [f"schedule hourly: {words} get no run: beyond catchUp"]
    assert words in caplog.text


def test_what_is_skipped_is_skipped_even_if_no_event_can_be_made(memory: Memory) -> None:
    def no_events(verb: str, kind: Kind, name: str) -> None:
        if kind.plural == "events":
            raise ApiError(403, "Forbidden", "no")

    memory.fault = no_events
    missed(memory, 5)
    memory.run(schedule(catchUp={"maxWindows": 2}))
    assert memory.mark.skipped == 3


def test_a_run_that_was_made_before_is_ours_by_its_label_and_window(memory: Memory) -> None:
    body = run_manifest(schedule(), END, 0)
    memory._store(RUNS, body["metadata"]["name"], body)
    result = memory.run(schedule())
    assert (result.made, result.there, result.refused) == ([], ["hourly-20260101t1200z"], [])
    assert memory.mark == scored(0)


def test_a_run_of_that_name_that_is_somebody_elses_is_an_error_and_the_others_go_on(memory: Memory) -> None:
    missed(memory, 3)
    body = run_manifest(schedule(), END - 2 * HOUR, 0)
    body["metadata"]["labels"] = {}
    memory._store(RUNS, body["metadata"]["name"], body)
    result = memory.run(schedule())
    assert memory.hours() == [12, 9, 11]
    runs = ((END - 3 * HOUR, END - 3 * HOUR), (END - HOUR, END))
    assert memory.mark == Mark(END - 3 * HOUR, frozenset({END - HOUR, END}), runs=runs)
    (why,) = result.refused
    assert why.startswith("run hourly-20260101t1000z is there, but is not of this schedule: its label")
    assert memory.events() == [why]
    memory.drop(RUNS, "hourly-20260101t1000z")
    assert memory.run(schedule()).refused == []
    assert memory.hours() == [12, 9, 11, 10]
    assert memory.mark == scored(3)


def test_a_run_that_is_refused_settles_nothing(memory: Memory) -> None:
    def refused(verb: str, kind: Kind, name: str) -> None:
        if (verb, kind) == ("create", RUNS):
            raise ApiError(422, "Invalid", "spec.parallelism: should be less than or equal to 2000")

    memory.fault = refused
    with pytest.raises(ApiError, match="parallelism"):
        memory.run(schedule())
    assert memory.mark == Mark(END - HOUR)
    (event,) = memory.events()
    assert "run hourly-20260101t1200z is refused: spec.parallelism" in event
    memory.fault = lambda *_: None
    memory.run(schedule())
    assert memory.mark == scored(0)


def test_a_mark_that_cannot_be_read_stops_it(memory: Memory) -> None:
    body = mark_manifest(schedule(), Mark(END))
    body["data"]["lastWindowEnd"] = "noon"
    memory.objects[CONFIG_MAPS.plural, MARK] = body
    with pytest.raises(MarkError, match="lastWindowEnd is 'noon'"):
        memory.run(schedule())
    assert memory.made == []


def test_a_mark_that_is_deleted_meanwhile_is_begun_anew(memory: Memory) -> None:
    work = memory.work(schedule())
    while not memory.made:
        work.send(None)
    memory.drop(CONFIG_MAPS, mark_name("hourly"))
    assert finish(work).there == []
    assert memory.mark == scored(0)


def test_a_node_whose_clock_is_fast_settles_nothing_too_soon(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    memory.server_ahead = timedelta(hours=-5)
    with caplog.at_level(logging.WARNING):
        memory.run(schedule())
    assert memory.hours() == [7]
    assert "it is 2026-01-01T12:05:00Z here and 2026-01-01T07:05:00Z at the API server" in caplog.text


def test_a_server_whose_clock_is_fast_settles_nothing_too_soon_either(memory: Memory) -> None:
    memory.server_ahead = timedelta(hours=5)
    memory.run(schedule())
    assert memory.hours() == [12]


def test_an_answer_without_a_date_leaves_the_own_clock(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Memory, "date", "")
    memory.run(schedule())
    assert memory.hours() == [12]


def test_a_clock_set_back_makes_nothing_and_leaves_the_mark(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    memory.run(schedule())
    memory.now -= timedelta(days=3)
    with caplog.at_level(logging.WARNING):
        assert memory.run(schedule()).made == []
    assert memory.mark == scored(0)
    assert "the mark of schedule hourly stands at 2026-01-01T12:00:00Z" in caplog.text


@pytest.mark.parametrize("steps", range(60))
def test_killed_at_any_instant_nothing_is_lost_or_doubled(memory: Memory, steps: int) -> None:
    missed(memory, 6)
    told = schedule(catchUp={"maxWindows": 4})
    work = memory.work(told)
    try:
        for _ in range(steps):
            work.send(None)
    except StopIteration:
        pass
    work.close()
    memory.run(told)
    assert sorted(memory.hours()) == [8, 9, 10, 11, 12]
    assert memory.mark == scored(4, skipped=2, last_skipped=memory.mark.last_skipped)


@pytest.mark.parametrize("seed", range(30))
def test_several_at_once_make_each_run_once(memory: Memory, seed: int) -> None:
    missed(memory, 6)
    told = schedule(catchUp={"maxWindows": 4})
    random = Random(seed)  # noqa: S311 - an order, no secret
    assert interleave([memory.work(told) for _ in range(3)], random) == 3
    assert memory.hours() == [12, 8, 9, 10, 11]
    assert (memory.mark.last, memory.mark.ahead, memory.mark.skipped) == (END, frozenset(), 2)


def test_it_says_what_it_did_not_make_itself(memory: Memory) -> None:
    memory.now = NOON
    first, second = memory.work(schedule()), memory.work(schedule())
    while not memory.made:
        first.send(None)
    result = finish(second)
    assert (result.made, result.there) == ([], ["hourly-20260101t1200z"])
    assert finish(first).made == ["hourly-20260101t1200z"]
