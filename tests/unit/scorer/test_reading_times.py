"""Times as text, and local times, against Python's own reading of them, one by one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading_files import WRITERS, parquet_bytes
from scorer.contract import Rows, SensorError
from scorer.contract.work import ReadingsSource
from scorer.readings import Readings, read_readings
from scorer.readings.batch import AMBIGUOUS_TIME, NONEXISTENT_TIME, REASONS, Span, span_of
from scorer.readings.times import read_times
from scorer.readings.zones import Zone
from scorer.window import window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = 3_600_000_000
# Both changes of 2026, as the days on which they are.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
    "America/Santiago": ("2026-09-06", "2026-04-05"),  # at midnight
    "Africa/Casablanca": ("2026-03-22", "2026-02-15"),  # back for Ramadan
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),  # none
    "Pacific/Kiritimati": ("2026-01-01", "2026-06-01"),  # 14 hours
}


def microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


moments = st.datetimes(datetime(3, 1, 1), datetime(9990, 1, 1))
zones = st.one_of(
    st.none(), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(moments, zones, st.sampled_from("T t"), st.integers(0, 9)), max_size=9))
def test_texts_are_read_as_python_reads_them(
    given_times: list[tuple[datetime, timezone | None, str, int]],
) -> None:
    texts, expected = [], []
    for moment, zone, separator, digits in given_times:
        fraction = f"{moment.microsecond:06}000"[:digits]
        whole = moment.replace(microsecond=int(f"{fraction:0<6}"[:6]))
        text = moment.strftime(f"{moment.year:04}-%m-%d{separator}%H:%M:%S")
        text += f".{fraction}" if fraction else ""
        if zone is not None:
            offset = whole.replace(tzinfo=zone).isoformat()[-6:]
            text += offset
        texts.append(text)
        expected.append(microseconds(whole.replace(tzinfo=zone or UTC)))
    found = read_times(texts)
    assert found.good.all()
    assert found.times.tolist() == expected
    assert found.zoned.tolist() == [zone is not None for _, zone, _, _ in given_times]


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(".000000001", 1), (".000001", 1), (".0000011", 2), (".999999999", 1_000_000), (".5", 500_000), ("", 0)],
)
def test_what_is_finer_than_microseconds_is_rounded_up(fraction: str, expected: int) -> None:
    assert read_times([f"1970-01-01T00:00:00{fraction}Z"]).times.tolist() == [expected]


WRONG = """
noon; ;2026-01-01;2026-01-01T12;2026-01-01T12:00;2026-1-1T12:00:00Z;2026-13-01T12:00:00Z;2026-00-01T12:00:00Z
2026-02-29T12:00:00Z;2026-01-00T12:00:00Z;2026-01-01T24:00:00Z;2026-01-01T12:60:00Z;2026-01-01T12:00:60Z
2026-01-01T12:00:00.Z;2026-01-01T12:00:00.1234567890Z;2026-01-01T12:00:00,5Z;2026-01-01T12:00:00+0100
2026-01-01T12:00:00+24:00;2026-01-01T12:00:00+01:60;2026-01-01T12:00:00 Z;2026-01-01T12:00:00ZZ;1767268800
2026/01/01 12:00:00;01-01-2026T12:00:00Z;0000-01-01T12:00:00Z;0001-01-01T00:00:00+01:00;9999-12-31T23:30:00Z
2026-01-01T12:00:00.5.5Z;２026-01-01T12:00:00Z;2026-01-01T12:00:00Z\x00;-026-01-01T12:00:00Z;2026-01-01T1a:00:00Z
2026-01-01_12:00:00Z;2026-01-01T12-00-00Z;2026-01-01T12:00:00-01:00:00;2026-01-01T12:00:00.+01:00;now;NaT;today
"""  # noqa: RUF001


@pytest.mark.parametrize("text", WRONG.strip("\n").replace("\n", ";").split(";"))
def test_texts_that_are_no_time(text: str) -> None:
    found = read_times([text, "2026-01-01T12:00:00Z"])
    assert found.good.tolist() == [False, True]
    assert found.times.tolist() == [0, 1767268800 * 10**6]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="0123456789-:.TZ+ t", max_size=40)))
def test_any_text_is_a_time_or_none(texts: list[str]) -> None:
    assert len(read_times(texts).good) == len(texts)


def by_zoneinfo(local: datetime, name: str, policy: str) -> tuple[int, int]:
    """UTC in microseconds, and the fault, of one local time: PEP 495, step by step."""
    both = [local.replace(tzinfo=ZoneInfo(name), fold=fold) for fold in (0, 1)]
    earlier, later = (microseconds(time.astimezone(UTC)) for time in both)
    if earlier == later:
        return earlier, 0
    if earlier > later:
        return earlier, NONEXISTENT_TIME
    return (later if policy == "Later" else earlier), AMBIGUOUS_TIME if policy == "Reject" else 0


@pytest.mark.parametrize("policy", ["Reject", "Earlier", "Later"])
@pytest.mark.parametrize(("name", "day"), [(name, day) for name, days in CHANGES.items() for day in days])
def test_every_minute_of_a_change_is_as_zoneinfo_has_it(name: str, day: str, policy: str) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00:00")
    locals_ = [noon + timedelta(minutes=minute, microseconds=minute % 7) for minute in range(-2160, 2160)]
    middle = microseconds(noon.replace(tzinfo=UTC))
    zone = Zone(name, policy, Span(middle - HOUR, middle + HOUR))
    times, faults = zone.utc(np.array([microseconds(time.replace(tzinfo=UTC)) for time in locals_]))
    expected = [by_zoneinfo(time, name, policy) for time in locals_]
    assert times.tolist() == [time for time, _ in expected]
    found = [0] * len(locals_) if faults is None else faults.tolist()
    assert found == [fault for _, fault in expected]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(list(CHANGES)),
    st.sampled_from(["Reject", "Earlier", "Later"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)),
    st.lists(st.timedeltas(timedelta(days=-2), timedelta(days=2)), min_size=1, max_size=20),
)
def test_any_time_near_any_window_is_as_zoneinfo_has_it(
    name: str, policy: str, middle: datetime, deltas: Sequence[timedelta]
) -> None:
    at = microseconds(middle.replace(tzinfo=UTC))
    zone = Zone(name, policy, Span(at - HOUR, at))
    locals_ = [middle + delta * 0.75 for delta in deltas]
    times, faults = zone.utc(np.array([microseconds(time.replace(tzinfo=UTC)) for time in locals_]))
    expected = [by_zoneinfo(time, name, policy) for time in locals_]
    assert times.tolist() == [time for time, _ in expected]
    found = [0] * len(locals_) if faults is None else faults.tolist()
    assert found == [fault for _, fault in expected]


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "Europe", "", "/etc/passwd", "a" * 300])
def test_a_zone_that_is_none_is_told(name: str) -> None:
    with pytest.raises(SensorError, match=r"readings\.timeZone") as refusal:
        Zone(name, "Reject", Span(0, HOUR)).utc(np.zeros(1, np.int64))
    assert refusal.value.reason == "SchemaMismatch"


def test_the_calendar_s_ends_are_no_trouble() -> None:
    span = span_of(window("9999-12-31T22:00:00Z", "9999-12-31T23:00:00Z"))
    assert Zone("Europe/Berlin", "Reject", span).utc(np.zeros(1, np.int64))[1] is None


# The same through files


def read(form: str, times: Sequence[str], policy: str = "Reject", zone: str = "Europe/Berlin") -> Readings:
    """The hour (00:00, 01:00] UTC of 25 October 2026: clocks show 02:00 at its start and at its end."""
    name, write = WRITERS[form]
    rows = [{"time": time, "value": float(n)} for n, time in enumerate(times)]
    source = ReadingsSource("{sensor}", time_zone=zone, ambiguous_times=policy)
    span = window("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z")
    return read_readings([(name, write(rows))], ["value"], span, source)


FORMS = ["parquet", "csv", "lines"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("policy", "kept", "rejected"),
    [
        # 02:30 was at 00:30 UTC and at 01:30 UTC; 02:00 at 00:00 and at 01:00, 03:00 is at 02:00 UTC.
        ("Reject", [], 2),
        ("Earlier", [2.0], 0),
        ("Later", [1.0], 0),
    ],
)
def test_times_that_are_twice(form: str, policy: str, kept: list[float], rejected: int) -> None:
    times = ["2026-10-25 01:59:59", "2026-10-25 02:00:00", "2026-10-25 02:30:00", "2026-10-25 03:00:00"]
    readings = read(form, times, policy)
    assert readings.values[:, 0].tolist() == kept
    assert readings.rejected == ({"AmbiguousTime": rejected} if rejected else {})
    if rejected:
        assert readings.rejects[-1].found.replace("T", " ")[:19] == "2026-10-25 02:30:00"


@pytest.mark.parametrize("form", FORMS)
def test_times_that_never_were_are_rejected_in_one_window(form: str) -> None:
    name, write = WRITERS[form]
    rows = [
        {"time": time, "value": 1.0}
        for time in ("2026-03-29 01:59:00", "2026-03-29 02:30:00", "2026-03-29 03:00:00")
    ]
    source = ReadingsSource("{sensor}", time_zone="Europe/Berlin")
    rejected = []
    for hour in range(-2, 4):
        start = datetime(2026, 3, 29, tzinfo=UTC) + timedelta(hours=hour)
        span = window(*(f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (start, start + timedelta(hours=1))))
        readings = read_readings([(name, write(rows))], ["value"], span, source)
        rejected.append(readings.rejected)
    assert [found for found in rejected if found] == [{"NonexistentTime": 1}]


@pytest.mark.parametrize("form", FORMS)
def test_a_time_that_says_its_zone_needs_none(form: str) -> None:
    readings = read(form, ["2026-10-25T00:30:00Z", "2026-10-25T02:31:00+02:00"])
    assert readings.rows == Rows(2, 2)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(("zone", "expected"), [("UTC", [1.0]), ("Asia/Kolkata", [2.0])])
def test_parquet_s_own_times_without_zone(unit: str, zone: str, expected: list[float]) -> None:
    times = [datetime(2026, 10, 25, 0, 30), datetime(2026, 10, 25, 6, 0), datetime(2150, 1, 1), None]
    rows: list[dict[str, Any]] = [{"time": time, "value": n + 1.0} for n, time in enumerate(times)]
    table = pa.Table.from_pylist(rows).set_column(0, "time", pa.array(times, pa.timestamp(unit)))
    source = ReadingsSource("{sensor}", time_zone=zone)
    span = window("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z")
    readings = read_readings([("a.parquet", parquet_bytes(table.to_pylist()))], ["value"], span, source)
    assert readings.values[:, 0].tolist() == expected
    assert readings.rejected == {"MissingTime": 1}


def test_local_seconds_beyond_all_calendars_are_of_no_window() -> None:
    ticks = pa.array([2**62, -(2**62), 1793000000_000], pa.int64()).cast(pa.timestamp("ms"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"time": ticks, "value": [1.0, 2.0, 3.0]}), sink)
    for zone in ("UTC", "Europe/Berlin"):
        source = ReadingsSource("{sensor}", time_zone=zone)
        span = window("2026-10-25T00:00:00Z", "2026-10-27T01:00:00Z")
        readings = read_readings([("a.parquet", sink.getvalue())], ["value"], span, source)
        assert readings.values[:, 0].tolist() == [3.0]


def test_reasons_are_those_that_are_documented() -> None:
    assert REASONS[NONEXISTENT_TIME] == "NonexistentTime"
    assert REASONS[AMBIGUOUS_TIME] == "AmbiguousTime"


@pytest.mark.parametrize("shared", [False, True], ids=["a file an hour", "one file for both hours"])
def test_a_refused_time_that_is_twice_is_counted_by_each_window_that_reads_it(shared: bool) -> None:
    """Local readings every ten minutes through both hours that clocks show as 02:00 to 02:59."""
    hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]
    one = ["time,value", *(f"2026-10-25 02:{minute:02}:00,1" for minute in (10, 20, 30, 40, 50))]
    files = ["\n".join(one), "\n".join([*one, "2026-10-25 03:00:00,1"])]
    if shared:
        files = ["\n".join([*one, *files[1].split("\n")[1:]])] * 2
    source = ReadingsSource("{sensor}", time_zone="Europe/Berlin", ambiguous_times="Reject")
    counted = []
    for start, end, data in zip(hours[:2], hours[1:], files, strict=True):
        readings = read_readings([("a.csv", data.encode())], ["value"], window(start, end), source)
        counted.append((readings.rows.scored, readings.rejected))
    twice = 10 if shared else 5
    assert counted == [(0, {"AmbiguousTime": twice}), (1, {"AmbiguousTime": twice})]
