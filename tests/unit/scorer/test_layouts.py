"""The pipeline over every form and layout of predictions, and what is read from them again."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from delivering import prediction, rows
from scorer.clock import Stopwatch
from scorer.contract import Header
from scorer.fence import Claim
from scorer.logs import Log
from scorer.outcome import Outcome, outcome_path
from scorer.pipeline import Pipeline
from scorer.publish import publish_local
from scorer.report.load import load
from scorer.storage.memory import MemoryStore
from scorer.stored import read_object
from scorer.verify import verify
from scoring import RUN_UID, model_bytes, order, put_model, put_readings, put_sensor, run_at, values

CSV = {"path": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv", "format": "CSV"}
SHARDED = {
    "path": "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet",
    "layout": "Sharded",
    "shards": 3,
}
SENSORS = [f"s{number:02}" for number in range(12)]
ATTEMPT = "2026-01-01T13:00:09.000Z"


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for number, sensor in enumerate(SENSORS):
        put_sensor(store, sensor, faults={number: 99.0})
    return store


def run(store: MemoryStore, sensors: Sequence[str], attempt: str = ATTEMPT, **changes: Any) -> Outcome:
    """Scores the sensors, writes the outcome, and publishes."""
    work = order(sensors, **changes)
    header = Header(work.run.uid, work.chunk, work.incarnation, attempt)
    outcome = Outcome(header, sensors, Stopwatch())
    claim = Claim(work.run.created, work.run.uid, attempt)
    Pipeline(work, store, claim, outcome, Log()).run()
    store.put(outcome_path(header), outcome.detail())
    publish_local(store, work, claim, outcome.decisions(), Log())
    return outcome


def shards(store: MemoryStore) -> dict[str, bytes]:
    return {
        entry.path: store.get(entry.path).data
        for entry in store.list("predictions")
        if entry.path.endswith(".parquet")
    }


@pytest.mark.parametrize("output", [None, CSV, SHARDED], ids=["own", "csv", "sharded"])
def test_a_run_is_scored_published_verified_and_shown(
    store: MemoryStore, output: dict[str, Any] | None
) -> None:
    store.delete(next(entry.path for entry in store.list("readings") if "s03" in entry.path))
    outcome = run(store, SENSORS, **({"output": output} if output else {}))
    kinds = {sensor: decision.kind for sensor, decision in outcome.decisions()}
    assert kinds == dict.fromkeys(SENSORS, "Scored") | {"s03": "Skipped/NoReadings"}
    proof = verify(store, RUN_UID)
    assert (proof.findings, proof.notes) == ([], [])
    shown = {sensor.sensor: sensor for sensor in load(store, RUN_UID).sensors}
    series = shown["s07"].series
    assert series is not None
    assert series.value[series.anomaly].tolist() == [99.0]
    assert (len(series.time), series.feature) == (60, "value")
    assert shown["s03"].series is None


def test_shards_do_not_depend_on_packs_runs_or_order(store: MemoryStore) -> None:
    run(store, SENSORS, output=SHARDED)
    together = shards(store)
    assert len(together) == 3
    for entry in list(store.list("predictions")):
        store.delete(entry.path)
    other = run_at("2027-01-01T00:00:00Z", "other")
    for pack in (SENSORS[7:][::-1], SENSORS[2:7], SENSORS[:2]):
        run(store, pack, "2027-01-01T00:00:09.000Z", output=SHARDED, run=other)
    assert shards(store) == together


def test_a_rerun_of_some_sensors_replaces_their_rows_in_place(store: MemoryStore) -> None:
    run(store, SENSORS, output=SHARDED)
    put_model(store, "s05", model_bytes(width=50.0))
    put_readings(store, "s07", values(40))
    later = run_at("2026-01-01T15:00:00Z", "later")
    run(store, ["s05", "s07"], "2026-01-01T15:00:09.000Z", output=SHARDED, run=later)
    rows = [row for data in shards(store).values() for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    assert len(rows) == 12 * 60 - 20
    assert len({(row["sensor"], row["time"]) for row in rows}) == len(rows)
    assert sum(row["prediction"] for row in rows if row["sensor"] in ("s05", "s07")) == 0
    assert sum(row["prediction"] for row in rows) == 10
    proof = verify(store, RUN_UID)
    assert proof.findings == []
    assert [note for note in proof.notes if "was replaced by the later run later" in note]
    assert verify(store, "later").findings == []


def test_a_prediction_as_csv(store: MemoryStore) -> None:
    run(store, ["s07"], output=CSV)
    path = "predictions/2026/01/01/12/s07.csv"
    blob = store.get(path)
    lines = list(csv.reader(io.StringIO(blob.data.decode())))
    assert lines[0] == ["time", "value", "prediction", "score"]
    assert lines[1][0] == "2026-01-01T12:01:00.000000Z"
    assert (lines[8][1], lines[8][2]) == ("99.0", "1")
    assert len(lines) == 61
    assert (blob.metadata["threshold"], blob.metadata["anomalies"]) == ("0.0", "1")
    assert blob.metadata["model"].startswith("20260101T120000Z-")


def test_csv_has_the_numbers_of_parquet_to_the_last_digit(store: MemoryStore) -> None:
    for output in (None, CSV):
        run(store, SENSORS[:3], **({"output": output} if output else {}))
    for sensor in SENSORS[:3]:
        found = [
            read_object(store, f"predictions/2026/01/01/12/{sensor}.{form}", [sensor]).sensors[sensor].rows
            for form in ("parquet", "csv")
        ]
        for field in ("times", "values", "flagged", "scores"):
            left, right = (getattr(rows, field) for rows in found)
            assert left.tobytes() == right.tobytes()


def test_csv_is_the_same_whoever_made_it(store: MemoryStore) -> None:
    run(store, SENSORS, output=CSV)
    path = "predictions/2026/01/01/12/s07.csv"
    before = store.get(path).data
    store.delete(path)
    run(store, ["s07"], "2027-01-01T00:00:00.000Z", output=CSV, run=run_at("2026-12-31T00:00:00Z", "other"))
    assert store.get(path).data == before


def test_features_with_commas_and_quotes_come_back_from_csv(store: MemoryStore) -> None:
    features = ('a "b", c', "d\ne", "ü")
    data = prediction(rows("s00", "x", 5, features)).encode("CSV")
    store.put("p.csv", data)
    stored = read_object(store, "p.csv", ["s00"]).sensors["s00"].rows
    assert stored.features == features
    assert stored.values.tobytes() == rows("s00", "x", 5, features).values.tobytes()


@pytest.mark.parametrize("change", [{"readings": "timeZone"}, {"output": "format"}])
def test_another_way_to_read_or_write_is_no_result_that_is_done(
    store: MemoryStore, change: dict[str, str]
) -> None:
    first = dict(run(store, ["s00"]).decisions())["s00"].detail["fingerprint"]
    readings = {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet", "timeZone": "Europe/Berlin"}
    changed = {"readings": readings} if "readings" in change else {"output": CSV}
    second = dict(run(store, ["s00"], "2026-01-01T13:00:10.000Z", **changed).decisions())["s00"]
    assert second.detail["fingerprint"] != first
