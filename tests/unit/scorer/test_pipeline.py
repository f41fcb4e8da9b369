"""read │ score │ write over a store in memory."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from scorer.ahead import READERS
from scorer.behind import BEHIND_ITEMS, WRITERS, Behind
from scorer.clock import Stopwatch
from scorer.contract import Decision, Exit, Header, Rows
from scorer.deaths import Deaths
from scorer.deliver import Deliveries
from scorer.fence import Claim
from scorer.logs import Log
from scorer.outcome import Outcome
from scorer.pipeline import AWAY_SENSORS, Pipeline
from scorer.score import Scoring
from scorer.storage import Blob, ConflictError, DeniedError, UnavailableError
from scorer.storage.memory import MemoryStore
from scoring import RUN_UID, KeptLog, model_bytes, order, put_model, put_readings, put_sensor, run_at, values

ATTEMPT = "2026-01-01T13:00:09.000Z"
OUTPUT = "predictions/2026/01/01/12/{}.parquet"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def run(
    store: MemoryStore,
    sensors: Sequence[str],
    attempt: str = ATTEMPT,
    log: Log | None = None,
    *,
    deaths: bool = False,
    **changes: Any,
) -> Outcome:
    work = order(sensors, **changes)
    header = Header(work.run.uid, work.chunk, work.incarnation, attempt)
    outcome = Outcome(header, sensors, Stopwatch())
    claim = Claim(work.run.created, work.run.uid, attempt)
    Pipeline(work, store, claim, outcome, log or KeptLog(), Deaths(store, header) if deaths else None).run()
    return outcome


def decisions(outcome: Outcome) -> dict[str, Decision]:
    return dict(outcome.decisions())


def kinds(outcome: Outcome) -> dict[str, str]:
    return {sensor: decision.kind for sensor, decision in outcome.decisions()}


def test_a_sensor_is_scored(store: MemoryStore) -> None:
    put_sensor(store, "a", faults={7: 99.0, 30: -5.0})
    outcome = run(store, ["a"])
    decision = decisions(outcome)["a"]
    assert (decision.kind, decision.rows, decision.anomalies) == ("Scored", Rows(60, 60), 2)
    assert outcome.exit() is Exit.OK
    blob = store.get(OUTPUT.format("a"))
    table = pq.read_table(io.BytesIO(blob.data))
    assert [place for place, flag in enumerate(table["prediction"].to_pylist()) if flag] == [7, 30]
    assert blob.metadata["fingerprint"] == decision.detail["fingerprint"]
    assert (blob.metadata["run"], blob.metadata["attempt"]) == (RUN_UID, ATTEMPT)
    assert (blob.metadata["rows_read"], blob.metadata["anomalies"]) == ("60", "2")


def test_a_second_run_finds_it_done(store: MemoryStore) -> None:
    put_sensor(store, "a", faults={7: 99.0})
    first = decisions(run(store, ["a"]))["a"]
    before = store.get(OUTPUT.format("a"))
    again = decisions(
        run(store, ["a"], attempt="2026-01-01T14:00:00.000Z", run=run_at("2026-01-01T14:00:00Z", "later"))
    )
    after = store.get(OUTPUT.format("a"))
    assert (after.data, after.metadata["fingerprint"]) == (before.data, before.metadata["fingerprint"])
    assert (again["a"].kind, again["a"].rows, again["a"].anomalies) == (
        first.kind,
        first.rows,
        first.anomalies,
    )
    assert again["a"].detail["madeBy"] == RUN_UID


@pytest.mark.parametrize("change", ["readings", "model", "late readings"])
def test_what_has_changed_is_scored_again(store: MemoryStore, change: str) -> None:
    window = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T14:00:00Z"}
    put_sensor(store, "a")
    before = decisions(run(store, ["a"], window=window))["a"]
    if change == "readings":
        put_readings(store, "a", values(59))
    elif change == "model":
        put_model(store, "a", model_bytes(width=2.0))
    else:
        put_readings(store, "a", values(30), start="2026-01-01T13:00:00Z")
    after = decisions(run(store, ["a"], window=window, attempt="2026-01-01T13:00:10.000Z"))["a"]
    assert after.detail["fingerprint"] != before.detail["fingerprint"]
    assert store.head(OUTPUT.format("a")).metadata["fingerprint"] == after.detail["fingerprint"]


def test_the_bytes_are_the_same_whoever_made_them_and_beside_whom(store: MemoryStore) -> None:
    for sensor in ("a", "b", "c"):
        put_sensor(store, sensor)
    run(store, ["a"])
    alone = store.get(OUTPUT.format("a")).data
    store.delete(OUTPUT.format("a"))
    run(
        store,
        ["c", "a", "b"],
        attempt="2027-01-01T00:00:00.000Z",
        run=run_at("2026-12-31T00:00:00Z", "other"),
        chunk=9,
    )
    assert store.get(OUTPUT.format("a")).data == alone


def test_one_bad_sensor_harms_no_other(store: MemoryStore) -> None:
    for sensor in ("a", "corrupt", "text", "silent", "b", "early", "unreadable", "gone"):
        put_sensor(store, sensor)
    put_model(store, "corrupt", b"rubbish", sha256="0" * 64)
    put_model(store, "text", model_bytes(features=("pressure",)))
    store.delete("readings/2026/01/01/12/silent.parquet")
    store.delete("readings/2026/01/01/12/early.parquet")
    put_readings(store, "early", values(1), start="2026-01-01T11:59:00Z")  # at noon: not of the window
    store.put("readings/2026/01/01/12/early.parquet", store.get("readings/2026/01/01/11/early.parquet").data)
    store.put("readings/2026/01/01/12/unreadable.parquet", b"PAR1 not")
    version = json.loads(store.get("models/gone/current.json").data)["version"]
    store.delete(f"models/gone/{version}/model.safetensors")
    sensors = ["a", "corrupt", "nomodel", "text", "silent", "b", "early", "unreadable", "gone"]
    log = KeptLog()
    outcome = run(store, sensors, log=log)
    assert kinds(outcome) == {
        "a": "Scored",
        "corrupt": "Failed/ModelCorrupt",
        "nomodel": "Skipped/NoModel",
        "text": "Failed/SchemaMismatch",
        "silent": "Skipped/NoReadings",
        "b": "Scored",
        "early": "Skipped/NoReadings",
        "unreadable": "Failed/ReadingsCorrupt",
        "gone": "Failed/ModelCorrupt",
    }
    assert outcome.exit() is Exit.PARTIAL
    for sensor, decision in outcome.decisions():
        if decision.kind != "Scored":
            assert f"sensor {sensor}" in decision.message
            assert "\n" not in decision.message
    assert sorted(line["sensor"] for line in log.lines) == sorted(sensors)


def test_what_is_missing_may_be_a_failure(store: MemoryStore) -> None:
    put_model(store, "a", model_bytes())
    outcome = run(store, ["a", "b"], onMissingReadings="Fail", onMissingModel="Fail")
    assert kinds(outcome) == {"a": "Failed/NoReadings", "b": "Failed/NoModel"}


def test_rejected_rows_are_counted_by_reason(store: MemoryStore) -> None:
    put_sensor(store, "a", faults={3: float("nan"), 4: float("inf"), 5: 1e200})
    decision = decisions(run(store, ["a"]))["a"]
    assert decision.rows == Rows(60, 57, 3)
    assert decision.detail["rejectedBy"] == {"MissingValue": 1, "InfiniteValue": 1, "ValueTooLarge": 1}


def test_a_window_over_two_hours_reads_both(store: MemoryStore) -> None:
    put_model(store, "a", model_bytes())
    put_readings(store, "a", values(120), start="2026-01-01T12:00:00Z")
    span = {"start": "2026-01-01T12:30:00Z", "end": "2026-01-01T13:30:00Z"}
    decision = decisions(run(store, ["a"], window=span))["a"]
    assert decision.rows == Rows(60, 60)
    assert len(decision.detail["readings"]) == 2


def test_a_version_that_is_too_long_for_a_path_is_no_models(store: MemoryStore) -> None:
    put_sensor(store, "a")
    store.put("models/a/current.json", json.dumps({"version": "v" * 41, "sha256": "0" * 64}).encode())
    assert kinds(run(store, ["a"])) == {"a": "Failed/ModelCorrupt"}


# Fencing: of two results the later (run's creation, then attempt) stands.


def test_an_older_run_does_not_overwrite_a_later_one(store: MemoryStore) -> None:
    put_sensor(store, "a")
    run(store, ["a"], run=run_at("2026-01-01T15:00:00Z", "later"))
    etag = store.head(OUTPUT.format("a")).etag
    put_model(store, "a", model_bytes(width=3.0))
    decision = decisions(run(store, ["a"], run=run_at("2026-01-01T14:00:00Z", "older")))["a"]
    assert decision.kind == "Skipped/Superseded"
    assert "later" in decision.message
    assert store.head(OUTPUT.format("a")).etag == etag


class Meanwhile(MemoryStore):
    """Lets something happen between a pod's look and its write."""

    def __init__(self, meanwhile: Any) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        if path.startswith("predictions/") and self.meanwhile:
            happening, self.meanwhile = self.meanwhile, None
            happening(self)
        return super().put(path, data, metadata, **conditions)


def test_a_slow_old_attempt_gives_way_to_a_newer_one_of_a_new_model() -> None:
    def newer(store: MemoryStore) -> None:
        put_model(store, "a", model_bytes(width=3.0))
        run(store, ["a"], attempt="2026-01-01T13:05:00.000Z")

    store = Meanwhile(newer)
    put_sensor(store, "a")
    assert kinds(run(store, ["a"])) == {"a": "Skipped/Superseded"}
    assert store.head(OUTPUT.format("a")).metadata["attempt"] == "2026-01-01T13:05:00.000Z"


def test_a_slow_old_attempt_agrees_with_a_newer_one_of_the_same_inputs() -> None:
    store = Meanwhile(lambda store: run(store, ["a"], attempt="2026-01-01T13:05:00.000Z"))
    put_sensor(store, "a")
    assert kinds(run(store, ["a"])) == {"a": "Scored"}
    assert store.head(OUTPUT.format("a")).metadata["attempt"] == "2026-01-01T13:05:00.000Z"


def test_a_newer_attempt_overwrites_an_old_one_that_was_quicker() -> None:
    store = Meanwhile(
        lambda store: store.put(OUTPUT.format("a"), b"old", {"run_created": "2025", "run": "x"})
    )
    put_sensor(store, "a")
    assert kinds(run(store, ["a"])) == {"a": "Scored"}
    assert store.head(OUTPUT.format("a")).metadata["attempt"] == ATTEMPT


def test_a_put_whose_answer_was_lost_counts_as_done() -> None:
    class Lossy(MemoryStore):
        def put(
            self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
        ) -> str:
            etag = super().put(path, data, metadata, **conditions)
            if path.startswith("predictions/"):
                raise ConflictError("the second try of the same request")
            return etag

    store = Lossy()
    put_sensor(store, "a")
    assert kinds(run(store, ["a"])) == {"a": "Scored"}


# Storage that is away, and defects of our own.


AWAY = UnavailableError("GET x: storage answered 503 ServerBusy")


class Away(MemoryStore):
    """Raises an error at some paths, once it is told to."""

    error: BaseException | None = None
    at = "readings/"
    asked = 0

    def get(self, path: str, limit: int | None = None) -> Blob:
        if self.at in path and self.error:
            self.asked += 1
            raise self.error
        return super().get(path, limit)


def test_storage_that_is_away_leaves_sensors_undecided_and_is_not_asked_for_ever() -> None:
    store, sensors = Away(), [f"s{number}" for number in range(20)]
    for sensor in sensors:
        put_sensor(store, sensor)
    store.error = AWAY
    outcome = run(store, sensors)
    assert set(kinds(outcome).values()) == {"Undecided/StorageUnavailable"}
    assert outcome.exit() is Exit.RETRY
    # Those in a row that show it, and those that were being read already.
    assert AWAY_SENSORS <= store.asked < AWAY_SENSORS + READERS


def test_one_sensor_that_cannot_be_read_does_not_stop_the_others() -> None:
    store = Away()
    store.at = "readings/2026/01/01/12/b"
    for sensor in ("a", "b", "c"):
        put_sensor(store, sensor)
    store.error = AWAY
    assert kinds(run(store, ["a", "b", "c"])) == {
        "a": "Scored",
        "b": "Undecided/StorageUnavailable",
        "c": "Scored",
    }


def test_storage_that_refuses_fails_the_sensor() -> None:
    store = Away()
    put_sensor(store, "a")
    store.error = DeniedError("GET x: storage answered 403")
    outcome = run(store, ["a"])
    assert kinds(outcome) == {"a": "Failed/StorageDenied"}
    assert outcome.exit() is Exit.PARTIAL


class Full(MemoryStore):
    """Takes no predictions, once it is told to."""

    full = False
    asked = 0

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        if path.startswith("predictions/") and self.full:
            self.asked += 1
            raise UnavailableError(f"PUT {path}: storage answered 503 ServerBusy")
        return super().put(path, data, metadata, **conditions)


def test_storage_that_takes_nothing_is_not_asked_for_ever_either() -> None:
    store, sensors = Full(), [f"s{number}" for number in range(100)]
    for sensor in sensors:
        put_sensor(store, sensor)
    store.full = True
    log = KeptLog()
    outcome = run(store, sensors, log=log)
    assert set(kinds(outcome).values()) == {"Undecided/StorageUnavailable"}
    assert AWAY_SENSORS <= store.asked <= AWAY_SENSORS + WRITERS + BEHIND_ITEMS
    told = dict(outcome.decisions())["s99"].message
    assert told.startswith("sensor s99: PUT predictions/")


class Panic(BaseException):
    """Native code's panics come as such: they are no Exception."""


@pytest.mark.parametrize("defect", [ZeroDivisionError("oh"), Panic("oh")])
def test_a_defect_costs_one_sensor_one_attempt(defect: BaseException) -> None:
    store, log = Away(), KeptLog()
    for sensor in ("a", "b", "c"):
        put_sensor(store, sensor)
    store.error, store.at = defect, "readings/2026/01/01/12/b"
    assert kinds(run(store, ["a", "b", "c"], log=log)) == {
        "a": "Scored",
        "b": "Undecided/Interrupted",
        "c": "Scored",
    }
    assert any(type(defect).__name__ in line.get("traceback", "") for line in log.lines)


@pytest.mark.parametrize("defect", [AWAY, ZeroDivisionError("oh"), Panic("oh")])
def test_notes_that_cannot_be_read_cost_no_sensor(defect: BaseException) -> None:
    store, log = Away(), KeptLog()
    put_sensor(store, "a")
    store.error, store.at = defect, "/inhand/"
    assert kinds(run(store, ["a"], log=log, deaths=True)) == {"a": "Scored"}
    assert log.lines[0]["message"].startswith("earlier attempts' notes not read")


def test_an_interrupt_from_the_keyboard_is_no_defect() -> None:
    store = Away()
    put_sensor(store, "a")
    store.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(store, ["a"])


# Threads: sensors are scored in order, delivered by several threads, and every one is decided.


def test_sensors_are_scored_in_order(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = [f"s{number}" for number in range(40)]
    for sensor in sensors:
        put_sensor(store, sensor)
    seen: list[str] = []
    score = Scoring.score
    monkeypatch.setattr(Scoring, "score", lambda self, found: seen.append(found.sensor) or score(self, found))
    assert set(kinds(run(store, sensors)).values()) == {"Scored"}
    assert seen == sensors


class Threads(MemoryStore):
    """Notes which threads put predictions."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[str] = set()

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        if path.startswith("predictions/"):
            self.writers.add(threading.current_thread().name)
        return super().put(path, data, metadata, **conditions)


def test_a_pack_is_written_beside_the_scoring() -> None:
    store = Threads()
    for sensor in ("a", "b", "c"):
        put_sensor(store, sensor)
    run(store, ["a", "b", "c"])
    assert store.writers == {"writer"}


def test_a_sensor_alone_is_written_where_it_is_scored() -> None:
    store = Threads()
    put_sensor(store, "a")
    run(store, ["a"])
    assert store.writers == {threading.current_thread().name}


def test_after_a_death_sensors_are_worked_on_one_by_one() -> None:
    store = Threads()
    for sensor in ("a", "b", "c"):
        put_sensor(store, sensor)
    work = order(["a", "b", "c"])
    died = Deaths(store, Header(work.run.uid, work.chunk, work.incarnation, "2026-01-01T13:00:00.000Z"))
    died.begin()
    died.take("a")
    assert set(kinds(run(store, ["a", "b", "c"], deaths=True)).values()) == {"Scored"}
    assert store.writers == {threading.current_thread().name}


def test_predictions_are_held_by_their_bytes(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    put = Behind.put

    def noting(self: Behind[Any], item: Any, size: int) -> None:
        sizes.append(size)
        put(self, item, size)

    monkeypatch.setattr(Behind, "put", noting)
    put_sensor(store, "a")
    run(store, ["a", "none"])
    assert sizes == [60 * (8 + 8 + 8 + 1), 0]  # time, value, score, label


def test_what_nobody_decided_is_said(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deliveries, "write", lambda *_: [])
    put_sensor(store, "a")
    put_sensor(store, "b")
    log = KeptLog()
    outcome = run(store, ["a", "b"], log=log)
    assert set(kinds(outcome).values()) == {"Undecided/Interrupted"}
    assert any("no stage has decided it" in line.get("traceback", "") for line in log.lines)


@pytest.mark.parametrize("shards", [1, 3])
def test_shards_decide_all_their_sensors(store: MemoryStore, shards: int) -> None:
    sensors = [f"s{number}" for number in range(30)]
    for sensor in sensors[:-5]:
        put_sensor(store, sensor, faults={3: 99.0})
    output = {
        "path": "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet",
        "layout": "Sharded",
        "shards": shards,
    }
    found = kinds(run(store, sensors, output=output))
    assert [found[sensor] for sensor in sensors] == ["Scored"] * 25 + ["Skipped/NoModel"] * 5


def test_the_detail_says_how_long_a_sensor_took(store: MemoryStore) -> None:
    put_sensor(store, "a")
    outcome = run(store, ["a"])
    spent = json.loads(outcome.message(final=True))["stagesMs"]
    assert decisions(outcome)["a"].detail["seconds"] * 1000 <= sum(spent.values())
