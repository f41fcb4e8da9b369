"""A partition's commits, its parts, and the cursor of the landing, each by itself."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import orjson
import pytest

from scorer.ingest import commits, parts
from scorer.ingest.accounting import HOUR, total
from scorer.ingest.cursor import Claim
from scorer.ingest.events import Message
from scorer.ingest.partition import LostError, Partition, Rooms, claim
from scorer.ingest.state import StateError
from scorer.ingest.windows import Closed
from scorer.storage import UnavailableError
from scorer.storage.memory import MemoryStore
from unit.ingest.crashing import LETTERS, PLACES, FaultyStore, a_hub, end_of, engine
from unit.ingest.partitions import NOON, configured

HUB = a_hub(1)


def claimed(store: MemoryStore, owner: str = "a", **more: Any) -> Partition:
    return claim(Rooms(store, PLACES, LETTERS), more.get("settings", engine()), "0", owner)


def test_an_owner_goes_on_where_the_one_before_committed() -> None:
    store = MemoryStore()
    first = claimed(store)
    first.take(HUB["0"][:50])
    first.commit()
    first.take(HUB["0"][50:80])
    second = claimed(store, "b")
    assert second.sequence == 49
    assert store.head(PLACES.state("0")).metadata["offset"] == HUB["0"][49].offset


@pytest.mark.parametrize("more", [False, True])
def test_a_put_whose_answer_was_lost_is_known_as_our_own(more: bool) -> None:
    """And if more was taken since, the partition is to be claimed again: the lander may have seen it so."""
    store = MemoryStore()
    lost: list[str] = []

    def fault(path: str) -> None:
        lost.append(path)
        if len(lost) == 4:  # claim: before and after; commit: before, after
            raise UnavailableError("no answer")

    partition = claimed(FaultyStore(store, fault))
    partition.take(HUB["0"][:1])
    with pytest.raises(UnavailableError):
        partition.commit()
    if more:
        partition.take(HUB["0"][1:2])
        with pytest.raises(LostError, match="no answer came"):
            partition.commit()
    else:
        partition.commit()
        partition.take(HUB["0"][1:2])
        partition.commit()
    assert claimed(store, "b").sequence == (0 if more else 1)


def test_messages_that_are_large_inside_are_taken_one_by_one_and_can_be_committed_between() -> None:
    """The same comes of them whoever goes on, and their letters are short."""
    bodies = [b"{}", gzip.compress(b"{}\n" * 30_000), gzip.compress(b"[1]"), gzip.compress(b"{}\n" * 30_000)]
    messages = [Message(place, str(place), NOON + place, body) for place, body in enumerate(bodies)]
    store = MemoryStore()
    first = claimed(store)
    assert first.take(messages, NOON + HOUR) == 2
    counts = first.commit().counts
    assert first.letter_bytes == 0
    second = claimed(store, "b")
    assert second.sequence == 1
    assert second.take(messages[2:], NOON + HOUR) == 2
    assert 0 < second.letter_bytes < 20_000
    counts = total(counts, second.commit().counts)
    assert (counts.messages, counts.bad, counts.adds_up) == (4, 60_002, True)
    data = b"".join(store.get(entry.path).data for entry in store.list("deadletter"))
    assert sum(orjson.loads(line)["events"] for line in data.splitlines()) == 60_002


def test_what_fails_in_the_middle_is_never_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    partition = claimed(store)
    monkeypatch.setattr("scorer.ingest.partition.step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        partition.take(HUB["0"][:5])
    with pytest.raises(LostError):
        partition.commit()
    assert partition.release() is None


def test_windows_of_hours_that_have_landed_are_counted_and_listed_nowhere() -> None:
    store = MemoryStore()
    partition = claimed(store)
    partition.take(HUB["0"])
    partition.take([], end_of(HUB))
    far = end_of(HUB) // 3_600_000_000
    done = partition.commit(far)
    assert done.stray == done.readings > 0
    header = commits.read_header(store, PLACES.state("0"))
    assert header is not None
    assert not header.parts


def test_a_state_made_with_other_windows_is_refused() -> None:
    store = MemoryStore()
    claimed(store)
    with pytest.raises(StateError, match="made with"):
        claimed(store, "b", settings=configured())


@pytest.mark.parametrize("data", [b"", b"SSCOMMIT", b"x" * 100])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    store = MemoryStore()
    store.put(PLACES.state("0"), data)
    with pytest.raises(StateError):
        claimed(store)
    with pytest.raises(StateError):
        commits.read_header(store, PLACES.state("0"))


def test_a_header_longer_than_the_first_read_is_read_whole() -> None:
    store = MemoryStore()
    partition = claimed(store)
    partition._listed = {hour: [commits.Part("x" * 100, 1)] * 200 for hour in range(20)}
    partition.take(HUB["0"][:1])
    partition.commit()
    header = commits.read_header(store, PLACES.state("0"))
    assert header is not None
    assert len(header.parts) == 20


def windows_of(places: list[int], names: list[str]) -> Closed:
    count = len(places)
    kept = {"count": np.full(count, 2, np.uint32), "sum.0": np.arange(count) / 3}
    return Closed(names, np.array(places), np.arange(count) * 3_600_000_000 // 2 + 1, kept)


def test_parts_are_by_hour_and_come_back_in_order_of_sensor() -> None:
    names = ["b", "unused", "a"]
    found = dict(parts.by_hour([windows_of([0, 2, 0], names[:1] + names[1:]), windows_of([2], names)]))
    assert list(found) == [0, 1]
    data = parts.encode("0", 0, found[0])
    name = parts.part_name(5, 9, data)
    back = parts.decode(data, name)
    assert [back.names[place] for place in back.sensors] == ["a", "a", "b"]
    assert back.kept["count"].dtype == np.uint32
    with pytest.raises(parts.PartError):
        parts.decode(data[:-1] + b"x", name)


def test_the_landing_is_taken_over_when_its_holder_is_not_heard_of() -> None:
    store = MemoryStore()
    one, two = (Claim(store, "landing", name, 30) for name in "ab")
    assert one.hold(0)
    assert two.hold(1_000) is None
    one.hold(20)  # renewed
    assert two.hold(1_020) is None
    assert two.hold(1_049) is None
    taken = two.hold(1_051)
    assert taken is not None
    assert taken.holder == "b"
    assert one.hold(60) is None


def test_who_was_replaced_moves_the_cursor_no_more_and_who_lets_go_is_replaced_at_once() -> None:
    store = MemoryStore()
    one, two = (Claim(store, "landing", name, 30) for name in "ab")
    held = one.hold(0)
    assert held is not None
    one.let_go()
    taken = two.hold(0)
    assert taken is not None
    assert one.move(held, next=7) is None
    assert two.move(taken, next=5, layout="Sharded") is not None
    cursor = one.read()
    assert cursor is not None
    assert (cursor.next, cursor.layout) == (5, "Sharded")
