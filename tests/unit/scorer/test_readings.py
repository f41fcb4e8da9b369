from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.contract import Rows, SensorError
from scorer.readings import Readings, read_readings
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
NOON = 1767268800  # 2026-01-01T12:00:00Z in seconds
NAN, INF = float("nan"), float("inf")


def parquet(
    seconds: Sequence[float | None], values: Sequence[Any], unit: str = "us", kind: Any = None, **other: Any
) -> bytes:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    ticks = [None if second is None else round((NOON + second) * per_second) for second in seconds]
    columns = {"time": pa.array(ticks, pa.int64()).cast(pa.timestamp(unit, tz="UTC"))}
    columns |= {"value": pa.array(values, kind or pa.float64(), from_pandas=False)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({**columns, **other}), sink, row_group_size=7)
    return bytes(sink.getvalue())


def read(*files: bytes, features: Sequence[str] = ("value",)) -> Readings:
    return read_readings([(f"readings/{n}", data) for n, data in enumerate(files)], features, SPAN)


def seconds(readings: Readings) -> list[float]:
    return [float(time) / 1e6 - NOON for time in readings.times]


def test_the_start_does_not_belong_to_a_window_and_the_end_does() -> None:
    readings = read(parquet([-1, 0, 1e-6, 3600, 3600.000001], [0, 1, 2, 3, 4]))
    assert readings.values[:, 0].tolist() == [2, 3]
    assert readings.rows == Rows(2, 2)


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("given", [[1, 2, 3], [3, 2, 2]])
def test_each_features_values_stand_one_after_the_other(files: int, given: list[int]) -> None:
    data = parquet(given, [0.5] * 3, other=pa.array([7.0] * 3))
    found = read(*[data] * files, features=("value", "other")).values
    assert found.flags.f_contiguous
    assert found[0].tolist() == [0.5, 7.0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit(unit: str) -> None:
    readings = read(parquet([0, 1, 3600, 3601], [0, 1, 2, 3], unit))
    assert seconds(readings) == [1, 3600]


def test_a_nanosecond_after_the_start_is_inside_and_stays_so() -> None:
    times = pa.array([NOON * 10**9 + 1], pa.timestamp("ns", tz="UTC"))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"time": times, "value": [1.0]}), sink)
    assert seconds(read(bytes(sink.getvalue()))) == pytest.approx([1e-6], abs=1e-7)


def test_rows_come_out_in_order_of_time() -> None:
    readings = read(parquet([30, 10, 20], [3, 1, 2]))
    assert readings.values[:, 0].tolist() == [1, 2, 3]


def test_of_equal_times_the_last_of_the_last_file_wins() -> None:
    readings = read(parquet([10, 20, 10], [1, 2, 3]), parquet([20, 30], [4, 5]))
    assert readings.values[:, 0].tolist() == [3, 4, 5]
    assert readings.rows == Rows(read=5, scored=3, rejected=0, duplicate=2)


def test_values_that_cannot_be_scored_are_rejected_by_reason() -> None:
    readings = read(parquet([None, 1, 2, 3, 4, 5, 6], [1, None, NAN, INF, -INF, 1e101, 7]))
    assert readings.rejected == {"MissingTime": 1, "MissingValue": 2, "InfiniteValue": 2, "ValueTooLarge": 1}
    assert readings.rows == Rows(read=7, scored=1, rejected=6, duplicate=0)


def test_a_rejected_correction_does_not_replace_a_good_value() -> None:
    readings = read(parquet([1, 1], [5, NAN]))
    assert readings.values.tolist() == [[5.0]]
    assert readings.rows == Rows(read=2, scored=1, rejected=1, duplicate=0)


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32()]
)
def test_numbers_of_every_kind(kind: pa.DataType) -> None:
    readings = read(
        parquet(
            [1, 2, 3],
            [np.float16(1), None, np.float16(3)] if kind == pa.float16() else [1, None, 3],
            kind=kind,
        )
    )
    assert readings.values.tolist() == [[1.0], [3.0]]
    assert readings.rejected == {"MissingValue": 1}


def test_features_are_taken_by_name_in_the_models_order() -> None:
    readings = read(parquet([1], [1.0], b=pa.array([2.0]), a=pa.array([3.0])), features=("a", "value"))
    assert readings.values.tolist() == [[3.0, 1.0]]


def test_no_files_and_no_rows_are_empty() -> None:
    assert read().rows == Rows()
    assert read(parquet([], [])).values.shape == (0, 1)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (parquet([1], ["1.0"], kind=pa.string()), "column 'value' is string: wanted a number"),
        (parquet([1], [True], kind=pa.bool_()), "column 'value' is bool: wanted a number"),
        (parquet([1], [[1.0]], kind=pa.list_(pa.float64())), "column 'value' is list"),
    ],
)
def test_columns_of_another_kind_are_told(data: bytes, names: str) -> None:
    with pytest.raises(SensorError, match="readings/0") as refusal:
        read(data)
    assert refusal.value.reason == "SchemaMismatch"
    assert names in refusal.value.message


def test_missing_columns_are_told_with_what_is_there() -> None:
    with pytest.raises(
        SensorError, match=r"column 'pressure' is not there \(columns: time, value\)"
    ) as refusal:
        read(parquet([1], [1.0]), features=("value", "pressure"))
    assert refusal.value.reason == "SchemaMismatch"


def test_a_time_that_is_a_number_is_told() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"time": [1], "value": [1.0]}), sink)
    with pytest.raises(SensorError, match="column 'time' is int64: wanted a timestamp"):
        read(bytes(sink.getvalue()))


def test_too_many_rows_are_refused_by_the_footer_before_decoding() -> None:
    """Zeros compress to nothing: 20 million rows in a small file."""
    zeros = pa.table(
        {"time": pa.array(np.zeros(20_000_000, "i8"), pa.timestamp("us")), "value": np.zeros(20_000_000)}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(zeros, sink)
    data = bytes(sink.getvalue())
    assert len(data) < 1_000_000
    with pytest.raises(SensorError, match="20000000 rows of 2 columns") as refusal:
        read(data)
    assert refusal.value.reason == "ReadingsTooLarge"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-5, 3605)), st.sampled_from([1.0, 2.0, NAN, INF, None, 1e300])
        ),
        max_size=40,
    )
)
def test_rows_add_up(rows: list[tuple[int | None, float | None]]) -> None:
    readings = read(parquet([time for time, _ in rows], [value for _, value in rows]))
    assert readings.rows.read == readings.rows.scored + readings.rows.rejected + readings.rows.duplicate
    assert readings.rows.read == sum(time is None or 0 < time <= 3600 for time, _ in rows)
    assert readings.rows.rejected == sum(readings.rejected.values())
    assert np.all(np.diff(readings.times) > 0)
    assert np.isfinite(readings.values).all()


def test_broken_bytes_end_in_a_reason() -> None:
    source = random.Random(2)  # noqa: S311 (the same mutations every time)
    good = parquet([float(n) for n in range(1, 50)], [float(n) for n in range(1, 50)])
    outcomes, messages = set(), []
    for _ in range(250):
        data = bytearray(good)
        for _ in range(source.randint(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.2:
            del data[source.randrange(len(data)) :]
        try:
            readings = read(bytes(data))
            assert (
                readings.rows.read == readings.rows.scored + readings.rows.rejected + readings.rows.duplicate
            )
        except SensorError as refusal:
            outcomes.add(refusal.reason)
            messages.append(refusal.message)
    assert not any("\n" in message for message in messages)
    assert "ReadingsCorrupt" in outcomes
    assert outcomes <= {"ReadingsCorrupt", "SchemaMismatch", "ReadingsTooLarge"}
