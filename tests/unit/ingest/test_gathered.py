"""Messages that wait for a step: none is lost or moved, and no step has too many."""

from __future__ import annotations

import gzip

import pytest

from scorer.ingest import gathered
from scorer.ingest.events import Message
from scorer.ingest.gathered import LONGEST_SECONDS, MOST_BYTES, MOST_MESSAGES, Gathered


def messages(count: int, body: bytes = b"{}", first: int = 0) -> list[Message]:
    return [Message(first + number, str(first + number), 0, body) for number in range(count)]


def test_steps_have_all_messages_in_their_order() -> None:
    waiting, sent = Gathered(), messages(2 * MOST_MESSAGES + 7)
    for at in range(0, len(sent), 300):
        waiting.add(sent[at : at + 300], 0.0)
    steps = waiting.taken()
    assert [message for step in steps for message in step] == sent
    assert [len(step) for step in steps] == [MOST_MESSAGES, MOST_MESSAGES, 7]
    assert not waiting
    assert waiting.taken() == []


@pytest.mark.parametrize(
    ("body", "each"),
    [
        (b"x" * (MOST_BYTES // 4), 4),
        (b"x" * (MOST_BYTES + 1), 1),
        (gzip.compress(b"", 0)[:10].ljust(MOST_BYTES // gathered._INFLATED // 2, b"x"), 2),
    ],
    ids=["large", "larger than a step", "in gzip"],
)
def test_a_step_has_so_many_bytes_or_one_message(body: bytes, each: int) -> None:
    waiting = Gathered()
    waiting.add(messages(4, body), 0.0)
    assert [len(step) for step in waiting.taken()] == [each] * (4 // each)


def test_it_is_due_when_a_step_is_full_or_has_waited() -> None:
    waiting = Gathered()
    assert not waiting.due(1e9)
    waiting.add(messages(MOST_MESSAGES - 1), 5.0)
    assert not waiting.due(5.0 + LONGEST_SECONDS / 2)
    assert waiting.due(5.0 + LONGEST_SECONDS)
    waiting.add(messages(1, first=MOST_MESSAGES), 5.1)
    assert waiting.due(5.1)
    waiting.taken()
    assert not waiting.due(1e9)
