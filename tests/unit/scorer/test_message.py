"""The termination message: always whole JSON of less than 4,096 bytes."""

from __future__ import annotations

import itertools
import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.clock import Stopwatch
from scorer.contract.outcome import (
    FAILED,
    SCORED,
    SKIPPED,
    UNDECIDED,
    Decision,
    Header,
    Letters,
    Rows,
    cut_utf8,
    encode_codes,
    encode_message,
)
from scorer.outcome import Outcome

HEADER = Header("u" * 64, 1_000_000, 1_000_000, "2026-01-01T13:00:09.123Z")
REASONS = [
    "NoReadings", "NoModel", "ModelCorrupt", "ModelIncompatible", "ReadingsCorrupt", "SchemaMismatch",
    "ReadingsTooLarge", "StorageDenied", "Crashed", "StorageUnavailable", "Interrupted", "Superseded",
    "OutputCorrupt", "OutputTooLarge", "PluginFailed", "PluginTimeout", "PluginOutOfMemory",
]  # fmt: skip
nasty = st.text(st.sampled_from('aü€😀"\\\n\x00\x7f\ud800/'), max_size=400)
decisions = st.builds(
    Decision,
    state=st.sampled_from([SCORED, SKIPPED, FAILED, UNDECIDED]),
    reason=st.sampled_from(REASONS),
    message=nasty,
    rows=st.builds(lambda n: Rows(n, n), st.integers(0, 2**62)),
    anomalies=st.integers(0, 2**62),
    detail=st.just({}),
).map(lambda decision: decision._replace(reason="") if decision.state == SCORED else decision)


@given(st.text("SN-abC", max_size=1000))
def test_run_length_keeps_every_letter_and_never_grows(letters: str) -> None:
    text = encode_codes(letters)
    runs = re.findall(r"(\d*)(\D)", text)
    assert "".join(letter * int(count or 1) for count, letter in runs) == letters
    assert len(text) <= len(letters)
    assert all(first != second for (_, first), (_, second) in itertools.pairwise(runs))


@settings(max_examples=60, deadline=None)
@given(st.lists(decisions, min_size=1, max_size=60), st.integers(1, 1000), st.randoms(use_true_random=False))
def test_a_message_always_fits(mix: list[Decision], count: int, random: Random) -> None:
    sensors = [f"{'s' * 55}-{number:05}"[:63] for number in range(count)]
    wanted = [random.choice(mix) for _ in sensors]
    outcome = Outcome(HEADER, sensors, Stopwatch())
    for place in random.sample(range(count), count):  # writers finish in any order
        outcome.take(sensors[place])
        outcome.decide(sensors[place], wanted[place])
    data = outcome.message(final=False)
    assert len(data) < 4096
    message = json.loads(data)
    states = [message["legend"][letter] for letter in expanded(message["codes"])]
    assert [state.partition("/")[0] for state in states] == [decision.state for decision in wanted]
    if len({decision.kind for decision in wanted}) <= 51:
        assert states == [decision.kind for decision in wanted]
    assert message["rows"]["read"] == sum(d.rows.read for d in wanted if d.state == SCORED)
    assert message["failures"] == expected_failures(sensors, wanted)[: len(message["failures"])]


def expected_failures(sensors: list[str], wanted: list[Decision]) -> list[dict[str, str]]:
    """Failed ones first, each kind in the pack's order."""
    return [
        {"sensor": sensor, "reason": decision.reason, "message": cut_utf8(decision.message, 256)}
        for state in (FAILED, UNDECIDED)
        for sensor, decision in zip(sensors, wanted, strict=True)
        if decision.state == state
    ]


def test_kinds_beyond_the_letters_keep_their_state() -> None:
    sensors = [str(number) for number in range(200)]
    outcome = Outcome(HEADER, sensors, Stopwatch())
    for number, sensor in enumerate(sensors):
        state = (SKIPPED, FAILED, UNDECIDED)[number % 3]
        outcome.decide(sensor, Decision(state, f"Reason{number}"))
    message = json.loads(outcome.message(final=True))
    states = [message["legend"][letter].partition("/")[0] for letter in expanded(message["codes"])]
    assert states == [(SKIPPED, FAILED, UNDECIDED)[number % 3] for number in range(200)]


def test_the_worst_pack_fits() -> None:
    """1,000 sensors without two neighbours alike, every reason in use, and long numbers."""
    letters = Letters()
    kinds = [f"{state}/{reason}" for state in (SKIPPED, FAILED, UNDECIDED) for reason in REASONS]
    codes = "".join(letters.of(kinds[number % len(kinds)]) for number in range(1000))
    huge = Rows(2**63, 2**63, 2**63, 2**63)
    stages = dict.fromkeys(("import", "read", "score", "write", "total"), 86_400_000)
    failures = [("s" * 63, "ReadingsTooLarge", "ü" * 300)] * 1000
    data = encode_message(
        HEADER, codes, letters.legend(codes), final=False, rows=huge, anomalies=2**63, stages_ms=stages,
        failures=failures, in_hand="s" * 63,
    )  # fmt: skip
    assert len(data) < 4096
    assert json.loads(data)["failures"]


@given(nasty, st.integers(3, 300))
def test_cutting_leaves_whole_characters(text: str, size: int) -> None:
    cut = cut_utf8(text, size)
    assert len(cut.encode()) <= size
    assert cut == text.encode(errors="replace").decode() or cut.endswith("…")


def test_failures_come_before_what_is_undecided() -> None:
    outcome = Outcome(HEADER, ["a", "b", "c"], Stopwatch())
    outcome.decide("a", Decision(UNDECIDED, "StorageUnavailable", "away"))
    outcome.decide("b", Decision(FAILED, "ModelCorrupt", "broken"))
    told = json.loads(outcome.message(final=True))
    assert [failure["sensor"] for failure in told["failures"]] == ["b", "a"]
    assert told["codes"] == "AB-"
    assert told["legend"] == {
        "-": "Undecided/NotStarted",
        "A": "Undecided/StorageUnavailable",
        "B": "Failed/ModelCorrupt",
    }


@pytest.mark.parametrize("count", [1, 2, 999, 1000])
def test_an_untouched_pack_is_not_started(count: int) -> None:
    message = json.loads(Outcome(HEADER, [str(n) for n in range(count)], Stopwatch()).message(final=False))
    assert message["codes"] == ("-" if count == 1 else f"{count}-")
    assert message["legend"] == {"-": "Undecided/NotStarted"}
    assert "inHand" not in message


def expanded(codes: str) -> str:
    pairs: list[tuple[str, Any]] = re.findall(r"(\d*)(\D)", codes)
    return "".join(letter * int(count or 1) for count, letter in pairs)
