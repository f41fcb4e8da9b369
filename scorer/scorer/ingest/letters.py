"""Dead letters: events that cannot be used, with reason and place, one JSON object a line.

They are written before the state that counts them: after a crash the same event may be told again, under
another name. `partition`, `sequence` and `place` say which it is; the counts are exact.

A small message in gzip may have 100,000 events, and none that can be used. So its first line alone has its
body, and what is too much of one reason is one line, which says how many `events` it is of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import orjson

from scorer.ingest.accounting import arrival_hour
from scorer.ingest.events import Letter, Message

SHOWN_BYTES = 512
"""Of a message's body."""
MOST_LINES = 20
"""Of a message and reason, each for one event; one more is for all others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dead(NamedTuple):
    """A line: an event that cannot be used, or several of a message; with the hour in which it came."""

    hour: int
    line: bytes


def dead(partition: str, letters: Sequence[Letter], messages: Sequence[Message]) -> Iterator[Dead]:
    """The lines of a batch's letters, which are in the order of its messages."""
    for place, found in groupby(letters, attrgetter("message")):
        message = messages[place]
        body = message.body[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
        for letter, events in _told(found):
            told = {
                "partition": partition,
                "sequence": message.sequence,
                "offset": message.offset,
                "enqueued": (_EPOCH + timedelta(microseconds=message.enqueued)).isoformat(),
                "place": letter.place,
                "reason": letter.reason,
                "found": letter.said,
                "events": events,
                "bytes": len(message.body),
                "body": body,
            }
            yield Dead(arrival_hour(message.enqueued), orjson.dumps(told) + b"\n")
            body = ""


def _told(letters: Iterator[Letter]) -> list[tuple[Letter, int]]:
    """Of a message's letters those that have a line, each with the number of events that it is of."""
    counts: Counter[str] = Counter()
    shown = []
    for letter in letters:
        counts[letter.reason] += 1
        if counts[letter.reason] <= MOST_LINES + 1:
            shown.append((letter, counts[letter.reason] > MOST_LINES))
    return [(letter, counts[letter.reason] - MOST_LINES if last else 1) for letter, last in shown]
