"""The list of a run's sensors in the store."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract.sensors import Given, SensorsInStore
from scorer.errors import InputError
from scorer.listed import BLOCK, FIRST_BYTES, MAX_WORD, Listed, encode, list_path, pin, read_all, read_part
from scorer.storage.memory import MemoryStore

PATH = list_path("uid")
MANY = [Listed(f"s{number:06}", Given(owner="o" * 100)) for number in range(3 * BLOCK + 7)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class Counting(MemoryStore):
    """Says which ranges it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        data = super().get_range(path, start, length, if_match)
        self.asked.append(len(data))
        return data


def test_a_list_is_read_as_it_was_written(store: MemoryStore) -> None:
    listed = [
        Listed("a"),
        Listed("b", Given("pump", -0.25, "gruppe ä", "o")),
        Listed("c", Given(threshold=0.0)),
    ]
    head, there = pin(store, "uid", listed)
    assert there == listed
    assert read_all(store, PATH, head.digest) == (head, listed)
    lines = store.get(PATH).data.splitlines()
    assert head.digest == hashlib.sha256(lines[0]).hexdigest()
    assert lines[1] == b"a"


@pytest.mark.parametrize("letter", ["x", "\u0436", "\U0001f33e", '"', "\\"])
def test_the_longest_lines_that_a_table_may_give_fit(store: MemoryStore, letter: str) -> None:
    word = letter * MAX_WORD
    longest = Given("m" * 63, -2.2250738585072014e-308, word, word)
    listed = [Listed(f"{number:063}", longest) for number in range(2 * BLOCK)]
    head, _ = pin(store, "uid", listed)
    assert read_all(store, PATH, head.digest) == (head, listed)


def test_a_list_that_could_not_be_read_is_not_written(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorer.listed.MAX_BLOCK_BYTES", 10)
    with pytest.raises(InputError, match="is not a list of sensors"):
        pin(store, "uid", [Listed("a-name-that-is-longer")])
    assert list(store.list("")) == []


def test_a_second_attempt_takes_what_is_there(store: MemoryStore) -> None:
    head, _ = pin(store, "uid", [Listed("a")])
    assert pin(store, "uid", [Listed("b"), Listed("c")]) == (head, [Listed("a")])


@given(st.integers(0, len(MANY) - 1), st.data())
def test_any_part_is_read_and_checked(first: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY) - first))
    store = MemoryStore()
    head, _ = pin(store, "uid", MANY)
    assert read_part(store, SensorsInStore(PATH, first, size, head.digest)) == MANY[first : first + size]


def test_of_a_long_list_only_head_and_part_are_read() -> None:
    store = Counting()
    listed = [Listed(f"s{number:06}", Given(owner="o" * 100)) for number in range(100_000)]
    head, _ = pin(store, "uid", listed)
    assert len(store.get(PATH).data) > 12_000_000
    assert head.length < FIRST_BYTES
    assert read_part(store, SensorsInStore(PATH, 99_000, 1000, head.digest)) == listed[99_000:]
    assert len(store.asked) == 2
    assert sum(store.asked) < 300_000


def broken(change: Any) -> MemoryStore:
    store = MemoryStore()
    store.put(PATH, change(encode(MANY)))
    return store


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda data: data.replace(b"s000000", b"x000000"), "was changed: block 0 has sha256"),
        (lambda data: data[:-1], "was changed: block 3"),
        (lambda _: b"", "its first line does not end"),
        (lambda data: b"\xff\n" + data, "is not a list of sensors"),
        (lambda _: b'{"v":2}\n', "v is 2"),
        (lambda _: b'{"v":1,"total":1,"block":1,"sizes":[-1],"sha256":["a"]}\n', "sizes"),
        (lambda _: b'{"v":1,"total":100001,"block":1,"sizes":[1],"sha256":["a"]}\n', "total is 100001"),
        (lambda _: b'{"v":1,"total":2,"block":1,"sizes":[1],"sha256":["a"]}\n', "1 blocks, wanted 2"),
    ],
)
def test_a_list_that_was_changed_is_refused(change: Any, names: str) -> None:
    with pytest.raises(InputError) as refused:
        read_all(broken(change), PATH)
    assert names in str(refused.value)


def test_another_list_is_refused_by_its_digest(store: MemoryStore) -> None:
    pin(store, "uid", [Listed("a")])
    with pytest.raises(InputError, match="is another list"):
        read_part(store, SensorsInStore(PATH, 0, 1, "b" * 64))


def test_places_that_the_list_has_not_are_refused(store: MemoryStore) -> None:
    head, _ = pin(store, "uid", [Listed("a")])
    with pytest.raises(InputError, match="lists 1 sensors: wanted 1 from place 1 on"):
        read_part(store, SensorsInStore(PATH, 1, 1, head.digest))


def test_a_list_that_is_gone_says_so(store: MemoryStore) -> None:
    with pytest.raises(InputError, match="list of sensors is gone"):
        read_part(store, SensorsInStore(PATH, 0, 1, "b" * 64))


@pytest.mark.parametrize(
    "line",
    [
        "a/b",
        "a\t[1]",
        'a\t{"model":"../x"}',
        'a\t{"threshold":true}',
        'a\t{"threshold":NaN}',
        'a\t{"threshold":1' + "0" * 400 + "}",
        'a\t{"owner":1}',
        'a\t{"owner":"a\\nb"}',
        'a\t{"more":1}',
        "a\t{",
    ],
)
def test_a_line_that_is_wrong_is_refused_by_its_place(store: MemoryStore, line: str) -> None:
    block = f"{line}\n".encode()
    head = {
        "v": 1,
        "total": 1,
        "block": 1,
        "sizes": [len(block)],
        "sha256": [hashlib.sha256(block).hexdigest()],
    }
    store.put(PATH, json.dumps(head).encode() + b"\n" + block)
    with pytest.raises(InputError, match="place 0"):
        read_all(store, PATH)
