"""Targets that a pod reads before and while it scores: readings, models, `current.json`, lists, work orders."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contract_vectors import vectors
from estimators import APPROXIMATIONS, ESTIMATORS, TRANSFORMS, fitted, rows_of
from fuzz.mutate import as_json, as_lines, as_model, as_parquet, bombs, zipped
from fuzz.target import READ, Target, refusal
from hostile_readings import check
from reading_files import array_bytes, csv_bytes, lines_bytes, parquet_bytes
from scorer.contract.outcome import SensorError
from scorer.contract.publishing import parse_decisions
from scorer.contract.work import Columns, ModelSource, ReadingsSource, SensorFile, UsageError, parse_work_order
from scorer.contract.work import sensor_names as read_sensor_file
from scorer.fetch import undone
from scorer.fit.export import export
from scorer.guard.facts import read_facts
from scorer.guard.observe import observe
from scorer.model import anomalies, scores
from scorer.model.file import read_model, write_model, write_plugin_model
from scorer.readings import Reader
from scorer.sources import File, Found, SharedFile
from scorer.storage.memory import MemoryStore
from scorer.versions import find
from scorer.window import window
from scoring import model_bytes
from scoring_operator.chunks import SensorListError, read_list

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
READINGS = ("ReadingsCorrupt", "SchemaMismatch", "ReadingsTooLarge")
MODELS = ("ModelCorrupt", "ModelIncompatible")
ROWS: list[dict[str, Any]] = [
    {"time": f"2026-01-01T12:{n:02}:00Z", "sensor": f"s{n % 3}", "n": n % 3, "value": n / 4, "note": "ä" * (n % 5)}
    for n in range(1, 50)
]


def _parquet_files() -> list[bytes]:
    texts = pa.Table.from_pylist(ROWS)
    moments = pa.array([np.datetime64(row["time"][:-1], "us") for row in ROWS], pa.timestamp("us", tz="UTC"))
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


def parquet_bombs(_: Sequence[bytes] = ()) -> list[bytes]:
    """Small files of many equal values, and the same with footers that say little of it."""
    rows = 24_000_000
    times = pa.array(np.full(rows, 1_767_268_860_000_000), pa.timestamp("us", tz="UTC"))
    sink = io.BytesIO()
    table = pa.table({"time": times, "value": pa.array(np.zeros(rows))})
    pq.write_table(table, sink, compression="zstd", row_group_size=rows, write_statistics=False)
    return [sink.getvalue(), *(lying(sink.getvalue(), few) for few in (1, 1000))]


def lying(data: bytes, rows: int) -> bytes:
    """The Parquet file with a footer that says it has so many rows."""
    from fuzz.thrift import nodes, read_struct, write_struct

    length = int.from_bytes(data[-8:-4], "little")
    tree, _ = read_struct(data[-8 - length : -8])
    for node in nodes(tree):
        if node.value == 24_000_000:
            node.value = rows
    footer = write_struct(tree)
    return data[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _read_readings(form: str) -> Any:
    def read(data: bytes, chance: Random) -> str:
        """In turn as a sensor's own file, a shared one, one that is read in ranges, and by guessing its form."""
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


@cache
def _model_files() -> tuple[bytes, ...]:
    rows = rows_of(3)
    names = ["a", "b", "c"]
    found = [model_bytes(), model_bytes(features=("a", "b"))]
    for estimator, transform in (
        *(("rbf", each) for each in ("alone", "standard", "min-max-clip", "robust", "pca-white", "imputed")),
        *((each, "standard") for each in ("linear", "poly-6", "sigmoid", "sgd", "forest-part", "ellipse")),
        ("forest", "alone"),
        ("sgd", "nystroem"),
        ("sgd", "sampler"),
    ):
        before = {**TRANSFORMS, **APPROXIMATIONS}[transform]
        pipeline = fitted(before, ESTIMATORS[estimator], rows)
        training = {"rows": 300, "flagged": 0.01, "valueRange": {"a": [0.0, 9.0]}, "rowsPerHour": 60.0}
        found.append(write_model(export(pipeline), names, {"training": training}))
    found.append(write_plugin_model("sklearn", b"\x00payload", names, {"training": {}}, 2.0, True, True))
    return tuple(found)


def _read_model(data: bytes, chance: Random) -> str:
    """As a pod does it: the model is read, rows are scored, and the guard looks on."""
    try:
        model = read_model(data, "v")
        rows = np.random.default_rng(chance.randrange(2**32)).normal(50, 10, (40, len(model.features)))
        rows[0] = chance.choice([0.0, 1e100, -1e100, 1e-300])
        if model.accepts_missing:
            rows[1] = np.nan
        found = scores(model, rows)
    except SensorError as error:
        sentence = undone("s1", error).message
        return refusal(error.reason, sentence, "sensor s1", among=MODELS)
    assert np.isfinite(found).all(), "a score that is not finite"
    flagged = anomalies(model, found)
    assert set(np.unique(flagged)) <= {0, 1}
    readings: Any = check_rows(rows)
    told = observe(model, readings, flagged, SPAN)
    assert len(json.dumps(told)) <= 300
    read_facts(json.loads(json.dumps(told, allow_nan=False)))
    return READ


def check_rows(rows: Any) -> Any:
    """As readings: all of them scored."""
    from scorer.contract.outcome import Rows
    from scorer.readings import Readings

    return Readings(np.arange(len(rows), dtype=np.int64), rows, Rows(len(rows), len(rows)), {})


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


def _read_list(data: bytes, chance: Random) -> str:
    try:
        names = read_list(data.decode("utf-8", "replace"), "ConfigMap scoring/sensors")
    except SensorListError as error:
        return refusal("InvalidSensors", str(error), "ConfigMap scoring/sensors", among=("InvalidSensors",))
    assert len(set(names.names)) == len(names)
    return READ


def _orders() -> list[bytes]:
    valid = vectors("work_orders")["valid"]
    return [json.dumps(case.get("work") or valid[0]["work"] | case["change"]).encode() for case in valid]


def _read_order(data: bytes, chance: Random) -> str:
    try:
        parse_work_order(data.decode("utf-8", "surrogateescape"))
    except UsageError as error:
        return refusal("Usage", str(error), "work order", among=("Usage",))
    return READ


def _decisions() -> list[bytes]:
    return [json.dumps(case["decisions"]).encode() for case in vectors("publishing")["decisions"]]


def _read_decisions(data: bytes, chance: Random) -> str:
    try:
        decisions = parse_decisions(data)
    except UsageError as error:
        return refusal("Usage", str(error), "decisions", among=("Usage",))
    assert all(0 <= place < decisions.total for place in decisions.failed | decisions.undecided)
    return READ


TARGETS = (
    Target(
        "readings, Parquet", 1600, _parquet_files, as_parquet, _read_readings("Parquet"), parquet_bombs, 384
    ),
    Target(
        "readings, CSV",
        900,
        lambda: _texts(csv_bytes),
        zipped(as_lines),
        _read_readings("CSV"),
        lambda good: bombs(b"2026-01-01T12:01:00Z,s1,1,1.5,x\n"),
    ),
    Target(
        "readings, JSON lines",
        900,
        lambda: _texts(lines_bytes),
        zipped(as_lines),
        _read_readings("JSONLines"),
        lambda good: bombs(b'{"time":"2026-01-01T12:01:00Z","value":1}\n'),
    ),
    Target(
        "readings, JSON array",
        900,
        lambda: _texts(array_bytes),
        zipped(as_json),
        _read_readings("JSON"),
        lambda good: bombs(b'{"time":"2026-01-01T12:01:00Z","value":1},'),
    ),
    Target("models", 1800, _model_files, as_model, _read_model),
    Target("current.json", 900, _histories, as_json, _read_current, grows_mib=64),
    Target("sensor lists of pods", 400, _lists, as_lines, _read_sensor_file, grows_mib=64),
    Target("sensor lists of users", 400, _lists, as_lines, _read_list, grows_mib=64),
    Target("work orders", 700, _orders, as_json, _read_order, grows_mib=64),
    Target("decisions", 500, _decisions, as_json, _read_decisions, grows_mib=64),
)
