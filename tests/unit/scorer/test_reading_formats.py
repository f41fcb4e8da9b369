"""Every format gives the same rows, and says the same of the same faults."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading_files import WRITERS, array_bytes, csv_bytes, lines_bytes, parquet_bytes
from scorer.contract import Rows, SensorError
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader, Readings, csv_files, read_readings, text
from scorer.sources import File, Found
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
TEXTS = ["csv", "csv.gz", "lines", "array"]
GOOD = [{"time": f"2026-01-01T12:{n:02}:00Z", "a": n / 4, "b": -n} for n in range(1, 60)]


def read(
    name: str, data: bytes, features: Sequence[str] = ("value",), form: str = "Auto", **source: Any
) -> Readings:
    return read_readings([(name, data)], features, SPAN, ReadingsSource("{sensor}", form, **source))


def written(form: str, rows: Sequence[Mapping[str, Any]], features: Sequence[str] = ("value",)) -> Readings:
    name, write = WRITERS[form]
    return read(name, write(rows), features)


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_rows(form: str) -> None:
    readings = written(form, GOOD, ("b", "a"))
    assert readings.rows == Rows(59, 59)
    assert readings.values.tolist() == [[row["b"], row["a"]] for row in GOOD]
    assert str(np.datetime64(int(readings.times[0]), "us")) == "2026-01-01T12:01:00.000000"
    assert (readings.rejects, readings.lost) == ((), "")


@pytest.mark.parametrize(
    ("form", "write"),
    [("Parquet", parquet_bytes), ("CSV", csv_bytes), ("JSONLines", lines_bytes), ("JSON", array_bytes)],
)
def test_a_format_that_is_named_counts_and_not_the_file_s_name(form: str, write: Any) -> None:
    assert read("a.xyz", write(GOOD), ("a",), form).rows == Rows(59, 59)


@pytest.mark.parametrize(
    ("name", "form", "data"),
    [
        ("a.jsonl", "JSON", lines_bytes(GOOD)),
        ("a.json", "JSONLines", array_bytes(GOOD)),
        ("a.csv", "Parquet", csv_bytes(GOOD)),
        ("a.parquet", "Auto", gzip.compress(parquet_bytes(GOOD))),
        ("a.csv", "Auto", parquet_bytes(GOOD)),
        ("a.csv", "Auto", csv_bytes(GOOD).decode().encode("utf-16")),
    ],
)
def test_another_format_than_the_one_named_is_told(name: str, form: str, data: bytes) -> None:
    with pytest.raises(SensorError, match=name) as refusal:
        read(name, data, ("a",), form)
    assert refusal.value.reason in ("ReadingsCorrupt", "SchemaMismatch")


@pytest.mark.parametrize("form", WRITERS)
def test_times_without_zone_are_utc_and_other_zones_are_honoured(form: str) -> None:
    times = ["2026-01-01 12:00:01", "2026-01-01T14:30:00.5+02:00", "2026-01-01T11:59:59.999999001Z"]
    readings = written(form, [{"time": time, "value": 1.0} for time in times])
    found = [str(np.datetime64(int(time), "us")) for time in readings.times]
    # The last one is a nanosecond after a microsecond: rounded up, and not of the window even so.
    assert found == ["2026-01-01T12:00:01.000000", "2026-01-01T12:30:00.500000"]


@pytest.mark.parametrize("form", TEXTS)
def test_the_last_row_of_a_time_counts(form: str) -> None:
    rows = [{"time": "2026-01-01T12:00:01Z", "value": n} for n in (1, 2, 3)]
    readings = written(form, rows)
    assert readings.values.tolist() == [[3.0]]
    assert readings.rows == Rows(3, 1, 0, 2)


@pytest.mark.parametrize("form", TEXTS)
def test_bad_values_are_rejected_by_reason(form: str) -> None:
    cells = [1.5, None, "high", 1e200, True, "NaN!", 2]
    rows = [{"time": f"2026-01-01T12:00:0{n}Z", "value": value} for n, value in enumerate(cells, 1)]
    readings = written(form, rows)
    assert readings.rejected == {"NotANumber": 3, "MissingValue": 1, "ValueTooLarge": 1}
    assert readings.rows == Rows(7, 2, 5)
    assert [(reject.row, reject.reason, reject.column) for reject in readings.rejects] == [
        (2, "MissingValue", "value"),
        (3, "NotANumber", "value"),
        (4, "ValueTooLarge", "value"),
        (5, "NotANumber", "value"),
        (6, "NotANumber", "value"),
    ]
    assert readings.rejects[1].found == "high"
    assert readings.rejects[1].time == "2026-01-01T12:00:03.000000Z"
    assert readings.rejects[2].found == "1e+200"
    assert readings.rejects[3].found in ("True", "true")


@pytest.mark.parametrize("form", TEXTS)
def test_bad_times_are_rejected_by_reason(form: str) -> None:
    times = [
        "2026-01-01T12:00:01Z",
        None,
        "noon",
        "1767268800",
        "2026-02-30T12:00:00Z",
        "2026-01-01T12:00:02Z",
    ]
    readings = written(form, [{"time": time, "value": 1} for time in times])
    assert readings.rejected == {"MissingTime": 1, "NotATime": 3}
    assert readings.rows == Rows(6, 2, 4)
    assert [(reject.row, reject.time, reject.found) for reject in readings.rejects] == [
        (2, "", ""),
        (3, "", "noon"),
        (4, "", "1767268800"),
        (5, "", "2026-02-30T12:00:00Z"),
    ]


@pytest.mark.parametrize("form", [*TEXTS, "parquet"])
def test_a_file_without_any_time_is_another_schema(form: str) -> None:
    with pytest.raises(SensorError, match="column 'time'") as refusal:
        written(form, [{"time": 1767268800 + n, "value": 1} for n in range(9)])
    assert refusal.value.reason == "SchemaMismatch"


@pytest.mark.parametrize("form", WRITERS)
def test_a_missing_column_is_told_once_with_those_that_are_there(form: str) -> None:
    with pytest.raises(
        SensorError, match=r"column 'pressure' is not there \(columns: time, a, b\)"
    ) as refusal:
        written(form, GOOD, ("a", "pressure"))
    assert refusal.value.reason == "SchemaMismatch"


@pytest.mark.parametrize("form", WRITERS)
def test_features_may_have_other_names_in_the_files(form: str) -> None:
    name, write = WRITERS[form]
    rows = [{"TS": "2026-01-01 12:00:01", "Value": 2.5, "Device": 1}]
    columns = Columns("TS", "sensor", {"temperature": "Value"})
    readings = read(name, write(rows), ("temperature",), columns=columns)
    assert readings.values.tolist() == [[2.5]]


@pytest.mark.parametrize("form", WRITERS)
def test_a_model_that_accepts_missing_values_gets_them_as_nan(form: str) -> None:
    name, write = WRITERS[form]
    rows = [{"time": f"2026-01-01T12:00:0{n}Z", "value": value} for n, value in enumerate([1.0, None, 3.0])]
    found = Found((File(name, "", write(rows)),), ())
    readings = Reader(ReadingsSource("{sensor}"), SPAN).read(found, "a", ["value"], accepts_missing=True)
    assert readings.rows == Rows(2, 2)  # the first is at the window's start
    assert np.isnan(readings.values[0, 0])
    assert readings.values[1, 0] == 3.0


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.json", "a", "a.csv.gz"])
def test_a_file_of_no_bytes_has_no_rows(name: str) -> None:
    assert read(name, b"").rows == Rows()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"time,value\n"),
        ("a.csv", b"\n\n"),
        ("a.json", b"[]"),
        ("a.json", b"["),
        ("a.jsonl", b"\n \n"),
    ],
)
def test_a_file_without_records_has_no_rows(name: str, data: bytes) -> None:
    readings = read(name, data)
    assert (readings.rows, readings.lost) == (Rows(), "")


# CSV


def test_quoted_fields_and_empty_lines() -> None:
    data = (
        b'"note","time","value"\r\n\r\n"a, ""b""\nc","2026-01-01T12:00:01Z","1.5"\r\n'
        b"\r\nx,2026-01-01T12:00:02Z,2\r\n"
    )
    readings = read("a.csv", data)
    assert readings.values[:, 0].tolist() == [1.5, 2.0]


def test_a_delimiter_is_the_one_that_gives_the_wanted_columns() -> None:
    data = b"time|value|a,b,c,d,e\n2026-01-01T12:00:01Z|1.5|,,,\n"
    assert read("a.csv", data).values.tolist() == [[1.5]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
def test_all_delimiters_of_stream_analytics_are_read(delimiter: str) -> None:
    lines = ["System.Timestamp,value,x", '2026-01-01T12:00:01Z,1.5,"a,b"']
    data = "\r\n".join(line.replace(",", delimiter) for line in lines).encode()
    source = ReadingsSource("{sensor}", columns=Columns("System.Timestamp"))
    assert read_readings([("a.csv", data)], ["value"], SPAN, source).values.tolist() == [[1.5]]


def test_a_column_that_stands_twice_is_told() -> None:
    with pytest.raises(SensorError, match="column 'value' is twice"):
        read("a.csv", b"time,value,value\n2026-01-01T12:00:01Z,1,2\n")


def test_lines_of_another_width_are_rejected() -> None:
    data = b"time,value\n2026-01-01T12:00:01Z,1\n2026-01-01T12:00:02Z,1,5\n2026-01-01T12:0"
    readings = read("a.csv", data)
    assert readings.rejected == {"MalformedRow": 2}
    assert [(reject.row, reject.column, reject.found) for reject in readings.rejects] == [
        (2, "", "2026-01-01T12:00:02Z,1,5"),
        (3, "", "2026-01-01T12:0"),
    ]
    assert readings.rows == Rows(3, 1, 2)


def test_a_file_whose_lines_all_have_another_width_is_told() -> None:
    with pytest.raises(SensorError, match=r"no record .* record 1 begins '2026-01-01T12:00:01Z,1,5'"):
        read("a.csv", b"time,value\n2026-01-01T12:00:01Z,1,5\n")


NUMBERS = """
1;-1.5;+2;.5;5.;1e3;1E-3;1e999;-1e999;nan;NaN;inf;-Infinity;;null;NULL;1_000;0x1p3; 1;1 ;1,5;--1;1e;e1;.;-;1-2
;1.2.3;True;nan(1);1d5;infinit;1\x00;0.1000000000000000000000000000000000000001;123456789012345678901;\u0661
"""
STAMPS = """
2026-01-01T12:00:01Z;2026-01-01 12:30:00;2026-01-01T13:00:00.000000001Z;2026-01-01t12:00:09z;;null;noon
;2026-01-01T12:00:01.5+00:30; 2026-01-01T12:00:03Z;2026-01-01T12:00:60Z;2026-01-01T12:59:59.9999999Z;2026
"""


def of(texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts.replace("\n", "").split(";"))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(of(STAMPS), of(NUMBERS), of(';x;";a"b;ü')), min_size=1, max_size=6),
    st.booleans(),
)
def test_the_fast_way_and_the_slow_way_of_csv_are_one(rows: list[tuple[str, str, str]], quoted: bool) -> None:
    cells = [['"' + cell.replace('"', '""') + '"' if quoted else cell for cell in row] for row in rows]
    data = "\n".join(["time,value,note", *(",".join(row) for row in cells)]).encode()

    def outcome() -> object:
        try:
            found = read("a.csv", data)
        except SensorError as error:
            return str(error)
        return found._replace(times=found.times.tolist(), values=found.values.tolist())  # type: ignore[arg-type]

    both = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_files, "_table", lambda *_: None)
        assert outcome() == both


@pytest.mark.parametrize("block", [64, 200, 1000])
@pytest.mark.parametrize("form", [*TEXTS, "csv |", "array in one line", "array of pretty objects"])
def test_files_of_many_blocks_are_as_those_of_one(
    form: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = [{**row, "note": 'ä, "q"\n' if form == "csv" else "ä"} for row in GOOD]
    rows[30] = {**rows[30], "a": "x"}
    name, write = WRITERS[form]
    whole = read(name, write(rows), ("a", "b"))
    monkeypatch.setattr(text, "BLOCK", block)
    pieces = read(name, write(rows), ("a", "b"))
    assert pieces.values.tolist() == whole.values.tolist()
    assert pieces.rejects == whole.rejects
    assert whole.rejects[0].row == 31


# JSON


def test_lines_that_are_no_object_are_rejected() -> None:
    good = b'{"time": "2026-01-01T12:00:01Z", "value": 1}'
    bad = [
        b"null",
        b"[1]",
        b"1",
        b'"x"',
        b'{"time": ',
        b"}",
        good + good,
        b'{"a":' * 5000,
        b'{"v": %s}' % (b"9" * 5000),
    ]
    readings = read("a.jsonl", b"\n".join([good, *bad]))
    assert readings.rejected == {"MalformedRow": len(bad)}
    assert [reject.row for reject in readings.rejects] == list(range(2, len(bad) + 2))
    assert readings.rows == Rows(len(bad) + 1, 1, len(bad))


def test_a_field_that_some_records_lack_is_a_missing_value() -> None:
    rows = [{"time": "2026-01-01T12:00:01Z", "value": 1}, {"time": "2026-01-01T12:00:02Z"}, {"value": 2}]
    assert read("a.jsonl", lines_bytes(rows)).rejected == {"MissingTime": 1, "MissingValue": 1}


def test_numbers_beyond_a_float_are_infinite() -> None:
    data = b'{"time": "2026-01-01T12:00:01Z", "value": %s}\n' % (b"9" * 400)
    assert read("a.jsonl", data + data.replace(b": 9", b": -9")).rejected == {"InfiniteValue": 2}


def test_words_that_json_does_not_have_but_writers_do() -> None:
    line = '{"time": "2026-01-01T12:00:0%dZ", "value": %s}\n'
    data = "".join(line % (n, word) for n, word in enumerate(["NaN", "Infinity", "-Infinity"], 1))
    assert read("a.jsonl", data.encode()).rejected == {"MissingValue": 1, "InfiniteValue": 2}


@pytest.mark.parametrize("cut", [1, 2, 10, 40, 60, 100])
def test_of_an_array_that_ends_in_its_middle_the_whole_records_are_read_and_the_loss_is_said(
    cut: int,
) -> None:
    data = array_bytes(GOOD)
    readings = read("a.json", data[:-cut], ("a",))
    whole = len([part for part in data[:-cut].decode().split(",\r\n") if part.rstrip("]").endswith("}")])
    assert readings.rows == Rows(whole, whole)
    if cut <= 1:
        assert readings.lost == ""
    elif whole < 59:
        assert (
            f"readings a.json end inside record {whole + 1}: {whole} whole records were read" in readings.lost
        )


def test_an_array_without_its_end_has_lost_nothing() -> None:
    for end in (b"", b",", b",\r\n", b"\r\n"):
        readings = read("a.json", array_bytes(GOOD)[:-1] + end, ("a",))
        assert (readings.rows, readings.lost) == (Rows(59, 59), "")


def test_an_element_that_is_no_object_is_rejected_and_the_others_are_read() -> None:
    good = json.dumps(GOOD[0])
    data = f'[{good}, 1, null, {{"time": 1 2}}, [{good}], "x", {good}]'
    readings = read("a.json", data.encode(), ("a",))
    assert readings.rejected == {"MalformedRow": 5}
    assert readings.rows == Rows(7, 1, 5, 1)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"[{", "no whole record of JSON"),
        (b"[{},{}] x", "go on after the end of their array"),
        (b"{}", r"wanted \["),
        (b'["' + b"x" * 2_000_000, "record of more than"),
    ],
)
def test_arrays_that_are_refused(data: bytes, names: str) -> None:
    with pytest.raises(SensorError, match=names) as refusal:
        read("a.json", data, form="JSON")
    assert refusal.value.reason == "ReadingsCorrupt"


# gzip


def test_gzip_of_several_members_is_one_file() -> None:
    data = csv_bytes(GOOD)
    parts = [gzip.compress(data[at : at + 700]) for at in range(0, len(data), 700)]
    assert read("a.csv", b"".join(parts) + b"\0\0", ("a",)).rows == Rows(59, 59)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (gzip.compress(csv_bytes(GOOD))[:-9], "ends in its middle"),
        (gzip.compress(csv_bytes(GOOD))[:-5] + b"12345", "broken gzip"),
        (gzip.compress(csv_bytes(GOOD)) + b"rubbish", "broken gzip"),
        (gzip.compress(b"") * 10_001, "more than 10000 members"),
    ],
)
def test_broken_gzip_is_told(data: bytes, names: str) -> None:
    with pytest.raises(SensorError, match=names) as refusal:
        read("a.csv", data, ("a",))
    assert refusal.value.reason == "ReadingsCorrupt"


def test_a_bomb_is_inflated_no_further_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 3_000_000)
    bomb = gzip.compress(b"2027-01-01T12:00:01Z,1\n" * 10_000_000, 1)
    inflated: list[int] = []
    with pytest.raises(SensorError, match="more text than 3000000 bytes") as refusal:
        inflated.extend(map(len, text.text_pieces("a.csv", [bomb])))
    assert refusal.value.reason == "ReadingsTooLarge"
    assert sum(inflated) <= 3_000_000


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_one_line_of_ten_megabytes_is_no_record(name: str) -> None:
    begin = {"a.csv": b"time,value\n", "a.jsonl": b"", "a.json": b"[{"}[name]
    with pytest.raises(SensorError, match="record of more than 1048576 bytes") as refusal:
        read(name, begin + b'"x' * 5_000_000)
    assert refusal.value.reason == "ReadingsCorrupt"


def test_too_many_rows_of_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.readings.accounting.MAX_DECODED_BYTES", 800)
    with pytest.raises(SensorError, match="wanted at most 800 bytes") as refusal:
        read("a.csv", csv_bytes(GOOD), ("a", "b"))
    assert refusal.value.reason == "ReadingsTooLarge"


def test_a_file_of_other_things_is_refused_before_all_of_it_was_looked_at() -> None:
    good = lines_bytes(GOOD[:1])
    with pytest.raises(SensorError, match="more than 10000 records that cannot be decoded"):
        read("a.jsonl", good + b"x\n" * 20_000, ("a",))
