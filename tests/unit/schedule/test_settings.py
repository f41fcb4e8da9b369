"""A schedule's file."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.schedule.settings import CatchUp, load, parse
from scoring_operator.schedule.windows import Grid
from scoring_operator.sections import SettingsError
from unit.schedule.given import MINIMAL, at, schedule

SENSORS = {"names": ["a"]}


def test_what_is_not_said_has_its_default() -> None:
    found = parse(MINIMAL)
    assert (found.name, found.namespace, found.grid) == ("hourly", "team-a", Grid(timedelta(hours=1)))
    assert (found.settle, found.start_from) == (timedelta(0), None)
    assert found.catch_up == CatchUp(24, None, -100)
    assert found.run == {
        "sensors": SENSORS,
        "priority": 0,
        "concurrencyPolicy": "Queue",
        "timeouts": {"pendingSeconds": 1800},
        "failurePolicy": {"maxFailedSensors": "5%"},
        "ttlSecondsAfterFinished": 7 * 86400,
        "ttlSecondsAfterFailed": 30 * 86400,
    }


def test_everything_that_can_be_said_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(
        """
        name: quarter-hourly
        namespace: team-a
        windowSeconds: 900
        offsetSeconds: -60
        settleSeconds: 120
        startFrom: "2026-01-01T00:00:00Z"
        catchUp: {maxWindows: 8, maxAgeSeconds: 3600, priority: 0}
        run:
          sensors: {table: {path: fleet.parquet}}
          priority: 10
          timeouts: {perAttemptSeconds: 60}
          failurePolicy: {maxFailedSensors: 3, onExceeded: Abort}
          ttlSecondsAfterFinished: 3600
        """
    )
    found = load(file)
    assert found.grid == Grid(timedelta(minutes=15), timedelta(minutes=-1))
    assert (found.settle, found.start_from) == (timedelta(minutes=2), at("2026-01-01T00"))
    assert found.catch_up == CatchUp(8, timedelta(hours=1), 0)
    assert found.run["timeouts"] == {"pendingSeconds": 1800, "perAttemptSeconds": 60}
    assert found.run["failurePolicy"] == {"maxFailedSensors": 3, "onExceeded": "Abort"}
    assert (found.run["ttlSecondsAfterFinished"], found.run["ttlSecondsAfterFailed"]) == (3600, 30 * 86400)


def test_failed_runs_do_not_go_before_the_others() -> None:
    run = schedule(run={"sensors": SENSORS, "ttlSecondsAfterFinished": 90 * 86400}).run
    assert run["ttlSecondsAfterFailed"] == 90 * 86400


def test_runs_of_long_windows_stay_for_two_of_them_but_no_longer_than_a_run_may() -> None:
    run = schedule(windowSeconds=20 * 86400).run
    assert (run["ttlSecondsAfterFinished"], run["ttlSecondsAfterFailed"]) == (40 * 86400, 40 * 86400)
    run = schedule(windowSeconds=366 * 86400).run
    assert (run["ttlSecondsAfterFinished"], run["ttlSecondsAfterFailed"]) == (365 * 86400, 365 * 86400)


@pytest.mark.parametrize("policy", ["Allow", "Queue", "Replace", "Forbid"])
def test_without_catching_up_the_live_run_may_have_any_policy(policy: str) -> None:
    run = {"sensors": SENSORS, "concurrencyPolicy": policy}
    assert schedule(run=run, catchUp={"maxWindows": 0}).run["concurrencyPolicy"] == policy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "schedule.name is missing; wanted at most 31 lower-case"),
        ({"name": "x" * 32}, "schedule.name is 'xxx"),
        ({"name": "Hourly"}, "schedule.name is 'Hourly'"),
        ({"name": "a.b"}, "schedule.name is 'a.b'"),
        ({"namespace": "Team_A"}, "schedule.namespace is 'Team_A'; wanted a namespace's name"),
        ({"windowSeconds": 0}, "schedule.windowSeconds is 0; wanted a whole number from 60"),
        ({"windowSeconds": 90}, "schedule.windowSeconds is 90; wanted whole minutes"),
        ({"windowSeconds": 367 * 86400}, "to 31622400"),
        ({"offsetSeconds": 30}, "schedule.offsetSeconds is 30; wanted whole minutes"),
        ({"settleSeconds": -1}, "schedule.settleSeconds is -1"),
        ({"startFrom": "yesterday"}, "schedule.startFrom is 'yesterday'; wanted a time with a zone"),
        ({"startFrom": "2026-01-01T00:00:00"}, "schedule.startFrom is '2026-01-01T00:00:00'; wanted a time"),
        ({"startFrom": "0001-01-01T00:00:00+14:00"}, "schedule.startFrom is '0001-01-01T00:00:00+14:00'"),
        ({"startFrom": "9999-12-31T23:59:59Z"}, "schedule.startFrom is '9999-12-31T23:59:59Z'"),
        ({"catchUp": {"maxWindows": 1001}}, "schedule.catchUp.maxWindows is 1001"),
        ({"catchUp": {"max": 1}}, "schedule.catchUp.max is not known"),
        ({"catchUp": {"priority": 0}}, "schedule.catchUp.priority is 0; wanted less than run.priority, 0"),
        ({"run": {}}, "schedule.run.sensors is missing; wanted names, configMapRef, table or discover"),
        ({"run": {"sensors": {"failedOf": {}}}}, "schedule.run.sensors is {'failedOf': {}}"),
        ({"run": {"sensors": SENSORS, "window": {}}}, "schedule.run.window is there; wanted it left out"),
        ({"run": {"sensors": SENSORS, "concurrencyGroup": "x"}}, "it is the schedule's name"),
        ({"run": {"sensors": SENSORS, "suspend": True}}, "suspend the schedule, or one of its runs"),
        ({"run": {"sensors": SENSORS, "priority": "1"}}, "schedule.run.priority is '1'"),
        ({"run": {"sensors": SENSORS, "timeouts": 5}}, "schedule.run.timeouts is 5; wanted a mapping"),
        (
            {"run": {"sensors": SENSORS, "concurrencyPolicy": "Forbid"}},
            "is 'Forbid'; wanted Queue, or catchUp",
        ),
        (
            {"run": {"sensors": SENSORS, "ttlSecondsAfterFinished": 7199}},
            "Finished is 7199; wanted 7200 or more",
        ),
        ({"run": {"sensors": SENSORS, "ttlSecondsAfterFailed": 0}}, "Failed is 0; wanted 7200 or more"),
        (
            {"windowSeconds": 60, "run": {"sensors": SENSORS, "ttlSecondsAfterFinished": 3599}},
            "Finished is 3599; wanted 3600 or more",
        ),
        ({"run": []}, "schedule.run is a list"),
        ({"cron": "* * * * *"}, "schedule.cron is not known; wanted one of"),
    ],
)
def test_a_mistake_is_refused_with_its_path(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(MINIMAL | change)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["a: [", "- x", "", "\x00"])
def test_a_file_that_is_no_schedule_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="schedule"):
        load(file)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["name", "namespace", "run", "windowSeconds", "offsetSeconds", "settleSeconds", "startFrom", "catchUp"]
)


@given(
    st.dictionaries(KEYS, ANYTHING, max_size=4), st.dictionaries(st.text(max_size=12), ANYTHING, max_size=2)
)
def test_whatever_stands_there_is_understood_or_refused(change: dict[str, Any], more: dict[str, Any]) -> None:
    for data in (MINIMAL | change, MINIMAL | more, change, {**MINIMAL, "run": {"sensors": SENSORS, **more}}):
        with suppress(SettingsError):
            assert isinstance(parse(data).run["sensors"], dict)
