"""Targets of Event Hubs Capture: its Avro files, with the events in them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from random import Random

from capture_files import NOON, capture_bytes, message, recoded
from fuzz.mutate import as_bytes, as_lines
from fuzz.readers import READINGS, SPAN
from fuzz.target import READ, Target, refusal
from hostile_readings import ROWS, check
from scorer.contract.outcome import SensorError
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader
from scorer.sources import Found, SharedFile
from scorer.storage.memory import MemoryStore

PATH = "r/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
NAMES = tuple(f"r/0/2026/01/01/12/0{minute}/00.avro" for minute in range(2))


def _deflated(data: bytes) -> bytes:
    packed = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packed.compress(data) + packed.flush()


def _files() -> list[bytes]:
    bodies = [json.dumps(row).encode() for row in ROWS]
    lines = [b"\n".join(bodies[:9]), b"[" + b",".join(bodies[9:20]) + b"]", *bodies[20:]]
    told = {"iothub-connection-device-id": "s1", "x": 1, "y": 1.5, "z": b"\0"}
    messages = [message(place, each, NOON, told, {"none": None}) for place, each in enumerate(lines)]
    packed = capture_bytes(messages)
    csv = b"time,sensor,n,value\n" + b"\n".join(
        f"{row['time']},{row['sensor']},{row['n']},{row['value']}".encode() for row in ROWS
    )
    return [packed, recoded(packed, b"null", bytes), capture_bytes([message(0, csv)])]


def _broken(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """As bytes, or within what is compressed: there the damage gets past the first check."""
    inner = chance.choice([as_bytes, as_lines])
    if b"deflate" in data and chance.random() < 0.7:
        return recoded(data, b"deflate", lambda plain: _deflated(inner(plain, [plain], chance)))
    return as_bytes(data, others, chance)


def _bombs(good: Sequence[bytes]) -> list[bytes]:
    packed = good[0]
    huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # the largest long
    least = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # the smallest
    deep = b'{"type":"record","fields":' + b'[{"type":' * 20_000 + b"}]" * 20_000 + b"}"
    schema = packed[packed.index(b'{"type"') : packed.rindex(b"}]}") + 3]
    array = schema.replace(b'["null","bytes"]', b'{"type":"array","items":"null"}')
    found = [
        recoded(packed, b"deflate", lambda _: _deflated(bytes(200_000_000))),
        recoded(packed, b"deflate", lambda _: _deflated(b"\0" * 6 * 4_000_000)),
        *(recoded(packed, b"null", lambda plain, n=n: n + plain) for n in (huge, least)),
        *(recoded(packed, b"null", lambda plain, n=n: plain[:1] + n + plain[2:]) for n in (huge, least)),
        recoded(packed, b"null", lambda _: b"\0\0\0" + huge + b"\0" * 3_000_000),
        recoded(packed, b"snappy", lambda _: b"\xff\xff\xff\xff\x0f" + b"\0" * 100),
    ]
    for other in (deep, array):
        size, told = len(other) << 1, bytearray()
        while size > 127:
            told.append(size & 127 | 128)
            size >>= 7
        at = packed.index(schema)
        found.append(packed[: at - 2] + bytes([*told, size]) + other + packed[at + len(schema) :])
    for count in (huge, least):
        found.append(b"Obj\x01" + count + packed[5:])
    return found


def _read(data: bytes, chance: Random) -> str:
    store = MemoryStore()
    files = [SharedFile(store, name, store.put(name, data), len(data)) for name in NAMES]
    form = chance.choice(["Auto", "Auto", "JSON", "CSV"])
    sensor = chance.choice(["sensor", "sensor", "SystemProperties.iothub-connection-device-id"])
    source = ReadingsSource(PATH, form, "capture", Columns(sensor=sensor))
    found = Found(tuple(files), (), ("s1", "s2"))
    try:
        readings = Reader(source, SPAN).read(found, "s1", ["value"], accepts_missing=chance.random() < 0.5)
        check(readings)
    except SensorError as error:
        return refusal(error.reason, error.message, *NAMES, PATH, among=READINGS)
    return READ


TARGETS = (Target("readings, Capture", 1000, _files, _broken, _read, _bombs),)
