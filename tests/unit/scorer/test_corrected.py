"""Runs of the sensors whose readings were corrected: what is left of a table's, and what becomes of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from scorer.contract import Exit
from scorer.contract.work import UsageError
from scorer.listed import list_path, read_all
from scorer.storage.memory import MemoryStore
from scorer.verify import verify
from scoring import RUN_UID, put_readings, put_sensor, run_at, values, work
from unit.scorer.test_prepare import SHARDED, in_store, order, pinned, preparing, scoring, stage
from unit.scorer.test_publish_pod import Pods

CHANGED = "readings/2026/01/01/12/_corrected.csv"
SUCCESS = "predictions/2026/01/01/12/_SUCCESS"
PREDICTION = "predictions/2026/01/01/12/{}.parquet"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    return Pods(tmp_path)


def test_of_a_table_s_sensors_those_that_were_corrected_keep_what_it_gives(store: MemoryStore) -> None:
    store.put("fleet.csv", b"sensor,model,threshold\nc,,\nb,pump,5\na,,\n")
    store.put(CHANGED, b"sensor\nb\nc\nof-another-fleet\n")
    code, message = stage(store, order(resolve={"table": "fleet.csv"}, only=CHANGED))
    assert (code, message["sensors"]["total"]) == (Exit.OK, 2)
    _, listed = read_all(store, list_path(RUN_UID))
    assert [(each.sensor, each.given.model) for each in listed] == [("b", "pump"), ("c", "")]


def test_of_discovered_sensors_those_that_were_corrected(store: MemoryStore) -> None:
    for name in ("a", "b"):
        put_sensor(store, name)
    store.put(CHANGED, b"sensor\nb\nc\n")
    _, message = stage(store, order(resolve={"discover": {"from": "Models"}}, only=CHANGED))
    assert (message["sensors"]["total"], pinned(store)) == (1, ["b"])


@pytest.mark.parametrize("output", [work([])["output"], SHARDED])
def test_none_of_them_corrected_is_no_mistake(store: MemoryStore, output: Any) -> None:
    store.put("fleet.csv", b"sensor\na\n")
    store.put(CHANGED, b"sensor\nb\n")
    code, message = stage(store, order(resolve={"table": "fleet.csv"}, only=CHANGED, output=output))
    assert code is Exit.OK
    assert (message["sensors"]["total"], message["sensors"]["shards"]) == (0, [])
    assert not list(store.list("runs"))


def test_a_list_of_corrected_sensors_that_is_not_there_is_said(store: MemoryStore) -> None:
    store.put("fleet.csv", b"sensor\na\n")
    code, message = stage(store, order(resolve={"table": "fleet.csv"}, only=CHANGED))
    assert code is Exit.USAGE
    assert message["failure"]["message"].startswith(f"table {CHANGED}: found nothing there")


def test_predictions_may_not_overwrite_that_list(store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="may overwrite the table of those that changed"):
        order(resolve={"table": "fleet.csv"}, only="p/a.csv", output={"path": "p/{sensor}.csv"})


def test_from_corrected_readings_to_predictions_that_are_replaced(pods: Pods) -> None:
    """The whole run, a correction of one of its sensors, and the run that this makes: the others stay."""
    for name in ("a", "b"):
        put_sensor(pods.store, name)
    pods.store.put("fleet.csv", b"sensor,threshold,owner\na,0.05,plant 1\nb,,plant 2\n")
    assert pods.run(preparing(resolve={"table": "fleet.csv"})) == Exit.OK
    assert pods.run(scoring(in_store(pods.message(), 0, 2))) == Exit.OK
    before = {name: pods.store.get(PREDICTION.format(name)) for name in ("a", "b")}
    pods.run(pods.publishing(work(["a", "b"])))
    whole = json.loads(pods.store.get(SUCCESS).data)

    put_readings(pods.store, "a", values(faults={7: 99.0}))
    pods.store.put(CHANGED, b"sensor\na\nof-another-fleet\n", {"count": "1"})
    later = {"run": {**run_at("2026-01-01T15:00:00Z", "again"), "name": "hourly-c1"}}
    assert pods.run(preparing(resolve={"table": "fleet.csv"}, only=CHANGED, **later)) == Exit.OK
    some = in_store(pods.message(), 0, 1) | {"store": list_path("again")}
    assert pods.run(scoring(some, **later)) == Exit.OK
    publishing = pods.publishing(work(["a"], **later)) | {"sensors": some, "part": True}
    assert pods.run(publishing) == Exit.OK

    proof = verify(pods.store, "again")
    assert proof.holds, proof.findings
    after = {name: pods.store.get(PREDICTION.format(name)) for name in ("a", "b")}
    assert (after["a"].data != before["a"].data, after["b"].etag) == (True, before["b"].etag)
    success = json.loads(pods.store.get(SUCCESS).data)
    assert (success["counts"]["Scored"], success["anomalies"]) == (1, 1)
    assert (success["whole"]["counts"], success["whole"]["run"]) == (whole["counts"], whole["run"])
    found = pq.read_table(io.BytesIO(pods.store.get("anomalies/2026/01/01/12/hourly-c1.parquet").data))
    assert [(row["sensor"], row["threshold"], row["owner"]) for row in found.to_pylist()] == [
        ("a", 0.05, "plant 1")
    ]
