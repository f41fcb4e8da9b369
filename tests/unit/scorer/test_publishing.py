"""The publish stage's message and the decisions that it is given."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_vectors import vectors
from scorer.contract.outcome import Header
from scorer.contract.publishing import (
    Decisions,
    Failure,
    Published,
    Sample,
    encode_published,
    parse_decisions,
)
from scorer.contract.staging import encode_begun, encode_failure
from scorer.contract.work import UsageError

HEADER = Header("6f0c1a2e-0000-4000-8000-000000000001", 0, 0, "2026-01-01T13:00:09.123Z")
GOOD = vectors("publishing")["decisions"][0]["decisions"]


def test_of_samples_as_many_are_told_as_fit() -> None:
    samples = tuple(Sample(f"s{number}", "FlagRate", "ä" * 400) for number in range(1000))
    published = Published("m", "a" * 64, None, "x", {"FlagRate": 1000}, {}, samples)
    message = encode_published(HEADER, published, {"total": 1})
    assert 3800 < len(message) < 4096
    told = json.loads(message)["samples"]
    assert [sample["sensor"] for sample in told] == [f"s{number}" for number in range(len(told))]
    assert all(sample["message"].endswith("…") for sample in told)


@given(st.text(max_size=5000))
def test_a_failure_always_fits(why: str) -> None:
    message = encode_failure(HEADER, "Publish", "StorageDenied", why, {"total": 1})
    assert len(message) < 4096
    json.loads(message)


def test_an_attempt_that_has_only_begun_says_neither_result_nor_failure() -> None:
    told = json.loads(encode_begun(HEADER, "Publish", {"total": 3}))
    assert (told["final"], told["stage"]) == (False, "Publish")
    assert not {"manifest", "failure"} & set(told)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2_000_000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), ANY)
def test_decisions_are_read_or_refused(field: str, value: Any) -> None:
    try:
        decisions = parse_decisions(json.dumps(GOOD | {field: value}))
    except UsageError:
        return
    assert max(decisions.failed | decisions.undecided, default=0) < decisions.total
    assert not decisions.failed & decisions.undecided


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"[" * 100_000, b'{"v": true}'])
def test_what_is_no_decisions_file_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_decisions(data)


def test_a_failure_is_told_by_name_or_by_its_place() -> None:
    named, placed = Failure("Failed", "X", "x"), Failure("Failed", "Y", "y")
    decisions = Decisions(9, True, "SomeFailed", frozenset({1, 2}), frozenset(), {"a": named, "#2": placed})
    assert (decisions.failure_of(1, "a"), decisions.failure_of(2, "b")) == (named, placed)
    assert decisions.failure_of(3, "c") is None
