"""Days on which clocks are set, and other odd days: each window gets one run, however often cron fires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from unit.schedule.given import HOUR, Memory, at, schedule

MINUTE = timedelta(minutes=1)


def fires(zone: str, hours: set[int], minute: int, first: datetime, days: int) -> Iterator[datetime]:
    """Instants at which the zone's wall clock shows such an hour and minute.

    A wall time that is shown twice is there twice, one that is left out is not there: the two ways in which
    implementations of cron differ are to leave out the second, and to make up for the latter.
    """
    for number in range(days * 24 * 60):
        instant = first + number * MINUTE
        wall = instant.astimezone(ZoneInfo(zone))
        if wall.hour in hours and wall.minute == minute:
            yield instant


EVERY = set(range(24))
DAYS = [
    pytest.param("Europe/Berlin", "2026-03-28", id="Berlin, forward"),
    pytest.param("Europe/Berlin", "2026-10-24", id="Berlin, back"),
    pytest.param("America/New_York", "2026-03-07", id="New York, forward"),
    pytest.param("America/New_York", "2026-10-31", id="New York, back"),
    pytest.param("Australia/Lord_Howe", "2026-10-03", id="Lord Howe, forward by half an hour"),
    pytest.param("Australia/Lord_Howe", "2026-04-04", id="Lord Howe, back by half an hour"),
    pytest.param("Asia/Kolkata", "2026-06-01", id="half-hour zone"),
    pytest.param("Asia/Kathmandu", "2026-06-01", id="quarter-hour zone"),
    pytest.param("UTC", "2028-02-28", id="leap day"),
    pytest.param("Europe/Berlin", "2026-12-31", id="year's end"),
]


@pytest.mark.parametrize(("zone", "day"), DAYS)
@pytest.mark.parametrize("folded", [True, False], ids=["fires twice", "fires once"])
def test_each_hour_is_scored_once(zone: str, day: str, folded: bool) -> None:
    memory, first = Memory(), at(day)
    seen: set[str] = set()
    for instant in fires(zone, EVERY, 5, first, 3):
        wall = instant.astimezone(ZoneInfo(zone)).strftime("%d %H:%M")
        if not folded and wall in seen:
            continue
        seen.add(wall)
        memory.now = instant
        memory.run(schedule())
    ends = sorted(datetime.fromisoformat(run["spec"]["window"]["end"]) for run in memory.made)
    assert len(ends) in (72, 73)
    assert ends == [ends[0] + number * HOUR for number in range(len(ends))]
    assert memory.mark.skipped == 0


@pytest.mark.parametrize(("zone", "day"), DAYS[:6])
@pytest.mark.parametrize("hour", [1, 2])
def test_a_nightly_start_makes_up_for_the_night_that_it_left_out(zone: str, day: str, hour: int) -> None:
    """02:30 is not there, or there twice: hours are made up for, and a day's window is scored once."""
    hourly, daily = Memory(), Memory()
    for instant in fires(zone, {hour}, 30, at(day) - 2 * 24 * HOUR, 6):
        for memory, told in ((hourly, {"catchUp": {"maxWindows": 48}}), (daily, {"windowSeconds": 86400})):
            memory.now = instant
            memory.run(schedule(**told))
    for memory, length in ((hourly, HOUR), (daily, 24 * HOUR)):
        ends = sorted(datetime.fromisoformat(run["spec"]["window"]["end"]) for run in memory.made)
        assert ends == [ends[0] + number * length for number in range(len(ends))]
        assert memory.mark.skipped == 0
        assert memory.mark.last == ends[-1]


def test_windows_of_a_half_hour_zone_may_begin_with_its_hours() -> None:
    memory = Memory(datetime(2026, 6, 1, 12, 35, tzinfo=UTC))
    memory.run(schedule(offsetSeconds=1800))
    (run,) = memory.made
    assert run["spec"]["window"] == {"start": "2026-06-01T11:30:00Z", "end": "2026-06-01T12:30:00Z"}
    assert run["metadata"]["name"] == "hourly-20260601t1230z"
    assert datetime.fromisoformat("2026-06-01T12:30Z").astimezone(ZoneInfo("Asia/Kolkata")).minute == 0
