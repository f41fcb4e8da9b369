"""Whose prediction stands, in both layouts: of two results the later (run's creation, then attempt)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivering import OWN, SHARED, Pod, claim, fetched, prediction, rows
from scorer import shard_writer
from scorer.contract.outcome import Decision
from scorer.contract.work import Output
from scorer.fence import Claim, claim_of
from scorer.readings import Reject
from scorer.sensor_rows import rows_digest
from scorer.storage import ConflictError, DeniedError, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.stored import read_object

REJECTS = (Reject("readings/a.csv", 7, "2026-01-01T12:07:00Z", "NotANumber", "value", "x"),)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_writer, "_pause", lambda _: 0.0)


BOTH = pytest.mark.parametrize("output", [OWN, SHARED], ids=["own", "shared"])


class Meanwhile(MemoryStore):
    """Lets something happen between a pod's look and its write of a prediction."""

    def __init__(self, meanwhile: Callable[[MemoryStore], object]) -> None:
        super().__init__()
        self.meanwhile: Callable[[MemoryStore], object] | None = meanwhile

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        if path.startswith("predictions/") and "_index" not in path and self.meanwhile:
            happening, self.meanwhile = self.meanwhile, None
            happening(self)
        return super().put(path, data, metadata, **conditions)


def there(store: MemoryStore, output: Output, sensor: str = "a") -> tuple[str, Claim, str]:
    """Fingerprint, claim and the digest of the rows that stand there."""
    path = Pod(store, output, claim(59), {sensor: ""}).outputs.path(sensor)
    stored = read_object(store, path, [sensor]).sensors[sensor]
    assert stored.metadata["sha256"] == stored.sha256
    return stored.metadata["fingerprint"], claim_of(stored.metadata), rows_digest(stored.rows)


def made(sensor: str, made_from: str) -> str:
    return rows_digest(rows(sensor, made_from))


@BOTH
def test_a_slow_old_pod_gives_way_to_a_new_model(output: Output) -> None:
    store = Meanwhile(lambda store: Pod(store, output, claim(5), {"a": "new"}).run())
    assert Pod(store, output, claim(1), {"a": "old"}).run() == {"a": "Skipped/Superseded"}
    assert there(store, output) == ("new", claim(5), made("a", "new"))


@BOTH
def test_a_later_run_overwrites_an_earlier_one_that_was_quicker(output: Output) -> None:
    store = Meanwhile(lambda store: Pod(store, output, claim(1), {"a": "old"}).run())
    assert Pod(store, output, claim(5), {"a": "new"}).run() == {"a": "Scored"}
    assert there(store, output) == ("new", claim(5), made("a", "new"))


@BOTH
def test_a_slow_old_pod_agrees_with_a_newer_one_of_the_same_inputs(output: Output) -> None:
    store = Meanwhile(lambda store: Pod(store, output, claim(5), {"a": "same"}).run())
    pod = Pod(store, output, claim(1), {"a": "same"})
    assert pod.run() == {"a": "Scored"}
    assert pod.decided["a"].detail["madeBy"] == "run-05"
    assert there(store, output)[:2] == ("same", claim(5))


@BOTH
def test_a_rerun_claims_what_it_finds_done(output: Output) -> None:
    """Else a run created between the two, with another model and a slow pod, would overwrite it."""
    store = MemoryStore()
    Pod(store, output, claim(1), {"a": "same"}).run()
    slow = Pod(store, output, claim(3), {"a": "other"})
    slow.look()
    again = Pod(store, output, claim(5), {"a": "same"})
    assert again.run() == {"a": "Scored"}
    assert there(store, output)[1] == claim(5)
    slow.deliver("a")
    assert slow.kinds() == {"a": "Skipped/Superseded"}
    assert there(store, output) == ("same", claim(5), made("a", "same"))


@BOTH
def test_another_attempt_of_the_same_run_writes_nothing(output: Output) -> None:
    store = MemoryStore()
    Pod(store, output, claim(1), {"a": "same"}).run()
    entries = list(store.list())
    again = Pod(store, output, claim(1, attempt=30), {"a": "same"})
    assert again.run() == {"a": "Scored"}
    assert list(store.list()) == entries


@BOTH
def test_what_was_found_done_and_is_replaced_by_an_earlier_run_is_looked_at_again(output: Output) -> None:
    store = MemoryStore()
    Pod(store, output, claim(1), {"a": "same"}).run()
    later = Pod(store, output, claim(5), {"a": "same"})
    later.look()
    Pod(store, output, claim(3), {"a": "other"}).run()
    later.deliver("a")
    assert later.kinds() == {"a": "Undecided/Interrupted"}
    assert Pod(store, output, claim(5, attempt=9), {"a": "same"}).run() == {"a": "Scored"}
    assert there(store, output) == ("same", claim(5, attempt=9), made("a", "same"))


@BOTH
def test_what_was_found_done_and_is_replaced_by_a_later_run_is_its(output: Output) -> None:
    store = MemoryStore()
    Pod(store, output, claim(1), {"a": "same"}).run()
    kept = Pod(store, output, claim(3), {"a": "same"})
    kept.look()
    Pod(store, output, claim(5), {"a": "other"}).run()
    kept.deliver("a")
    assert kept.kinds() == {"a": "Skipped/Superseded"}


@BOTH
def test_a_put_whose_answer_was_lost_counts_as_done(output: Output) -> None:
    class Lossy(MemoryStore):
        def put(
            self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
        ) -> str:
            etag = super().put(path, data, metadata, **conditions)
            if path.startswith("predictions/") and "_index" not in path:
                raise ConflictError("the second try of the same request")
            return etag

    store = Lossy()
    pod = Pod(store, output, claim(1), {"a": "x", "b": "x", "c": "x"})
    assert pod.run() == dict.fromkeys("abc", "Scored")
    assert "madeBy" not in pod.decided["a"].detail
    again = Pod(store, output, claim(2), {"a": "x", "b": "x", "c": "x"})
    assert again.run() == dict.fromkeys("abc", "Scored")
    assert there(store, output, "b")[:2] == ("x", claim(2))


@BOTH
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnavailableError("PUT x: storage answered 503"), "Undecided/StorageUnavailable"),
        (DeniedError("PUT x: storage answered 403"), "Failed/StorageDenied"),
    ],
)
def test_storages_errors_are_decisions(output: Output, error: Exception, kind: str) -> None:
    def refuse(_: MemoryStore) -> None:
        raise error

    sensors = dict.fromkeys("abcd", "x")
    kinds = Pod(Meanwhile(refuse), output, claim(1), sensors).run()
    assert kind in kinds.values()
    assert set(kinds) == set(sensors)
    assert set(kinds.values()) <= {kind, "Scored"}


@BOTH
def test_rejected_rows_come_before_and_go_with_the_rerun_that_has_none(output: Output) -> None:
    store = MemoryStore()
    first = Pod(store, output, claim(1), {"a": "x"})
    first.look()
    first.deliver("a", rejects=REJECTS)
    path = first.decided["a"].detail["rejectedFile"]
    assert path == "rejected/2026/01/01/12/a.jsonl"
    assert len(store.get(path).data.splitlines()) == 2
    assert Pod(store, output, claim(2), {"a": "y"}).run() == {"a": "Scored"}
    assert not list(store.list("rejected"))


@BOTH
def test_rejected_rows_of_a_prediction_that_gives_way_go_too(output: Output) -> None:
    store = Meanwhile(lambda store: Pod(store, output, claim(5), {"a": "new"}).run())
    old = Pod(store, output, claim(1), {"a": "old"})
    old.look()
    old.deliver("a", rejects=REJECTS)
    assert old.kinds() == {"a": "Skipped/Superseded"}
    assert not list(store.list("rejected"))


@BOTH
def test_rejected_rows_of_a_prediction_that_came_meanwhile_go_with_it(output: Output) -> None:
    def earlier(store: MemoryStore) -> None:
        pod = Pod(store, output, claim(1), {"a": "old"})
        pod.look()
        pod.deliver("a", rejects=REJECTS)

    store = Meanwhile(earlier)
    assert Pod(store, output, claim(5), {"a": "new"}).run() == {"a": "Scored"}
    assert not list(store.list("rejected"))


@BOTH
def test_a_rerun_claims_rejected_rows_with_the_prediction_that_it_finds_done(output: Output) -> None:
    store = MemoryStore()
    first = Pod(store, output, claim(1), {"a": "same"})
    first.look()
    first.deliver("a", rejects=REJECTS)
    slow = Pod(store, output, claim(3), {"a": "other"})
    slow.look()
    Pod(store, output, claim(5), {"a": "same"}).run()
    before = store.get("rejected/2026/01/01/12/a.jsonl")
    assert claim_of(before.metadata) == claim(5)
    slow.deliver("a", rejects=REJECTS * 2)
    assert slow.kinds() == {"a": "Skipped/Superseded"}
    assert store.get("rejected/2026/01/01/12/a.jsonl") == before


@BOTH
def test_what_is_kept_is_told_as_by_the_one_who_made_it(output: Output) -> None:
    store = MemoryStore()
    first = Pod(store, output, claim(1), {"a": "x"})
    first.look()
    first.deliver("a", observed={"n": 6, "f": 2})
    again = Pod(store, output, claim(2), {"a": "x"})
    again.run()
    kept = dict(again.decided["a"].detail)
    made_now = dict(first.decided["a"].detail)
    made_now.pop("readings")
    assert kept.pop("madeBy") == "run-01"
    assert kept == made_now
    assert kept["guard"] == {"n": 6, "f": 2}
    assert kept["firstAnomaly"] == "2026-01-01T12:01:00.000000Z"
    assert kept["lastAnomaly"] == "2026-01-01T12:04:00.000000Z"
    assert kept["extremeScore"] == rows("a", "x").scores.max()


@BOTH
def test_a_feature_named_like_a_column_of_predictions_fails_its_sensor(output: Output) -> None:
    pod = Pod(MemoryStore(), output, claim(1), {"a": "x"})
    made = prediction(rows("a", "x", features=("score",)))
    ((sensor, decision),) = pod.deliveries.write(fetched("a", "x", None), made)
    assert (sensor, decision.kind) == ("a", "Failed/SchemaMismatch")
    assert "'score'" in decision.message


class Meddled(MemoryStore):
    """Other pods take steps while one is writing."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self.steps: list[Callable[[], None]] = []
        self._data = data

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        while self.steps and self._data.draw(st.booleans()):
            self.steps.pop()()
        return super().put(path, data, metadata, **conditions)


@BOTH
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_the_order_the_latest_claim_s_content_stands(output: Output, data: st.DataObject) -> None:
    """Pods of several runs look and deliver in any order, also in the midst of each other's writes.

    Then each sensor that was left undecided is tried again.
    """
    claims = [claim(minute) for minute in data.draw(st.permutations(range(1, 5)))]
    names = st.lists(st.sampled_from("abcd"), min_size=1, unique=True)
    wants = {of: {name: data.draw(st.sampled_from("xyz")) for name in data.draw(names)} for of in claims}
    store = Meddled(data)
    pods = [Pod(store, output, of, wanted) for of, wanted in wants.items()]
    steps = [step for pod in pods for step in _steps(pod)]
    store.steps = data.draw(st.permutations(steps))
    while store.steps:
        store.steps.pop()()
    for pod in pods:
        left = {name: pod.made_from[name] for name, kind in pod.kinds().items() if "Undecided" in kind}
        if left:
            again = Pod(store, output, pod.outputs.claim._replace(attempt="2026-01-01T14"), left)
            assert "Undecided" not in str(again.run())
    for name in "abcd":
        latest = max((of for of in claims if name in wants[of]), default=None)
        if latest:
            found = there(store, output, name)
            assert (found[0], found[2]) == (wants[latest][name], made(name, wants[latest][name]))
            assert found[1].run == latest.run


def _steps(pod: Pod) -> list[Callable[[], None]]:
    """Delivers one sensor each; whichever is first looks at all of them."""

    def step(sensor: str) -> None:
        if not pod.looked:
            pod.look()
        pod.deliver(sensor)

    return [partial(step, sensor) for sensor in pod.made_from]


def test_a_decision_is_passed_on() -> None:
    pod = Pod(MemoryStore(), OWN, claim(1), {"a": "x"})
    skipped = Decision("Skipped", "NoReadings", "sensor a has no readings")
    assert pod.deliveries.give("a", skipped) == [("a", skipped)]
