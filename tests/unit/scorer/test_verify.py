"""What a published run is proved by, and that every kind of damage is found."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from delivering import OWN, SHARED, Run, claim, rows
from scorer import cli
from scorer.contract import Decision
from scorer.contract.publishing import Decisions
from scorer.contract.work import CSV, Output
from scorer.errors import InputError
from scorer.readings import Reject
from scorer.shard_index import look
from scorer.shards import merged
from scorer.storage import Store, open_store
from scorer.storage.memory import MemoryStore
from scorer.verify import Proof, verify
from scorer.verify.manifest import parse_manifest

IN_CSV = OWN._replace(format=CSV, path="predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv")
LAYOUTS = pytest.mark.parametrize("output", [OWN, IN_CSV, SHARED], ids=["own", "csv", "shared"])
FOLDER = "predictions/2026/01/01/12"
OF_A = f"{FOLDER}/a.parquet"
SHARD = f"{FOLDER}/part-00000.parquet"
MANIFEST, RESULTS = "runs/run-01/manifest.json", "runs/run-01/results.parquet"
ANOMALIES = "anomalies/2026/01/01/12/hourly.parquet"
REJECTED = "rejected/2026/01/01/12/a.jsonl"
OTHERS = {
    "quiet": Decision("Skipped", "NoReadings", "sensor quiet has no readings"),
    "broken": Decision("Failed", "ModelCorrupt", "sensor broken: sha256 differs"),
}
REJECTS = {"a": tuple(Reject("readings/a.csv", row, "", "NotANumber", "value", "x") for row in (7, 9))}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def published(store: Store, output: Output = OWN, minute: int = 1, made_from: str = "x") -> Run:
    run = Run(store, output, dict.fromkeys("abc", made_from), minute, OTHERS, REJECTS)
    run.publish()
    return run


@LAYOUTS
def test_a_run_as_it_should_be(store: MemoryStore, output: Output) -> None:
    published(store, output)
    proof = verify(store, "run-01")
    assert (proof.findings, proof.notes) == ([], [])
    assert proof.checks["predictions have their digest"].looked_at == 3
    assert proof.checks["rows add up for each sensor"].looked_at == 5
    assert proof.checks["rejected rows are there"].looked_at == 1


def test_a_run_that_is_not_complete_has_no_success(store: MemoryStore) -> None:
    run = Run(store, OWN, dict.fromkeys("ab", "x"))
    run.publish(Decisions(2, False, "TooManyFailedSensors", frozenset(), frozenset({1}), {}))
    assert verify(store, "run-01").findings == []


def test_a_run_that_is_not_published_is_named(store: MemoryStore) -> None:
    with pytest.raises(InputError, match=r"no manifest at runs/nobody/manifest\.json"):
        verify(store, "nobody")


def put(store: Store, path: str, change: Callable[[bytes], bytes]) -> None:
    """Changes an object's bytes and nothing beside it."""
    blob = store.get(path)
    store.put(path, change(blob.data), blob.metadata)


def table(change: Callable[[pa.Table], pa.Table]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        sink = io.BytesIO()
        pq.write_table(change(pq.read_table(io.BytesIO(data))), sink, store_schema=False)
        return sink.getvalue()

    return changed


def column(name: str, values: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], bytes]:
    def changed(found: pa.Table) -> pa.Table:
        place = found.schema.get_field_index(name)
        field = found.schema.field(place)
        return found.set_column(place, field, pa.array(values(found[name].to_pylist()), field.type))

    return table(changed)


def told(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        found = json.loads(data)
        change(found)
        return json.dumps(found).encode()

    return changed


def told_and_signed(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the manifest and what `_SUCCESS` says of it: as who would hide something."""
    put(store, MANIFEST, told(change))
    digest = hashlib.sha256(store.get(MANIFEST).data).hexdigest()
    put(store, f"{FOLDER}/_SUCCESS", told(lambda found: found["manifest"].update(sha256=digest)))


def forged(store: Store, path: str, field: str, change: Callable[[bytes], bytes]) -> None:
    """Changes a table, and its digest in the manifest."""
    put(store, path, change)
    digest = hashlib.sha256(store.get(path).data).hexdigest()
    told_and_signed(store, lambda found: found[field].update(sha256=digest))


def forged_results(store: Store, change: Callable[[bytes], bytes]) -> None:
    forged(store, RESULTS, "results", change)


def resigned(store: Store, path: str, change: Callable[[bytes], bytes]) -> None:
    """Changes a prediction and every digest of it that somebody holds."""
    blob = store.get(path)
    data = change(blob.data)
    digest = hashlib.sha256(data).hexdigest()
    store.put(path, data, {**blob.metadata, "sha256": digest})
    before = blob.metadata["sha256"]
    forged(
        store,
        RESULTS,
        "results",
        column("sha256", lambda digests: [digest if other == before else other for other in digests]),
    )


DAMAGE: dict[str, tuple[Callable[[Store], object], str]] = {
    "_SUCCESS is gone": (lambda store: store.delete(f"{FOLDER}/_SUCCESS"), "_SUCCESS does not exist"),
    "_SUCCESS is rubbish": (
        lambda store: put(store, f"{FOLDER}/_SUCCESS", lambda _: b"x"), "_SUCCESS, manifest",
    ),
    "_SUCCESS has other sums": (
        lambda store: put(store, f"{FOLDER}/_SUCCESS", told(lambda found: found.update(anomalies=1))),
        "_SUCCESS, anomalies: found 1, wanted 6",
    ),
    "the manifest was changed": (
        lambda store: put(store, MANIFEST, told(lambda found: found["rows"].update(read=1))),
        "manifest.sha256",
    ),
    "the manifest's sums are wrong": (
        lambda store: told_and_signed(store, lambda found: found["rows"].update(read=1)),
        "results.parquet, rows: found (20, 18, 2, 0), wanted (1, 18, 2, 0)",
    ),
    "the manifest's counts are wrong": (
        lambda store: told_and_signed(store, lambda found: found["counts"].update(Failed=0)),
        "results.parquet, Failed: found 1, wanted 0",
    ),
    "the results are gone": (lambda store: store.delete(RESULTS), "results.parquet does not exist"),
    "the results were changed": (
        lambda store: put(store, RESULTS, column("seconds", lambda found: [7.0 for _ in found])),
        "results.parquet, sha256",
    ),
    "the results are rubbish": (
        lambda store: put(store, RESULTS, lambda _: b"PAR1 not"), "is not a table of the scorer",
    ),
    "a sensor is missing": (
        lambda store: forged_results(store, table(lambda found: found.slice(1))),
        "results.parquet, sensors: found 4, wanted 5",
    ),
    "a sensor stands there twice": (
        lambda store: forged_results(store, column("sensor", lambda found: ["b", *found[1:]])),
        "results.parquet holds b twice",
    ),
    "a sensor has another name": (
        lambda store: forged_results(store, column("sensor", lambda found: [*found[:-1], "other"])),
        "sha256 of the list",
    ),
    "a sensor's rows do not add up": (
        lambda store: forged_results(store, column("rows_read", lambda found: [9, *found[1:]])),
        "sensor a, scored + rejected + duplicate: found 8, wanted 9",
    ),
    "a sensor's prediction lies elsewhere": (
        lambda store: forged_results(store, column("prediction", lambda found: ["x", *found[1:]])),
        "sensor a, prediction: found x, wanted",
    ),
    "the anomalies are gone": (lambda store: store.delete(ANOMALIES), "hourly.parquet does not exist"),
    "the anomalies were changed": (
        lambda store: forged(
            store, ANOMALIES, "anomaliesFile", column("anomalies", lambda found: [1, *found[1:]])
        ),
        "sensor a: anomalies/2026/01/01/12/hourly.parquet, anomalies: found 1, wanted 2",
    ),
    "a sensor's anomalies are left out": (
        lambda store: forged(store, ANOMALIES, "anomaliesFile", table(lambda found: found.slice(1))),
        "sensor a: anomalies/2026/01/01/12/hourly.parquet, anomalies: found 0, wanted 2",
    ),
    "rejected rows are gone": (lambda store: store.delete(REJECTED), f"sensor a: {REJECTED} does not exist"),
    "a rejected row is lost": (
        lambda store: put(store, REJECTED, lambda data: b"\n".join(data.splitlines()[:-1])),
        "found (2, 8, 2, 2), wanted (2, 8, 2, 1)",
    ),
    "rejected rows are rubbish": (lambda store: put(store, REJECTED, lambda _: b"x"), "is not the scorer's"),
}  # fmt: skip

OWN_DAMAGE: dict[str, tuple[Callable[[Store], object], str]] = {
    "a prediction is gone": (lambda store: store.delete(OF_A), f"sensor a: {OF_A} does not exist"),
    "a prediction is rubbish": (
        lambda store: put(store, OF_A, lambda _: b"PAR1 not"), f"sensor a: {OF_A} is not a prediction",
    ),
    "a prediction is another's": (
        lambda store: put(store, OF_A, lambda _: store.get(f"{FOLDER}/b.parquet").data),
        "sensor a: predictions/2026/01/01/12/a.parquet, sha256",
    ),
    "a prediction was made by nobody": (
        lambda store: store.put(OF_A, store.get(OF_A).data),
        f"sensor a: {OF_A} is another one, of run nobody",
    ),
    "a prediction was changed": (
        lambda store: put(store, OF_A, column("value", lambda found: [0.0, *found[1:]])),
        f"sensor a: {OF_A}, sha256",
    ),
    "a row is lost, and all digests are made anew": (
        lambda store: resigned(store, OF_A, table(lambda found: found.slice(1))),
        f"sensor a: {OF_A}, rows: found 5, wanted 6",
    ),
    "a label is turned, and all digests are made anew": (
        lambda store: resigned(store, OF_A, column("prediction", lambda found: [0, *found[1:]])),
        f"sensor a: {OF_A}, anomalies: found 1, wanted 2",
    ),
    "a time stands there twice, and all digests are made anew": (
        lambda store: resigned(store, OF_A, column("time", lambda found: [found[1], *found[1:]])),
        f"sensor a: {OF_A}: row [0] is followed by one that is not later",
    ),
    "a time lies outside, and all digests are made anew": (
        lambda store: resigned(
            store, OF_A, column("time", lambda found: [found[0].replace(hour=11), *found[1:]])
        ),
        "rows outside 2026-01-01T12:00:00Z/2026-01-01T13:00:00Z: found 1, wanted 0",
    ),
    "a score is higher than told, and all digests are made anew": (
        lambda store: resigned(store, OF_A, column("score", lambda found: [99.0, *found[1:]])),
        f"sensor a: {OF_A}, highest score: found 99.0",
    ),
    "a label is none, and all digests are made anew": (
        lambda store: resigned(store, OF_A, column("prediction", lambda found: [2, *found[1:]])),
        f"sensor a: {OF_A}, labels that are neither: found 1, wanted 0",
    ),
}  # fmt: skip


def check(store: Store, damage: Callable[[Store], object], names: str) -> None:
    assert verify(store, "run-01").holds
    damage(store)
    proof = verify(store, "run-01")
    assert not proof.holds
    assert any(names in finding for finding in proof.findings), proof.findings
    assert sum(each.wrong for each in proof.checks.values()) == len(proof.findings)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_what_was_published_is_found(store: MemoryStore, damage: str) -> None:
    published(store)
    check(store, *DAMAGE[damage])


@pytest.mark.parametrize("damage", OWN_DAMAGE)
def test_damage_to_a_prediction_is_found(store: MemoryStore, damage: str) -> None:
    published(store)
    check(store, *OWN_DAMAGE[damage])


def index_gone(store: Store) -> None:
    for entry in list(store.list(f"{FOLDER}/_index")):
        store.delete(entry.path)


def other_rows(store: Store) -> None:
    """Another sensor's rows in the place of one's, and nothing said of it."""
    blob = store.get(SHARD)
    store.put(SHARD, merged(SHARD, blob.data, {"a": rows("a", "forged")}).data, blob.metadata)


def rewritten(store: Store, change: Callable[[dict[str, Any]], object], data: bytes | None = None) -> None:
    """The shard with another index, that is its own."""
    there = look(store, SHARD, whole=True)
    assert there.contents is not None
    found = json.loads(there.contents.encode())
    data = there.data if data is None else data
    found["sha256"] = hashlib.sha256(data).hexdigest()
    change(found)
    index = json.dumps(found).encode()
    digest = hashlib.sha256(index).hexdigest()
    store.put(f"{FOLDER}/_index/part-00000-{digest[:16]}.json", index)
    store.put(SHARD, data, {"index": digest})


SHARD_DAMAGE: dict[str, tuple[Callable[[Store], object], str]] = {
    "a shard is gone": (lambda store: store.delete(SHARD), f"sensor a: {SHARD} does not exist"),
    "an index is gone": (index_gone, f"{SHARD} has no index, or another file's"),
    "an index was changed": (
        lambda store: put(store, next(iter(store.list(f"{FOLDER}/_index"))).path, lambda data: data + b" "),
        "its shard says",
    ),
    "rows were changed": (other_rows, f"{SHARD} has no index, or another file's"),
    "rows were changed, and the index made anew": (
        lambda store: rewritten(
            store, lambda _: None, merged(SHARD, store.get(SHARD).data, {"a": rows("a", "forged")}).data
        ),
        f"sensor a: {SHARD}, sha256",
    ),
    "a sensor is left out of the index": (
        lambda store: rewritten(store, lambda found: found["sensors"].pop("a")),
        f"{SHARD} holds rows of a and 1 sensors in all that its index does not name",
    ),
    "a sensor is left out of both": (
        lambda store: rewritten(
            store,
            lambda found: found["sensors"].pop("a"),
            merged(SHARD, store.get(SHARD).data, {"a": rows("a", "x", 0)}).data,
        ),
        f"sensor a: {SHARD} has no predictions of it",
    ),
    "a sensor of another shard is in it": (
        lambda store: rewritten(store, lambda found: found["sensors"].update(d=found["sensors"]["a"])),
        f"{SHARD} holds d of another shard",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", SHARD_DAMAGE)
def test_damage_to_a_shard_is_found(store: MemoryStore, damage: str) -> None:
    published(store, SHARED)
    check(store, *SHARD_DAMAGE[damage])


@LAYOUTS
def test_what_a_later_run_has_replaced_is_said_and_is_no_fault(store: MemoryStore, output: Output) -> None:
    published(store, output)
    Run(store, output, {"a": "y"}, minute=5, name="hourly").publish()
    proof = verify(store, "run-01")
    assert proof.findings == []
    assert any("was replaced by the later run run-05" in note for note in proof.notes)
    assert any("_SUCCESS is that of the later run run-05" in note for note in proof.notes)
    assert any("hourly.parquet is that of the later run run-05" in note for note in proof.notes)
    assert verify(store, "run-05").findings == []


@LAYOUTS
def test_a_later_run_that_found_everything_done_replaces_nothing(store: MemoryStore, output: Output) -> None:
    published(store, output)
    published(store, output, minute=5)
    proof = verify(store, "run-01")
    assert proof.findings == []
    assert not any("was replaced" in note for note in proof.notes)
    assert proof.checks["predictions have their digest"].looked_at == 3


def test_an_earlier_run_s_overwriting_is_a_fault(store: MemoryStore) -> None:
    published(store)
    blob = store.get(OF_A)
    store.put(OF_A, blob.data, {**blob.metadata, "fingerprint": "other", **claim(0)._asdict()})
    (finding,) = verify(store, "run-01").findings
    assert "is another one, of run run-00: found fingerprint other" in finding


def test_the_command_says_what_it_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = f"file://{tmp_path}"
    store = open_store(where)
    published(store)
    assert cli.main(["verify", "run-01", "--store", where]) == 0
    out = capsys.readouterr().out
    assert "CHECK" in out
    assert "run run-01: everything is as it should be" in out
    store.delete(OF_A)
    assert cli.main(["verify", "run-01", "--store", where]) == 1
    assert f"sensor a: {OF_A} does not exist" in capsys.readouterr().err
    assert cli.main(["verify", "nobody", "--store", where]) == 1
    assert "no manifest at runs/nobody/manifest.json" in capsys.readouterr().err


def test_findings_add_up() -> None:
    proof, other = Proof(), Proof()
    assert proof.same("x", "a", 1, 1)
    assert not other.same("x", "b", 1, 2)
    proof.add([other])
    assert (proof.checks["x"].looked_at, proof.checks["x"].wrong) == (2, 1)
    assert proof.findings == ["b: found 1, wanted 2"]


def test_damaged_manifests_are_refused_or_read(store: MemoryStore) -> None:
    """10,000 of them."""
    published(store)
    good = store.get(MANIFEST).data
    places = np.random.default_rng(1)
    for _ in range(10_000):
        data = bytearray(good)
        for place in places.integers(0, len(data), places.integers(1, 4)):
            data[place] = places.integers(0, 256)
        with suppress(InputError):  # and nothing else
            parse_manifest(bytes(data[: places.integers(1, 2 * len(data))]), "p")


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"output": {"path": "../{sensor}", "format": "Parquet", "layout": "PerSensor", "shards": 1}},
     {"window": {}}, {"rows": []}, {"results": None}, {"shards": [{}]}, {"run": "x"}, {"counts": [1]}],
    ids=json.dumps,
)  # fmt: skip
def test_what_is_no_manifest_is_named(store: MemoryStore, change: Mapping[str, Any]) -> None:
    published(store)
    data = json.dumps({**json.loads(store.get(MANIFEST).data), **change}).encode()
    with pytest.raises(InputError, match="p "):
        parse_manifest(data, "p")
