"""The stage Prepare: what it finds, waits for, writes and says; and that pods take it from there."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from estimators import ESTIMATORS, TRANSFORMS, fitted, rows_of
from scorer.clock import Stopwatch
from scorer.contract import Exit, Header, shard_of
from scorer.contract.paths import readings_path
from scorer.contract.work import ReadingsSource, WorkOrder, parse_work_order
from scorer.fit.export import export
from scorer.listed import list_path, names_of, read_all
from scorer.logs import Log
from scorer.model.file import write_model
from scorer.prepare.discover import with_readings
from scorer.prepare.stage import main_stage
from scorer.storage import ConflictError, DeniedError, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.verify import verify
from scorer.window import window
from scoring import RUN_UID, at, put_model, put_readings, put_sensor, values, work
from unit.scorer.test_publish_pod import Pods

MARKER = "readings/{yyyy}/{MM}/{dd}/{HH}/_SUCCESS"
SHARDED = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", "layout": "Sharded", "shards": 4}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def preparing(**told: Any) -> dict[str, Any]:
    body = {key: value for key, value in work([]).items() if key != "sensors"}
    return body | {"chunk": 0, "stage": "Prepare"} | told


def order(**told: Any) -> WorkOrder:
    return parse_work_order(json.dumps(preparing(**told)))


class Clock:
    """A time that only sleeping moves; what is to happen at a time happens then."""

    def __init__(self, start: datetime) -> None:
        self.time = start
        self.slept: list[float] = []
        self.happens: dict[datetime, Any] = {}

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        for when in [when for when in self.happens if when <= self.time]:
            self.happens.pop(when)()


def stage(store: MemoryStore, told: WorkOrder, clock: Clock | None = None) -> tuple[Exit, dict[str, Any]]:
    clock = clock or Clock(at(13, 0, 10))
    header = Header(RUN_UID, 0, 0, "2026-01-01T13:00:09.123Z")
    code, message = main_stage(told, store, Log(), Stopwatch(), header, clock.now, clock.sleep)
    assert len(message) < 4096
    return code, json.loads(message)


def pinned(store: MemoryStore) -> list[str]:
    return list(names_of(read_all(store, list_path(RUN_UID))[1]))


# Finding sensors


def test_a_table_becomes_the_list_in_order_of_name(store: MemoryStore) -> None:
    store.put("fleet.csv", b"sensor,model\nb,pump\na,\n")
    code, message = stage(store, order(resolve={"table": "fleet.csv"}))
    head, listed = read_all(store, list_path(RUN_UID))
    assert code is Exit.OK
    assert message["sensors"] == {"total": 2, "sha256": head.digest, "shards": []}
    assert message["readings"] is None
    assert [(each.sensor, each.given.model) for each in listed] == [("a", ""), ("b", "pump")]


def test_with_shards_the_list_is_in_their_order_and_says_how_many_each_has(store: MemoryStore) -> None:
    names = [f"s{number:03}" for number in range(100)]
    store.put("fleet.csv", "\n".join(["sensor", *names]).encode())
    _, message = stage(store, order(resolve={"table": "fleet.csv"}, output=SHARDED))
    assert pinned(store) == sorted(names, key=lambda name: (shard_of(name, 4), name))
    sizes = [sum(shard_of(name, 4) == shard for name in names) for shard in range(4)]
    assert message["sensors"]["shards"] == sizes


def test_a_shard_that_no_pod_can_hold_names_how_many_are_wanted(store: MemoryStore) -> None:
    store.put("fleet.csv", "\n".join(["sensor", *(f"s{number}" for number in range(4500))]).encode())
    code, message = stage(store, order(resolve={"table": "fleet.csv"}, output=SHARDED))
    assert code is Exit.USAGE
    assert message["failure"]["reason"] == "InvalidSensors"
    assert "wanted at most 1000, so at least 8 shards" in message["failure"]["message"]


def test_the_list_stays_whatever_happens_to_the_table(store: MemoryStore) -> None:
    store.put("fleet.csv", b"sensor\na\n")
    first = stage(store, order(resolve={"table": "fleet.csv"}))
    store.put("fleet.csv", b"sensor\nb\nc\n")
    again = stage(store, order(resolve={"table": "fleet.csv"}))
    assert (again[0], again[1]["sensors"]) == (first[0], first[1]["sensors"])
    store.delete("fleet.csv")
    assert stage(store, order(resolve={"table": "fleet.csv"}))[0] is Exit.OK
    assert pinned(store) == ["a"]


def test_of_two_attempts_at_the_same_time_the_list_of_one_counts(store: MemoryStore) -> None:
    class Late(MemoryStore):
        def put(self, path: str, data: bytes, *args: Any, **options: Any) -> str:
            if path == list_path(RUN_UID) and not self.raced:
                self.raced = True
                super().put(path, *others)
                raise ConflictError(f"{path} is there")
            return super().put(path, data, *args, **options)

        raced = False

    store.put("fleet.csv", b"sensor\nother\n")
    stage(store, order(resolve={"table": "fleet.csv"}))
    others = (store.get(list_path(RUN_UID)).data,)
    late = Late()
    late.put("fleet.csv", b"sensor\nmine\n")
    code, message = stage(late, order(resolve={"table": "fleet.csv"}))
    assert (code, pinned(late)) == (Exit.OK, ["other"])
    assert message["sensors"]["sha256"] == read_all(late, list_path(RUN_UID))[0].digest


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"from": "Readings"}, ["a", "b", "only-readings"]),
        ({"from": "Models"}, ["a", "b", "only-model"]),
        ({"from": "Readings", "prefix": "only"}, ["only-readings"]),
    ],
)
def test_sensors_are_discovered(store: MemoryStore, told: dict[str, str], names: list[str]) -> None:
    for name in ("a", "b"):
        put_sensor(store, name)
    store.put("readings/2026/01/01/12/only-readings.parquet", b"")
    store.put("readings/2026/01/01/11/earlier.parquet", b"")
    store.put("readings/2026/01/01/12/_SUCCESS", b"")
    store.put("models/only-model/current.json", b"{}")
    store.put("models/gone/20260101T000000Z-0123abcd/model.safetensors", b"")
    code, message = stage(store, order(resolve={"discover": told}))
    assert (code, pinned(store)) == (Exit.OK, names)
    assert message["sensors"]["total"] == len(names)


def test_nothing_found_is_said(store: MemoryStore) -> None:
    code, message = stage(store, order(resolve={"discover": {"from": "Models", "prefix": "x"}}))
    assert code is Exit.USAGE
    assert message["failure"] == {
        "reason": "InvalidSensors",
        "message": "models at models/{sensor} whose name begins with x: found no sensors; wanted at least "
        "one",
    }


def test_an_empty_table_is_said(store: MemoryStore) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"sensor": pa.array([], pa.string())}), sink)
    store.put("fleet.parquet", sink.getvalue())
    code, message = stage(store, order(resolve={"table": "fleet.parquet"}))
    assert (code, message["failure"]["reason"]) == (Exit.USAGE, "InvalidSensors")
    assert "table fleet.parquet, in " in message["failure"]["message"]
    assert message["failure"]["message"].endswith("found no sensors; wanted at least one")


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        ("readings/{sensor}/{yyyy}/{MM}/{dd}/{HH}.csv", ["readings"]),
        (
            "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv",
            [f"readings/2026/01/01/{hour}" for hour in (10, 11, 12)],
        ),
    ],
)
def test_each_folder_of_a_window_is_listed_once(path: str, folders: list[str]) -> None:
    class Listing(MemoryStore):
        def list(self, prefix: str) -> Any:
            asked.append(prefix)
            return super().list(prefix)

    asked: list[str] = []
    store, span = Listing(), window("2026-01-01T10:00:00Z", "2026-01-01T13:00:00Z")
    for sensor, hour in (("first", at(10)), ("last", at(12)), ("before", at(9)), ("after", at(13))):
        store.put(readings_path(path, sensor, hour), b"")
    source = ReadingsSource(path)
    assert with_readings(store, source, span, "", Log()) == ["first", "last"]
    assert asked == folders


def test_what_stands_beside_readings_is_no_sensor_and_no_cause_for_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, span = MemoryStore(), window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
    for name in ("a", "_corrected", ".a"):
        store.put(f"r/2026/01/01/12/{name}.csv", b"")
    source = ReadingsSource("r/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv")
    assert with_readings(store, source, span, "", Log()) == ["a"]
    assert not "".join(capsys.readouterr())


def test_sensors_of_shared_files_cannot_be_discovered(store: MemoryStore) -> None:
    told = order(resolve={"discover": {"from": "Readings"}}, readings={"path": "asa/{yyyy}/{HH}/*.csv"})
    assert "share files" in stage(store, told)[1]["failure"]["message"]


def test_more_sensors_than_a_run_can_have(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.prepare.discover.MAX_RUN_SENSORS", 2)
    for name in "abc":
        store.put(f"models/{name}/current.json", b"{}")
    message = stage(store, order(resolve={"discover": {"from": "Models"}}))[1]
    assert "found more than 2 sensors in models" in message["failure"]["message"]


def test_what_another_run_left_undone_keeps_what_its_table_gave(store: MemoryStore, tmp_path: Path) -> None:
    store.put(
        "fleet.csv", "\n".join(["sensor,owner", *(f"s{number},o{number}" for number in range(10))]).encode()
    )
    digest = stage(store, order(resolve={"table": "fleet.csv"}))[1]["sensors"]["sha256"]
    file = tmp_path / "decisions.json"
    told = {
        "v": 1,
        "total": 10,
        "complete": False,
        "reason": "",
        "failed": "2-3",
        "undecided": "9",
        "failures": [],
    }
    file.write_text(json.dumps(told))
    left = {"run": RUN_UID, "sha256": digest, "decisions": str(file)}
    run = {"name": "again", "namespace": "scoring", "uid": "again", "created": "2026-01-01T14:00:00Z"}
    code, message = stage(store, order(resolve={"left": left}, run=run))
    _, listed = read_all(store, list_path("again"))
    assert (code, message["sensors"]["total"]) == (Exit.OK, 3)
    assert [(each.sensor, each.given.owner) for each in listed] == [("s2", "o2"), ("s3", "o3"), ("s9", "o9")]
    gone = order(resolve={"left": left | {"run": "never"}}, run=run | {"uid": "third"})
    assert "the list of run never is gone" in stage(store, gone)[1]["failure"]["message"]
    other = order(resolve={"left": left | {"sha256": "b" * 64}}, run=run | {"uid": "fourth"})
    assert "is another list" in stage(store, other)[1]["failure"]["message"]


# Waiting


def waiting(until: str = "2026-01-01T13:15:00Z", **told: Any) -> dict[str, Any]:
    return {"marker": MARKER, "until": until} | told


def test_readings_that_come_are_scored_then(store: MemoryStore) -> None:
    clock = Clock(at(13, 0, 5))
    clock.happens[at(13, 5)] = lambda: store.put("readings/2026/01/01/12/_SUCCESS", b"")
    code, message = stage(store, order(waitFor=waiting()), clock)
    assert (code, message["readings"], message["sensors"]) == (Exit.OK, "Ready", None)
    assert clock.time == at(13, 5, 5)
    assert set(clock.slept) == {10.0}


@pytest.mark.parametrize("on_timeout", ["Score", "Fail"])
def test_readings_that_do_not_come(store: MemoryStore, on_timeout: str) -> None:
    clock = Clock(at(13, 14, 55))
    code, message = stage(store, order(waitFor=waiting(onTimeout=on_timeout)), clock)
    assert clock.slept == [5.0]
    if on_timeout == "Score":
        assert (code, message["readings"]) == (Exit.OK, "TimedOut")
        return
    assert (code, message["failure"]["reason"]) == (Exit.PARTIAL, "ReadingsNotReady")
    assert message["failure"]["message"] == (
        "waited until 2026-01-01T13:15:00Z for the readings: not there is readings/2026/01/01/12/_SUCCESS"
    )


CAPTURED = "raw/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"


def test_capture_is_waited_for_until_each_partition_has_a_later_file(store: MemoryStore) -> None:
    for name in ("0/2026/01/01/12/10/00", "1/2026/01/01/12/55/00", "0/2026/01/01/13/20/00"):
        store.put(f"raw/{name}.avro", b"")
    clock = Clock(at(13, 16))
    clock.happens[at(13, 30)] = lambda: store.put("raw/1/2026/01/01/13/14/59.avro", b"")
    clock.happens[at(13, 40)] = lambda: store.put("raw/1/2026/01/01/13/15/00.avro", b"")
    wanted = waiting("2026-01-01T14:00:00Z") | {"marker": CAPTURED}
    told = order(waitFor=wanted, readings={"path": CAPTURED, "layout": "capture"})
    assert stage(store, told, clock)[1]["readings"] == "Ready"
    assert at(13, 40) <= clock.time < at(13, 41)


def test_the_partition_that_capture_is_behind_with_is_said(store: MemoryStore) -> None:
    store.put("raw/0/2026/01/01/12/10/00.avro", b"")
    wanted = waiting() | {"marker": CAPTURED, "onTimeout": "Fail"}
    told = order(waitFor=wanted, readings={"path": CAPTURED, "layout": "capture"})
    message = stage(store, told, Clock(at(15)))[1]
    assert "not there is a later file of 0" in message["failure"]["message"]
    nothing = stage(MemoryStore(), told, Clock(at(15)))[1]
    assert f"not there is {CAPTURED}" in nothing["failure"]["message"]


@pytest.mark.parametrize("there", [True, False])
def test_an_attempt_after_the_deadline_looks_once(store: MemoryStore, there: bool) -> None:
    if there:
        store.put("readings/2026/01/01/12/_SUCCESS", b"")
    clock = Clock(at(15))
    message = stage(store, order(waitFor=waiting()), clock)[1]
    assert (message["readings"], clock.slept) == ("Ready" if there else "TimedOut", [])


@pytest.mark.parametrize(
    ("readings", "marker", "files"),
    [
        ({}, MARKER, ["readings/2026/01/01/12/_SUCCESS"]),
        (
            {"layout": "asa", "path": "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv"},
            "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv",
            ["asa/2026/01/01/12/0.csv", "asa/2026/01/01/13/0.csv"],
        ),
    ],
)
def test_every_folder_that_is_read_is_waited_for(
    store: MemoryStore, readings: dict[str, str], marker: str, files: list[str]
) -> None:
    """Stream Analytics puts the last reading into the next folder: by that one's first file it is there."""
    told = order(waitFor=waiting(marker=marker), readings=work([])["readings"] | readings)
    for file in files:
        assert stage(store, told)[1]["readings"] == "TimedOut"
        store.put(file, b"")
    assert stage(store, told)[1]["readings"] == "Ready"


def test_the_sensors_are_those_of_when_the_readings_are_there(store: MemoryStore) -> None:
    def come() -> None:
        store.put("readings/2026/01/01/12/late.parquet", b"")
        store.put("readings/2026/01/01/12/_SUCCESS", b"")

    clock = Clock(at(13, 0, 5))
    clock.happens[at(13, 1)] = come
    message = stage(store, order(waitFor=waiting(), resolve={"discover": {"from": "Readings"}}), clock)[1]
    assert (message["readings"], pinned(store)) == ("Ready", ["late"])


@pytest.mark.parametrize(
    ("there", "on_timeout", "said"),
    [
        (False, "Score", "TimedOut"),
        (True, "Score", "Ready"),
        (False, "Fail", "Ready"),  # without the readings there were no list
    ],
)
def test_an_attempt_that_finds_the_list_says_whether_the_readings_are_there(
    store: MemoryStore, there: bool, on_timeout: str, said: str
) -> None:
    store.put("fleet.csv", b"sensor\na\n")
    stage(store, order(resolve={"table": "fleet.csv"}))
    if there:
        store.put("readings/2026/01/01/12/_SUCCESS", b"")
    clock = Clock(at(13, 5))
    told = order(waitFor=waiting(onTimeout=on_timeout), resolve={"table": "fleet.csv"})
    code, message = stage(store, told, clock)
    assert (code, message["readings"], message["sensors"]["total"]) == (Exit.OK, said, 1)
    assert clock.slept == []


def test_storage_that_is_away_is_waited_for_and_one_that_refuses_is_not(store: MemoryStore) -> None:
    class Away(MemoryStore):
        error: Exception | None = UnavailableError("storage answered 503")

        def head(self, path: str) -> Any:
            if self.error:
                raise self.error
            return super().head(path)

    away = Away()
    clock = Clock(at(13, 0, 5))
    clock.happens[at(13, 1)] = lambda: setattr(away, "error", None)
    away.put("readings/2026/01/01/12/_SUCCESS", b"")
    assert stage(away, order(waitFor=waiting()), clock)[1]["readings"] == "Ready"
    away.error = DeniedError("storage answered 403")
    code, message = stage(away, order(waitFor=waiting()))
    assert (code, message["failure"]["reason"]) == (Exit.PARTIAL, "StorageDenied")


# As pods


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    return Pods(tmp_path)


def in_store(message: dict[str, Any], first: int, count: int) -> dict[str, Any]:
    path, sha256 = list_path(RUN_UID), message["sensors"]["sha256"]
    return {"store": path, "from": first, "count": count, "sha256": sha256}


def test_a_pod_that_waits_is_small(pods: Pods) -> None:
    put_sensor(pods.store, "a")
    pods.store.put("readings/2026/01/01/12/_SUCCESS", b"")
    assert pods.run(preparing(waitFor=waiting(), resolve={"discover": {"from": "Readings"}})) == Exit.OK
    assert pods.message()["readings"] == "Ready"
    assert not {"numpy", "pyarrow", "scorer.readings"} & set(pods.modules())


def scoring(sensors: dict[str, Any], **told: Any) -> dict[str, Any]:
    return work([]) | {"sensors": sensors} | told


def test_from_a_table_to_a_run_that_is_proved_complete(pods: Pods) -> None:
    """The table's model, threshold, group and owner are seen where they should be."""
    for name in ("a", "b", "c"):
        put_sensor(pods.store, name, faults={7: 99.0})
    put_sensor(pods.store, "pump")
    put_sensor(pods.store, "d", faults={7: 99.0})
    pods.store.delete("models/d/current.json")
    table = (
        "sensor,model,threshold,group,owner\na,,,north,plant 1\nb,,5,,\nc,pump,,south,plant 2\nd,,,,plant 3\n"
    )
    pods.store.put("fleet.csv", table.encode())
    assert pods.run(preparing(resolve={"table": "fleet.csv"})) == Exit.OK
    told = pods.message()
    for chunk, first in enumerate((0, 2)):
        assert pods.run(scoring(in_store(told, first, 2), chunk=chunk)) == Exit.OK
    assert pods.message()["codes"] == "SA"
    publishing = work(["a", "b", "c", "d"])
    publishing = pods.publishing(publishing) | {"sensors": in_store(told, 0, 4)}
    assert pods.run(publishing) == Exit.OK
    proof = verify(pods.store, RUN_UID)
    assert proof.holds, proof.findings
    assert "the list is the run's" in proof.checks
    table = pq.read_table(io.BytesIO(pods.store.get("anomalies/2026/01/01/12/hourly.parquet").data))
    seen = [(row["sensor"], row["threshold"], row["group"], row["owner"]) for row in table.to_pylist()]
    assert seen == [("a", 0.0, "north", "plant 1"), ("c", 0.0, "south", "plant 2")]
    results = pq.read_table(io.BytesIO(pods.store.get(f"runs/{RUN_UID}/results.parquet").data)).to_pylist()
    assert [(row["anomalies"], row["threshold"]) for row in results] == [
        (1, 0.0),
        (0, 5.0),
        (1, 0.0),
        (0, None),
    ]
    assert results[3]["owner"] == "plant 3"
    pods.store.put(list_path(RUN_UID), pods.store.get(list_path(RUN_UID)).data.replace(b"\na", b"\nx"))
    assert any("was changed" in finding for finding in verify(pods.store, RUN_UID).findings)


def test_a_list_in_the_order_of_shards_is_scored_into_them(pods: Pods) -> None:
    names = [f"s{number}" for number in range(8)]
    for name in names:
        put_sensor(pods.store, name, faults={7: 99.0})
    table = "\n".join(["sensor,threshold", *(f"{name},{5 if name == 's3' else ''}" for name in names)])
    pods.store.put("fleet.csv", table.encode())
    assert pods.run(preparing(resolve={"table": "fleet.csv"}, output=SHARDED)) == Exit.OK
    told = pods.message()
    assert pods.run(scoring(in_store(told, 0, 8), output=SHARDED, chunk=0)) == Exit.OK
    assert pods.message()["codes"] == "8S"
    publishing = pods.publishing(work(names, output=SHARDED)) | {"sensors": in_store(told, 0, 8)}
    assert pods.run(publishing) == Exit.OK
    proof = verify(pods.store, RUN_UID)
    assert proof.holds, proof.findings
    results = pq.read_table(io.BytesIO(pods.store.get(f"runs/{RUN_UID}/results.parquet").data)).to_pylist()
    assert [row["sensor"] for row in results] == pinned(pods.store)
    assert {row["sensor"]: row["anomalies"] for row in results} == {name: int(name != "s3") for name in names}


def test_another_threshold_or_model_is_another_prediction(pods: Pods) -> None:
    put_sensor(pods.store, "a")
    fingerprints = set()
    for number, row in enumerate(("a,,", "a,,5", "a,,6")):
        run = work([])["run"] | {"uid": f"run-{number}"}
        pods.store.put("fleet.csv", f"sensor,model,threshold\n{row}\n".encode())
        assert pods.run(preparing(resolve={"table": "fleet.csv"}, run=run)) == Exit.OK
        sensors = in_store(pods.message(), 0, 1) | {"store": f"runs/run-{number}/sensors"}
        assert pods.run(scoring(sensors, run=run)) == Exit.OK
        fingerprints.add(pods.store.head("predictions/2026/01/01/12/a.parquet").metadata["fingerprint"])
    assert len(fingerprints) == 3


@pytest.mark.parametrize("model", ["rbf", "sgd"])  # by whose own rules the border is an anomaly, and is none
def test_a_score_at_the_table_s_threshold_is_an_anomaly(pods: Pods, model: str) -> None:
    pipeline = fitted(TRANSFORMS["standard"], ESTIMATORS[model], rows_of(1, centre=10.0))
    put_model(pods.store, "a", write_model(export(pipeline), ["value"], {}))
    put_readings(pods.store, "a", values())
    path = "predictions/2026/01/01/12/a.parquet"
    border = ""
    for number in range(2):
        run = work([])["run"] | {"uid": f"run-{number}"}
        pods.store.put("fleet.csv", f"sensor,threshold\na,{border}\n".encode())
        assert pods.run(preparing(resolve={"table": "fleet.csv"}, run=run)) == Exit.OK
        sensors = in_store(pods.message(), 0, 1) | {"store": f"runs/run-{number}/sensors"}
        assert pods.run(scoring(sensors, run=run)) == Exit.OK
        rows = pq.read_table(io.BytesIO(pods.store.get(path).data)).to_pylist()
        border = repr(max(row["score"] for row in rows))
    assert [row["prediction"] for row in rows] == [int(row["score"] >= float(border)) for row in rows]
    assert sum(row["prediction"] for row in rows) > 0


def test_a_list_that_was_changed_is_not_scored(pods: Pods) -> None:
    put_sensor(pods.store, "a")
    pods.store.put("fleet.csv", b"sensor\na\nb\n")
    assert pods.run(preparing(resolve={"table": "fleet.csv"})) == Exit.OK
    sensors = in_store(pods.message(), 0, 2)
    data = pods.store.get(list_path(RUN_UID)).data
    pods.store.put(list_path(RUN_UID), data.replace(b"\nb", b"\nx"))
    assert pods.run(scoring(sensors)) == Exit.USAGE
    [first, second] = pods.message()["failures"]
    assert (first["sensor"], first["place"], second["place"]) == ("#0", 0, 1)
    assert "was changed: block 0" in first["message"]


def test_a_list_that_cannot_be_read_now_is_tried_again(pods: Pods) -> None:
    sensors = {"store": "runs/x/sensors", "from": 5, "count": 2, "sha256": "a" * 64}
    (pods.folder / "store").rmdir()
    assert pods.run(scoring(sensors)) == Exit.RETRY
    assert pods.message()["legend"] == {"A": "Undecided/StorageUnavailable"}


def test_failed_sensors_of_a_list_in_the_store_are_told_with_their_places(pods: Pods) -> None:
    put_sensor(pods.store, "a")
    put_sensor(pods.store, "b")
    pods.store.put("models/b/current.json", b"{}")
    pods.store.put("fleet.csv", b"sensor\na\nb\n")
    assert pods.run(preparing(resolve={"table": "fleet.csv"})) == Exit.OK
    assert pods.run(scoring(in_store(pods.message(), 0, 2))) == Exit.PARTIAL
    [failure] = pods.message()["failures"]
    assert (failure["sensor"], failure["place"], failure["reason"]) == ("b", 1, "ModelCorrupt")
