"""Targets of ingest: bodies of messages, and the stored state of a partition."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from fuzz import bombs
from fuzz.mutate import as_bytes, as_json, as_lines, zipped
from fuzz.target import READ, Target, refusal
from scorer.inflated import MAX_BODY
from scorer.ingest.accounting import total
from scorer.ingest.bodies import MAX_RECORDS
from scorer.ingest.events import Message, decode
from scorer.ingest.settings import settings
from scorer.ingest.state import State, StateError, dump, load
from scorer.ingest.step import step

NOON = 1_767_268_800_000_000
REASONS = (
    *("BrokenJSON", "BrokenCSV", "BrokenGzip", "NotUTF8", "NotAnObject", "MissingRecords", "TooLarge"),
    *("MissingTime", "NotATime", "MissingSensor", "UnusableSensorName", "TooManySensors"),
    *("SensorOfAnotherSubstream", "MissingValue", "NotANumber", "NotFinite", "UnknownUnit"),
)
MAPPING = {"sensor": "d{Device}-{Tag}", "values": "Value", "time": "TS", "over": ["Device"]}
UNIT = {"field": "U", "conversions": {"C": {}, "F": {"factor": 0.5, "add": -16}}}


def _given(**mapping: Any) -> dict[str, Any]:
    return {
        "mapping": MAPPING | mapping,
        "window": {"size": "5s"},
        "columns": {"value": "avg", "low": "min", "spread": "stddev", "from": "first", "n": "count"},
        "ordering": {"lateArrival": "20d", "onLateArrival": "Drop", "outOfOrder": "5m", "idleAfter": "1m"},
        "maxSensors": 1000,
    }


def _event(number: int, **more: Any) -> dict[str, Any]:
    time = f"2026-01-01T11:59:{number % 60:02}.{number % 1000:03}Z"
    return {"TS": time, "Device": number % 4, "Tag": str(number % 5), "Value": number / 7, **more}


def _singles() -> list[bytes]:
    return [json.dumps(_event(number)).encode() for number in range(4)]


def _many() -> list[bytes]:
    events = [_event(number) for number in range(12)]
    lines = "\n".join(map(json.dumps, events)).encode()
    return [json.dumps(events).encode(), lines, gzip.compress(lines, mtime=0)]


def _within() -> list[bytes]:
    events = [_event(number, U="CF"[number % 2]) for number in range(12)]
    return [json.dumps({"device": {"id": 7}, "readings": events}).encode()]


def _csv() -> list[bytes]:
    rows = ["TS,Device,Tag,Value", *(",".join(map(str, _event(number).values())) for number in range(12))]
    return ["\r\n".join(rows).encode(), "\n".join(rows).replace(",2,", ',"2",').encode()]


def _reader(**mapping: Any) -> Callable[[bytes, Random], str]:
    """A partition that goes on: each body is a message of it, between two that are good."""
    given = settings(_given(**mapping))
    states = [State(given)]

    def read(data: bytes, chance: Random) -> str:
        state = states[0]
        first = state.sequence + 1
        messages = [
            Message(first + number, str(number), NOON + first + number, body)
            for number, body in enumerate((data, data[: chance.randrange(len(data) + 1)]))
        ]
        events = decode(messages, given.mapping, state.sensors)
        found = step(state, events, NOON + first + chance.choice([0, 10**6]))
        states[0] = found.state
        assert found.counts.adds_up, found.counts
        assert found.counts.messages == 2
        assert total(*found.state.ledger.values()).adds_up
        if chance.random() < 0.02:
            stored = dump(found.state)
            states[0] = load(stored, given)
            assert dump(states[0]) == stored
        for letter in found.letters:
            refusal(letter.reason, letter.said, "", among=REASONS)
        whole = [letter for letter in found.letters if letter.message == 0]
        return whole[0].reason if whole and not (events.messages == 0).any() else READ

    return read


def _states() -> list[bytes]:
    given = settings(_given())
    state = State(given)
    bodies = [*_singles(), *_many()]
    messages = [Message(number, str(number), NOON + number, body) for number, body in enumerate(bodies)]
    return [dump(State(given)), dump(step(state, decode(messages, given.mapping, state.sensors)).state)]


def _read_state(data: bytes, _: Random) -> str:
    try:
        state = load(data, settings(_given()))
    except StateError as error:
        return refusal("StateError", str(error), "state", among=("StateError",))
    assert dump(state) == data
    return READ


def _bombs(_: Sequence[bytes]) -> list[bytes]:
    """Also some that are not too large: nothing that can be used, in as many pieces as there can be."""
    nothing = (b"{}\n" * MAX_RECORDS, b"ab\n" * (MAX_BODY // 3), b"[" + b"{}," * (MAX_BODY // 3 - 1) + b"{}]")
    small = [gzip.compress(body, 1, mtime=0) for body in nothing]
    return [*bombs.zipped(_singles()[0] + b"\n"), *small]


TARGETS = (
    Target("events, one JSON object", 4000, _singles, as_json, _reader(), grows_mib=64),
    Target("events, many in a message", 3000, _many, zipped(as_lines), _reader(), _bombs, grows_mib=128),
    Target(
        "events, an array within",
        2500,
        _within,
        as_json,
        _reader(records="readings", sensor="d{$.device.id}-{Tag}", over=["$.device.id"], unit=UNIT),
        grows_mib=64,
    ),
    Target("events, CSV", 2000, _csv, as_lines, _reader(format="CSV"), grows_mib=64),
    Target("state of a partition", 500, _states, as_bytes, _read_state, grows_mib=64),
)
