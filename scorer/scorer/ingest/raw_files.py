"""Avro files as Event Hubs Capture writes them: the same schema, deflate, bytes that follow from the events.

The schema is that of https://learn.microsoft.com/azure/event-hubs/explore-captured-avro-files
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import pack
from typing import Any

from scorer.ingest.events import Message

BLOCK_BYTES = 256 * 1024
"""Of messages that are compressed together."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN = ["long", "double", "string", "bytes"]
SCHEMA = {
    "type": "record",
    "name": "EventData",
    "namespace": "Microsoft.ServiceBus.Messaging",
    "fields": [
        {"name": "SequenceNumber", "type": "long"},
        {"name": "Offset", "type": "string"},
        {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "SystemProperties", "type": {"type": "map", "values": _KNOWN}},
        {"name": "Properties", "type": {"type": "map", "values": [*_KNOWN, "null"]}},
        {"name": "Body", "type": ["null", "bytes"]},
    ],
}


def record(message: Message) -> bytes:
    """A message as Avro."""
    system, properties = message.about or ({}, {})
    system = {"x-opt-enqueued-time": message.enqueued // 1000, **system}
    return b"".join(
        (
            _long(message.sequence),
            _bytes(message.offset.encode()),
            _bytes(net_time(message.enqueued).encode()),
            _map({name: value for name, value in system.items() if value is not None}),
            _map(properties),
            b"\x02",
            _bytes(message.body),
        )
    )


def net_time(enqueued: int) -> str:
    """A time as Capture writes it, as .NET does: 1/31/2026 1:02:03 PM; microseconds since 1970."""
    return _net_time(enqueued // 1_000_000)


@lru_cache(maxsize=64)
def _net_time(second: int) -> str:
    time = _EPOCH + timedelta(seconds=second)
    hour = time.hour % 12 or 12
    half = "AM" if time.hour < 12 else "PM"
    return f"{time.month}/{time.day}/{time.year} {hour}:{time.minute:02}:{time.second:02} {half}"


def avro_file(records: Iterable[bytes], name: str) -> bytes:
    """A file of records; its mark follows from its name. Without records it has a header only."""
    mark = hashlib.sha256(name.encode()).digest()[:16]
    schema = json.dumps(SCHEMA, separators=(",", ":")).encode()
    head = _long(2) + _bytes(b"avro.codec") + _bytes(b"deflate") + _bytes(b"avro.schema") + _bytes(schema)
    parts = [b"Obj\x01", head, b"\0", mark]
    block: list[bytes] = []
    size = 0
    for each in records:
        block.append(each)
        size += len(each)
        if size >= BLOCK_BYTES:
            parts.append(_block(block, mark))
            block, size = [], 0
    if block:
        parts.append(_block(block, mark))
    return b"".join(parts)


def _block(records: list[bytes], mark: bytes) -> bytes:
    deflated = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = deflated.compress(b"".join(records)) + deflated.flush()
    return _long(len(records)) + _long(len(data)) + data + mark


def _long(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _map(values: Mapping[str, Any]) -> bytes:
    if not values:
        return b"\0"
    entries = (_bytes(name.encode()) + _value(value) for name, value in sorted(values.items()))
    return _long(len(values)) + b"".join(entries) + b"\0"


def _value(value: Any) -> bytes:
    """A property, in Avro's union of what Capture knows; what it does not know as text."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return b"\x00" + _long(value)
    if isinstance(value, float):
        return b"\x02" + pack("<d", value)
    if isinstance(value, bytes):
        return b"\x06" + _bytes(value)
    if value is None:
        return b"\x08"
    return b"\x04" + _bytes(str(value).encode("utf-8", "replace"))
