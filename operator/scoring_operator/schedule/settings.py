"""A schedule, from the YAML file that its pod mounts; a mistake is refused by its key's path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scoring_operator.contract import Json
from scoring_operator.schedule.rescore import Rescore, rescore_of
from scoring_operator.schedule.windows import Grid, window_time
from scoring_operator.sections import Section, SettingsError

HOURLY = Grid(timedelta(hours=1))
NAME_LENGTH = 31  # sensorscore-schedule-NAME names a CronJob, which has 52 characters at most
_NAME = rf"[a-z0-9]([-a-z0-9]{{0,{NAME_LENGTH - 2}}}[a-z0-9])?"
_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
MAX_WINDOW = 366 * 86_400  # seconds; a ScoringRun's own limit
DAY = 86_400
MAX_TTL = 365 * DAY  # a ScoringRun's own limit

# What a scheduled run is where its schedule says nothing else. A run by hand is looked at by whoever made it;
# these must end, and go, by themselves.
DEFAULTS: Mapping[str, Any] = {
    "concurrencyPolicy": "Queue",  # an hour that takes longer than an hour delays the next, and loses none
    "timeouts": {"pendingSeconds": 1800},  # a pool boots in 3 to 7 minutes: by then it cannot grow
    "failurePolicy": {"maxFailedSensors": "5%"},
    "ttlSecondsAfterFinished": 7 * DAY,
    "ttlSecondsAfterFailed": 30 * DAY,
}
# What is the schedule's to say.
_OURS = {
    "window": "it follows from the clock",
    "concurrencyGroup": "it is the schedule's name",
    "suspend": "suspend the schedule, or one of its runs",
}


@dataclass(frozen=True, slots=True)
class CatchUp:
    """How much of an outage is made good."""

    max_windows: int = 24  # a day of hours; older ones are skipped, and named
    max_age: timedelta | None = None  # since a window's end; None: any
    priority: int = -100  # of their runs: below that of the window just ended


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one pod works for."""

    name: str
    namespace: str
    run: Json  # a ScoringRun's spec, but for what the window decides
    grid: Grid = HOURLY
    settle: timedelta = timedelta(0)  # since a window's end: its late data come in the meantime
    start_from: datetime | None = None  # only where there is no mark yet
    catch_up: CatchUp = field(default_factory=CatchUp)
    rescore: Rescore | None = None  # of hours that were corrected after they were scored; None: never


def load(path: Path) -> Schedule:
    """Read the file; raises `SettingsError`."""
    try:
        return parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"schedule file {path} cannot be read: {error}") from None


def parse(data: object) -> Schedule:
    """A schedule from what YAML gave; raises `SettingsError`."""
    top = Section({} if data is None else data, "schedule")
    length = _minutes(top, "windowSeconds", 3600, 60, MAX_WINDOW)
    run = _run(top.section("run"), _least_ttl(length))
    catch_up = _catch_up(top.section("catchUp"), run["priority"])
    grid = Grid(length, _minutes(top, "offsetSeconds", 0, -MAX_WINDOW, MAX_WINDOW))
    schedule = Schedule(
        name=top.text(
            "name", wanted=_NAME, words=f"at most {NAME_LENGTH} lower-case letters, digits and -: a CronJob's"
        ),
        namespace=top.text("namespace", wanted=_NAMESPACE, words="a namespace's name"),
        run=run,
        grid=grid,
        settle=timedelta(seconds=top.number("settleSeconds", 0, 0, 31 * DAY)),
        start_from=_start_from(top),
        catch_up=catch_up,
        rescore=rescore_of(top.section("rescore"), run, grid),
    )
    top.end()
    if run["concurrencyPolicy"] == "Forbid" and catch_up.max_windows:
        raise SettingsError(
            f"{top.path}.run.concurrencyPolicy is 'Forbid'; wanted Queue, or catchUp.maxWindows 0: the "
            "window just ended would be lost while one that was missed is scored"
        )
    return schedule


def _minutes(section: Section, key: str, default: int, low: int, high: int) -> timedelta:
    seconds = section.number(key, default, low, high)
    if seconds % 60:
        raise SettingsError(
            f"{section.path}.{key} is {seconds}; wanted whole minutes: a window's end is in a run's name"
        )
    return timedelta(seconds=seconds)


def _start_from(section: Section) -> datetime | None:
    text = section.text("startFrom", "", wanted=r"\S*", words="a time such as 2026-01-01T00:00:00Z")
    try:
        return window_time(text) if text else None
    except ValueError:
        raise SettingsError(
            f"{section.path}.startFrom is {text!r}; wanted a time with a zone such as 2026-01-01T00:00:00Z"
        ) from None


def _catch_up(section: Section, live: int) -> CatchUp:
    age = section.number("maxAgeSeconds", 0, 0, 3660 * DAY)
    found = CatchUp(
        max_windows=section.number("maxWindows", CatchUp().max_windows, 0, 1000),
        max_age=timedelta(seconds=age) if age else None,
        priority=section.number("priority", CatchUp().priority, -1000, 1000),
    )
    section.end()
    if found.priority >= live:
        raise SettingsError(
            f"{section.path}.priority is {found.priority}; wanted less than run.priority, {live}: "
            "the window just ended goes before those that were missed"
        )
    return found


def _least_ttl(length: timedelta) -> int:
    """How long runs stay at least, in seconds: till it is seen that their window has one."""
    return min(max(2 * int(length.total_seconds()), 3600), MAX_TTL)


def _run(section: Section, least_ttl: int) -> Json:
    """The spec of its runs, with what is the default for scheduled ones."""
    given = dict(section.data)
    for key, why in _OURS.items():
        if key in given:
            raise SettingsError(f"{section.path}.{key} is there; wanted it left out: {why}")
    sensors = given.get("sensors")
    if not isinstance(sensors, dict) or "failedOf" in sensors:
        raise SettingsError(
            f"{section.path}.sensors is {'missing' if sensors is None else repr(sensors)}; "
            "wanted names, configMapRef, table or discover"
        )
    if type(given.get("priority", 0)) is not int:
        raise SettingsError(f"{section.path}.priority is {given['priority']!r}; wanted a whole number")
    run: Json = {"priority": 0, **DEFAULTS, **given}
    for key in ("timeouts", "failurePolicy"):
        if not isinstance(run[key], dict):
            raise SettingsError(f"{section.path}.{key} is {run[key]!r}; wanted a mapping of keys to values")
        run[key] = {**DEFAULTS[key], **run[key]}
    _times_to_live(section, run, least_ttl)
    return run


def _times_to_live(section: Section, run: Json, least: int) -> None:
    for key in ("ttlSecondsAfterFinished", "ttlSecondsAfterFailed"):
        if key not in section.data:
            run[key] = max(run[key], least)
        elif type(run[key]) is int and run[key] < least:
            raise SettingsError(
                f"{section.path}.{key} is {run[key]}; wanted {least} or more, two windows and an hour at "
                "least: a run that is gone at once is not seen to have been there"
            )
    finished = run["ttlSecondsAfterFinished"]
    if "ttlSecondsAfterFailed" not in section.data and type(finished) is int:
        run["ttlSecondsAfterFailed"] = max(finished, run["ttlSecondsAfterFailed"])
