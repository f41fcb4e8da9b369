"""What a run came to: tables, manifest and `_SUCCESS`."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from delivering import OWN, SHARED, SPAN, Run, claim, rows
from scorer.clock import Stopwatch
from scorer.contract import Decision, Exit, Header, Rows
from scorer.contract.publishing import Decisions, Failure, Sample
from scorer.contract.work import Output, UsageError
from scorer.errors import InputError
from scorer.guard.state import Judgement
from scorer.guard.words import Finding
from scorer.logs import Log
from scorer.publish import main_stage
from scorer.publish.results import read_results
from scorer.storage import DeniedError, StorageError, Store, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.verify import verify
from scorer.window import Window

BOTH = pytest.mark.parametrize("output", [OWN, SHARED], ids=["own", "shared"])
SUCCESS = "predictions/2026/01/01/12/_SUCCESS"
ANOMALIES = "anomalies/2026/01/01/12/hourly.parquet"
SKIPPED = Decision("Skipped", "NoReadings", "sensor quiet has no readings")
FAILED = Decision("Failed", "ModelCorrupt", "sensor broken: sha256 differs")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def some(store: Store, output: Output = OWN, minute: int = 1, **changes: Any) -> Run:
    """A run with two sensors scored, one skipped, one failed."""
    made = dict.fromkeys("ab", changes.pop("made_from", "x"))
    return Run(store, output, made, minute, {"quiet": SKIPPED, "broken": FAILED}, **changes)


def table(store: Store, path: str) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(store.get(path).data)).to_pylist()  # type: ignore[no-any-return]


def read(store: Store, path: str) -> dict[str, Any]:
    return json.loads(store.get(path).data)  # type: ignore[no-any-return]


def decided(
    total: int, complete: bool = True, failed: Sequence[int] = (), undecided: Sequence[int] = ()
) -> Decisions:
    return Decisions(total, complete, "", frozenset(failed), frozenset(undecided), {})


@BOTH
def test_every_sensor_has_one_row(store: MemoryStore, output: Output) -> None:
    some(store, output).publish()
    found = table(store, "runs/run-01/results.parquet")
    assert [(row["sensor"], row["state"], row["reason"]) for row in found] == [
        ("a", "Scored", ""),
        ("b", "Scored", ""),
        ("quiet", "Skipped", "NoReadings"),
        ("broken", "Failed", "ModelCorrupt"),
    ]
    first = found[0]
    assert (first["rows_read"], first["rows_scored"], first["anomalies"]) == (6, 6, 2)
    assert first["extreme_score"] == rows("a", "x").scores.max()
    assert f"{first['first_anomaly']:%H:%M} {first['last_anomaly']:%H:%M}" == "12:01 12:04"
    assert first["model"] == rows("a", "x").version
    assert found[2]["first_anomaly"] is None
    assert found[3]["message"] == FAILED.message


def test_sensors_with_anomalies_have_a_table_of_their_own(store: MemoryStore) -> None:
    some(store).publish()
    found = table(store, ANOMALIES)
    assert [row["sensor"] for row in found] == ["a", "b"]
    assert (found[0]["anomalies"], found[0]["threshold"]) == (2, 0.0)
    assert f"{found[0]['window_start']:%H:%M} {found[0]['window_end']:%H:%M}" == "12:00 13:00"
    assert found[0]["prediction"] == "predictions/2026/01/01/12/a.parquet"


def test_a_run_without_anomalies_has_the_table_too(store: MemoryStore) -> None:
    Run(store, OWN, {}, others={"quiet": SKIPPED}).publish()
    assert table(store, ANOMALIES) == []


@BOTH
def test_the_manifest_has_sums_and_digests(store: MemoryStore, output: Output) -> None:
    published = some(store, output).publish()
    manifest = read(store, published.manifest)
    assert manifest["counts"] == {"Scored": 2, "Skipped": 1, "Failed": 1, "Undecided": 0, "Unknown": 0}
    assert manifest["reasons"] == {"Failed/ModelCorrupt": 1, "Skipped/NoReadings": 1}
    assert manifest["rows"] == {"read": 12, "scored": 12, "rejected": 0, "duplicate": 0}
    assert (manifest["anomalies"], manifest["sensors"]["total"]) == (4, 4)
    for name in ("results", "anomaliesFile"):
        told = manifest[name]
        assert hashlib.sha256(store.get(told["path"]).data).hexdigest() == told["sha256"]
    for shard in manifest["shards"]:
        metadata = store.get(shard["path"]).metadata
        assert (metadata["index"], metadata["sha256"]) == (shard["index"], shard["sha256"])
    assert len(manifest["shards"]) == (1 if output is SHARED else 0)
    assert hashlib.sha256(store.get(published.manifest).data).hexdigest() == published.sha256


def test_success_comes_last_and_names_the_manifest(store: MemoryStore) -> None:
    order: list[str] = []

    class Noting(MemoryStore):
        def put(
            self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
        ) -> str:
            order.append(path)
            return super().put(path, data, metadata, **conditions)

    noting = Noting()
    run = some(noting)
    order.clear()
    published = run.publish()
    assert order == ["runs/run-01/results.parquet", ANOMALIES, "runs/run-01/manifest.json", SUCCESS]
    success = read(noting, SUCCESS)
    assert success["manifest"] == {"path": published.manifest, "sha256": published.sha256}
    assert success["run"]["uid"] == "run-01"
    assert success["counts"]["Scored"] == 2


def test_an_incomplete_run_has_all_but_success_and_removes_nothing(store: MemoryStore) -> None:
    some(store, minute=1).publish()
    before = store.get(SUCCESS)
    published = some(store, minute=2).publish(decided(4, complete=False, undecided=[1, 2]))
    assert published.success is None
    assert store.get(SUCCESS) == before
    manifest = read(store, published.manifest)
    assert (manifest["complete"], manifest["success"]) == (False, None)
    assert manifest["counts"] == {"Scored": 1, "Skipped": 0, "Failed": 0, "Undecided": 2, "Unknown": 1}


def of_some(store: Store, minute: int, name: str = "hourly-c1", rest: str = "") -> Run:
    """A run of the one sensor that was corrected, or that another run has left undone."""
    run = Run(store, OWN, {"a": "corrected"}, minute, name=name)
    run.order = run.order._replace(part=True, rest=rest)
    return run


def test_a_run_of_some_sensors_keeps_what_success_said_of_all(store: MemoryStore) -> None:
    some(store).publish()
    whole = read(store, SUCCESS)
    of_some(store, 2).publish()
    success = read(store, SUCCESS)
    assert (success["run"]["uid"], success["counts"]["Scored"]) == ("run-02", 1)
    fields = ("run", "reason", "counts", "reasons", "rows", "anomalies", "manifest")
    assert success["whole"] == {field: whole[field] for field in fields}
    assert verify(store, "run-02").holds
    before = verify(store, "run-01")
    assert before.holds, before.findings


def test_it_is_kept_over_any_number_of_such_runs_and_attempts(store: MemoryStore) -> None:
    some(store).publish()
    for minute in (2, 3):
        run = of_some(store, minute)
        run.publish()
        run.publish()
    success = read(store, SUCCESS)
    assert (success["run"]["uid"], success["whole"]["run"]["uid"]) == ("run-03", "run-01")
    some(store, minute=4, made_from="y").publish()
    assert "whole" not in read(store, SUCCESS)


def test_all_of_a_window_s_anomalies_stay_beside_those_of_some_sensors(store: MemoryStore) -> None:
    some(store).publish()
    before = store.get(ANOMALIES).data
    of_some(store, 2).publish()
    assert store.get(ANOMALIES).data == before
    assert [row["sensor"] for row in table(store, ANOMALIES.replace("hourly", "hourly-c1"))] == ["a"]


@pytest.mark.parametrize("there", [None, b"", b"[]", b"{}", b'{"window": {}}', b"x" * 2_000_000])
def test_without_a_run_of_all_there_is_nothing_to_keep(store: MemoryStore, there: bytes | None) -> None:
    if there is not None:
        store.put(SUCCESS, there)
    of_some(store, 2, rest="run-01").publish()
    success = read(store, SUCCESS)
    assert ("whole" in success, success["part"], success["rest"]) == (False, True, "run-01")


@pytest.mark.parametrize("name", ["hourly-c1", "by-hand"])
def test_some_sensors_make_no_window_complete_that_was_not(store: MemoryStore, name: str) -> None:
    published = of_some(store, 2, name).publish()
    assert published.success is None
    manifest = read(store, published.manifest)
    assert (manifest["success"], manifest["part"]) == (None, True)
    assert SUCCESS not in [entry.path for entry in store.list("")]
    assert verify(store, "run-02").holds


def test_a_run_of_some_sensors_is_never_taken_for_one_of_all(store: MemoryStore) -> None:
    of_some(store, 2, rest="run-01").publish()
    of_some(store, 3, rest="run-02").publish()
    assert "whole" not in read(store, SUCCESS)
    assert of_some(store, 4).publish().success is None
    assert read(store, SUCCESS)["run"]["uid"] == "run-03"


def left_undone(store: Store, minute: int, **changes: Any) -> None:
    """Publishes a run that was stopped early."""
    run = some(store, minute=minute)
    run.order = run.order._replace(**changes)
    run.publish(decided(4, complete=False, undecided=[0]))


EARLIER = Window(SPAN.start - timedelta(hours=1), SPAN.end - timedelta(hours=1))


@pytest.mark.parametrize(
    ("first", "whole"),
    [
        ({}, True),
        ({"part": True}, False),
        ({"part": True, "rest": "run-00"}, True),
        ({"part": True, "rest": "run-01"}, False),
        ({"part": True, "rest": "../run-00"}, False),
        ({"window": EARLIER}, False),
        ({"output": OWN._replace(path="elsewhere/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet")}, False),
    ],
)
def test_the_rest_of_a_run_makes_whole_only_what_that_run_was_of(
    store: MemoryStore, first: dict[str, Any], whole: bool
) -> None:
    left_undone(store, 0)
    left_undone(store, 1, **first)
    published = of_some(store, 2, rest="run-01").publish()
    assert published.success == (SUCCESS if whole else None)
    assert verify(store, "run-02").holds


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_runs_of_a_folder_the_later_one_s_success_stands(store: MemoryStore, first: int) -> None:
    runs = [some(store, minute=minute) for minute in (1, 2)]
    success = [run.publish().success for run in (runs if first == 1 else runs[::-1])]
    assert read(store, SUCCESS)["run"]["uid"] == "run-02"
    assert success == ([SUCCESS, SUCCESS] if first == 1 else [SUCCESS, None])


def test_the_operator_s_decisions_count(store: MemoryStore) -> None:
    failures = {"a": Failure("Failed", "OOMKilled", "sensor a: killed for memory three times")}
    run = some(store)
    run.publish(Decisions(4, True, "SomeFailed", frozenset({0, 3}), frozenset({1}), failures))
    found = {row["sensor"]: row for row in table(store, "runs/run-01/results.parquet")}
    assert (found["a"]["state"], found["a"]["reason"]) == ("Failed", "OOMKilled")
    assert (found["b"]["state"], found["b"]["reason"], found["b"]["rows_read"]) == ("Undecided", "", 0)
    assert (found["broken"]["state"], found["broken"]["reason"]) == ("Failed", "ModelCorrupt")
    assert [row["sensor"] for row in table(store, ANOMALIES)] == []


@BOTH
@pytest.mark.parametrize("lost", ["gone", "rubbish"])
def test_a_lost_outcome_is_told_from_what_the_run_has_written(
    store: MemoryStore, output: Output, lost: str
) -> None:
    run = some(store, output)
    (path,) = [entry.path for entry in store.list("runs/run-01/outcomes")]
    store.delete(path)
    if lost == "rubbish":
        store.put(path, b'{"sensors": [{"sensor": "a", "state": "Scored"}], "chunk": 0, "attempt": "1"}')
    run.publish(decided(4, failed=[3]))
    found = table(store, "runs/run-01/results.parquet")
    assert [(row["state"], row["reason"], row["rows_read"], row["anomalies"]) for row in found] == [
        ("Scored", "", 6, 2),
        ("Scored", "", 6, 2),
        ("Unknown", "OutcomeLost", 0, 0),
        ("Failed", "", 0, 0),
    ]
    assert found[0]["sha256"]


def test_another_run_s_prediction_says_nothing_of_this_one(store: MemoryStore) -> None:
    run = some(store)
    some(store, minute=2, made_from="y")
    store.delete(next(entry.path for entry in store.list("runs/run-01/outcomes")))
    run.publish(decided(4))
    assert {row["state"] for row in table(store, "runs/run-01/results.parquet")} == {"Unknown"}


def test_damaged_outcomes_are_passed_over_or_told(store: MemoryStore) -> None:
    """10,000 of them; one in a hundred goes all the way."""
    run = some(store)
    (path,) = [entry.path for entry in store.list("runs/run-01/outcomes")]
    random = np.random.default_rng(1)
    for number in range(10_000):
        data = bytearray(run.detail)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            data[place] = random.integers(0, 256)
        store.put(path, bytes(data[: random.integers(1, 2 * len(data))]))
        if number % 100:
            with suppress(InputError):  # and nothing else
                read_results(store, path)
        else:
            run.publish()
            assert len(table(store, "runs/run-01/results.parquet")) == 4


@pytest.mark.parametrize(
    "change",
    [{"anomalies": 10**30}, {"extremeScore": 10**400}, {"message": "\ud800"}, {"guard": []}, {"rows": 1},
     {"firstAnomaly": "x"}, {"state": "Great"}, {"threshold": "x"}, {"seconds": None}, {"sensor": []}],
    ids=str,
)  # fmt: skip
def test_strange_outcomes_stop_nothing(store: MemoryStore, change: dict[str, Any]) -> None:
    run = some(store)
    outcome = json.loads(run.detail)
    outcome["sensors"][0] |= change
    (path,) = [entry.path for entry in store.list("runs/run-01/outcomes")]
    store.put(path, json.dumps(outcome).encode())
    run.publish()
    found = table(store, "runs/run-01/results.parquet")
    assert [row["rows_read"] for row in found] == [6, 6, 0, 0]


def test_later_attempts_have_the_last_word(store: MemoryStore) -> None:
    run = some(store)
    outcome = json.loads(run.detail)
    outcome |= {"attempt": "2026-01-01T13:05:00.000Z"}
    outcome["sensors"] = [
        {"sensor": "a", "state": "Undecided", "reason": "Interrupted", "message": ""},
        {"sensor": "quiet", "state": "Scored", "rows": Rows(1, 1)._asdict(), "anomalies": 0},
    ]
    store.put("runs/run-01/outcomes/00000.2026-01-01T13:05:00.000Z.json", json.dumps(outcome).encode())
    run.publish(decided(4, failed=[3]))
    states = {row["sensor"]: row["state"] for row in table(store, "runs/run-01/results.parquet")}
    assert states == {"a": "Scored", "b": "Scored", "quiet": "Scored", "broken": "Failed"}


class Failing(MemoryStore):
    """Puts so many objects, then raises."""

    def __init__(self, error: StorageError) -> None:
        super().__init__()
        self.left: int | None = None
        self.error = error

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        if self.left is not None:
            if self.left == 0:
                raise self.error
            self.left -= 1
        return super().put(path, data, metadata, **conditions)


@pytest.mark.parametrize("puts", [0, 1, 2, 3])
def test_it_can_be_cut_short_anywhere_and_ends_the_same(puts: int) -> None:
    whole, cut = MemoryStore(), Failing(UnavailableError("away"))
    some(whole).publish()
    run = some(cut)
    cut.left = puts
    with pytest.raises(UnavailableError):
        run.publish()
    assert not [entry for entry in cut.list("predictions") if entry.path.endswith("_SUCCESS")]
    cut.left = None
    run.publish(claim=claim(1, attempt=7))
    for path in ("runs/run-01/results.parquet", ANOMALIES, "runs/run-01/manifest.json", SUCCESS):
        left, right = whole.get(path).data, cut.get(path).data
        assert left == right or b"seconds" in left


def test_a_slow_earlier_attempt_leaves_the_later_one_s(store: MemoryStore) -> None:
    run = some(store)
    run.publish(claim=claim(1, attempt=9))
    with pytest.raises(UnavailableError, match="a later attempt's"):
        run.publish(claim=claim(1, attempt=3))


def test_a_run_whose_name_is_no_file_s_is_refused(store: MemoryStore) -> None:
    run = some(store)
    run.order = run.order._replace(run=run.order.run._replace(name="../x"))
    with pytest.raises(UsageError, match=r"run\.name"):
        run.publish()


def test_what_the_guard_observed_is_judged_and_remembered(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed: dict[str, Any] = {}
    found = Finding("a", "FlagRate", "sensor a flagged 31 %")

    def update(_: Store, span: Window, observations: Mapping[str, Mapping[str, Any]], __: Log) -> Judgement:
        observed.update(observations)
        assert str(span) == "2026-01-01T12:00:00Z/2026-01-01T13:00:00Z"
        return Judgement({"FlagRate": 1}, {"MissingRows": 1}, {"UnusualFlagRate": 5}, (found,), (found,))

    monkeypatch.setattr("scorer.publish.run.update", update)
    published = some(store, observed={"a": {"n": 6, "f": 2}}).publish()
    assert observed == {"a": {"n": 6, "f": 2}}
    assert (published.warnings, published.notes) == ({"FlagRate": 1}, {"UnusualFlagRate": 5})
    assert published.samples == (Sample(*found),)
    assert read(store, published.manifest)["guard"] == {
        "warnings": {"FlagRate": 1},
        "ongoing": {"MissingRows": 1},
        "notes": {"UnusualFlagRate": 5},
        "findings": [found._asdict()],
    }


# As a pod.


def stage(run: Run, decisions: bytes | None, folder: Any) -> tuple[Exit, dict[str, Any]]:
    file = folder / "decisions.json"
    if decisions is not None:
        file.write_bytes(decisions)
    order = run.order._replace(stage="Publish", decisions=str(file), sensors=tuple(run.sensors))
    header = Header(run.claim.run, 0, 0, run.claim.attempt)
    code, message = main_stage(order, run.store, Log(), Stopwatch(), header)
    assert len(message) < 4096
    return code, json.loads(message)


DECISIONS = {
    "v": 1,
    "total": 4,
    "complete": True,
    "reason": "SomeFailed",
    "failed": "3",
    "undecided": "",
    "failures": [],
}


def test_the_stage_says_where_everything_is(store: MemoryStore, tmp_path: Any) -> None:
    code, message = stage(some(store), json.dumps(DECISIONS).encode(), tmp_path)
    assert code is Exit.OK
    assert (message["success"], message["anomalies"]) == (SUCCESS, ANOMALIES)
    assert (
        hashlib.sha256(store.get(message["manifest"]["path"]).data).hexdigest()
        == message["manifest"]["sha256"]
    )


@pytest.mark.parametrize(
    ("decisions", "names"),
    [
        (None, "cannot be read"),
        (b"{", "not JSON"),
        (json.dumps(DECISIONS | {"total": 5}).encode(), "4 sensors"),
    ],
)
def test_decisions_that_cannot_be_used(
    store: MemoryStore, tmp_path: Any, decisions: bytes | None, names: str
) -> None:
    code, message = stage(some(store), decisions, tmp_path)
    assert (code, message["failure"]["reason"]) == (Exit.USAGE, "Misconfigured")
    assert names in message["failure"]["message"]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (UnavailableError("PUT x: storage answered 503"), Exit.RETRY, "StorageUnavailable"),
        (DeniedError("PUT x: storage answered 403"), Exit.PARTIAL, "StorageDenied"),
    ],
)
def test_storages_errors_are_told(tmp_path: Any, error: StorageError, code: Exit, reason: str) -> None:
    store = Failing(error)
    run = some(store)
    store.left = 1
    found, message = stage(run, json.dumps(DECISIONS).encode(), tmp_path)
    assert (found, message["failure"]) == (code, {"reason": reason, "message": str(error)})
