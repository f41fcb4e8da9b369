"""Targets of the prepare stage: tables of sensors, the list in the store, and what its pod says."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from contract_vectors import vectors
from fuzz import bombs
from fuzz.mutate import as_json, as_lines, as_parquet, zipped
from fuzz.target import READ, Target, refusal
from scorer.contract.sensors import Given, SensorsInStore
from scorer.errors import InputError
from scorer.listed import Listed, encode, list_path, read_all, read_part
from scorer.logs import Log
from scorer.prepare.errors import SensorsError
from scorer.prepare.table import read_table
from scorer.storage import StorageError
from scorer.storage.memory import MemoryStore
from scorer.window import window
from scoring_operator.contract import ContractError, parse_prepared

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
TABLE, LIST = "tables/fleet", list_path("uid")
MESSAGE = vectors("preparing")["messages"][0]["message"]
COUNT = 60


def _csv_tables() -> list[bytes]:
    rows = [f"s{n},2025-01-01,,{'pump' if n % 3 else ''},{n / 7},north,ä {n}" for n in range(COUNT)]
    header = "sensor,validFrom,validTo,model,threshold,group,owner"
    return ["\n".join([header, *rows]).encode(), b"sensor\na\nb\n", b'sensor;note\na;"x\ny"\n']


def _parquet_tables() -> list[bytes]:
    table = pa.table(
        {
            "sensor": [f"s{n}" for n in range(COUNT)],
            "validFrom": pa.array([datetime(2025, 1, 1, tzinfo=UTC)] * COUNT, pa.timestamp("ns", tz="UTC")),
            "threshold": [n / 7 for n in range(COUNT)],
            "owner": pa.array([f"o{n % 3}" for n in range(COUNT)]).dictionary_encode(),
        }
    )
    files = []
    for options in ({}, {"compression": "zstd", "row_group_size": 7}, {"use_dictionary": False}):
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        files.append(sink.getvalue())
    return files


def _parquet_bombs(_: Sequence[bytes]) -> list[bytes]:
    sink = io.BytesIO()
    pq.write_table(pa.table({"sensor": ["s"] * 20, "threshold": [0.0] * 20}), sink)
    return bombs.paged(sink.getvalue(), "threshold", [20, 1, bombs.MANY // 8]) * 4


def _read_table(data: bytes, _: Random) -> str:
    store = MemoryStore()
    store.put(TABLE, data)
    try:
        listed = read_table(store, TABLE, SPAN, Log())
    except SensorsError as error:
        return refusal("InvalidSensors", str(error), TABLE, among=("InvalidSensors",))
    if listed:
        store.put(LIST, encode(listed))
        assert read_all(store, LIST)[1] == listed
    return READ


def _lists() -> list[bytes]:
    given = Given("pump", 0.25, "north", "plant ä")
    many = [Listed(f"s{n}", given if n % 2 else Given()) for n in range(600)]
    return [encode(many), encode([Listed("a")])]


def _read_list(data: bytes, chance: Random) -> str:
    store = MemoryStore()
    store.put(LIST, data)
    try:
        head, listed = read_all(store, LIST)
        first = chance.randrange(head.total)
        part = read_part(
            store, SensorsInStore(LIST, first, chance.randint(1, head.total - first), head.digest)
        )
    except InputError as error:
        return refusal("Misconfigured", str(error), LIST, among=("Misconfigured",))
    except StorageError as error:
        return refusal("StorageUnavailable", str(error), LIST, among=("StorageUnavailable",))
    assert listed[first : first + len(part)] == part
    return READ


def _messages() -> list[bytes]:
    return [json.dumps(case["message"]).encode() for case in vectors("preparing")["messages"]]


def _read_message(data: bytes, _: Random) -> str:
    try:
        read = parse_prepared(data.decode("utf-8", "replace"), MESSAGE["run"], 0)
    except ContractError as error:
        return refusal("ContractError", str(error), "", among=("ContractError",))
    if read.sensors is not None and read.sensors.shards:
        assert sum(read.sensors.shards) == read.sensors.total <= 100_000
    return READ


TARGETS = (
    Target(
        "tables of sensors, CSV",
        700,
        _csv_tables,
        zipped(as_lines),
        _read_table,
        lambda _: bombs.zipped(b"s1,2025-01-01,,pump,0.25,north,x\n"),
    ),
    Target("tables of sensors, Parquet", 900, _parquet_tables, as_parquet, _read_table, _parquet_bombs),
    Target("lists in the store", 500, _lists, as_lines, _read_list, grows_mib=64),
    Target("messages of pods that prepare", 500, _messages, as_json, _read_message, grows_mib=64),
)
