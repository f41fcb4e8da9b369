"""What a schedule's second pod does of corrected hours: refused, killed, started twice."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from scoring_operator.cluster import CONFIG_MAPS, RUNS, ApiError, Kind
from scoring_operator.schedule.calls import Result
from scoring_operator.schedule.corrections import Change, Changes
from scoring_operator.schedule.objects import MarkError, parse_rescore_mark
from scoring_operator.schedule.rescorer import rescore_runs
from scoring_operator.schedule.settings import Schedule
from unit.schedule.given import HOUR, MARK, Memory, at, finish, interleave, schedule

END = at("2026-01-01T12")
LIVE = "hourly-20260101t1200z"
RESCORED = "sensorscore-rescore-hourly"
RUN: dict[str, Any] = {
    "sensors": {"table": {"path": "fleet.csv"}},
    "readings": {"path": "r/{yyyy}/{MM}/{dd}/{HH}/*.csv", "waitFor": {"timeoutSeconds": 60}},
    "failurePolicy": {"maxSkippedSensors": "10%"},
    "concurrencyPolicy": "Replace",
}


def told(**rescore: int) -> Schedule:
    return schedule(run=RUN, rescore={"horizonSeconds": 86_400, **rescore})


def corrected(*counts: int) -> Changes:
    """Of the hours that end with END, oldest first."""
    ends = [END - number * HOUR for number in reversed(range(len(counts)))]
    return Changes(tuple(Change(*each) for each in zip(ends, counts, strict=True) if each[1]))


def work(memory: Memory, changes: Changes, of: Schedule | None = None) -> Coroutine[Any, Any, Result]:
    of = of or told()
    assert of.rescore is not None
    return rescore_runs(memory.cluster, of, of.rescore, changes, lambda: memory.now)


def rescore(memory: Memory, changes: Changes, of: Schedule | None = None) -> Result:
    return finish(work(memory, changes, of))


def end(memory: Memory, name: str, condition: str = "Complete") -> None:
    conditions = [{"type": "Waiting", "status": "False"}, {"type": condition, "status": "True"}]
    memory.objects[RUNS.plural, name]["status"] = {"conditions": conditions}


@pytest.fixture
def memory() -> Memory:
    """The hour until noon, and the four before it, have got their runs; these are over."""
    memory = Memory()
    memory.now = END - 4 * HOUR + timedelta(minutes=5)
    for _ in range(5):
        memory.run(told())
        end(memory, memory.names()[-1])
        memory.now += HOUR
    memory.now -= HOUR
    memory.made.clear()
    return memory


def test_a_correction_makes_the_run_of_its_sensors_once(memory: Memory) -> None:
    assert rescore(memory, corrected(1)).made == [f"{LIVE}-c1"]
    (run,) = memory.made
    spec = run["spec"]
    assert spec["sensors"] == {
        "table": {"path": "fleet.csv"},
        "only": {"path": "r/2026/01/01/11/_corrected.csv"},
    }
    assert spec["window"] == {"start": "2026-01-01T11:00:00Z", "end": "2026-01-01T12:00:00Z"}
    assert spec["readings"] == {"path": RUN["readings"]["path"]}
    assert "maxSkippedSensors" not in spec["failurePolicy"]
    assert (spec["concurrencyGroup"], spec["concurrencyPolicy"]) == ("hourly-rescore", "Queue")
    assert spec["priority"] < 0
    assert run["metadata"]["labels"] == {"sensorscore.dev/schedule": "hourly"}
    assert rescore(memory, corrected(1)).made == []
    assert memory.names() == [f"{LIVE}-c1"]


def test_the_mark_and_not_the_runs_says_what_is_done(memory: Memory) -> None:
    rescore(memory, corrected(1))
    memory.drop(RUNS, f"{LIVE}-c1")
    assert rescore(memory, corrected(1)).made == []


def test_the_next_correction_makes_one_more_once_the_last_is_over(memory: Memory) -> None:
    rescore(memory, corrected(1))
    assert rescore(memory, corrected(3)).made == []
    end(memory, f"{LIVE}-c1", "Failed")
    assert rescore(memory, corrected(4)).made == [f"{LIVE}-c4"]


@pytest.mark.parametrize("over", ["Complete", "gone"])
def test_an_hour_waits_for_its_own_run(memory: Memory, over: str) -> None:
    memory.objects[RUNS.plural, LIVE]["status"] = {"conditions": [{"type": "Complete", "status": "False"}]}
    assert rescore(memory, corrected(1)).made == []
    del memory.objects[RUNS.plural, LIVE]["status"]
    assert rescore(memory, corrected(1)).made == []
    if over == "gone":
        memory.drop(RUNS, LIVE)
    else:
        end(memory, LIVE, over)
    assert rescore(memory, corrected(1)).made == [f"{LIVE}-c1"]


def test_an_hour_whose_own_run_failed_is_left_alone_and_said_once(memory: Memory) -> None:
    """Most sensors may be missing there: a few that are scored again would stand for the hour."""
    end(memory, LIVE, "Failed")
    for _ in range(2):
        result = rescore(memory, corrected(1, 1), told(maxPerHour=1))
        assert result.refused == []
    assert memory.names() == ["hourly-20260101t1100z-c1"]
    (why,) = memory.events()
    assert why.startswith(
        "schedule hourly: 1 corrected hours are not scored again, since their own runs fail"
    )
    assert why.endswith(LIVE)
    memory.drop(RUNS, LIVE)  # somebody has scored the hour
    assert rescore(memory, corrected(1, 1)).made == [f"{LIVE}-c1"]


def test_hours_before_the_schedules_first_are_not_rescored() -> None:
    memory = Memory()
    memory.run(told())
    end(memory, LIVE)
    assert rescore(memory, corrected(1, 1, 1, 1)).made == [f"{LIVE}-c1"]


def test_skipped_hours_are_not_rescored(memory: Memory) -> None:
    few = schedule(run=RUN, rescore={"horizonSeconds": 86_400}, catchUp={"maxWindows": 2})
    memory.now += 6 * HOUR
    memory.run(few)
    for name in memory.names():
        memory.drop(RUNS, name)
    ends = [END + number * HOUR for number in range(7)]
    result = rescore(memory, Changes(tuple(Change(each, 1) for each in ends)), few)
    assert result.made == [f"hourly-20260101t{hour}00z-c1" for hour in (12, 16, 17, 18)]


@pytest.mark.parametrize("gone", [True, False])
def test_an_older_mark_does_not_tell_which_hours_had_a_run(memory: Memory, gone: bool) -> None:
    """What is there still, is known to have been made."""
    del memory.objects[CONFIG_MAPS.plural, MARK]["data"]["runs"]
    if gone:
        memory.drop(RUNS, LIVE)
    made = rescore(memory, corrected(1, 1)).made
    assert made == ["hourly-20260101t1100z-c1", *([] if gone else [f"{LIVE}-c1"])]


def test_a_run_of_somebody_elses_does_not_say_that_the_hour_was_scored() -> None:
    memory = Memory()
    memory.run(told())
    end(memory, LIVE)
    theirs = memory.objects[RUNS.plural, LIVE] | {"metadata": {"labels": {}}}
    memory.objects[RUNS.plural, "hourly-20260101t1100z"] = theirs
    assert rescore(memory, corrected(1, 0)).made == []


def test_an_hour_that_has_no_run_yet_is_not_rescored(memory: Memory) -> None:
    memory.now += HOUR
    assert rescore(memory, Changes((Change(END + HOUR, 1),))).made == []
    memory.run(told())
    end(memory, memory.names()[-1])
    assert rescore(memory, Changes((Change(END + HOUR, 1),))).made == ["hourly-20260101t1300z-c1"]


def test_a_schedule_that_has_not_begun_has_nothing_to_rescore() -> None:
    assert rescore(Memory(), corrected(1, 1)).made == []


def test_an_hour_of_the_clock_has_as_many_runs_as_it_may(memory: Memory) -> None:
    few = told(maxPerHour=2)
    assert len(rescore(memory, corrected(1, 1, 1, 1, 1), few).made) == 2
    assert rescore(memory, corrected(1, 1, 1, 1, 1), few).made == []
    memory.now += HOUR
    assert len(rescore(memory, corrected(1, 1, 1, 1, 1), few).made) == 2
    memory.now += HOUR
    assert len(rescore(memory, corrected(1, 1, 1, 1, 1), few).made) == 1
    assert memory.hours() == [8, 9, 10, 11, 12]


def test_those_that_wait_for_another_run_leave_their_place_to_others(memory: Memory) -> None:
    del memory.objects[RUNS.plural, "hourly-20260101t0800z"]["status"]
    assert rescore(memory, corrected(1, 1, 1), told(maxPerHour=1)).made == ["hourly-20260101t1000z-c1"]


def test_what_could_not_be_found_is_said_and_the_rest_is_done(memory: Memory) -> None:
    changes = Changes(corrected(1).found, "HEAD r/2026/01/01/10/_corrected.csv: no answer")
    result = rescore(memory, changes)
    assert result.made == [f"{LIVE}-c1"]
    (why,) = result.refused
    assert why == f"schedule hourly: corrections are not all known: {changes.error}"
    assert memory.events() == [why]


def test_a_run_of_somebody_elses_is_said_and_the_others_go_on(memory: Memory) -> None:
    rescore(memory, corrected(1))
    body = memory.objects[RUNS.plural, f"{LIVE}-c1"]
    del memory.objects[CONFIG_MAPS.plural, RESCORED]
    body["metadata"]["labels"] = {}
    result = rescore(memory, corrected(1, 1))
    assert result.made == ["hourly-20260101t1100z-c1"]
    assert f"run {LIVE}-c1 is there, but is not of this schedule" in result.refused[0]


def test_a_mark_that_is_deleted_is_begun_anew_and_finds_what_is_there(memory: Memory) -> None:
    rescore(memory, corrected(1))
    memory.drop(CONFIG_MAPS, RESCORED)
    result = rescore(memory, corrected(1))
    assert (result.made, result.there) == ([], [f"{LIVE}-c1"])


def test_a_mark_that_cannot_be_read_stops_it(memory: Memory) -> None:
    rescore(memory, corrected(1))
    memory.objects[CONFIG_MAPS.plural, RESCORED]["data"]["rescored"] = "noon"
    with pytest.raises(MarkError, match=r"sensorscore-rescore-hourly: data\.rescored is 'noon'"):
        rescore(memory, corrected(2))


def test_no_answer_of_the_api_is_not_an_end_of_a_run(memory: Memory) -> None:
    def fault(verb: str, kind: Kind, name: str) -> None:
        if (verb, kind, name) == ("get", RUNS, LIVE):
            raise ApiError(503, "Unavailable", "no")

    memory.fault = fault
    with pytest.raises(ApiError):
        rescore(memory, corrected(1))
    assert memory.made == []


@pytest.mark.parametrize("seed", range(25))
def test_killed_anywhere_and_beside_others_each_correction_gets_one_run(memory: Memory, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - an order, no secret
    changes, few = corrected(2, 1, 0, 4, 1), told(maxPerHour=3)
    interleave([work(memory, changes, few) for _ in range(3)], random, killed=0.1)
    rescore(memory, changes, few)
    names = memory.names()
    assert len(names) == len(set(names))
    assert len(names) <= 3 + 3  # each that was killed between a run and its mark may have made one more
    memory.now += HOUR
    interleave([work(memory, changes, few) for _ in range(2)], random)
    memory.now += HOUR
    rescore(memory, changes, few)
    assert sorted(memory.names()) == [
        *("hourly-20260101t0800z-c2", "hourly-20260101t0900z-c1"),
        *("hourly-20260101t1100z-c4", "hourly-20260101t1200z-c1"),
    ]
    mark = parse_rescore_mark(memory.objects[CONFIG_MAPS.plural, RESCORED])
    assert mark.counts == {END - 4 * HOUR: 2, END - 3 * HOUR: 1, END - HOUR: 4, END: 1}


def test_windows_runs_are_made_as_ever(memory: Memory) -> None:
    """The marks are two: nothing that rescoring does moves that of windows."""
    before = memory.mark
    rescore(memory, corrected(1, 1, 1))
    assert memory.mark == before
    memory.now += HOUR
    assert memory.run(told()).made == ["hourly-20260101t1300z"]
