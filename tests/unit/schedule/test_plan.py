"""Which windows get a run now."""

from datetime import datetime, timedelta

import pytest

from scoring_operator.schedule.plan import KEPT, MAX_SPANS, Due, Mark, Skip, due, first_mark
from unit.schedule.given import HOUR, at, schedule

NOON = at("2026-01-01T12")
LATER = timedelta(minutes=5)


def hours(*numbers: int) -> tuple[datetime, ...]:
    return tuple(at("2026-01-01T00") + number * HOUR for number in numbers)


def skip(first: int, last: int, count: int) -> Skip:
    return Skip(*hours(first, last), count)


def test_a_first_start_is_about_the_window_just_ended_alone() -> None:
    mark = first_mark(schedule(), NOON + LATER)
    assert mark == Mark(NOON - HOUR)
    assert due(schedule(), mark, NOON + LATER) == Due(live=NOON)


@pytest.mark.parametrize(
    ("start", "last"),
    [("2026-01-01T09:00:00Z", 9), ("2026-01-01T10:20:00+02:00", 9), ("2026-01-01T15:00:00Z", 15)],
)
def test_a_first_start_may_be_told_where_to_begin(start: str, last: int) -> None:
    told = schedule(startFrom=start)
    mark = first_mark(told, NOON)
    assert (mark.last,) == hours(last)
    assert due(told, mark, NOON) == (Due(None, NOON, hours(10, 11)) if last == 9 else Due())


def test_nothing_is_due_twice_nor_before_it_has_ended() -> None:
    assert due(schedule(), Mark(NOON), NOON + HOUR - timedelta(seconds=1)) == Due()
    assert due(schedule(), Mark(NOON), NOON + HOUR) == Due(live=NOON + HOUR)


def test_late_data_have_time_to_settle() -> None:
    told = schedule(settleSeconds=600)
    assert due(told, Mark(NOON - HOUR), NOON + LATER) == Due()
    assert due(told, Mark(NOON - HOUR), NOON + 2 * LATER) == Due(live=NOON)


def test_missed_windows_come_after_the_live_one_oldest_first() -> None:
    assert due(schedule(), Mark(NOON - 4 * HOUR), NOON) == Due(None, NOON, hours(9, 10, 11))


def test_a_clock_that_was_set_back_makes_nothing_due() -> None:
    assert due(schedule(), Mark(NOON), NOON - 100 * HOUR) == Due()


@pytest.mark.parametrize(
    ("bound", "missed", "skipped"),
    [
        ({"maxWindows": 2}, (10, 11), skip(3, 9, 7)),
        ({"maxWindows": 0}, (), skip(3, 11, 9)),
        ({"maxAgeSeconds": 7200}, (10, 11), skip(3, 9, 7)),
        ({"maxAgeSeconds": 7199}, (11,), skip(3, 10, 8)),
        ({"maxAgeSeconds": 1}, (), skip(3, 11, 9)),
        ({"maxWindows": 9}, tuple(range(3, 12)), None),
    ],
)
def test_what_is_beyond_the_bound_is_skipped(
    bound: dict[str, int], missed: tuple[int, ...], skipped: Skip | None
) -> None:
    told = schedule(catchUp=bound)
    assert due(told, Mark(*hours(2)), NOON) == Due(skipped, NOON, hours(*missed))


def test_years_of_minutes_are_skipped_without_being_counted_one_by_one() -> None:
    told = schedule(windowSeconds=60, catchUp={"maxWindows": 1})
    found = due(told, Mark(at("1970-01-01T00")), NOON)
    assert found.skip is not None
    assert found.skip.count == (NOON - at("1970-01-01T00")) // timedelta(minutes=1) - 2


def test_what_was_made_ahead_is_not_made_again_nor_skipped() -> None:
    mark = Mark(*hours(2), frozenset(hours(5, 12)))
    assert due(schedule(), mark, NOON) == Due(None, None, hours(3, 4, 6, 7, 8, 9, 10, 11))
    few = due(schedule(catchUp={"maxWindows": 3}), mark, NOON + HOUR)
    assert few == Due(skip(3, 9, 6), NOON + HOUR, hours(10, 11))


def test_the_mark_stands_where_nothing_is_missing_before_it() -> None:
    grid = schedule().grid
    mark = Mark(*hours(2)).settled(NOON, grid)
    assert (mark.last, mark.ahead) == (*hours(2), {NOON})
    mark = Mark(*hours(10), frozenset({NOON})).settled(NOON - HOUR, grid)
    assert mark == Mark(NOON, runs=((NOON - HOUR, NOON),))
    assert mark.settled(NOON - 5 * HOUR, grid) == mark


def test_what_is_skipped_is_counted_and_named() -> None:
    mark = Mark(*hours(2), skipped=5).passed_over(skip(3, 9, 7), schedule().grid)
    told = "7 windows ending 2026-01-01T03:00:00Z to 2026-01-01T09:00:00Z"
    assert mark == Mark(*hours(9), skipped=12, last_skipped=told)
    assert str(Skip(NOON, NOON, 1)) == "1 window ending 2026-01-01T12:00:00Z"


def test_another_length_leaves_no_gap() -> None:
    """The first window of the new grid may begin before the mark, but none of it is left out."""
    two_hours = schedule(windowSeconds=7200)
    assert due(two_hours, Mark(*hours(9)), NOON) == Due(None, NOON, hours(10))
    quarters = schedule(windowSeconds=900)
    found = due(quarters, Mark(NOON), NOON + HOUR)
    assert (found.live, len(found.missed), found.missed[0]) == (NOON + HOUR, 3, NOON + HOUR / 4)


def test_the_mark_tells_windows_with_a_run_from_skipped_ones() -> None:
    grid = schedule().grid
    mark = Mark(*hours(2)).settled(*hours(3), grid).passed_over(skip(4, 7, 4), grid)
    for hour in (12, 8, 9, 8):
        mark = mark.settled(*hours(hour), grid)
    assert mark.runs == (hours(3, 3), hours(8, 9), hours(12, 12))
    assert [mark.has_run(end) for end in hours(2, 3, 4, 7, 8, 9, 10, 12)] == [
        *(False, True, False, False, True, True, False, True)
    ]


def test_what_an_older_mark_says_is_ahead_has_a_run_and_nothing_else_of_it_is_known() -> None:
    mark = Mark(*hours(8), frozenset(hours(10)))
    assert mark.has_run(*hours(10))
    mark = mark.settled(*hours(9), schedule().grid)
    assert (mark.last, mark.runs) == (*hours(10), (hours(9, 10),))
    assert not mark.has_run(*hours(8))


def test_the_mark_stays_small() -> None:
    """Every other hour is skipped; then a year goes by without one."""
    grid, mark = schedule().grid, Mark(*hours(0))
    for hour in range(1, 2000, 2):
        mark = mark.settled(*hours(hour), grid).passed_over(skip(hour + 1, hour + 1, 1), grid)
    assert len(mark.runs) == MAX_SPANS
    assert mark.has_run(*hours(1999))
    for hour in range(2001, 4000):
        mark = mark.settled(*hours(hour), grid)
    assert mark.runs == ((hours(3999)[0] - KEPT, *hours(3999)),)
