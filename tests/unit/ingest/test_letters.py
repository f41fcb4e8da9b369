"""Dead letters: a line for each event, but of a message no more than anybody reads."""

from __future__ import annotations

from typing import Any

import orjson

from scorer.ingest.events import Letter, Message
from scorer.ingest.letters import MOST_LINES, SHOWN_BYTES, dead
from unit.ingest.partitions import NOON

MESSAGES = [Message(70 + place, f"@{place}", NOON + 1, b"\xff" * 2000) for place in range(2)]


def lines(*letters: Letter) -> list[dict[str, Any]]:
    return [orjson.loads(each.line) for each in dead("3", letters, MESSAGES)]


def test_a_line_says_which_event_and_why() -> None:
    (found,) = lines(Letter(1, 4, "NotATime", "'TS' is 1"))
    assert found == {
        "partition": "3",
        "sequence": 71,
        "offset": "@1",
        "enqueued": "2026-01-01T12:00:00.000001+00:00",
        "place": 4,
        "reason": "NotATime",
        "found": "'TS' is 1",
        "events": 1,
        "bytes": 2000,
        "body": "\\xff" * SHOWN_BYTES,
    }


def test_a_message_s_body_is_in_its_first_line_only() -> None:
    found = lines(*(Letter(message, place, "NotATime", "") for message in (0, 1) for place in (0, 1)))
    assert [(line["sequence"], bool(line["body"])) for line in found] == [
        (70, True),
        (70, False),
        (71, True),
        (71, False),
    ]


def test_what_is_too_much_of_one_reason_in_a_message_is_one_line() -> None:
    many = [Letter(0, place, "NotATime", "") for place in range(MOST_LINES + 5)]
    found = lines(*many, Letter(0, 90, "NotANumber", ""), Letter(1, 0, "NotATime", ""))
    told = [(line["sequence"], line["place"], line["reason"], line["events"]) for line in found]
    assert told == [
        *((70, place, "NotATime", 1) for place in range(MOST_LINES)),
        (70, MOST_LINES, "NotATime", 5),
        (70, 90, "NotANumber", 1),
        (71, 0, "NotATime", 1),
    ]
