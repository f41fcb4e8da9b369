from __future__ import annotations

import json

from reading_files import csv_bytes
from scorer.contract.work import ReadingsSource
from scorer.readings import MAX_REJECTS, Readings, read_readings
from scorer.rejected import encode
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")


def read(values: list[object]) -> Readings:
    rows = [
        {"time": f"2026-01-01T12:{n // 60:02}:{n % 60:02}.5Z", "value": value}
        for n, value in enumerate(values)
    ]
    return read_readings([("r/ä.csv", csv_bytes(rows))], ["value"], SPAN, ReadingsSource("{sensor}"))


def test_each_rejected_row_is_a_line_after_their_sum() -> None:
    first, *lines = map(json.loads, encode(read([1, "high", None, 1e200])).splitlines())
    by = {"MissingValue": 1, "NotANumber": 1, "ValueTooLarge": 1}
    assert first == {"rejected": 3, "read": 4, "by": by, "listed": 3}
    assert list(first["by"]) == sorted(by)
    assert lines[0] == {
        "file": "r/ä.csv",
        "row": 2,
        "time": "2026-01-01T12:00:01.500000Z",
        "reason": "NotANumber",
        "column": "value",
        "found": "high",
    }
    assert [(line["row"], line["reason"], line["found"]) for line in lines[1:]] == [
        (3, "MissingValue", ""),
        (4, "ValueTooLarge", "1e+200"),
    ]


def test_what_is_not_known_is_left_out() -> None:
    data = b"time,value\n2026-01-01T12:00:01Z,1\nnoon,1\n2026-01-01T12:00:02Z\n"
    readings = read_readings([("a.csv", data)], ["value"], SPAN)
    _, *lines = map(json.loads, encode(readings).splitlines())
    assert lines == [
        {"file": "a.csv", "row": 2, "reason": "NotATime", "column": "time", "found": "noon"},
        {"file": "a.csv", "row": 3, "reason": "MalformedRow", "found": "2026-01-01T12:00:02Z"},
    ]


def test_only_the_first_are_listed_and_all_are_counted() -> None:
    readings = read(["x"] * 1500)
    first, *lines = map(json.loads, encode(readings).splitlines())
    assert (first["rejected"], first["listed"], first["by"]) == (1500, MAX_REJECTS, {"NotANumber": 1500})
    assert [line["row"] for line in lines] == list(range(1, MAX_REJECTS + 1))


def test_long_things_are_cut() -> None:
    found = json.loads(encode(read([1, "x" * 1000])).splitlines()[1])["found"]
    assert found == "x" * 79 + "…"


def test_the_same_readings_give_the_same_bytes() -> None:
    values = [1, "high", None, 1e200]
    assert encode(read(values)) == encode(read(values))


def test_half_of_a_surrogate_pair_can_be_written_too() -> None:
    data = b'{"time": "2026-01-01T12:00:01Z", "value": "\\ud800"}\n'
    assert (
        json.loads(encode(read_readings([("a.jsonl", data)], ["value"], SPAN)).splitlines()[1])["found"]
        == "?"
    )


def test_what_was_lost_is_said_with_them() -> None:
    data = b'[{"time": "2026-01-01T12:00:01Z", "value": "x"}, {"ti'
    first = json.loads(encode(read_readings([("a.json", data)], ["value"], SPAN)).splitlines()[0])
    assert (
        first["lost"]
        == "readings a.json end inside record 2: 1 whole records were read, 4 characters are lost"
    )
