"""Dead letters: events that cannot be used, with reason and place, one JSON object a line.

They are written before the state that counts them: after a crash the same event may be told again, under
another name. `partition`, `sequence` and `place` say which it is; the counts are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from scorer.ingest.accounting import arrival_hour
from scorer.ingest.events import Letter, Message

SHOWN_BYTES = 512
"""Of a message's body."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dead(NamedTuple):
    """An event that cannot be used, with the hour in which it came."""

    hour: int
    line: bytes


def dead(partition: str, letters: Sequence[Letter], messages: Sequence[Message]) -> Iterator[Dead]:
    """The lines of a batch's letters."""
    for letter in letters:
        message = messages[letter.message]
        body = message.body[:SHOWN_BYTES]
        told = {
            "partition": partition,
            "sequence": message.sequence,
            "offset": message.offset,
            "enqueued": (_EPOCH + timedelta(microseconds=message.enqueued)).isoformat(),
            "place": letter.place,
            "reason": letter.reason,
            "found": letter.said,
            "bytes": len(message.body),
            "body": body.decode("utf-8", "backslashreplace"),
        }
        yield Dead(arrival_hour(message.enqueued), orjson.dumps(told) + b"\n")
