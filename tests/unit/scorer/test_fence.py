from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract import Rows
from scorer.contract.work import Columns, Output, ReadingsSource
from scorer.fence import (
    Claim,
    Done,
    Verdict,
    done,
    fingerprint,
    prediction_metadata,
    stands_against,
    verdict,
)
from scorer.storage import checked_metadata
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
LATER = window("2026-01-01T12:00:00Z", "2026-01-01T14:00:00Z")
CLAIM = Claim("2026-01-01T13:00:07Z", "b", "2026-01-01T13:00:09.000Z")


def test_a_fingerprint_depends_on_all_that_a_prediction_is_made_from() -> None:
    readings: list[tuple[str, str | None]] = [("r/12", "etag"), ("r/13", None)]
    same = fingerprint(SPAN, readings, "a" * 64)
    others = [
        fingerprint(LATER, readings, "a" * 64),
        fingerprint(SPAN, [("r/12", "etag2"), ("r/13", None)], "a" * 64),
        fingerprint(SPAN, [("r/12", "etag"), ("r/13", "late")], "a" * 64),
        fingerprint(SPAN, [("r/13", "etag"), ("r/13", None)], "a" * 64),
        fingerprint(SPAN, readings, "b" * 64),
    ]
    assert fingerprint(SPAN, list(readings), "a" * 64) == same
    assert len({same, *others}) == 6


def test_what_is_written_is_read_as_done() -> None:
    metadata = checked_metadata(prediction_metadata(CLAIM, "f", Rows(5, 3, 1, 1), 2))
    assert done(metadata, "f") == Done(Rows(5, 3, 1, 1), 2)
    assert done(metadata, "other") is None


FIELDS = ["fingerprint", "rows_read", "rows_scored", "rows_rejected", "rows_duplicate", "anomalies"]


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["f", "1", "-1", "x", "", "99"])))
def test_counts_that_cannot_be_are_not_done(metadata: dict[str, str]) -> None:
    found = done(metadata, "f")
    if found:
        assert found.rows.read == found.rows.scored + found.rows.rejected + found.rows.duplicate
        assert 0 <= found.anomalies <= found.rows.scored


@pytest.mark.parametrize(
    ("there", "stands"),
    [
        (CLAIM, False),
        (CLAIM._replace(attempt="2026-01-01T13:00:08.999Z"), False),
        (CLAIM._replace(attempt="2026-01-01T13:00:09.001Z"), True),
        (CLAIM._replace(run_created="2026-01-01T13:00:06Z", attempt="2027"), False),
        (CLAIM._replace(run_created="2026-01-01T13:00:08Z", attempt="2025"), True),
        (CLAIM._replace(run="a"), False),
        (CLAIM._replace(run="c"), True),
    ],
)
def test_the_later_claim_stands(there: Claim, stands: bool) -> None:
    assert stands_against(prediction_metadata(there, "f", Rows(), 0), CLAIM) is stands


def test_a_prediction_of_nobody_stands_against_none() -> None:
    assert not stands_against({}, CLAIM)


EARLIER_RUN = CLAIM._replace(run_created="2026-01-01T13:00:06Z", run="a")
LATER_RUN = CLAIM._replace(run_created="2026-01-01T13:00:08Z", run="c")
OTHER_ATTEMPT = CLAIM._replace(attempt="2026-01-01T13:00:08.000Z")


@pytest.mark.parametrize(
    ("there", "same", "wanted"),
    [
        (EARLIER_RUN, "other", Verdict.WRITE),
        (EARLIER_RUN, "f", Verdict.RAISE),
        (OTHER_ATTEMPT, "other", Verdict.WRITE),
        (OTHER_ATTEMPT, "f", Verdict.AGREE),
        (LATER_RUN, "other", Verdict.GIVE_WAY),
        (LATER_RUN, "f", Verdict.AGREE),
    ],
)
def test_what_to_do_about_what_is_there(there: Claim, same: str, wanted: Verdict) -> None:
    assert verdict(prediction_metadata(there, same, Rows(), 0), "f", CLAIM) is wanted


def test_where_nothing_is_or_nobodys_a_prediction_is_written() -> None:
    assert verdict(None, "f", CLAIM) is Verdict.WRITE
    assert verdict({}, "f", CLAIM) is Verdict.WRITE


def test_how_readings_are_read_and_predictions_written_belongs_to_the_fingerprint() -> None:
    source, output = ReadingsSource("r/{sensor}"), Output("p/{sensor}")
    ways = [
        (source, output),
        (source._replace(time_zone="Europe/Berlin"), output),
        (source._replace(format="CSV"), output),
        (source._replace(columns=Columns(features={"value": "Value"})), output),
        (source, output._replace(format="CSV")),
    ]
    assert len({fingerprint(SPAN, [], "a" * 64, *way) for way in ways}) == len(ways)
    moved = (source._replace(path="q/{sensor}"), output._replace(path="o/{sensor}"))
    assert fingerprint(SPAN, [], "a" * 64, *moved) == fingerprint(SPAN, [], "a" * 64, source, output)
