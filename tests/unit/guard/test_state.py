from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract.paths import shard_of
from scorer.errors import InputError
from scorer.guard.state import FOLDER, SHARDS, TRIES, Judgement, state_path, update
from scorer.guard.stored import read_state, write_state
from scorer.logs import Log
from scorer.storage import Store, UnavailableError
from scorer.storage.folder import FolderStore
from scorer.storage.memory import MemoryStore
from unit.guard.given import ALL, FEW, MODEL, SPIKES, STUCK, WELL, hour, told, watch

LOG = Log()


def publish(store: Store, number: int, sensors: Mapping[str, Mapping[str, Any]]) -> Judgement:
    """One run's observations."""
    observed = {sensor: told(**changes) for sensor, changes in sensors.items()}
    return update(store, hour(number), observed, LOG)


def objects(store: Store) -> dict[str, bytes]:
    return {entry.path: store.get(entry.path).data for entry in store.list(FOLDER)}


def test_a_judgement_counts_by_reason() -> None:
    store = MemoryStore()
    for number in range(3):
        found = publish(store, number, {"a": ALL, "b": STUCK, "c": SPIKES, "d": WELL})
    assert found.warnings == {"AllFlagged": 1, "ConstantValue": 1}
    assert found.notes == {"UnusualFlagRate": 1}
    assert [finding.sensor for finding in found.findings] == ["a", "b"]
    assert found.samples == found.findings
    found = publish(store, 3, {"a": ALL, "b": STUCK, "c": WELL, "d": WELL})
    assert (found.warnings, found.ongoing) == ({}, {"AllFlagged": 1, "ConstantValue": 1})
    assert [finding.sensor for finding in found.findings] == ["a", "b"]
    assert not found.samples


def test_publishing_twice_changes_nothing_and_tells_the_same() -> None:
    store = MemoryStore()
    for number in range(4):
        once = publish(store, number, {"a": ALL, "b": FEW, "c": SPIKES})
        before = {entry.path: entry.etag for entry in store.list(FOLDER)}
        assert publish(store, number, {"a": ALL, "b": FEW, "c": SPIKES}) == once
        assert {entry.path: entry.etag for entry in store.list(FOLDER)} == before


def test_sensors_lie_in_shards() -> None:
    store = MemoryStore()
    publish(store, 0, {f"sensor-{number}": WELL for number in range(500)})
    assert set(objects(store)) <= {state_path(shard) for shard in range(SHARDS)}
    assert sum(len(read_state(data)) for data in objects(store).values()) == 500


def test_a_folder_remembers_as_well(tmp_path: Path) -> None:
    store = FolderStore(f"file://{tmp_path}", str(tmp_path))
    found = [publish(store, number, {"a": ALL}).warnings for number in range(4)]
    assert found == [{}, {}, {"AllFlagged": 1}, {}]


class Contended(MemoryStore):
    """A store in which somebody else does something just before each of the next puts."""

    def __init__(self, *others: Callable[[], object]) -> None:
        super().__init__()
        self.others = list(others)

    def put(self, *arguments: Any, **options: Any) -> str:
        if self.others:
            self.others.pop()()
        return super().put(*arguments, **options)


def test_two_runs_at_once_are_both_remembered() -> None:
    store: MemoryStore = Contended(lambda: publish(store, 9, {"a": WELL}))
    publish(store, 0, {"a": WELL})
    ends = [window.end for window in read_state(objects(store).popitem()[1])["a"][MODEL].seen]
    assert ends == [int(hour(number).end.timestamp()) for number in (0, 9)]


def test_a_store_that_never_stays_is_unavailable() -> None:
    path = state_path(shard_of("a", SHARDS))
    store: MemoryStore = Contended(*[lambda: MemoryStore.put(store, path, b"{}")] * 99)
    with pytest.raises(UnavailableError, match=f"changed by others {TRIES} times"):
        publish(store, 0, {"a": WELL})


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":2,"sensors":{}}', b"\xff", b"[" * 10_000])
def test_memory_that_cannot_be_read_begins_anew(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    publish(store, 0, {"a": ALL})
    path = next(iter(objects(store)))
    store.put(path, data)
    found = [publish(store, number, {"a": ALL}).warnings for number in range(1, 4)]
    assert found == [{}, {}, {"AllFlagged": 1}]
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["level"], path in line["message"]) for line in said] == [("warning", True)]


def test_an_object_too_large_to_hold_begins_anew(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    publish(store, 0, {"a": ALL})
    monkeypatch.setattr("scorer.guard.state.MAX_BYTES", 10)
    publish(store, 1, {"a": ALL})
    assert "wanted at most 10" in capfd.readouterr().out


def test_observations_that_cannot_be_are_told_and_passed_over(capfd: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    update(store, hour(0), {"a": {"m": 1}, "b": told()}, LOG)
    assert [sensor for data in objects(store).values() for sensor in read_state(data)] == ["b"]
    assert "1 sensors are not watched in this window: sensor a's n is None" in capfd.readouterr().out


def test_sensors_that_are_gone_are_forgotten() -> None:
    store = MemoryStore()
    publish(store, 0, {"a": WELL})
    publish(store, 24 * 31, {f"sensor-{number}": WELL for number in range(500)})
    assert not any(b'"a"' in data for data in objects(store).values())


def test_a_shard_holds_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.guard.state.MAX_SENSORS", 3)
    monkeypatch.setattr("scorer.guard.state.SHARDS", 1)
    store = MemoryStore()
    publish(store, 0, {"a": WELL, "b": WELL})
    publish(store, 1, {"c": WELL, "d": WELL})
    assert list(read_state(objects(store)[state_path(0)])) == ["a", "c", "d"]


def test_samples_are_of_every_reason() -> None:
    store = MemoryStore()
    sensors = {f"a{number}": STUCK for number in range(30)} | {f"b{number}": ALL for number in range(3)}
    for number in range(3):
        found = publish(store, number, sensors)
    assert found.warnings == {"AllFlagged": 3, "ConstantValue": 30}
    assert len(found.samples) == 20
    assert sum(finding.reason == "AllFlagged" for finding in found.samples) == 3


def test_memory_is_small() -> None:
    store = MemoryStore()
    for number in range(8):
        publish(
            store,
            number,
            {f"device-{place:05}-tag-1": SPIKES if place % 50 == 0 else WELL for place in range(200)},
        )
    assert sum(len(data) for data in objects(store).values()) / 200 < 400


KINDS = st.sampled_from(
    [WELL, SPIKES, ALL, STUCK, FEW, {"f": 0, "g": 0}, {"t": None}, {"x": None}, {"o": None}]
)


@given(st.lists(KINDS, min_size=1, max_size=30))
def test_what_is_written_is_read_as_it_was(windows: list[Mapping[str, Any]]) -> None:
    state = watch(*windows)[-1].state
    data = write_state(state)
    assert read_state(data) == state
    assert write_state(read_state(data)) == data


GOOD = json.loads(write_state(watch(*[{**STUCK, "f": 9, "g": 9}] * 9)[-1].state))
PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, part in inner for place in places(part, (*path, key))]


@given(st.sampled_from(places(GOOD)[1:]), PARTS)
def test_memory_with_any_part_changed_is_read_or_refused(path: tuple[Any, ...], part: Any) -> None:
    changed = json.loads(json.dumps(GOOD))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = part
    try:
        state = read_state(json.dumps(changed).encode())
    except InputError:
        return
    assert read_state(write_state(state)) == state
