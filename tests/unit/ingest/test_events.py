from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from scorer.inflated import MAX_BODY
from scorer.ingest.events import Events, Message, decode, sensors_for
from scorer.ingest.sensors import Sensors
from scorer.ingest.settings import Settings, settings
from unit.ingest.partitions import NOON, SECOND

TIME = "2026-01-01T12:00:01Z"
REFERENCE = {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS"}
EVENT = {"TS": TIME, "Device": 1, "Tag": 2, "Value": 3.5}


def mapped(**mapping: Any) -> Settings:
    """Settings with this mapping."""
    return settings({"mapping": REFERENCE | mapping, "window": {"size": "5s"}, "columns": {"value": "avg"}})


def read(*bodies: bytes, **mapping: Any) -> tuple[Events, Sensors]:
    """Messages with these bodies as events."""
    given = mapped(**mapping)
    sensors = sensors_for(given)
    messages = [Message(number, f"@{number}", NOON + number, body) for number, body in enumerate(bodies)]
    return decode(messages, given.mapping, sensors), sensors


def rows(*bodies: bytes, **mapping: Any) -> list[tuple[int, str, int, list[float]]]:
    """The same: each event's message, sensor, time after noon in µs, and values. Nothing may be wrong."""
    events, sensors = read(*bodies, **mapping)
    assert events.letters == []
    return [
        (message, sensors.names[sensor], time - NOON, values)
        for message, sensor, time, values in zip(
            events.messages.tolist(),
            events.sensors.tolist(),
            events.times.tolist(),
            events.values.tolist(),
            strict=True,
        )
    ]


def letters(*bodies: bytes, **mapping: Any) -> list[tuple[int, int, str]]:
    """Message, place and reason of what is wrong."""
    found = read(*bodies, **mapping)[0].letters
    assert all(letter.said.isprintable() and len(letter.said) < 500 for letter in found)
    return [letter[:3] for letter in found]


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def event(**changes: Any) -> dict[str, Any]:
    """The event, changed; what is set to `...` is left out."""
    return {name: value for name, value in (EVENT | changes).items() if value is not ...}


ONE = ("device-1-tag-2", SECOND, [3.5])
OTHER = ("device-1-tag-3", SECOND, [3.5])
TWO = [EVENT, event(Tag=3)]
CSV = b"TS,Device,Tag,Value\r\n2026-01-01T12:00:01Z,1,2,3.5\r\n\r\n2026-01-01T12:00:01Z,1,3,3.5\r\n"


@pytest.mark.parametrize(
    ("body", "mapping"),
    [
        (as_json(TWO), {}),
        (b"\n".join(map(as_json, TWO)), {}),
        (b"\r\n".join([*map(as_json, TWO), b"", b" "]), {}),
        (gzip.compress(as_json(TWO)), {}),
        (gzip.compress(as_json(TWO)[:9]) + gzip.compress(as_json(TWO)[9:]) + b"\0" * 7, {}),
        (b"\xef\xbb\xbf" + as_json(TWO), {}),
        (CSV, {"format": "CSV"}),
        (CSV.replace(b",", b";"), {"format": "CSV", "delimiter": ";"}),
        (as_json({"payload": {"readings": TWO}}), {"records": "payload.readings"}),
    ],
    ids=[
        "array",
        "lines",
        "lines, some empty",
        "gzip",
        "gzip in members",
        "mark",
        "csv",
        "semicolon",
        "records",
    ],
)
def test_two_events_of_one_message(body: bytes, mapping: dict[str, Any]) -> None:
    assert rows(body, **mapping) == [(0, *ONE), (0, *OTHER)]


def test_messages_keep_their_order_and_their_numbers() -> None:
    events, sensors = read(as_json(EVENT), as_json([]), as_json(TWO), as_json(event(Device=9)))
    assert events.messages.tolist() == [0, 2, 2, 3]
    assert [sensors.names[place] for place in events.sensors] == [ONE[0], ONE[0], OTHER[0], "device-9-tag-2"]
    assert events.sequences.tolist() == [0, 1, 2, 3]
    assert events.enqueued.tolist() == [NOON, NOON + 1, NOON + 2, NOON + 3]
    assert list(events.offsets) == ["@0", "@1", "@2", "@3"]


def test_fields_of_the_message_are_those_of_each_event_in_it() -> None:
    body = as_json({"device": {"id": "d7"}, "at": TIME, "readings": [{"n": "a", "v": 1}, {"n": "b", "v": 2}]})
    mapping = {
        "records": "readings",
        "sensor": "{$.device.id}-{n}",
        "time": "$.at",
        "values": "v",
        "over": ["$.device.id"],
    }
    assert rows(body, **mapping) == [(0, "d7-a", SECOND, [1.0]), (0, "d7-b", SECOND, [2.0])]


def test_nested_fields() -> None:
    body = as_json({"meta": {"ts": TIME, "who": {"id": "p1"}}, "v": {"x": 1}})
    mapping = {"sensor": "meta.who.id", "time": "meta.ts", "values": "v.x"}
    assert rows(body, **mapping) == [(0, "p1", SECOND, [1.0])]
    assert letters(as_json({"meta": {"ts": TIME, "who": "p1"}, "v": {"x": 1}}), **mapping) == [
        (0, 0, "MissingSensor")
    ]


def test_several_values_of_which_some_may_be_missing() -> None:
    mapping = {"values": {"heat": "h", "press": "p"}}
    given = [event(h=1, p=2), event(h=None, p=2), event(h=1)]
    events, _ = read(as_json(given), **mapping)
    assert np.array_equal(events.values, [[1, 2], [np.nan, 2], [1, np.nan]], equal_nan=True)
    assert letters(as_json([event(), event(h=1, p="x")]), **mapping) == [
        (0, 0, "MissingValue"),
        (0, 1, "NotANumber"),
    ]


@pytest.mark.parametrize(
    ("form", "value", "microseconds"),
    [
        ("ISO8601", "2026-01-01T13:00:01.5000001+01:00", SECOND + 500_001),
        ("ISO8601", "2026-01-01 12:00:01", SECOND),
        ("Seconds", 1_767_268_801.25, SECOND + 250_000),
        ("Milliseconds", 1_767_268_801_001, SECOND + 1_000),
        ("Microseconds", NOON + 7, 7),
    ],
)
def test_forms_of_times(form: str, value: object, microseconds: int) -> None:
    assert rows(as_json(event(TS=value)), timeForm=form) == [(0, ONE[0], microseconds, [3.5])]


UNITS = {"field": "U", "conversions": {"C": {}, "F": {"factor": 0.5, "add": -16}}}


def test_values_are_converted_from_their_units() -> None:
    found = rows(as_json([event(U="C"), event(U="F", Value=100)]), unit=UNITS)
    assert [values for *_, values in found] == [[3.5], [34.0]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TS": ...}, "MissingTime"),
        ({"TS": None}, "MissingTime"),
        ({"TS": ""}, "MissingTime"),
        ({"TS": "yesterday"}, "NotATime"),
        ({"TS": 12}, "NotATime"),
        ({"TS": ["2026"]}, "NotATime"),
        ({"TS": "2026-02-30T00:00:00Z"}, "NotATime"),
        ({"TS": "\uff19" * 20}, "NotATime"),
        ({"Device": ...}, "MissingSensor"),
        ({"Device": None}, "MissingSensor"),
        ({"Device": True}, "MissingSensor"),
        ({"Device": 1.5}, "MissingSensor"),
        ({"Device": [1]}, "MissingSensor"),
        ({"Device": {"a": 1}}, "MissingSensor"),
        ({"Device": "../../etc"}, "UnusableSensorName"),
        ({"Device": "a\0b"}, "UnusableSensorName"),
        ({"Device": "x" * 80}, "UnusableSensorName"),
        ({"Device": "ä"}, "UnusableSensorName"),
        ({"Value": ...}, "MissingValue"),
        ({"Value": None}, "MissingValue"),
        ({"Value": "3.5"}, "NotANumber"),
        ({"Value": True}, "NotANumber"),
        ({"Value": [1]}, "NotANumber"),
        ({"Value": 10**400}, "BrokenJSON"),
    ],
)
def test_events_that_cannot_be_used(changes: dict[str, Any], reason: str) -> None:
    bodies = [as_json(event(Tag=9)), as_json(event(**changes)), as_json(event(Tag=8))]
    events, sensors = read(*bodies)
    assert [letter.reason for letter in events.letters] == [reason], events.letters
    assert events.messages.tolist() == [0, 2]
    # What cannot be used brings no sensor into being.
    assert sensors.names == ["device-1-tag-9", "device-1-tag-8"]


@pytest.mark.parametrize(
    ("form", "value"),
    [("Seconds", 1e300), ("Seconds", "1767268801"), ("Milliseconds", -(2**63)), ("Seconds", True)],
)
def test_numbers_that_are_no_times(form: str, value: object) -> None:
    assert letters(as_json(event(TS=value)), timeForm=form) == [(0, 0, "NotATime")]


@pytest.mark.parametrize(
    ("body", "mapping", "wrong"),
    [
        (b"", {}, [(-1, "BrokenJSON")]),
        (b"{", {}, [(-1, "BrokenJSON")]),
        (b"\xff\xfe{}", {}, [(-1, "BrokenJSON")]),
        (b'{"TS": NaN}', {}, [(-1, "BrokenJSON")]),
        (b"[" * 5000, {}, [(-1, "BrokenJSON")]),
        (b"12", {}, [(-1, "NotAnObject")]),
        (b"null", {}, [(-1, "NotAnObject")]),
        (b"[1, [], null]", {}, [(0, "NotAnObject"), (1, "NotAnObject"), (2, "NotAnObject")]),
        (b"x\ny\n", {}, [(-1, "BrokenJSON")]),
        (as_json(EVENT) + b"\n{\n1\n", {}, [(1, "BrokenJSON"), (2, "NotAnObject")]),
        (b"\x1f\x8b\x08", {}, [(-1, "BrokenGzip")]),
        (gzip.compress(as_json(EVENT))[:-9], {}, [(-1, "BrokenGzip")]),
        (gzip.compress(b" " * (MAX_BODY + 1)), {}, [(-1, "TooLarge")]),
        (b" " * (MAX_BODY + 1), {}, [(-1, "TooLarge")]),
        (b"[" + b"{}," * 100_000 + b"{}]", {}, [(-1, "TooLarge")]),
        (b"\n" * 9 + b"{}\n" * 100_001, {}, [(-1, "TooLarge")]),
        (b'{"a": [' + b"{}," * 500_000 + b"{}]}", {}, [(-1, "TooLarge")]),
        (b"a" + b"," * 1_048_576, {"format": "CSV"}, [(-1, "TooLarge")]),
        (b"[]", {"records": "a"}, [(-1, "NotAnObject")]),
        (b'{"a": 1}', {"records": "a"}, [(-1, "MissingRecords")]),
        (b'{"b": []}', {"records": "a.b"}, [(-1, "MissingRecords")]),
        (b'{"a": []}\n{"a": []}', {"records": "a"}, [(-1, "BrokenJSON")]),
        (b"", {"format": "CSV"}, [(-1, "BrokenCSV")]),
        (b"\xff", {"format": "CSV"}, [(-1, "NotUTF8")]),
        (b'"a', {"format": "CSV"}, [(-1, "BrokenCSV")]),
        (CSV + b"1,2\n", {"format": "CSV"}, [(2, "BrokenCSV")]),
        (CSV + b'"x"y,1,2,3\n', {"format": "CSV"}, [(2, "BrokenCSV")]),
        (CSV + TIME.encode() + b",1,2,nan\n", {"format": "CSV"}, [(2, "NotFinite")]),
        (CSV + TIME.encode() + b",1,2,\n", {"format": "CSV"}, [(2, "MissingValue")]),
        (CSV + TIME.encode() + b",1,2,1e999\n", {"format": "CSV"}, [(2, "NotFinite")]),
        (CSV.replace(b"Value", b"V"), {"format": "CSV"}, [(0, "MissingValue"), (1, "MissingValue")]),
        (as_json(event(U="K")), {"unit": UNITS}, [(0, "UnknownUnit")]),
        (as_json(event(U=[])), {"unit": UNITS}, [(0, "UnknownUnit")]),
    ],
)
def test_bodies_that_cannot_be_read(
    body: bytes, mapping: dict[str, Any], wrong: Sequence[tuple[int, str]]
) -> None:
    assert letters(body, as_json(EVENT) if mapping == {} else b"", **mapping)[: len(wrong)] == [
        (0, place, reason) for place, reason in wrong
    ]


def test_what_is_wrong_is_said_with_the_field_and_what_was_found() -> None:
    found = read(as_json([event(TS="noon"), event(Value="\x1b[31m" + "x" * 5000), event(Device="../x")]))[0]
    assert [letter.said for letter in found.letters[:1]] == [
        "'TS' is \"noon\": wanted RFC 3339, like 2026-01-01T12:00:00Z"
    ]
    assert "\x1b" not in found.letters[1].said
    assert found.letters[2].said == 'Device "../x", Tag 2'


def test_one_and_true_are_not_one_sensor() -> None:
    events, sensors = read(
        as_json([event(Device=1), event(Device=True), event(Device=1.0), event(Device="1 ")])
    )
    assert sensors.names == ["device-1-tag-2"]
    assert [letter.place for letter in events.letters] == [1]


def test_a_name_that_two_devices_come_to_is_the_first_ones() -> None:
    given = {"sensor": "s{Device}{Tag}", "over": ["Device"]}
    body = as_json([event(Device=1, Tag=12), event(Device=11, Tag=2), event(Device=1, Tag=12)])
    assert letters(body, **given) == [(0, 1, "SensorOfAnotherSubstream")]
    assert [name for _, name, *_ in rows(body, sensor="s{Device}{Tag}")] == ["s112"] * 3


@pytest.mark.parametrize("said", ["7" * 1_000_000, ["7"] * 200_000, {"7": ["7"] * 200_000}], ids=type)
@pytest.mark.parametrize(
    ("field", "reason"),
    [("time", "NotATime"), ("values", "NotANumber"), ("sensor", "UnusableSensorName")],
)
def test_what_a_message_says_once_costs_little_for_each_of_its_events(
    field: str, reason: str, said: Any
) -> None:
    body = as_json({"all": said, "events": [EVENT] * 20_000})
    more = {field: "{$.all}" if field == "sensor" else "$.all"}
    tracemalloc.start()
    found = letters(body, records="events", **more)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(0, place, reason) for place in range(20_000)]
    assert most < 100e6


def test_what_is_around_a_name_is_not_kept() -> None:
    events, sensors = read(as_json([event(Device=" " * 5000 + "1"), event(Device="1"), event(Device="1 ")]))
    assert sensors.names == ["device-1-tag-2"]
    assert events.sensors.tolist() == [0, 0, 0]
    assert set(sensors._by_fields) == {("1", 2), ("1 ", 2)}


@pytest.mark.parametrize("body", [b"{}\n" * 30_000, b"[" + b"1," * 600_000 + b"1]"], ids=["events", "bytes"])
def test_no_more_is_decoded_together_than_memory_is_meant_for(body: bytes) -> None:
    given = mapped()
    bodies = [as_json(EVENT), gzip.compress(body), as_json(TWO)]
    messages = [Message(number, f"@{number}", NOON + number, body) for number, body in enumerate(bodies)]
    first = decode(messages, given.mapping, sensors_for(given), bounded=True)
    assert first.sequences.tolist() == [0, 1]
    assert {letter.message for letter in first.letters} == {1}
    rest = decode(messages[2:], given.mapping, sensors_for(given), bounded=True)
    assert rest.messages.tolist() == [0, 0]


def test_there_are_no_more_sensors_than_may_be() -> None:
    given = settings(
        {"mapping": REFERENCE, "window": {"size": "5s"}, "columns": {"v": "avg"}, "maxSensors": 2}
    )
    bodies: list[Mapping[str, Any]] = [event(Tag=tag) for tag in (1, 2, 3, 1)]
    found = decode([Message(0, "", NOON, as_json(bodies))], given.mapping, sensors_for(given))
    assert [(letter.place, letter.reason) for letter in found.letters] == [(2, "TooManySensors")]


def test_by_arrival_no_time_is_wanted() -> None:
    given = settings(
        {
            "mapping": {"sensor": "s", "values": "v"},
            "window": {"size": "5s"},
            "columns": {"v": "avg"},
            "ordering": {"by": "Arrival"},
        }
    )
    found = decode([Message(0, "", NOON, b'{"s": "a", "v": 1}')], given.mapping, sensors_for(given))
    assert found.letters == []
    assert len(found.times) == 1
