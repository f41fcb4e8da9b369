"""Runs of one concurrencyGroup: what a run is shown of the others decides as all of them would."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.decision import Observed, Situation
from scoring_operator.groups import Groups
from scoring_operator.resource import Key, Run
from scoring_operator.spec import Spec
from scoring_operator.turns import peers_of, replaced_by, turn
from scoring_operator.view import View
from unit.operator import given as values
from unit.operator.given import NOW, a_run, pinned, sensors

SETTINGS = values.settings()
BEGUN = pinned(sensors())
OVER = BEGUN.having("Complete", True, "AllSucceeded", "", NOW, 1)


def member(number: int, hour: int = 1, policy: str = "Queue", **more: Any) -> Run:
    window = {"start": f"2026-01-01T{hour:02}:00:00Z", "end": f"2026-01-01T{hour + 1:02}:00:00Z"}
    spec = {"concurrencyGroup": "hourly", "concurrencyPolicy": policy, "suspend": more.pop("suspend", False)}
    spec["priority"] = more.pop("priority", 0)
    run = a_run(more.pop("status", None), window=window, **spec)
    created = NOW + timedelta(seconds=more.pop("created", number))
    own = {"name": f"run-{number}", "uid": f"uid-{number:06d}", "created": created, "resource_version": "100"}
    return replace(run, **own | more)


members = st.builds(
    dict,
    hour=st.integers(1, 4),
    policy=st.sampled_from(["Allow", "Queue", "Forbid", "Replace"]),
    suspend=st.booleans(),
    status=st.sampled_from([None, None, BEGUN, OVER]),
    deleting=st.booleans(),
    created=st.integers(0, 3),
    priority=st.sampled_from([0, 0, -100, 1000]),
)


@given(st.lists(members, min_size=1, max_size=8), st.sets(st.integers(0, 7), max_size=2))
def test_the_few_that_a_run_is_shown_decide_as_the_whole_group_would(
    wanted: list[dict[str, Any]], beginning: set[int]
) -> None:
    runs = [member(number, **each) for number, each in enumerate(wanted)]
    begun = {f"uid-{number:06d}" for number in beginning}
    view = View(lambda _: None)
    for run in runs:
        view.put_run(run)
    for run in runs:
        if run.status.ended or run.deleting or not isinstance(run.spec, Spec):
            continue
        whole, few = (
            Situation(run, Observed(peers=peers_of(run, group, begun)), SETTINGS, NOW)
            for group in (runs, view.group_of(run, begun))
        )
        assert turn(few, run.spec) == turn(whole, run.spec)
        assert replaced_by(few) == replaced_by(whole)


def test_what_a_thousand_in_line_are_told_and_shown_grows_with_their_number_only() -> None:
    told: list[Key] = []
    view = View(told.append)
    runs = [member(number, priority=-(number % 7)) for number in range(1000)]
    for run in runs:
        view.put_run(run)
    for run in runs:
        view.put_run(replace(run, resource_version="101", status=BEGUN))
        view.put_run(replace(run, resource_version="102", status=OVER))
        assert len(view.group_of(runs[-1])) <= 3
    assert len(told) <= 5 * len(runs)


def test_the_next_in_line_is_told_when_the_one_that_goes_on_ends() -> None:
    told: list[Key] = []
    view = View(told.append)
    for run in (member(1, hour=3), member(2, hour=1), member(3, hour=2, status=BEGUN)):
        view.put_run(run)
    told.clear()
    view.put_run(member(3, hour=2, status=OVER, resource_version="101"))
    assert ("scoring", "run-2") in told
    assert ("scoring", "run-1") not in told


def test_one_of_higher_priority_is_told_before_earlier_windows() -> None:
    told: list[Key] = []
    view = View(told.append)
    for run in (member(1, hour=1, priority=-100), member(2, hour=3), member(3, hour=2, status=BEGUN)):
        view.put_run(run)
    told.clear()
    view.put_run(member(3, hour=2, status=OVER, resource_version="101"))
    assert told == [("scoring", "run-3"), ("scoring", "run-2")]


def test_one_that_replaces_is_told_if_it_need_not_mind_who_comes_first() -> None:
    told: list[Key] = []
    view = View(told.append)
    for run in (
        member(1, hour=1),
        member(2, hour=3, policy="Replace", created=0),
        member(3, hour=2, policy="Replace", priority=-100),
        member(4, hour=2, status=BEGUN, created=9),
    ):
        view.put_run(run)
    told.clear()
    view.put_run(member(4, hour=2, status=OVER, resource_version="101"))
    assert told == [("scoring", "run-4"), ("scoring", "run-1"), ("scoring", "run-2")]


@pytest.mark.parametrize("suspend", [False, True])
def test_all_that_were_made_before_are_told_of_one_that_replaces_them(suspend: bool) -> None:
    told: list[Key] = []
    view = View(told.append)
    view.put_run(member(1, status=BEGUN))
    view.put_run(member(2, suspend=suspend))
    told.clear()
    view.put_run(member(3, policy="Replace"))
    assert set(told) == {("scoring", f"run-{number}") for number in (1, 2, 3)}


def test_runs_that_stand_aside_come_and_go_without_a_trace() -> None:
    groups = Groups()
    for number in (1, 2):
        groups.put(member(number, suspend=True))
    for number in (1, 2):
        groups.drop(member(number, suspend=True))
    assert groups.beside(member(3)) == ()
