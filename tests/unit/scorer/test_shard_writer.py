"""A pack's way into its shards, and the index beside each."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from delivering import SHARED, Pod, claim, fetched, prediction, rows
from scorer import shard_writer
from scorer.contract.outcome import Decision, SensorError
from scorer.contract.paths import shard_of
from scorer.fence import claim_of
from scorer.shard_index import Index, index_path, look, parse_index
from scorer.shards import merged
from scorer.storage import ConflictError, NotFoundError, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.stored import read_object

ONE = SHARED._replace(shards=1)
PATH = "predictions/2026/01/01/12/part-00000.parquet"
NAMES = tuple("abcdef")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_writer, "_pause", lambda _: 0.0)


def pack(store: MemoryStore, minute: int, made_from: str = "x", names: tuple[str, ...] = NAMES) -> Pod:
    return Pod(store, ONE, claim(minute), dict.fromkeys(names, made_from))


def indexes(store: MemoryStore) -> list[str]:
    return [entry.path for entry in store.list("predictions/2026/01/01/12/_index")]


def test_a_shard_is_written_once_when_all_its_sensors_are_through(store: MemoryStore) -> None:
    pod = Pod(store, SHARED, claim(1), dict.fromkeys(NAMES, "x"))
    pod.look()
    left = {0: [name for name in NAMES if shard_of(name, 2) == 0], 1: [n for n in NAMES if shard_of(n, 2)]}
    assert all(left.values())
    for name in NAMES:
        pod.deliver(name)
        mine = left[shard_of(name, 2)]
        assert (name in pod.decided) == (name == mine[-1])
    assert pod.kinds() == dict.fromkeys(NAMES, "Scored")
    assert [entry.path for entry in store.list("predictions") if "/_" not in entry.path] == [
        "predictions/2026/01/01/12/part-00000.parquet",
        "predictions/2026/01/01/12/part-00001.parquet",
    ]


def test_sensors_that_are_not_scored_hold_nobody_up(store: MemoryStore) -> None:
    pod = pack(store, 1)
    pod.look()
    skipped = Decision("Skipped", "NoReadings", "sensor a has no readings")
    assert pod.deliveries.give("a", skipped) == [("a", skipped)]
    for name in NAMES[1:]:
        pod.deliver(name)
    assert pod.kinds() == dict.fromkeys(NAMES[1:], "Scored")
    last = pack(store, 2, "y")
    last.look()
    for name in NAMES[:-1]:
        last.deliver(name)
    assert last.kinds() == {}
    assert dict(last.deliveries.give("f", skipped)).keys() == set(NAMES)


def test_the_index_tells_of_each_sensor_what_its_own_object_would(store: MemoryStore) -> None:
    pack(store, 1).run()
    there = look(store, PATH)
    assert there.contents is not None
    assert list(there.contents.sensors) == list(NAMES)
    assert (there.contents.shard, there.contents.shards, there.contents.rows) == (0, 1, 36)
    assert claim_of(there.contents.sensors["a"]) == claim(1)
    assert indexes(store) == [index_path(PATH, there.digest)]


def test_an_index_is_read_once_a_pack(store: MemoryStore) -> None:
    asked: list[str] = []

    class Counting(MemoryStore):
        def get(self, path: str, limit: int | None = None) -> Any:
            asked.append(path)
            return super().get(path, limit)

    counting = Counting()
    pack(counting, 1).run()
    asked.clear()
    again = Pod(counting, ONE, claim(1, attempt=9), dict.fromkeys(NAMES, "x"))
    threads = [threading.Thread(target=again.outputs.prior, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in asked if "_index" in path]) == 1


def test_packs_of_one_shard_keep_each_others_rows(store: MemoryStore) -> None:
    first, second = pack(store, 1, "x", ("a", "c", "e")), pack(store, 1, "x", ("b", "d", "f"))
    first.look()
    second.look()
    assert first.run() | second.run() == dict.fromkeys(NAMES, "Scored")
    together = MemoryStore()
    pack(together, 1).run()
    assert store.get(PATH).data == together.get(PATH).data
    assert len(indexes(store)) == 1


def test_a_slow_old_pod_overwrites_no_newer_sensor_and_still_delivers_its_others(store: MemoryStore) -> None:
    old = pack(store, 1, "old")
    old.look()
    pack(store, 5, "new", ("a", "b")).run()
    for name in NAMES:
        old.deliver(name)
    assert old.kinds() == {
        **dict.fromkeys("ab", "Skipped/Superseded"),
        **dict.fromkeys("cdef", "Scored"),
    }
    found = read_object(store, PATH, NAMES).sensors
    assert {name: each.metadata["fingerprint"] for name, each in found.items()} == {
        **dict.fromkeys("ab", "new"),
        **dict.fromkeys("cdef", "old"),
    }


def test_claiming_what_is_done_leaves_the_bytes(store: MemoryStore) -> None:
    pack(store, 1).run()
    before = store.get(PATH)
    assert set(pack(store, 2).run().values()) == {"Scored"}
    after = store.get(PATH)
    assert (after.data, after.metadata["sha256"]) == (before.data, before.metadata["sha256"])
    assert after.metadata["index"] != before.metadata["index"]


def test_conflicts_are_merged_again_and_leave_no_index_behind() -> None:
    class Busy(MemoryStore):
        left = 6

        def put(
            self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
        ) -> str:
            if path == PATH and self.left:
                self.left, number = self.left - 1, self.left
                pack(self, number, f"{number}", (f"z{number}",)).run() if number % 2 else None
                raise ConflictError("changed")
            return super().put(path, data, metadata, **conditions)

    store = Busy()
    assert pack(store, 9).run() == dict.fromkeys(NAMES, "Scored")
    assert set(look(store, PATH).sensors) == {*NAMES, "z1", "z3", "z5"}
    assert len(indexes(store)) == 1


def test_conflicts_without_end_leave_the_sensors_undecided() -> None:
    class Busy(MemoryStore):
        def put(
            self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
        ) -> str:
            if path == PATH:
                raise ConflictError("changed")
            return super().put(path, data, metadata, **conditions)

    assert pack(Busy(), 1).run() == dict.fromkeys(NAMES, "Undecided/StorageUnavailable")


def test_many_packs_at_once_lose_nothing(store: MemoryStore) -> None:
    packs = [
        Pod(store, ONE, claim(minute), dict.fromkeys((f"s{minute}", f"t{minute}", "all"), f"{minute}"))
        for minute in range(12)
    ]
    threads = [threading.Thread(target=pod.run) for pod in packs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = look(store, PATH)
    for minute, pod in enumerate(packs):
        assert pod.kinds()[f"s{minute}"] == "Scored"
        assert there.sensors[f"s{minute}"]["fingerprint"] == f"{minute}"
    assert there.sensors["all"]["fingerprint"] == "11"
    assert len(indexes(store)) == 1


def test_writer_threads_of_one_pack_may_deliver_at_once(store: MemoryStore) -> None:
    names = tuple(f"s{number:03}" for number in range(64))
    pod = Pod(store, SHARED._replace(shards=4), claim(1), dict.fromkeys(names, "x"))
    pod.look()
    threads = [
        threading.Thread(target=lambda part: [pod.deliver(name) for name in part], args=(names[start::8],))
        for start in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pod.kinds() == dict.fromkeys(names, "Scored")
    assert len([1 for entry in store.list("predictions") if "/_" not in entry.path]) == 4


def test_what_is_held_is_bounded(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_writer, "HELD_BYTES", 3 * rows("a", "x").size)
    pod = pack(store, 1)
    pod.look()
    for name in "abc":
        pod.deliver(name)
    assert pod.kinds() == {}
    pod.deliver("d")
    assert pod.kinds() == dict.fromkeys("abcd", "Scored")
    for name in "ef":
        pod.deliver(name)
    assert pod.kinds() == dict.fromkeys(NAMES, "Scored")
    together = MemoryStore()
    pack(together, 1).run()
    assert store.get(PATH).data == together.get(PATH).data


def test_a_sensor_without_any_scored_row_is_in_the_index_alone(store: MemoryStore) -> None:
    pod = pack(store, 1, names=("a", "b"))
    pod.look()
    pod.deliver("b")
    made = prediction(rows("a", "x", 0))
    pod.decided.update(pod.deliveries.write(fetched("a", "x", None), made))
    found = read_object(store, PATH, ("a", "b")).sensors
    assert (len(found["a"].rows.times), len(found["b"].rows.times)) == (0, 6)
    assert found["a"].sha256 == found["a"].metadata["sha256"]
    assert pack(store, 1, names=("a", "b")).run() == {"a": "Scored", "b": "Scored"}


def test_rows_that_no_index_knows_are_kept_until_their_sensor_is_scored(store: MemoryStore) -> None:
    store.put(PATH, merged(PATH, b"", {name: rows(name, "?") for name in "az"}).data)
    pod = pack(store, 1, names=("a", "b"))
    pod.look()
    assert pod.outputs.prior("a") is None
    assert pod.run() == {"a": "Scored", "b": "Scored"}
    there = read_object(store, PATH, ("a", "b", "z"), whole=True)
    assert sorted(there.sensors) == ["a", "b", "z"]
    assert there.unknown == ("z",)
    assert there.sensors["a"].metadata["fingerprint"] == "x"


@pytest.mark.parametrize("damage", ["index gone", "data replaced"])
def test_an_index_that_is_not_the_shards_makes_its_sensors_nobodys(store: MemoryStore, damage: str) -> None:
    pack(store, 1).run()
    blob = store.get(PATH)
    if damage == "index gone":
        store.delete(indexes(store)[0])
    else:
        store.put(PATH, merged(PATH, blob.data, {"a": rows("a", "?")}).data, blob.metadata)
    assert pack(store, 2, "y", ("a", "b")).run() == {"a": "Scored", "b": "Scored"}
    there = look(store, PATH)
    assert sorted(there.sensors) == ["a", "b"]
    assert there.contents is not None
    assert there.contents.rows == 36


def test_a_reader_that_loses_the_race_for_an_index_looks_again() -> None:
    class Racing(MemoryStore):
        race = True

        def get(self, path: str, limit: int | None = None) -> Any:
            if "_index" in path and self.race:
                self.race = False
                pack(self, 5, "new", ("a",)).run()
            return super().get(path, limit)

    store = Racing()
    store.race = False
    pack(store, 1).run()
    store.race = True
    assert look(store, PATH).sensors["a"]["fingerprint"] == "new"


def test_a_race_without_end_is_storage_that_is_away() -> None:
    class Racing(MemoryStore):
        def get(self, path: str, limit: int | None = None) -> Any:
            if "_index" in path:
                blob = self._objects[PATH]
                super().put(PATH, blob.data, blob.metadata)
                raise NotFoundError(f"{path} does not exist")
            return super().get(path, limit)

    store = Racing()
    pack(store, 1).run()
    with pytest.raises(UnavailableError, match="its index was being read"):
        look(store, PATH)


def test_another_number_of_shards_is_refused(store: MemoryStore) -> None:
    Pod(store, SHARED._replace(shards=2), claim(1), dict.fromkeys(NAMES, "x")).run()
    pod = Pod(store, SHARED._replace(shards=1), claim(2), {"a": "x"})
    with pytest.raises(SensorError, match="is shard 0 of 2: wanted shard 0 of 1"):
        pod.look()


def test_another_number_of_shards_is_refused_where_no_shard_is_yet(store: MemoryStore) -> None:
    Pod(store, SHARED._replace(shards=1), claim(1), dict.fromkeys(NAMES, "x")).run()
    other = next(name for name in NAMES if shard_of(name, 2) == 1)
    pod = Pod(store, SHARED._replace(shards=2), claim(2), {other: "x"})
    with pytest.raises(SensorError, match="wanted shards = 2"):
        pod.look()


def test_a_shard_that_cannot_be_read_fails_its_sensors_and_stays(store: MemoryStore) -> None:
    store.put(PATH, b"PAR1 not")
    pod = pack(store, 1, names=("a", "b"))
    assert pod.run() == dict.fromkeys("ab", "Failed/OutputCorrupt")
    assert "delete it" in pod.decided["a"].message
    assert store.get(PATH).data == b"PAR1 not"


def test_a_defect_decides_nothing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = pack(store, 1, names=("a", "b"))
    pod.look()
    pod.deliver("a")
    monkeypatch.setattr(shard_writer, "digest_of", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pod.deliver("b")
    assert pod.kinds() == {}


GOOD = Index(0, 1, "0" * 64, 3, {"a": {"fingerprint": "f"}})


def test_an_index_comes_back_as_it_was() -> None:
    assert parse_index(GOOD.encode(), "p") == GOOD


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"v": 2}', b'{"v": 1}', b'{"v": 1, "sensors": []}', b"[" * 99_999],
)
def test_what_is_no_index_is_named(data: bytes) -> None:
    with pytest.raises(SensorError, match="p "):
        parse_index(data, "p")
