from __future__ import annotations

import string
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract.paths import (
    TemplateError,
    check_apart,
    check_model_path,
    check_output_path,
    check_readings_path,
    is_sensor_name,
    names_window,
    output_path,
    readings_paths,
)
from scorer.storage import checked_path
from scorer.window import window

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", fullmatch=True)
segments = st.lists(
    st.sampled_from(["{sensor}", "{yyyy}", "{MM}", "{dd}", "{HH}", "a", "x.y", "-", "day="]),
    min_size=1,
    max_size=5,
).map("".join)
templates = st.lists(segments, min_size=1, max_size=3).map("/".join)  # so few stay short with any sensor
SPAN = window("2026-02-28T22:30:00Z", "2026-03-01T01:30:00Z")


@given(templates, names)
def test_what_passes_stays_in_the_store(template: str, sensor: str) -> None:
    if "{sensor}" in template:
        checked_path(output_path(check_output_path(template), sensor, SPAN))
    paths = readings_paths(check_readings_path(template), sensor, SPAN)
    assert len(set(paths)) == len(paths) <= 4
    assert all("{" not in checked_path(path) for path in paths)


@given(st.text(st.sampled_from(string.printable + "{}/\\.\u202eü"), max_size=60))
def test_whatever_is_given_is_checked_or_refused(text: str) -> None:
    try:
        check_readings_path(text)
    except TemplateError as refusal:
        said = str(refusal)
    else:
        said = " ".join(checked_path(path) for path in readings_paths(text, "a", SPAN))
    assert "\n" not in said


def test_an_hourly_template_names_each_hour_once() -> None:
    paths = readings_paths("{yyyy}/{MM}/{dd}/{HH}/{sensor}", "a", SPAN)
    assert paths == ["2026/02/28/22/a", "2026/02/28/23/a", "2026/03/01/00/a", "2026/03/01/01/a"]


def test_too_long_a_template_is_refused() -> None:
    with pytest.raises(TemplateError, match="513"):
        check_output_path("{sensor}" + "x" * 505)


@pytest.mark.parametrize(
    ("check", "times", "most"),
    [(check_readings_path, 16, 1024), (check_output_path, 16, 1024), (check_model_path, 15, 1024 - 59)],
)
def test_a_template_whose_paths_may_be_too_long_is_refused(
    check: Callable[[str], str], times: int, most: int
) -> None:
    fits = "{sensor}" * times + "x" * (most - 63 * times)
    assert check(fits) == fits
    with pytest.raises(
        TemplateError, match=f"{times} times and may come to 1025 characters: wanted at most 1024"
    ):
        check(fits + "x")


def test_a_sensor_called_like_a_token_is_impossible() -> None:
    assert not is_sensor_name("{HH}")
    assert output_path("{sensor}", "HH", window("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")) == "HH"
    assert SPAN.start == datetime(2026, 2, 28, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "output",
    [
        "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet",
        "models/{sensor}/current.json",
        "models/{sensor}/{yyyy}/{sensor}.parquet",
        "runs/{yyyy}/{sensor}.parquet",
    ],
)
def test_predictions_lie_apart_from_what_they_are_made_from(output: str) -> None:
    readings = "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
    with pytest.raises(TemplateError, match=r"overwrite|keeps"):
        check_apart(output, readings, "models/{sensor}")
    check_apart("readings/scored/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet", readings, "models/{sensor}")


def test_a_path_with_too_coarse_dates_is_another_windows_too() -> None:
    quarter = window("2026-01-01T10:00:00Z", "2026-01-01T10:15:00Z")
    hour = window("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z")
    hourly = "p/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
    assert names_window(hourly, hour)
    assert not names_window(hourly, quarter)
    assert not names_window("p/{sensor}.parquet", hour)
