"""The grid of windows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.schedule.windows import Grid
from unit.schedule.given import at

HOURLY = Grid(timedelta(hours=1))
INDIAN = Grid(timedelta(hours=1), timedelta(minutes=30))


@pytest.mark.parametrize(
    ("grid", "instant", "before", "after"),
    [
        (HOURLY, "2026-01-01T12:59:59", "2026-01-01T12", "2026-01-01T13"),
        (HOURLY, "2026-01-01T13:00:00", "2026-01-01T13", "2026-01-01T14"),
        (HOURLY, "2027-01-01T00:00:00", "2027-01-01T00", "2027-01-01T01"),
        (HOURLY, "2028-02-29T23:30:00", "2028-02-29T23", "2028-03-01T00"),
        (INDIAN, "2026-01-01T12:20", "2026-01-01T11:30", "2026-01-01T12:30"),
        (Grid(timedelta(days=1), timedelta(hours=-1)), "2026-01-01T22:59", "2025-12-31T23", "2026-01-01T23"),
        (Grid(timedelta(days=7)), "2026-01-01T00", "2026-01-01T00", "2026-01-08T00"),
        (Grid(timedelta(minutes=15)), "1969-12-31T23:50", "1969-12-31T23:45", "1970-01-01T00"),
    ],
)  # fmt: skip
def test_windows_end_on_the_grid_of_utc(grid: Grid, instant: str, before: str, after: str) -> None:
    assert grid.at_or_before(at(instant)) == at(before)
    assert grid.after(at(instant)) == at(after)


def test_no_ends_lie_between_a_later_and_an_earlier_one() -> None:
    assert HOURLY.ends(at("2026-01-01T12"), at("2026-01-01T11")) == []
    assert HOURLY.ends(at("2026-01-01T12"), at("2026-01-01T12")) == [at("2026-01-01T12")]


@given(
    st.integers(1, 100_000),
    st.integers(-100_000, 100_000),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_each_instant_lies_in_one_window(minutes: int, offset: int, instant: datetime) -> None:
    grid = Grid(timedelta(minutes=minutes), timedelta(minutes=offset))
    end = grid.at_or_after(instant)
    assert end - grid.length < instant <= end
    assert grid.at_or_before(instant) in (end, end - grid.length)
    assert grid.at_or_before(end) == end == grid.at_or_after(end)
    assert grid.ends(end, end + 3 * grid.length)[1] == grid.after(end)
