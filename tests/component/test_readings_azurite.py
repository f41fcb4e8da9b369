"""Shared readings in a real Blob Storage: listed, fetched in ranges, of one state."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from reading_files import csv_bytes, gzipped, parquet_bytes
from scorer import sources as sources_module
from scorer.contract import Rows
from scorer.contract.work import Columns, ReadingsSource
from scorer.readings import Reader
from scorer.sources import SharedFile, Sources
from scorer.storage import Store, UnavailableError, open_store
from scorer.storage.create import create_store
from scorer.window import window

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
SENSORS = [f"s{n:03}" for n in range(40)]
ROWS = [
    {"time": f"2026-01-01T12:{minute:02}:00Z", "sensor": sensor, "value": minute, "note": "x" * 200}
    for sensor in SENSORS
    for minute in range(1, 60)
]


@pytest.fixture
def store(azurite: Azurite) -> Store:
    account = azurite.endpoint.rpartition("/")[2]
    url = f"azure://{account}/{uuid.uuid4().hex}/some/prefix"
    create_store(url, azurite.endpoint, True, azurite.connection_string)
    return open_store(url, azurite.endpoint, True, azurite.connection_string)


def test_of_a_large_file_only_the_pack_s_row_groups_are_fetched(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "WHOLE_BYTES", 1000)
    data = parquet_bytes(ROWS, row_group_size=59, compression="none", use_dictionary=False)
    store.put("r/2026/all.parquet", data)
    source = ReadingsSource("r/{yyyy}/*.parquet", columns=Columns())
    fetched: list[int] = []
    read_range = SharedFile.read_range

    def counted(file: SharedFile, start: int, length: int) -> bytes:
        fetched.append(length)
        return read_range(file, start, length)

    monkeypatch.setattr(SharedFile, "read_range", counted)
    sources, reader = Sources(store, source, SPAN, SENSORS[10:12]), Reader(source, SPAN)
    for sensor in SENSORS[10:12]:
        readings = reader.read(sources.find(sensor), sensor, ["value"])
        assert readings.rows == Rows(59, 59)
        assert readings.values[:, 0].tolist() == list(range(1, 60))
    assert sum(fetched) < len(data) / 2


def test_a_file_that_changes_meanwhile_is_not_mixed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "WHOLE_BYTES", 1000)
    store.put("r/all.csv.gz", gzipped(csv_bytes)(ROWS))
    source = ReadingsSource("r/all.csv.gz")
    sources, reader = Sources(store, source, SPAN, SENSORS), Reader(source, SPAN)
    found = sources.find(SENSORS[0])
    store.put("r/all.csv.gz", gzipped(csv_bytes)(ROWS[59:]))
    with pytest.raises(UnavailableError, match="was changed while it was being read"):
        reader.read(found, SENSORS[0], ["value"])


def test_many_small_files_are_fetched_together(store: Store) -> None:
    for place in range(0, len(ROWS), 59):
        store.put(f"r/12/part-{place:05}.csv", csv_bytes(ROWS[place : place + 59]))
    store.put("r/12/_SUCCESS", b"")
    source = ReadingsSource("r/{HH}/part-*.csv")
    sources, reader = Sources(store, source, SPAN, SENSORS), Reader(source, SPAN)
    for sensor in SENSORS:
        assert reader.read(sources.find(sensor), sensor, ["value"]).rows == Rows(59, 59)
    assert len(sources.find("s000").files) == 40
