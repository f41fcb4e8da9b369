from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.errors import InputError
from scorer.window import HOUR, Window, hour_folder, utc_text, utc_time, window

times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=0)
)


@given(times, st.integers(1, 200_000))
def test_every_time_of_a_window_lies_in_one_of_its_hours(start: datetime, seconds: int) -> None:
    span = Window(start, start + timedelta(seconds=seconds))
    hours = list(span.hours())
    assert hours == sorted(set(hours))
    for time in (start + timedelta(microseconds=1), start + timedelta(seconds=seconds // 2 or 1), span.end):
        assert hour_folder(time) in hours
    assert hour_folder(start) not in hours or start.minute or start.second
    assert hours[-1] < span.end <= hours[-1] + HOUR


@given(times)
def test_times_are_read_as_they_are_written(time: datetime) -> None:
    assert utc_time(utc_text(time)) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T12:00:00",
        "2026-01-01T12:00:00+00:00",
        "2026-01-01T12:00:00.5Z",
        "2026-13-01T00:00:00Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="time"):
        utc_time(text)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(InputError, match="wanted an end after the start"):
        window("2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z")
