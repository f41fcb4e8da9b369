"""The picture: one panel a sensor, within bounds, whatever the series look like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from scorer.contract import Rows
from scorer.report import picture
from scorer.report.result import RunResult, Series
from unit.report.conftest import MakeSensor

PNG = b"\x89PNG\r\n\x1a\n"


def test_picture_is_a_png(run: RunResult, tmp_path: Path) -> None:
    picture.draw(run, tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("times", "values"),
    [
        ([], []),
        (["2026-01-01T12:30"], [5.0]),
        (["2026-01-01T12:30", "2026-01-01T12:31"], [5.0, 5.0]),
        (["2026-01-01T12:30", "2026-01-01T12:31"], [-1e300, 1e300]),
        (["2026-01-01T12:30", "2026-01-01T12:31"], [1e-12, 2e-12]),
    ],
)
def test_any_series_can_be_drawn(
    run: RunResult, sensor: MakeSensor, tmp_path: Path, times: list[str], values: list[float]
) -> None:
    flags = np.zeros(len(times), bool)
    series = Series(np.array(times, "datetime64[us]"), np.array(values), flags, flags.astype(float))
    odd = replace(sensor("odd"), series=series)
    picture.draw(replace(run, sensors=(odd,), faults=()), tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("sensors", [1, 2, 15, 40])
def test_long_names_do_not_run_into_their_notes(run: RunResult, sensor: MakeSensor, sensors: int) -> None:
    wide = "W" * 60
    many = [
        replace(sensor(f"{number:03}{wide}"), anomalies=1234, rows=Rows(scored=12_345))
        for number in range(sensors)
    ]
    many[0] = replace(many[0], state="Failed", reason="ModelIncompatible", series=None)
    figure = picture.figure_of(replace(run, sensors=tuple(many), faults=()))
    for axes in figure.axes:
        name, note = (text.get_window_extent() for text in axes.texts[:2])
        assert name.x1 < note.x0


def test_long_window_and_no_sensor_can_be_drawn(run: RunResult, tmp_path: Path) -> None:
    picture.draw(replace(run, end=run.end + timedelta(days=30)), tmp_path / "month.png")
    picture.draw(replace(run, sensors=(), faults=()), tmp_path / "nothing.png")


def test_all_sensors_get_a_panel_in_the_runs_order(run: RunResult) -> None:
    assert [panel.sensor[-1] for panel in picture.panels_of(run)] == ["1", "2", "3", "4"]


def test_of_too_many_sensors_the_worst_get_a_panel(run: RunResult, sensor: MakeSensor) -> None:
    many = tuple(sensor(f"s{anomalies}", anomalies=anomalies) for anomalies in range(picture.PANELS + 10))
    names = {panel.sensor for panel in picture.panels_of(replace(run, sensors=many))}
    assert names == {f"s{anomalies}" for anomalies in range(10, picture.PANELS + 10)}


@pytest.mark.parametrize(("readings", "shown"), [(0, 0), (5, 5), (10, 10), (11, 6), (99, 10)])
def test_smears_are_thinned(readings: int, shown: int) -> None:
    assert len(picture.thin(np.arange(readings), 10)) == shown
