"""A shard's file is a function of its sensors' rows, however they came together."""

from __future__ import annotations

import io
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivering import rows
from scorer import shards
from scorer.contract.outcome import SensorError
from scorer.sensor_rows import SensorRows, rows_digest
from scorer.shards import merged, read_sensor, read_shard

FEATURES = [("value",), ("b", "a"), ("a",), ()]


def some(count: int, seed: int = 0) -> dict[str, SensorRows]:
    """Sensors with different features and numbers of rows."""
    return {
        f"s{number:03}": rows(f"s{number}", str(seed), (number * 7) % 40, FEATURES[number % 3])
        for number in range(count)
    }


def in_parts(sensors: dict[str, SensorRows], size: int, seed: int) -> bytes:
    """The same shard, written by so many packs in some order."""
    names = np.random.default_rng(seed).permutation(list(sensors)).tolist()
    data = b""
    for start in range(0, len(names), size):
        data = merged("p", data, {name: sensors[name] for name in names[start : start + size]}).data
    return data


def test_columns_and_order() -> None:
    data = merged("p", b"", {"b": rows("b", "x", 2, ("z", "a")), "a": rows("a", "x", 3)}).data
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == ["sensor", "time", "a", "value", "z", "prediction", "score", "model_version"]
    assert table["sensor"].to_pylist() == ["a", "a", "a", "b", "b"]
    assert table["time"].type == pa.timestamp("us", tz="UTC")
    assert table["a"].null_count == 3
    assert table["value"].null_count == 2
    assert pq.read_metadata(io.BytesIO(data)).metadata == {b"format": b"2", b"layout": b"Sharded"}


def test_rows_come_back_as_they_were() -> None:
    sensors = some(30)
    found = dict(read_shard("p", merged("p", b"", sensors).data))
    assert {name: rows_digest(each) for name, each in found.items()} == {
        name: rows_digest(each) for name, each in sensors.items() if len(each.times)
    }


@pytest.mark.parametrize("size", [1, 4, 13])
def test_bytes_do_not_depend_on_who_wrote_what_and_when(size: int) -> None:
    sensors = some(30)
    assert in_parts(sensors, size, seed=size) == merged("p", b"", sensors).data


def test_a_rerun_replaces_rows_in_place() -> None:
    before, after = some(30), some(30, seed=1)
    some_anew = {name: after[name] for name in ("s003", "s011", "s029")}
    data = merged("p", merged("p", b"", before).data, some_anew).data
    assert data == merged("p", b"", before | some_anew).data


def test_a_feature_goes_with_the_last_sensor_that_has_it() -> None:
    with_it = merged("p", b"", {"a": rows("a", "x", 3), "b": rows("b", "x", 3, ("other",))}).data
    without = merged("p", with_it, {"b": rows("b", "y", 3)}).data
    assert "other" not in pq.read_schema(io.BytesIO(without)).names


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_sequence_of_reruns_ends_in_the_same_bytes(data: st.DataObject) -> None:
    now: dict[str, SensorRows] = {}
    shard = b""
    for _ in range(data.draw(st.integers(1, 5))):
        part = {
            f"s{data.draw(st.integers(0, 6))}": rows(
                "x",
                str(data.draw(st.integers(0, 3))),
                data.draw(st.integers(0, 5)),
                data.draw(st.sampled_from(FEATURES)),
            )
            for _ in range(data.draw(st.integers(1, 4)))
        }
        now |= part
        shard = merged("p", shard, part).data
    assert shard == merged("p", b"", now).data


def test_row_groups_end_with_a_sensor_and_can_be_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP", 100)
    sensors = some(30)
    data = merged("p", b"", sensors).data
    footer = pq.read_metadata(io.BytesIO(data))
    ends = [footer.row_group(group).column(0).statistics for group in range(footer.num_row_groups)]
    assert len(ends) > 3
    assert all(this.max < following.min for this, following in pairwise(ends))
    assert all(footer.row_group(group).num_rows <= 100 for group in range(footer.num_row_groups))
    assert in_parts(sensors, 3, seed=5) == data
    found = read_sensor("p", data, "s011")
    assert found is not None
    assert rows_digest(found) == rows_digest(sensors["s011"])
    assert read_sensor("p", data, "none") is None


def test_a_sensor_larger_than_a_row_group_has_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP", 10)
    data = merged("p", b"", {"a": rows("a", "x", 4), "b": rows("b", "x", 25), "c": rows("c", "x", 4)}).data
    footer = pq.read_metadata(io.BytesIO(data))
    assert [footer.row_group(group).num_rows for group in range(footer.num_row_groups)] == [4, 25, 4]


def test_missing_values_of_a_feature_are_no_missing_feature() -> None:
    made = rows("a", "x", 3, ("a", "b"))
    made.values[1, 0] = np.nan
    data = merged("p", b"", {"a": made, "b": rows("b", "x", 2)}).data
    (_, back), _ = read_shard("p", merged("p", data, {"b": rows("b", "y", 2)}).data)
    assert back.features == ("a", "b")
    assert np.isnan(back.values[1, 0])


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


GOOD = pq.read_table(io.BytesIO(merged("p", b"", {"a": rows("a", "x", 3), "b": rows("b", "x", 3)}).data))


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"PAR1 not", "cannot be read"),
        (parquet(pa.table({"sensor": ["a"]})), "model_version"),
        (parquet(GOOD.take([3, 4, 5, 0, 1, 2])), "in order"),
        (parquet(GOOD.set_column(2, "value", pa.array(["x"] * 6))), "value"),
        (
            parquet(GOOD.set_column(2, "value", pa.array([1.0, None, 1.0, 1.0, 1.0, 1.0]))),
            "null in some rows",
        ),
    ],
)
def test_what_is_no_shard_is_not_written_over(data: bytes, names: str) -> None:
    with pytest.raises(SensorError, match=r"shard p cannot be read") as refusal:
        merged("p", data, {"c": rows("c", "x")})
    assert names in str(refusal.value)
    assert refusal.value.reason == "OutputCorrupt"


def test_a_footer_that_promises_too_much_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = merged("p", b"", {"a": rows("a", "x", 50)}).data
    monkeypatch.setattr(shards, "MAX_GROUP_BYTES", 1000)
    with pytest.raises(SensorError, match="row group 0 would take"):
        list(read_shard("p", data))


def test_a_shard_that_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_SHARD_BYTES", 1000)
    with pytest.raises(SensorError, match="choose more shards") as refusal:
        merged("p", b"", {"a": rows("a", "x", 500)})
    assert refusal.value.reason == "OutputTooLarge"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_shards_are_named_errors(data: Any) -> None:
    good = bytearray(merged("p", b"", some(5)).data)
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SensorError):  # and nothing else
        list(read_shard("p", bytes(good)))
