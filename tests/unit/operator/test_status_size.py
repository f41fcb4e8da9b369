"""A status fits into 64 KiB at 100,000 sensors, whatever the pattern of failures and whatever pods say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from scoring_operator.contract import Guard, Published, Sample, clean
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet
from scoring_operator.scoring import OPEN_INCARNATIONS
from scoring_operator.status import FAILURES_LIMIT, Condition, Failure, Pinned, Status, Verdict
from scoring_operator.status_json import STATUS_LIMIT, of_api, to_api
from scoring_operator.stopping import STOPS_AT_A_TIME
from unit.operator.given import NOW

TOTAL = 100_000
RANDOM = Random(5)  # noqa: S311 - a pattern, no secret
WORD, NAME, SENTENCE = "R" * 64, "s" * 63, clean("x" * 5000)
LATENCY = Histogram()
for milliseconds in range(0, 2_000_000, 9973):
    LATENCY = LATENCY.observe(milliseconds)

PATTERNS: dict[str, Callable[[int], bool]] = {
    "none": lambda _: False,
    "all": lambda _: True,
    "every second": lambda number: number % 2 == 0,
    "every third": lambda number: number % 3 == 0,
    "pairs": lambda number: number // 2 % 2 == 0,
    "half of them": lambda _: RANDOM.random() < 0.5,
    "one in ten": lambda _: RANDOM.random() < 0.1,
    "one in thirty": lambda _: RANDOM.random() < 0.033,
    "the last": lambda number: number > 99_900,
}


def the_longest(done: RangeSet, failed: RangeSet) -> Status:
    """All that a status can hold besides, at its longest."""
    conditions = ("Complete", "Suspended", "Blocked", "Waiting", "WaitingForReadings")
    counted = {f"{WORD[:-2]}{number:02}": 99_999 for number in range(32)}
    return Status(
        observed_generation=99,
        phase="Running",
        stage="Publish",
        start=NOW,
        conditions={kind: Condition(True, WORD, "m" * 1000, NOW, 99) for kind in conditions},
        scored=TOTAL - len(failed),
        failed=len(failed),
        jobs=TOTAL,
        active_jobs=2000,
        done=done,
        failed_sensors=failed,
        incarnations={TOTAL - 1 - number: 2 for number in range(OPEN_INCARNATIONS)},
        failures=(Failure(NAME, 99_999, "Skipped", WORD, SENTENCE, NAME),) * FAILURES_LIMIT,
        reasons={f"Skipped/{WORD[:-2]}{number:02}": 99_999 for number in range(64)},
        latency={f"stage-{number}": LATENCY for number in range(11)},
        pinned=Pinned(TOTAL, "a" * 64, "", (1000,) * 512),
        image="i" * 200,
        models_as_of=NOW,
        verdict=Verdict("Failed", WORD, "m" * 1000),
        published=Published("p" * 200, "a" * 64, "p" * 200, "p" * 200),
        guard=Guard(counted, counted, (Sample(NAME, WORD, SENTENCE),) * 10),
    )


@pytest.mark.parametrize("failing", PATTERNS)
@pytest.mark.parametrize("deciding", PATTERNS)
def test_the_longest_status_of_a_pattern_fits_and_says_exactly_what_is_recorded(
    deciding: str, failing: str
) -> None:
    done, failed = (RangeSet.of(filter(PATTERNS[pattern], range(TOTAL))) for pattern in (deciding, failing))
    status = the_longest(done, failed)
    body = to_api(status)
    assert len(json.dumps(body, separators=(",", ":"))) <= STATUS_LIMIT
    read = of_api(body)
    assert replace(read, failures=()) == replace(status, failures=())
    assert read.failures == status.failures[: len(read.failures)]


@pytest.mark.parametrize("failing", PATTERNS)
@pytest.mark.parametrize("deciding", PATTERNS)
def test_the_longest_status_of_a_suspended_run_fits_with_the_jobs_that_are_being_stopped(
    deciding: str, failing: str
) -> None:
    done, failed = (RangeSet.of(filter(PATTERNS[pattern], range(TOTAL))) for pattern in (deciding, failing))
    stopping = RangeSet.of(TOTAL - 1 - 49 * number for number in range(STOPS_AT_A_TIME))
    scores = replace(the_longest(done, failed), stage="Score", verdict=None, published=None, guard=None)
    body = to_api(replace(scores, stopping=stopping))
    assert len(json.dumps(body, separators=(",", ":"))) <= STATUS_LIMIT
    assert of_api(body).stopping == stopping


def test_a_status_of_usual_sentences_keeps_all_50_failures() -> None:
    half = RangeSet.of(range(0, TOTAL, 2))
    failure = Failure(
        "device-1-temperature", 1, "Failed", "ModelCorrupt", "its sha256 differs", "hourly-1-abcdefgh"
    )
    status = replace(the_longest(half, half), failures=(failure,) * FAILURES_LIMIT, guard=None, verdict=None)
    status = replace(status, conditions={}, reasons={"Failed/ModelCorrupt": 50_000}, incarnations={})
    assert len(to_api(status)["failures"]) == FAILURES_LIMIT
