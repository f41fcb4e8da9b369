"""Targets that a pod reads: readings, `current.json`, lists of sensors, work orders, decisions."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contract_vectors import vectors
from fuzz import bombs
from fuzz.mutate import as_json, as_lines, as_parquet, zipped
from fuzz.target import READ, Target, refusal
from hostile_readings import ROWS, check
from reading_files import array_bytes, csv_bytes, lines_bytes, parquet_bytes
from scorer.contract.outcome import SensorError
from scorer.contract.publishing import parse_decisions
from scorer.contract.work import (
    Columns,
    ModelSource,
    ReadingsSource,
    SensorFile,
    UsageError,
    parse_work_order,
)
from scorer.contract.work import sensor_names as read_sensor_file
from scorer.fetch import undone
from scorer.readings import Reader
from scorer.sources import File, Found, SharedFile
from scorer.storage.memory import MemoryStore
from scorer.versions import find
from scorer.window import window
from scoring_operator.chunks import SensorListError, read_list

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
READINGS = ("ReadingsCorrupt", "SchemaMismatch", "ReadingsTooLarge")
MODELS = ("ModelCorrupt", "ModelIncompatible")


def _parquet_files() -> list[bytes]:
    texts = pa.Table.from_pylist(ROWS)
    moments = pa.array([datetime.fromisoformat(row["time"]) for row in ROWS], pa.timestamp("us", tz="UTC"))
    table = texts.set_column(0, "time", moments)
    files = [parquet_bytes(ROWS)]
    for options in (
        {},
        {"compression": "zstd"},
        {"compression": "none", "data_page_version": "2.0"},
        {"use_dictionary": False, "row_group_size": 7},
        {"write_page_index": True, "row_group_size": 20},
    ):
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        files.append(sink.getvalue())
    return files


def _parquet_bombs(_: Sequence[bytes]) -> list[bytes]:
    rows = ROWS[:20]
    times = pa.array([datetime.fromisoformat(row["time"]) for row in rows], pa.timestamp("us", tz="UTC"))
    table = pa.table({"n": [0.0] * 20, "time": times, "value": [0.0] * 20})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return bombs.paged(sink.getvalue(), "value", [20, 1, bombs.MANY // 8]) * 4


def _read_readings(form: str) -> Any:
    def read(data: bytes, chance: Random) -> str:
        """As a sensor's own file, a shared one, one that is read in ranges, or by guessing its form."""
        kind = chance.randrange(4)
        columns = Columns(sensor=chance.choice(["sensor", "s{n}"]))
        zone, guessed = chance.choice(["UTC", "Europe/Berlin"]), "Auto" if kind == 3 else form
        reader = Reader(ReadingsSource("{sensor}", guessed, columns=columns, time_zone=zone), SPAN)
        store = MemoryStore()
        file: Any = File("r/x", "", data)
        if kind in (1, 2):
            file = SharedFile(store, "r/x", store.put("r/x", data), len(data), data if kind == 1 else None)
        found = Found((file,), (), None if kind in (0, 3) else ("s1", "s2"))
        features = chance.choice([["value"], ["value", "n"]])
        try:
            check(reader.read(found, "s1", features, accepts_missing=chance.random() < 0.5))
        except SensorError as error:
            return refusal(error.reason, error.message, "r/x", among=READINGS)
        return READ

    return read


def _texts(write: Any) -> list[bytes]:
    naive = [{**row, "time": row["time"][:19].replace("T", " ")} for row in ROWS]
    return [write(ROWS), write(ROWS[:1]), write(naive)]


def _histories() -> list[bytes]:
    def version(day: int, **more: Any) -> dict[str, Any]:
        at = f"2026-01-{day:02}T00:00:00Z"
        name = f"202601{day:02}T000000Z-{day:08x}"
        return {"version": name, "sha256": f"{day:064x}", "validFrom": at, "registered": at, **more}

    first, second, third = version(1), version(2, withdrawn="2026-01-04T00:00:00Z"), version(3)
    second["withdrawals"] = [["2026-01-02T10:00:00Z", "2026-01-02T12:00:00Z"]]
    switches = [{"at": each["registered"], "version": each["version"]} for each in (first, second, third)]
    current = {key: third[key] for key in ("version", "sha256", "validFrom")}
    long = {**current, "versions": [first, second, third], "switches": switches, "older": 2}
    return [json.dumps(current).encode(), json.dumps(long).encode()]


def _read_current(data: bytes, chance: Random) -> str:
    store = MemoryStore()
    path = "models/s1/current.json"
    store.put(path, data)
    version = chance.choice(["Current", "AsOfWindowEnd", "20260102T000000Z-00000002", "gone"])
    source = ModelSource("models/{sensor}", version, chance.choice([None, "2026-01-02T11:00:00Z"]))
    try:
        found = find(store, source, "s1", SPAN)
    except SensorError as error:
        return refusal(error.reason, undone("s1", error).message, path, "sensor s1", among=MODELS)
    if isinstance(found, str):
        return refusal("NoModel", f"sensor s1 has no model: {found}", "sensor s1", among=("NoModel",))
    assert "/" not in found.name, found
    assert len(found.sha256) == 64, found
    return READ


def _lists() -> list[bytes]:
    names = [f"device-{n}-tag-{n % 5}" for n in range(60)]
    return ["".join(f"{name}\n" for name in names).encode(), b"# some\n\na\nB_2.c\n"]


_LIST = Path(tempfile.gettempdir()) / "sensorscore-fuzz-sensors"


def _read_sensor_file(data: bytes, chance: Random) -> str:
    _LIST.write_bytes(data)
    try:
        names = read_sensor_file(SensorFile(str(_LIST), chance.choice([0, 3]), chance.choice([1, 40, 1000])))
    except UsageError as error:
        return refusal("Usage", str(error), str(_LIST), "sensors.file", among=("Usage",))
    assert len(set(names)) == len(names)
    return READ


def _read_list(data: bytes, _: Random) -> str:
    try:
        names = read_list(data.decode("utf-8", "replace"), "ConfigMap scoring/sensors")
    except SensorListError as error:
        return refusal("InvalidSensors", str(error), "ConfigMap scoring/sensors", among=("InvalidSensors",))
    assert len(set(names.names)) == len(names)
    return READ


def _orders() -> list[bytes]:
    valid = vectors("work_orders")["valid"]
    return [json.dumps(case.get("work") or valid[0]["work"] | case["change"]).encode() for case in valid]


def _read_order(data: bytes, _: Random) -> str:
    try:
        parse_work_order(data.decode("utf-8", "surrogateescape"))
    except UsageError as error:
        return refusal("Usage", str(error), "work order", among=("Usage",))
    return READ


def _decisions() -> list[bytes]:
    return [json.dumps(case["decisions"]).encode() for case in vectors("publishing")["decisions"]]


def _read_decisions(data: bytes, _: Random) -> str:
    try:
        decisions = parse_decisions(data)
    except UsageError as error:
        return refusal("Usage", str(error), "decisions", among=("Usage",))
    assert all(0 <= place < decisions.total for place in decisions.failed | decisions.undecided)
    return READ


TARGETS = (
    Target("readings, Parquet", 1600, _parquet_files, as_parquet, _read_readings("Parquet"), _parquet_bombs),
    Target(
        "readings, CSV",
        900,
        lambda: _texts(csv_bytes),
        zipped(as_lines),
        _read_readings("CSV"),
        lambda _: bombs.zipped(b"2026-01-01T12:01:00Z,s1,1,1.5,x\n"),
    ),
    Target(
        "readings, JSON lines",
        900,
        lambda: _texts(lines_bytes),
        zipped(as_lines),
        _read_readings("JSONLines"),
        lambda _: bombs.zipped(b'{"time":"2026-01-01T12:01:00Z","value":1}\n'),
    ),
    Target(
        "readings, JSON array",
        900,
        lambda: _texts(array_bytes),
        zipped(as_json),
        _read_readings("JSON"),
        lambda _: bombs.zipped(b'{"time":"2026-01-01T12:01:00Z","value":1},'),
    ),
    Target("current.json", 900, _histories, as_json, _read_current, grows_mib=64),
    Target("sensor lists of pods", 400, _lists, as_lines, _read_sensor_file, grows_mib=64),
    Target("sensor lists of users", 400, _lists, as_lines, _read_list, grows_mib=64),
    Target("work orders", 700, _orders, as_json, _read_order, grows_mib=64),
    Target("decisions", 500, _decisions, as_json, _read_decisions, grows_mib=64),
)
