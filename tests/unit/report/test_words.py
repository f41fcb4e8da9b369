"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scorer.report.result import RunResult
from scorer.report.words import percent, period, shortened, summary


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (0.0001, "< 0.1 %"), (0.0123, "1.2 %"), (0.5, "50.0 %"), (1, "100.0 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (datetime(2026, 1, 1, 15, tzinfo=UTC), "1 Jan 2026, 12:00 to 15:00 UTC"),
        (datetime(2026, 1, 2, tzinfo=UTC), "1 Jan 2026, 12:00 to 2 Jan 2026, 00:00 UTC"),
    ],
)
def test_period_says_one_day_once(end: datetime, text: str) -> None:
    assert period(RunResult("a", datetime(2026, 1, 1, 12, tzinfo=UTC), end, ())) == text


def test_summary(run: RunResult) -> None:
    assert summary(run) == (
        "2 of 4 sensors scored · 1 skipped · 1 failed · 200 readings · 8 anomalies (4.0 %) · "
        "1 of 2 injected faults found"
    )


@pytest.mark.parametrize(
    ("name", "length", "text"),
    [("short", 5, "short"), ("device-1-tag-1", 9, "devi…ag-1"), ("abcdef", 4, "a…ef")],
)
def test_long_names_lose_their_middle(name: str, length: int, text: str) -> None:
    assert shortened(name, length) == text
