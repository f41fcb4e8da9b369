"""Files that many sensors share: decoded once for a pack, only where its sensors can be."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading_files import WRITERS, csv_bytes, lines_bytes, parquet_bytes
from scorer import sources as sources_module
from scorer.contract import Rows, SensorError
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader, Readings, formats, parquet_files, read_readings
from scorer.readings.sensors import SensorNames, sensor_columns
from scorer.sources import Found, Sources
from scorer.storage import UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
REFERENCE = Columns("TS", "device-{Device}-tag-{Tag}", {"value": "Value"})
SUCCESSOR = Columns("TS", "device-{Device}-tag-{Sensor}", {"value": "Value"})


def stamp(second: int) -> str:
    return f"2026-01-01T12:{second // 60:02}:{second % 60:02}Z"


def reference_rows(
    third: str = "Tag", devices: int = 3, tags: int = 5, seconds: int = 20
) -> list[dict[str, Any]]:
    """As the Azure reference has them: in order of time, each sensor's value its own."""
    return [
        {"TS": stamp(second), "Device": device, third: tag, "Value": device * 1000 + tag * 100 + second}
        for second in range(1, seconds + 1)
        for device in range(1, devices + 1)
        for tag in range(1, tags + 1)
    ]


class Pack:
    """A pack's sources and reader over files in memory."""

    def __init__(
        self, files: dict[str, bytes], columns: Columns, sensors: Sequence[str] = (), **source: Any
    ) -> None:
        self.store = MemoryStore()
        for name, data in files.items():
            self.store.put(f"r/{name}", data)
        self.source = ReadingsSource(source.pop("path", "r/*"), columns=columns, **source)
        self.sources = Sources(self.store, self.source, SPAN, sensors)
        self.reader = Reader(self.source, SPAN)

    def read(self, sensor: str, features: Sequence[str] = ("value",), **options: Any) -> Readings:
        return self.reader.read(self.sources.find(sensor), sensor, features, **options)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were decoded, in order."""
    seen: list[str] = []
    decode = formats.file_batches

    def watched(file: Any, *more: Any) -> Any:
        seen.append(file.path)
        return decode(file, *more)

    monkeypatch.setattr("scorer.readings.file_batches", watched)
    return seen


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("columns", "third"), [(REFERENCE, "Tag"), (SUCCESSOR, "Sensor")])
def test_both_layouts_of_the_reference_in_every_format(form: str, columns: Columns, third: str) -> None:
    name, write = WRITERS[form]
    sensors = [f"device-{device}-tag-{tag}" for device in (1, 3) for tag in (2, 5)]
    pack = Pack({name: write(reference_rows(third))}, columns, sensors)
    for sensor in sensors:
        device, tag = int(sensor[7]), int(sensor[-1])
        readings = pack.read(sensor)
        assert readings.rows == Rows(20, 20)
        assert readings.values[:, 0].tolist() == [
            device * 1000 + tag * 100 + second for second in range(1, 21)
        ]
        assert readings.lost == ""


def test_the_reference_s_layout_as_a_file_of_each_sensor() -> None:
    rows = [row for row in reference_rows() if (row["Device"], row["Tag"]) == (2, 3)]
    source = ReadingsSource("{sensor}", columns=REFERENCE)
    readings = read_readings([("a.csv", csv_bytes(rows))], ["value"], SPAN, source)
    assert readings.rows == Rows(20, 20)


def test_files_are_decoded_once_however_many_sensors_ask(decoded: list[str]) -> None:
    rows = reference_rows()
    sensors = [f"device-{device}-tag-{tag}" for device in (1, 2, 3) for tag in range(1, 6)]
    pack = Pack({"1.csv": csv_bytes(rows[:100]), "2.csv": csv_bytes(rows[100:])}, REFERENCE, sensors)
    for sensor in sensors:
        assert pack.read(sensor).rows == Rows(20, 20)
    assert decoded == ["r/1.csv", "r/2.csv"]
    assert all(file.data is None for file in pack.sources.find("x").files)


def test_a_column_that_only_some_models_want_is_decoded_when_it_is_wanted(decoded: list[str]) -> None:
    rows = [{"time": stamp(n), "sensor": f"s{n % 4}", "a": n, "b": -n, "c": "x"} for n in range(1, 41)]
    sensors = [f"s{n}" for n in range(4)]
    pack = Pack({"x.csv": csv_bytes(rows)}, Columns(), sensors)
    assert pack.read("s0", ["a"]).values[0].tolist() == [4.0]
    assert pack.read("s1", ["b", "a"]).values[0].tolist() == [-1.0, 1.0]
    assert pack.read("s2", ["b"]).values[0].tolist() == [-2.0]
    assert pack.read("s0", ["a"]).values[0].tolist() == [4.0]
    assert len(decoded) == 2
    bad = pack.read("s3", ["b", "c", "a"])
    assert bad.rejected == {"NotANumber": 10}
    assert (bad.rejects[0].column, bad.rejects[0].found, bad.rejects[0].row) == ("c", "x", 3)
    assert pack.read("s0", ["a"]).rejects == ()


def test_a_column_that_is_not_there_fails_those_that_want_it_and_no_others(decoded: list[str]) -> None:
    rows = [{"time": stamp(n), "sensor": f"s{n % 2}", "a": n} for n in range(1, 9)]
    pack = Pack({"x.jsonl": lines_bytes(rows)}, Columns(), ["s0", "s1"])
    for _ in range(3):
        with pytest.raises(SensorError, match="column 'pressure' is not there"):
            pack.read("s0", ["a", "pressure"])
    assert pack.read("s1", ["a"]).rows == Rows(4, 4)
    assert len(decoded) == 2


def test_storage_that_is_away_is_not_asked_for_ever() -> None:
    pack = Pack({"x.csv": csv_bytes(reference_rows())}, REFERENCE, ["device-1-tag-1"])
    found = pack.sources.find("device-1-tag-1")
    found.release()
    asked = []

    def away(*_: Any, **__: Any) -> bytes:
        asked.append(1)
        raise UnavailableError("away")

    pack.store.get_range = away  # type: ignore[method-assign]
    for _ in range(9):
        with pytest.raises(UnavailableError):
            pack.read("device-1-tag-1")
    assert len(asked) == 3


def test_a_sensor_without_records_has_none() -> None:
    pack = Pack({"x.csv": csv_bytes(reference_rows())}, REFERENCE, ["device-9-tag-1"])
    assert pack.read("device-9-tag-1").rows == Rows()
    assert Pack({}, REFERENCE, ["a"]).read("a").rows == Rows()


def test_without_a_pack_s_sensors_all_are_kept() -> None:
    pack = Pack({"x.csv": csv_bytes(reference_rows())}, REFERENCE)
    assert pack.read("device-2-tag-2").rows == Rows(20, 20)
    assert pack.read("device-3-tag-2").rows == Rows(20, 20)


@pytest.mark.parametrize("form", ["csv", "lines", "array", "parquet"])
def test_rejected_and_duplicate_rows_are_each_sensor_s_own(form: str) -> None:
    rows = [
        {"time": stamp(1), "sensor": "a", "value": 1.0},
        {"time": stamp(1), "sensor": "b", "value": 2.0},
        {"time": stamp(1), "sensor": "a", "value": 3.0},
        {"time": None, "sensor": "b", "value": 4.0},
        {"time": stamp(2), "sensor": "a", "value": 1e200},
        {"time": stamp(2), "sensor": None, "value": 5.0},
    ]
    name, write = WRITERS[form]
    pack = Pack({name: write(rows)}, Columns(), ["a", "b"])
    a, b = pack.read("a"), pack.read("b")
    assert (a.rows, a.values.tolist(), a.rejected) == (Rows(3, 1, 1, 1), [[3.0]], {"ValueTooLarge": 1})
    assert (b.rows, b.values.tolist(), b.rejected) == (Rows(2, 1, 1), [[2.0]], {"MissingTime": 1})
    assert (a.rejects[0].row, b.rejects[0].row) == (5, 4)
    assert a.lost == b.lost == f"readings r/{name}: 1 records name no sensor"


def test_records_that_cannot_be_decoded_are_nobody_s_and_are_said() -> None:
    rows = reference_rows()
    data = lines_bytes(rows[:10]) + b'{"TS": "2026-01-01T12:\n' + lines_bytes(rows[10:])
    readings = Pack({"x.jsonl": data}, REFERENCE, ["device-1-tag-1"]).read("device-1-tag-1")
    assert readings.rows == Rows(20, 20)
    assert readings.lost.startswith(
        "readings r/x.jsonl: 1 records cannot be decoded, the first is record 11, which"
    )


def test_the_last_file_s_row_of_a_time_counts() -> None:
    files = {
        name: csv_bytes([{"time": stamp(1), "sensor": "a", "value": value}])
        for name, value in (("2.csv", 2), ("10.csv", 10), ("1.csv", 1))
    }
    readings = Pack(files, Columns(), ["a"]).read("a")
    assert (readings.rows, readings.values.tolist()) == (Rows(3, 1, 0, 2), [[2.0]])


def test_gzip_and_several_formats_beside_each_other() -> None:
    rows = reference_rows()
    files = {
        "1.csv.gz": gzip.compress(csv_bytes(rows[:75])),
        "2.parquet": parquet_bytes(rows[75:150]),
        "3.json": lines_bytes(rows[150:]),
    }
    assert Pack(files, REFERENCE, ["device-1-tag-4"]).read("device-1-tag-4").rows == Rows(20, 20)


def test_a_pack_s_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.readings.shared.MAX_DECODED_BYTES", 20 * 8 * 3)
    files = {"x.csv": csv_bytes(reference_rows())}
    assert Pack(files, REFERENCE, ["device-1-tag-1"]).read("device-1-tag-1").rows == Rows(20, 20)
    pack = Pack(files, REFERENCE, ["device-1-tag-1", "device-1-tag-2"])
    with pytest.raises(SensorError, match="the window of a pack's sensors too large") as refusal:
        pack.read("device-1-tag-1")
    assert refusal.value.reason == "ReadingsTooLarge"


# Names


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int8(), [1, 2]),
        (pa.int64(), [1, 2]),
        (pa.uint32(), [1, 2]),
        (pa.float64(), [1.0, 2.0]),
        (pa.string(), ["1", "2"]),
        (pa.large_string(), ["1", "2"]),
        (pa.dictionary(pa.int8(), pa.string()), ["1", "2"]),
        (pa.int64(), [1, 2**60]),
    ],
)
def test_whole_numbers_stand_in_a_name_as_such(kind: pa.DataType, values: list[Any]) -> None:
    table = pa.table(
        {"time": [stamp(1)] * 3, "sensor": pa.array([*values, None], kind), "value": [1.0, 2.0, 3.0]}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    readings = Pack({"x.parquet": sink.getvalue()}, Columns(), ["1"]).read("1")
    assert readings.values.tolist() == [[1.0]]
    assert "1 records name no sensor" in readings.lost


def test_numbers_of_json_stand_in_a_name_as_whole_ones() -> None:
    rows = [
        {"time": stamp(1), "Device": 1, "Tag": 2.0, "value": 5},
        {"time": stamp(2), "Device": True, "Tag": 2, "value": 5},
    ]
    readings = Pack({"x.jsonl": lines_bytes(rows)}, Columns(sensor="d{Device}t{Tag}"), ["d1t2"]).read("d1t2")
    assert (readings.rows, "1 records name no sensor" in readings.lost) == (Rows(1, 1), True)


@pytest.mark.parametrize("text", ["device-{Device", "}", "{}", "a{b}c}", "{{a}}"])
def test_templates_that_are_none_are_told(text: str) -> None:
    with pytest.raises(SensorError, match=r"readings\.columns\.sensor") as refusal:
        sensor_columns(text)
    assert refusal.value.reason == "SchemaMismatch"


@pytest.mark.parametrize(
    ("template", "sensor", "parts"),
    [
        ("device-{D}-tag-{T}", "device-1-tag-2", ("1", "2")),
        ("{S}", "a-b", ("a-b",)),
        ("S", "a-b", ("a-b",)),
        ("{A}-{B}", "a-b-c", None),  # a, b-c or a-b, c
        ("device-{D}", "sensor-1", None),
        ("{A}{B}", "ab", ("a", "b")),
        ("{A}{B}", "abc", None),
    ],
)
def test_a_sensor_s_parts_are_known_where_there_is_one_way_to_have_them(
    template: str, sensor: str, parts: tuple[str, ...] | None
) -> None:
    wanted = sensor_columns(template).wanted([sensor])
    assert wanted == (None if parts is None else [[part] for part in parts])


words = st.text(alphabet="ab-1", min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["s", "{x}-{y}", "{x}{y}", "d{y}.{x}.{z}", "{x}-{x}"]),
    st.lists(st.tuples(words, words, words), min_size=1, max_size=30),
)
def test_records_go_to_the_sensor_that_their_name_says(
    template: str, cells: list[tuple[str, str, str]]
) -> None:
    columns = sensor_columns(template)
    rows = [
        {"time": stamp(n + 1), "value": n, "s": x, "x": x, "y": y, "z": z}
        for n, (x, y, z) in enumerate(cells)
    ]
    named = [template.format_map(row) if columns.columns != ("s",) else row["s"] for row in rows]
    for form in ("csv", "lines", "parquet"):
        name, write = WRITERS[form]
        pack = Pack({name: write(rows)}, Columns(sensor=template), named[:3])
        for sensor in dict.fromkeys(named[:3]):
            expected = [float(n) for n, other in enumerate(named) if other == sensor]
            assert pack.read(sensor).values[:, 0].tolist() == expected


def test_names_that_are_not_wanted_are_not_kept() -> None:
    names = SensorNames(["a"])
    assert [names.place(name) for name in ("a", "b", "", None)] == [0, -1, -2, -2]
    assert names.names == ["a"]


# Row groups


def sorted_rows() -> list[dict[str, Any]]:
    return sorted(reference_rows(devices=40), key=lambda row: (row["Device"], row["Tag"]))


@pytest.mark.parametrize("texts", [False, True])
def test_only_row_groups_that_can_hold_the_pack_are_decoded(
    texts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**row, "Device": f"{row['Device']:03}" if texts else row["Device"]} for row in sorted_rows()]
    data = parquet_bytes(rows, row_group_size=100)  # one device each
    seen: list[int] = []
    tables = parquet_files._tables
    monkeypatch.setattr(
        parquet_files,
        "_tables",
        lambda reader, group, indices: seen.append(group.number) or tables(reader, group, indices),
    )
    devices = ["011", "030"] if texts else ["11", "30"]
    sensors = [f"device-{device}-tag-{tag}" for device in devices for tag in range(1, 6)]
    pack = Pack({"x.parquet": data}, REFERENCE, sensors)
    for sensor in sensors:
        readings = pack.read(sensor)
        assert readings.rows == Rows(20, 20)
    assert seen == [10, 29]
    assert readings.rejects == ()


def test_texts_with_spaces_around_them_are_the_same_sensor_s_whatever_statistics_say() -> None:
    rows = [
        {"time": stamp(n + 1), "sensor": name, "value": n} for n, name in enumerate([" a", "b ", "a", "\tb"])
    ]
    for size in (1, 2, 4):
        pack = Pack({"x.parquet": parquet_bytes(rows, row_group_size=size)}, Columns(), ["a", "b"])
        assert pack.read("a").values[:, 0].tolist() == [0.0, 2.0]
        assert pack.read("b").values[:, 0].tolist() == [1.0, 3.0]


def test_rows_of_later_row_groups_keep_their_number_in_the_file() -> None:
    rows = sorted_rows()
    rows[2950]["Value"] = 1e200
    pack = Pack({"x.parquet": parquet_bytes(rows, row_group_size=100)}, REFERENCE, ["device-30-tag-3"])
    assert pack.read("device-30-tag-3").rejects[0].row == 2951


@pytest.mark.parametrize("rows_of_a_group", [100, 1000, 10**6])
def test_of_a_large_file_only_the_needed_ranges_are_read(
    rows_of_a_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "WHOLE_BYTES", 100)
    monkeypatch.setattr("scorer.readings.ranges.TAIL_BYTES", 1000)
    monkeypatch.setattr("scorer.readings.ranges.GAP_BYTES", 100)
    rows = [{**row, "note": f"{n:0100}"} for n, row in enumerate(sorted_rows())]
    data = parquet_bytes(rows, row_group_size=rows_of_a_group, compression="none", use_dictionary=False)
    pack = Pack({"x.parquet": data}, REFERENCE, ["device-30-tag-3", "device-30-tag-4"])
    read = []
    get_range = pack.store.get_range
    monkeypatch.setattr(pack.store, "get_range", lambda *a, **k: read.append(a[2]) or get_range(*a, **k))
    for sensor in ("device-30-tag-3", "device-30-tag-4"):
        assert pack.read(sensor).rows == Rows(20, 20)
    assert sum(read) < len(data) * (0.2 if rows_of_a_group == 100 else 0.6)


def test_a_file_that_changes_while_its_ranges_are_read_leaves_the_sensor_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources_module, "WHOLE_BYTES", 100)
    pack = Pack({"x.parquet": parquet_bytes(sorted_rows())}, REFERENCE, ["device-1-tag-1"])
    found = pack.sources.find("device-1-tag-1")
    pack.store.put("r/x.parquet", parquet_bytes(sorted_rows(), row_group_size=7))
    with pytest.raises(UnavailableError, match="was changed while it was being read"):
        pack.reader.read(found, "device-1-tag-1", ["value"])


def test_a_large_text_file_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, write in (("x.csv", csv_bytes), ("x.json", lines_bytes)):
        monkeypatch.setattr(sources_module, "WHOLE_BYTES", 100)
        monkeypatch.setattr(sources_module, "PIECE_BYTES", 333)
        pack = Pack({name: write(reference_rows())}, REFERENCE, ["device-1-tag-1"])
        assert pack.read("device-1-tag-1").rows == Rows(20, 20)


def test_what_passes_through_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.readings.parquet_files.MAX_PASSING_BYTES", 1000)
    pack = Pack({"x.parquet": parquet_bytes(reference_rows())}, REFERENCE, ["device-1-tag-1"])
    with pytest.raises(SensorError, match="300 rows of 4 columns") as refusal:
        pack.read("device-1-tag-1")
    assert refusal.value.reason == "ReadingsTooLarge"


def test_texts_of_parquet_are_bounded_by_the_footer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.readings.parquet_files.MAX_GROUP_BYTES", 1_000_000)
    rows = [
        {"time": stamp(1), "sensor": "a" * 1_000_000, "value": 1},
        {"time": stamp(1), "sensor": "b", "value": 1},
    ]
    data = parquet_bytes(rows)
    assert len(data) < 200_000
    pack = Pack({"x.parquet": data}, Columns(), ["a" * 1_000_000])
    with pytest.raises(SensorError, match="bytes of text in one row group"):
        pack.read("a" * 1_000_000)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", None]),
            st.one_of(st.none(), st.integers(-5, 3605)),
            st.sampled_from([1.0, 2.0, 1e300, None]),
        ),
        max_size=40,
    ),
    st.sampled_from(["csv", "lines", "array", "parquet"]),
)
def test_a_shared_file_gives_what_a_file_of_the_sensor_alone_gives(
    cells: list[tuple[str | None, int | None, float | None]], form: str
) -> None:
    """And read = scored + rejected + duplicate, always."""
    rows = [
        {
            "time": None if second is None else str(np.datetime64("2026-01-01T12:00:00") + second) + "Z",
            "sensor": sensor,
            "value": value,
        }
        for sensor, second, value in cells
    ]
    # One good row of each, so that a column of nothing else keeps its kind.
    rows += [{"time": stamp(n), "sensor": sensor, "value": 0.5} for n, sensor in enumerate("abc", 3000)]
    name, write = WRITERS[form]
    pack = Pack({name: write(rows)}, Columns(), ["a", "c"])
    for sensor in ("a", "c"):
        shared = pack.read(sensor)
        alone = read_readings(
            [(name, write([row for row in rows if row["sensor"] == sensor]))], ["value"], SPAN
        )
        assert shared.times.tolist() == alone.times.tolist()
        assert shared.values.tolist() == alone.values.tolist()
        assert (shared.rows, shared.rejected) == (alone.rows, alone.rejected)
        assert shared.rows.read == shared.rows.scored + shared.rows.rejected + shared.rows.duplicate


def test_found_without_files() -> None:
    assert Reader(ReadingsSource("{sensor}"), SPAN).read(Found((), ()), "a", ["x"]).values.shape == (0, 1)
