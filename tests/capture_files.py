"""Files of Event Hubs Capture for tests, and their paths."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scorer.ingest.events import Message
from scorer.ingest.raw_files import avro_file, record

USUAL = "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
NOON = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z in microseconds."""
MINUTE = 60_000_000


def message(
    sequence: int,
    body: bytes,
    enqueued: int = NOON,
    system: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Message:
    """One event as the hub had it."""
    return Message(sequence, str(sequence * 77), enqueued, body, (system or {}, properties or {}))


def capture_bytes(messages: Sequence[Message], name: str = "x") -> bytes:
    """A file of them."""
    return avro_file([record(each) for each in messages], name)


def plain_of(data: bytes) -> tuple[int, int, bytes]:
    """Of a file of one block: where the block's count is and its data begin, and what these inflate to."""
    count = data.index(data[-16:]) + 16
    at = itertools.count(count)
    for _ in range(2):
        while data[next(at)] & 128:
            pass
    start = next(at)
    return count, start, zlib.decompress(data[start:-16], -15)


def recoded(data: bytes, codec: bytes, pack: Callable[[bytes], bytes]) -> bytes:
    """A file of one block, whose data are packed otherwise."""
    count, _, plain = plain_of(data)
    end = next(place for place in itertools.count(count) if not data[place] & 128) + 1
    packed = pack(plain)
    size, told = len(packed) << 1, bytearray()
    while size > 127:
        told.append(size & 127 | 128)
        size >>= 7
    told.append(size)
    head = data[:end].replace(b"\x0edeflate", bytes([len(codec) << 1]) + codec)
    return head + bytes(told) + packed + data[-16:]
