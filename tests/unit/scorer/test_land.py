from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorer.land import LandError, land, read_table
from scorer.storage.memory import MemoryStore
from scoring import CSV

HEADER = "time,sensor,value\n"
NOON = "2026-01-01T12:00:00Z"


def times(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.array([f"2026-01-01T{text}" for text in texts], "datetime64[us]")


def test_the_full_hour_belongs_to_the_hour_that_it_ends() -> None:
    store = MemoryStore()
    rows = {"a": (times("12:00:00", "12:00:00.000001", "13:00:00", "13:00:01"), np.arange(4.0))}
    paths = land(store, rows)
    assert paths == [f"readings/2026/01/01/{hour}/a.parquet" for hour in ("11", "12", "13")]
    values = [pq.read_table(io.BytesIO(store.get(path).data))["value"].to_pylist() for path in paths]
    assert values == [[0.0], [1.0, 2.0], [3.0]]


def test_landing_again_changes_no_etag() -> None:
    store = MemoryStore()
    rows = {"a": (times("12:30:00"), np.ones(1)), "b": (times("12:30:00"), np.ones(1))}
    land(store, rows)
    before = list(store.list())
    land(store, rows)
    assert list(store.list()) == before
    land(store, {"a": (times("12:30:00"), np.zeros(1))})
    assert [entry.etag for entry in store.list()] != [entry.etag for entry in before]


def test_a_template_without_hours_puts_them_together() -> None:
    store = MemoryStore()
    rows = {"a": (times("13:30:00", "12:30:00"), np.arange(2.0))}
    assert land(store, rows, "all/{sensor}.parquet") == ["all/a.parquet"]
    assert pq.read_table(io.BytesIO(store.get("all/a.parquet").data))["value"].to_pylist() == [0.0, 1.0]


def test_a_sensor_that_fits_no_path_is_refused() -> None:
    with pytest.raises(LandError, match="'a/b'"):
        land(MemoryStore(), {"a/b": (times("12:30:00"), np.ones(1))})


def test_the_reference_table() -> None:
    rows = read_table(CSV)
    assert len(rows) == 15
    assert sum(len(found) for found, _ in rows.values()) == 17_768
    stamps, values = rows["device-1-tag-1"]
    assert (str(stamps[0]), values[0]) == ("2018-08-28T23:00:05.000000", 10.16)


def test_plain_tables_with_zones(tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    file.write_text(
        "sensor,value,time,x\n"
        "b,2.5,2026-01-01T14:00:00+02:00,\n"
        "a,1,2026-01-01T12:00:00Z,\n"
        "a,2,2026-01-01 12:00:01,\n"
    )
    rows = read_table(file)
    assert list(rows) == ["a", "b"]
    assert rows["b"][0].tolist() == times("12:00:00").tolist()
    assert rows["a"][1].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "is empty: wanted time,sensor,value or TS,Device,Tag,Value"),
        (
            "a,b\n1,2\n",
            "(columns: a, b): wanted one in the header; its columns are to be time,sensor",
        ),
        (f"{HEADER}{NOON},a,1\n{NOON},a,high\n", "record 2 has no number in 'value', but 'high'"),
        (f"{HEADER}{NOON},a,1\nnoon,a,1\n", "record 2 has no time in 'time', but 'noon'"),
        (f"{HEADER}{NOON},a,1\n,a,1\n", "record 2 has no time in 'time', but ''"),
        (f"{HEADER}noon,a,1\n", "record 1 has no time in 'time', but 'noon'"),
        (f"{HEADER}0001-01-01T00:00:00+01:00,a,1\n", "no time in 'time', but '0001-01-01T00:00:00+01:00'"),
        (f"{HEADER}9999-12-31T23:30:00Z,a,1\n", "no time in 'time', but '9999"),
        (f"{HEADER}{NOON},a,1\n{NOON},a\n", "the first is record 2, which begins '2026-01-01T12:00:00Z,a'"),
        (f"{HEADER}{NOON},a\n", "no record that can be decoded: record 1 begins '2026"),
        (f"{HEADER}{NOON},,1\n", "1 records name no sensor"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, names: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(LandError) as refusal:
        read_table(file)
    assert names in str(refusal.value)


def test_tables_of_every_format_that_pods_read(tmp_path: Path) -> None:
    records = [{"TS": f"2026-01-01 12:00:0{n}", "Device": 1, "Tag": n % 2, "Value": n / 2} for n in range(6)]
    lines = "\n".join(map(json.dumps, records))
    (tmp_path / "lines.json").write_text(lines)
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "array.json").write_text(json.dumps(records))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "table.parquet")
    for file in tmp_path.iterdir():
        rows = read_table(file)
        assert list(rows) == ["device-1-tag-0", "device-1-tag-1"]
        assert rows["device-1-tag-1"][1].tolist() == [0.5, 1.5, 2.5]
        assert rows["device-1-tag-0"][0].tolist() == times("12:00:00", "12:00:02", "12:00:04").tolist()


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LandError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
