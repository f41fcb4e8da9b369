"""The benches of scale in their short form: everything is scored; figures are shown and never judged."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

from figures import Figure, show
from scale import jobs_10k, runs_1000

SENSORS, RUNS = 500, 30
pytestmark = pytest.mark.timeout(900)  # a slow machine is no finding


def told(figures: Sequence[Figure], capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    with capsys.disabled():
        sys.stdout.write("\n")
        show(figures)
    return {figure.name: figure.value for figure in figures}


def test_a_run_of_500_jobs_scores_each_sensor_once(capsys: pytest.CaptureFixture[str]) -> None:
    figures = told(jobs_10k.measure(SENSORS), capsys)
    assert figures["api-writes"] >= 1
    assert figures[f"jobs-{SENSORS}-refused"] == 0


def test_runs_that_are_made_at_once_all_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    figures = told(runs_1000.measure(RUNS), capsys)
    assert figures[f"runs-{RUNS}-refused"] == 0
