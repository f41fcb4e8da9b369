"""What is told of a prediction comes back as it was, through what Azure takes as headers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract import Rows
from scorer.fence import Claim
from scorer.storage import checked_metadata
from scorer.summary import Summary, summary_of

CLAIM = Claim("2026-01-01T13:00:07Z", "b", "2026-01-01T13:00:09.000Z")
WORDS = st.dictionaries(st.text(max_size=8), st.integers(0, 9), max_size=3)
SUMMARIES = st.builds(
    Summary,
    fingerprint=st.just("f"),
    rows=st.just(Rows(6, 3, 2, 1)),
    anomalies=st.integers(0, 3),
    sha256=st.just("0" * 64),
    model=st.just("20260101T000000Z-0123abcd"),
    threshold=st.floats(allow_nan=False),
    first_anomaly=st.sampled_from(["", "2026-01-01T12:01:00.000000Z"]),
    last_anomaly=st.sampled_from(["", "2026-01-01T12:01:00.000000Z"]),
    extreme_score=st.none() | st.floats(allow_nan=False),
    rejected_by=WORDS,
    rejected_file=st.sampled_from(["", "rejected/2026/01/01/12/a.jsonl"]),
    lost=st.text(max_size=100),
    guard=WORDS,
)


@given(SUMMARIES)
def test_it_comes_back(summary: Summary) -> None:
    metadata = checked_metadata(summary.metadata(CLAIM))
    assert summary_of(metadata) == summary._replace(lost=summary.lost.encode("utf-8", "replace").decode())
    assert metadata["run"] == "b"


def test_a_long_account_of_what_was_lost_is_cut() -> None:
    summary = Summary("f", Rows(), 0, "", "", 0.0, lost="ä" * 5000)
    assert sum(len(name) + len(value) for name, value in summary.metadata(CLAIM).items()) < 4096


@given(SUMMARIES, st.data())
def test_other_metadata_is_no_prediction_s(summary: Summary, data: Any) -> None:
    metadata = summary.metadata(CLAIM)
    field = data.draw(st.sampled_from(sorted(metadata)))
    metadata[field] = data.draw(st.text(max_size=9))
    found = summary_of(metadata)
    assert found is None or found.rows.read == 6 or field == "rows_read"


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_an_outcome_holds_no_number_that_json_has_not(number: float) -> None:
    detail = Summary("f", Rows(), 0, "", "", number, extreme_score=number).detail("p")
    assert not {"threshold", "extremeScore"} & set(detail)


def test_what_there_is_nothing_of_is_left_out_of_an_outcome() -> None:
    detail = Summary("f", Rows(1, 1), 0, "0" * 64, "v", 0.0).detail("p")
    assert detail == {
        "prediction": "p",
        "sha256": "0" * 64,
        "fingerprint": "f",
        "model": "v",
        "threshold": 0.0,
    }
