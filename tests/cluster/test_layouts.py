"""What users have in their stores, and what they want to find there: formats, shards, versions, runtimes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.neighbors import LocalOutlierFactor

from scorer.contract.paths import shard_of
from scorer.fit.plugin import package
from scorer.fit.register import register
from scorer.fit.train import train
from scorer.model.file import write_plugin_model
from scorer.verify import verify
from scorer.window import window
from stack import Stack, run_manifest

pytestmark = pytest.mark.cluster

GOOD = [f"good-{number}" for number in range(8)]
SHARDS = "sharded/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"


def uid_of(stack: Stack, run: str) -> str:
    uid: str = stack.get("scoringrun", run)["metadata"]["uid"]
    return uid


def test_a_run_is_published_and_can_be_proved_complete(stack: Stack) -> None:
    """Manifest, anomalies and _SUCCESS are there at the end, and agree with all that lies there."""
    stack.apply(run_manifest("published", [*GOOD[:3], "silent"]))
    run = stack.wait_ended("published")
    published = run["status"]["published"]
    success = json.loads(stack.store.get(published["success"]).data)
    assert (success["counts"]["Scored"], success["counts"]["Skipped"]) == (3, 1)
    assert verify(stack.store, uid_of(stack, "published")).holds
    prediction = stack.store.get("predictions/2026/01/01/10/good-0.parquet")
    stack.store.put(prediction.path, prediction.data[:-8] + b"\0" * 8, dict(prediction.metadata))
    assert not verify(stack.store, uid_of(stack, "published")).holds
    stack.store.delete(prediction.path)


def test_shards_hold_many_sensors_and_a_rerun_replaces_its_own(stack: Stack) -> None:
    """Chunks follow shards; running some sensors again leaves the others' rows as they are."""
    output = {"path": SHARDS, "layout": "Sharded", "shards": 2}
    stack.apply(run_manifest("sharded", GOOD, output=output, sensorsPerJob=8))
    run = stack.wait_ended("sharded")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert shards(stack) == dict.fromkeys(GOOD, stack.rows_per_sensor)
    train(stack.store, "good-1", window("2026-01-01T09:30:00Z", "2026-01-01T10:00:00Z"))
    stack.apply(run_manifest("sharded-again", ["good-1"], output=output, sensorsPerJob=8))
    again = stack.wait_ended("sharded-again")
    assert stack.condition(again, "Complete") == ("True", "AllSucceeded")
    assert shards(stack) == dict.fromkeys(GOOD, stack.rows_per_sensor)
    assert verify(stack.store, uid_of(stack, "sharded-again")).holds


def shards(stack: Stack) -> dict[str, int]:
    """Rows by sensor, of all shards; each sensor's lie in its own."""
    found: dict[str, int] = {}
    for number in range(2):
        data = stack.store.get(f"sharded/2026/01/01/10/part-{number:05}.parquet").data
        names = pq.read_table(pa.BufferReader(data))["sensor"].to_pylist()
        assert {shard_of(name, 2) for name in names} == {number}
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found


def test_one_csv_of_all_sensors_as_stream_analytics_writes_it(stack: Stack) -> None:
    """Columns by their own names, the sensor from two of them, the last reading in the next folder."""
    lines = ["TS;Device;Tag;Value"]
    for minute in range(1, 61):
        stamp = f"2026-01-01 {10 + minute // 60}:{minute % 60:02}:00.000"
        lines += [f"{stamp};{device};1;{10 + minute % 3}" for device in (1, 2)]
    stack.store.put("asa/2026/01/01/10/0_a_1.csv", "\n".join([lines[0], *lines[1:-2]]).encode())
    stack.store.put("asa/2026/01/01/11/0_a_2.csv", "\n".join([lines[0], *lines[-2:]]).encode())
    sensors = ["device-1-tag-1", "device-2-tag-1"]
    columns = {"time": "TS", "sensor": "device-{Device}-tag-{Tag}", "features": {"value": "Value"}}
    readings = {"path": "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv", "layout": "asa", "columns": columns}
    for sensor in sensors:
        _copy_model(stack, GOOD[0], sensor)
    stack.apply(run_manifest("stream-analytics", sensors, readings=readings, sensorsPerJob=2))
    run = stack.wait_ended("stream-analytics")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert run["status"]["rows"] == {"read": 120, "scored": 120, "rejected": 0, "duplicate": 0}
    assert stack.predictions(sensors[1]).num_rows == 60


def _copy_model(stack: Stack, of: str, to: str) -> None:
    current = stack.store.get(f"models/{of}/current.json")
    version = json.loads(current.data)["version"]
    model = stack.store.get(f"models/{of}/{version}/model.safetensors")
    register(stack.store, to, model.data)


def test_a_backfill_takes_the_model_of_its_own_time(stack: Stack) -> None:
    """AsOfWindowEnd passes over what was trained on later readings."""
    sensor = "good-7"
    early = json.loads(stack.store.get(f"models/{sensor}/current.json").data)["version"]
    late = train(stack.store, sensor, window("2026-01-01T09:30:00Z", "2026-01-01T11:00:00Z"))
    model = {"version": "AsOfWindowEnd"}
    span = {"start": "2026-01-01T09:30:00Z", "end": "2026-01-01T10:30:00Z"}
    stack.apply(run_manifest("as-of", [sensor], model=model, window=span))
    assert stack.condition(stack.wait_ended("as-of"), "Complete")[0] == "True"
    metadata = stack.store.head("predictions/2026/01/01/09/good-7.parquet").metadata
    assert metadata["model"] == early != late.registered.version


@pytest.fixture
def neighbours(stack: Stack) -> Iterator[str]:
    """A sensor whose model no list of stages can say."""
    sensor = "good-6"
    before = stack.store.get(f"models/{sensor}/current.json")
    rows = np.random.default_rng(3).normal(10.0, 1.0, (400, 1))
    packaged = package(LocalOutlierFactor(novelty=True).fit(rows), rows)
    about = {
        "training": {"window": "2026-01-01T09:00:00Z/2026-01-01T10:00:00Z", "rows": len(rows)},
        "check": {"rows": len(rows)},
    }
    file = write_plugin_model(
        packaged.name,
        packaged.payload,
        ["value"],
        about,
        scale=packaged.scale,
        border_is_anomaly=packaged.border_is_anomaly,
    )
    register(stack.store, sensor, file)
    yield sensor
    stack.store.put(before.path, before.data)


def test_a_model_that_is_not_compiled_asks_for_its_runtime(stack: Stack, neighbours: str) -> None:
    """In the default runtime it fails with the runtime's name; in its own it is scored."""
    stack.apply(run_manifest("not-here", [neighbours]))
    run = stack.wait_ended("not-here")
    assert [each["reason"] for each in run["status"]["failures"]] == ["ModelIncompatible"]
    assert "runtime" in run["status"]["failures"][0]["message"]
    stack.apply(run_manifest("here", [neighbours], runtime="sklearn"))
    run = stack.wait_ended("here")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert stack.predictions(neighbours).num_rows == stack.rows_per_sensor
