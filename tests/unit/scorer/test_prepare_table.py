"""Tables of sensors: what they may hold, and how what is wrong is said."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorer.contract.sensors import Given
from scorer.listed import Listed
from scorer.logs import Log
from scorer.prepare.errors import SensorsError
from scorer.prepare.table import read_table
from scorer.storage.memory import MemoryStore
from scorer.window import window

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
PATH = "tables/fleet"


def read(data: bytes | str) -> list[Listed]:
    store = MemoryStore()
    store.put(PATH, data.encode() if isinstance(data, str) else data)
    return read_table(store, PATH, SPAN, Log())


def parquet(rows: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(rows), sink, **options)
    return sink.getvalue()


def refusal(data: bytes | str) -> str:
    with pytest.raises(SensorsError) as refused:
        read(data)
    assert str(refused.value).isprintable()
    return str(refused.value)


EVERYTHING = [
    Listed("a", Given("pump", 0.25, "north", "plant 2")),
    Listed("b", Given(threshold=-1.0)),
    Listed("c"),
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(delimiter: str, end: str) -> None:
    lines = [
        "place,sensor,model,threshold,group,owner",
        "x,a,pump,0.25,north,plant 2",
        ",b,,-1,,",
        "",
        ",c,,,,",
    ]
    text = end.join(lines).replace(",", delimiter)
    assert read(text) == EVERYTHING
    assert read(b"\xef\xbb\xbf" + text.encode()) == EVERYTHING
    assert read(gzip.compress(text.encode())) == EVERYTHING


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_with_its_header_in_quotes(delimiter: str, mark: str) -> None:
    text = '"place, or site";"sensor";"threshold"\n"x";"a";"0.25"\n'.replace(";", delimiter)
    assert read(mark + text) == [Listed("a", Given(threshold=0.25))]


def test_csv_with_quotes_and_line_ends_in_a_cell() -> None:
    assert read('sensor,comment\na,"one\ntwo, ""three"""\nb,\u2028\n') == [Listed("a"), Listed("b")]


@pytest.mark.parametrize("rows_of_a_group", [1, 2, 10])
def test_parquet(rows_of_a_group: int) -> None:
    rows = {
        "place": [1, 2, 3],
        "sensor": ["a", "b", "c"],
        "model": ["pump", None, None],
        "threshold": [0.25, -1.0, None],
        "group": ["north", "", None],
        "owner": pa.array(["plant 2", None, None]).dictionary_encode(),
    }
    assert read(parquet(rows, row_group_size=rows_of_a_group)) == EVERYTHING


def test_a_large_table_of_each_kind_is_read_in_pieces() -> None:
    names = [f"s{number:05}" for number in range(90_000)]
    others = ["x" * 40] * len(names)
    rows = read("\n".join(["sensor,comment", *map(",".join, zip(names, others, strict=True))]))
    assert [each.sensor for each in rows] == names
    data = parquet(
        {"sensor": names, "comment": [f"{name}{'x' * 40}" for name in names]}, row_group_size=20_000
    )
    assert len(data) > 1_000_000
    assert [each.sensor for each in read(data)] == names


@pytest.mark.parametrize(
    ("valid", "takes_part"),
    [
        (("", ""), True),
        (("2026-01-01T13:00:00Z", ""), True),  # a reading of the window's end belongs to it
        (("2026-01-01T13:00:01Z", ""), False),
        (("", "2026-01-01T12:00:00Z"), False),
        (("", "2026-01-01T12:00:01Z"), True),
        (("2025-01-01", "2026-02-01"), True),
        (("2026-01-01T14:00:00+01:00", ""), True),
        (("2026-01-01T13:30:00+00:30", ""), True),
    ],
)
def test_a_sensor_takes_part_if_its_time_and_the_window_overlap(
    valid: tuple[str, str], takes_part: bool
) -> None:
    assert bool(read(f"sensor,validFrom,validTo\na,{valid[0]},{valid[1]}\n")) == takes_part


def test_times_of_parquet_are_timestamps_dates_or_text() -> None:
    later = datetime(2026, 1, 1, 14, tzinfo=UTC)
    columns: list[Any] = [
        pa.array([later, None], pa.timestamp("ns", tz="Europe/Berlin")),
        pa.array([later.replace(tzinfo=None), None], pa.timestamp("ms")),
        pa.array([date(2026, 1, 2), None]),
        pa.array(["2026-01-01T14:00:00Z", None]),
    ]
    for column in columns:
        assert read(parquet({"sensor": ["a", "b"], "validFrom": column})) == [Listed("b")]


def test_a_sensor_may_stand_there_for_several_times_if_only_one_is_the_window_s() -> None:
    lines = ["sensor,validFrom,validTo,model", "a,,2026-01-01T12:00:00Z,old", "a,2026-01-01T12:00:00Z,,new"]
    assert read("\n".join(lines)) == [Listed("a", Given("new"))]
    both = "\n".join([*lines, "a,2026-01-01T12:30:00Z,,newer"])
    assert refusal(both) == (
        f"table {PATH}, row 4, column sensor: found a again, first in row 3, both valid in the window; "
        "wanted one row for it"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sensor\na/b\n", "row 2, column sensor: found 'a/b'; wanted a sensor's name"),
        ("sensor,x\n,1\n", "row 2, column sensor: found an empty cell; wanted a sensor's name"),
        ("sensor,model\na,../x\n", "row 2, column model: found '../x'; wanted a model's name"),
        ("sensor,threshold\na,1\nb,high\n", "row 3, column threshold: found 'high'; wanted a number"),
        ("sensor,threshold\na,nan\n", "row 2, column threshold: found 'nan'; wanted a number"),
        (
            "sensor,validFrom\na,today\n",
            "row 2, column validFrom: found 'today'; wanted a time with its zone",
        ),
        ("sensor,validFrom\na,2026-01-01T12:00:00\n", "wanted a time with its zone"),
        (
            "sensor,validFrom,validTo\na,2026-01-02,2026-01-01\n",
            "column validTo: found '2026-01-01'; wanted a time",
        ),
        (f"sensor,owner\na,{'x' * 129}\n", "row 2, column owner: found"),
        ("sensor,x\na\n", "row 2: found 1 cells; wanted 2"),
        ("sensor,runtime\na,x\n", "found column 'runtime', which nothing acts on"),
        ("sensor,inputs\na,x\n", "found column 'inputs', which nothing acts on"),
        ("sensor,Params\na,x\n", "found column 'Params', which nothing acts on"),
        ("sensor,valid_from\na,x\n", "found column 'valid_from'; wanted it to be called validFrom"),
        ("Sensor\na\n", "found column 'Sensor'; wanted it to be called sensor"),
        ("sensor,model,model\na,x,y\n", "found column model twice"),
        ("name,model\na,x\n", "found no column sensor; wanted one"),
        ("", "found no column sensor; wanted one"),
        ('sensor\n"a\n', "found what is no CSV"),
        ('"sensor\n', "found what is no CSV"),
        (b"sensor\n\xff\n", "wanted UTF-8"),
        (gzip.compress(b"sensor\na\n")[:-9], "table tables/fleet are gzip that ends in its middle"),
        (b"PAR1rubbish", "found Parquet that cannot be decoded"),
        (
            parquet({"sensor": ["a"], "threshold": ["x"]}),
            "row 1, column threshold: found 'x'; wanted a number",
        ),
        (parquet({"sensor": [7]}), "row 1, column sensor: found 7; wanted text"),
        (parquet({"sensor": ["a"], "model": [["x"]]}), "column model: found list"),
        (parquet({"sensor": ["a"], "threshold": [True]}), "column threshold: found True; wanted a number"),
    ],
)
def test_what_is_wrong_names_row_column_found_and_wanted(text: str | bytes, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    "data",
    [
        b"host,hunter2\nh,hunter2\n",
        b"runtime,hunter2\nh,hunter2\n",
        b'"hunter2\n',
        b"hunter2,\xffhunter2\n",
        b"hunter2" * 300_000,
        gzip.compress(b"hunter2" * 300_000),
        parquet({"host": ["hunter2"], "hunter2": ["hunter2"]}),
        parquet({"hunter2": pa.array([], pa.string())}),
    ],
)
def test_of_a_file_without_sensors_nothing_is_quoted(data: bytes) -> None:
    assert "hunter2" not in refusal(data)


@pytest.mark.parametrize("options", [{}, {"version": "1.0", "compression": "none"}])
def test_an_empty_table_has_no_sensors(options: dict[str, Any]) -> None:
    columns = {"sensor": pa.array([], pa.string()), "threshold": pa.array([], pa.float64())}
    assert read(parquet(columns, **options)) == []
    assert read("sensor,threshold\n") == []


def test_numbers_of_any_kind_are_thresholds() -> None:
    columns = [pa.array([1], pa.int32()), pa.array([Decimal("0.5")]), pa.array(["0.5"])]
    found = [read(parquet({"sensor": ["a"], "threshold": column}))[0].given.threshold for column in columns]
    assert found == [1.0, 0.5, 0.5]


def test_rows_of_other_times_are_not_looked_at_closely() -> None:
    assert read("sensor,validTo,model\na,2020-01-01,was/before\nb,,\n") == [Listed("b")]


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(SensorsError, match="table tables/none: found nothing there"):
        read_table(MemoryStore(), "tables/none", SPAN, Log())


def test_too_many_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.prepare.table.MAX_RUN_SENSORS", 2)
    assert "row 4: found more than 2 sensors" in refusal("sensor\na\nb\nc\n")
