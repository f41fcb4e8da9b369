"""The report in a terminal."""

from __future__ import annotations

from scorer.contract import Rows
from scorer.report.result import RunResult, SensorResult
from scorer.report.table import table


def test_table(run: RunResult) -> None:
    assert table(run).splitlines() == [
        "sensor          rows  anomalies  share  seconds",
        "device-1-tag-1   100          3  3.0 %     0.25  injected spikes: found",
        "device-1-tag-2   100          5  5.0 %     0.25  injected level shift: MISSED",
        "device-1-tag-3     -          -      -        -  Skipped: NoModel",
        "device-1-tag-4     -          -      -        -  Failed: ModelCorrupt",
        "all              200          8  4.0 %",
        "",
        "rows read 206 = scored 200 + rejected 2 + duplicate 4: ok",
        "injected fault, device-1-tag-1, spikes, 12:01 to 12:04: 3 of 4 readings flagged, found",
        "injected fault, device-1-tag-2, level shift, 12:51 to 13:00: 0 of 10 readings flagged, MISSED",
    ]


def test_rows_that_do_not_add_up_are_called_wrong(run: RunResult) -> None:
    lost = SensorResult("a", "Scored", rows=Rows(read=10, scored=9))
    assert "rows read 10 = scored 9 + rejected 0 + duplicate 0: WRONG" in table(
        RunResult(run.name, run.start, run.end, (lost,))
    )
