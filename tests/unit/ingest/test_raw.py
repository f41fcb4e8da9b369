"""Raw events in Capture's files: each event in one of them, whoever dies when; and the scorer reads them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from scorer.contract.capture import begun_of
from scorer.contract.work import Columns, ReadingsSource
from scorer.ingest.checks import SettingsError
from scorer.ingest.events import Message
from scorer.ingest.partition import LostError, Partition, Rooms, claim
from scorer.ingest.raw import Raw, of_hub
from scorer.ingest.raw_settings import raw_of
from scorer.ingest.state import StateError
from scorer.readings import Reader
from scorer.readings.avro import Message as Captured
from scorer.readings.avro import avro_messages
from scorer.sources import Sources
from scorer.storage import UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.window import window
from unit.ingest.crashing import PLACES, FaultyStore, KilledError, a_hub, dies_after, end_of
from unit.ingest.partitions import MINUTE, NOON, SECOND, configured

PATH = "raw/{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
RAW = of_hub(Raw(PATH, 5 * MINUTE), "ns.servicebus.windows.net", "hub")
SETTINGS = configured(lateArrival="5m")


def own(store: MemoryStore, name: str = "0", owner: str = "me", raw: Raw = RAW) -> Partition:
    return claim(Rooms(store, PLACES, "", raw), SETTINGS, name, owner)


def files(store: MemoryStore) -> dict[str, list[Captured]]:
    return {e.path: list(avro_messages(e.path, [store.get(e.path).data])) for e in store.list("raw")}


def staged(store: MemoryStore) -> list[str]:
    return [entry.path for entry in store.list(PLACES.raw("0"))]


def message(sequence: int, enqueued: int, body: bytes = b"{}", **about: Any) -> Message:
    return Message(sequence, str(sequence), enqueued, body, (about, {"kind": "x"}))


def test_events_of_one_window_are_one_file_when_it_is_over() -> None:
    store = MemoryStore()
    partition = own(store)
    partition.take([message(0, NOON + SECOND), message(1, NOON + MINUTE)])
    partition.commit()
    assert files(store) == {}
    partition.take([message(2, NOON + 2 * MINUTE), message(3, NOON + 5 * MINUTE)])
    partition.commit()
    (path,) = files(store)
    assert path == "raw/ns/hub/0/2026/01/01/12/00/00.avro"
    assert [(each.sequence, each.enqueued) for each in files(store)[path]] == [
        (0, "1/1/2026 12:00:01 PM"),
        (1, "1/1/2026 12:01:00 PM"),
        (2, "1/1/2026 12:02:00 PM"),
    ]
    assert len(staged(store)) == 1  # of the window that is open


def test_a_message_is_kept_with_all_that_the_hub_says() -> None:
    store = MemoryStore()
    partition = own(store)
    about = {"iothub-connection-device-id": "d1", "a": b"\x00", "b": 1.5, "c": -3, "d": None}
    partition.take([message(0, NOON, b"\xff not json", **about)])
    partition.take([], NOON + 5 * MINUTE)
    partition.commit()
    ((kept,),) = files(store).values()
    assert (kept.sequence, kept.offset, kept.body, kept.properties) == (
        0,
        "0",
        b"\xff not json",
        {"kind": "x"},
    )
    del about["d"]
    assert kept.system == about | {"x-opt-enqueued-time": NOON // 1000}


def test_windows_in_which_nothing_came_have_empty_files() -> None:
    store = MemoryStore()
    partition = own(store)
    partition.take([message(0, NOON + SECOND)])
    partition.commit()
    partition.take([], NOON + 16 * MINUTE)
    assert partition.changed
    partition.commit()
    assert [len(each) for each in files(store).values()] == [1, 0, 0]
    assert not staged(store)


def test_what_is_too_large_for_one_file_goes_into_several() -> None:
    store = MemoryStore()
    partition = own(store, raw=RAW._replace(bytes=3000))
    partition.take([message(place, NOON + place * SECOND // 4, bytes(500)) for place in range(20)])
    partition.take([], NOON + 5 * MINUTE)
    partition.commit()
    found = files(store)
    assert [len(some) for some in found.values()] == [5, 5, 5, 5]
    assert [each.sequence for some in found.values() for each in some] == list(range(20))
    assert all(begun_of(RAW.path, path) for path in found)


def test_files_of_a_window_never_have_the_next_ones_names() -> None:
    store = MemoryStore()
    partition = own(store, raw=RAW._replace(every=10 * SECOND, bytes=1024))
    early = [message(place, NOON + place * SECOND // 4, bytes(900)) for place in range(40)]
    later = [message(40 + place, NOON + (10 + place) * SECOND, b"{}") for place in range(10)]
    partition.take([*early, *later], NOON + 60 * SECOND)
    partition.commit()
    found = files(store)
    assert [each.sequence for some in found.values() for each in some] == list(range(50))
    assert len(found) == 10 + 5  # the last of ten seconds has what is left
    for some in found.values():
        assert len({each.sequence >= 40 for each in some}) < 2


def test_what_a_commit_that_failed_has_staged_goes_with_its_window() -> None:
    store = MemoryStore()
    partition = own(store)
    partition.take([message(0, NOON), message(1, NOON + MINUTE)])
    inner = store.put

    def refused(path: str, data: bytes, *more: Any, **options: Any) -> Any:
        if path == PLACES.state("0"):
            raise UnavailableError("not now")
        return inner(path, data, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "put", refused)
        with pytest.raises(UnavailableError):
            partition.commit()
    assert len(staged(store)) == 1
    partition.take([message(2, NOON + 2 * MINUTE)], NOON + 5 * MINUTE)
    partition.commit()
    assert [len(some) for some in files(store).values()] == [3]
    assert not staged(store)


def test_events_of_another_time_than_the_last_stay_in_order() -> None:
    store = MemoryStore()
    partition = own(store)
    partition.take([message(0, NOON + 6 * MINUTE), message(1, NOON + MINUTE), message(2, NOON + 7 * MINUTE)])
    partition.take([], NOON + 10 * MINUTE)
    partition.commit()
    assert [[each.sequence for each in some] for some in files(store).values()] == [[0, 1, 2]]


def run_on(store: MemoryStore, hub: Sequence[Message], chance: random.Random, end: int) -> None:
    """Takes all there is, committing now and then."""
    partition = own(store, owner=f"{chance.random()}")
    while partition.sequence + 1 < len(hub):
        first = partition.sequence + 1
        partition.take(hub[max(first - 1, 0) : first + chance.randrange(1, 40)])
        if chance.random() < 0.4:
            partition.commit()
    partition.take([], end)
    partition.commit()


def test_killed_at_any_write_each_event_is_in_one_file_and_the_files_are_the_same() -> None:
    hub = a_hub(3, partitions=1, events=160, hours=1)["0"]
    end = end_of({"0": hub})
    undisturbed = MemoryStore()
    run_on(undisturbed, hub, random.Random(0), end)  # noqa: S311 (chance, not a secret)
    wanted = files(undisturbed)
    assert [each.sequence for some in wanted.values() for each in some] == list(range(160))
    raw = {entry.path: undisturbed.get(entry.path).data for entry in undisturbed.list("raw")}
    for deaths in range(1, 120):
        chance = random.Random(deaths)  # noqa: S311 (likewise)
        store = MemoryStore()
        after = deaths
        while True:
            try:
                run_on(FaultyStore(store, dies_after(after)), hub, chance, end)
            except KilledError:
                after += 7  # gets on at last
                continue
            break
        assert {entry.path: store.get(entry.path).data for entry in store.list("raw")} == raw
        assert not staged(store)


def test_an_owner_that_was_replaced_changes_no_file() -> None:
    store = MemoryStore()
    old = own(store, owner="old")
    old.take([message(0, NOON), message(1, NOON + MINUTE)])
    old.commit()
    old.take([message(2, NOON + 2 * MINUTE)])
    new = own(store, owner="new")
    new.take([message(2, NOON + 2 * MINUTE), message(3, NOON + 3 * MINUTE)])
    new.commit()
    new.take([], NOON + 5 * MINUTE)
    new.commit()
    before = files(store)
    old.take([message(3, NOON + 3 * MINUTE)])
    old.take([], NOON + 5 * MINUTE)
    with pytest.raises(LostError):
        old.commit()
    assert files(store) == before
    assert [each.sequence for some in before.values() for each in some] == [0, 1, 2, 3]


def test_the_scorer_reads_what_ingest_has_kept() -> None:
    store = MemoryStore()
    partition = own(store)
    bodies = [
        f'{{"Device":"d","Tag":{place % 2},"TS":"2026-01-01T12:{place:02}:00Z","Value":{place}}}'.encode()
        for place in range(60)
    ]
    partition.take([message(place, NOON + place * MINUTE, each) for place, each in enumerate(bodies)])
    partition.take([], NOON + 70 * MINUTE)
    partition.commit()
    span = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
    columns = Columns("TS", "device-{Device}-tag-{Tag}", {"value": "Value"})
    source = ReadingsSource(PATH, layout="capture", columns=columns)
    found = Sources(store, source, span, ("device-d-tag-1",)).find("device-d-tag-1")
    readings = Reader(source, span).read(found, "device-d-tag-1", ["value"])
    assert readings.values[:, 0].tolist() == [float(place) for place in range(1, 60, 2)]


def test_without_raw_nothing_is_kept() -> None:
    store = MemoryStore()
    partition = claim(Rooms(store, PLACES, ""), SETTINGS, "0", "me")
    partition.take([message(0, NOON)])
    partition.commit()
    assert not list(store.list("raw"))
    assert not staged(store)


def test_another_length_of_windows_is_refused_where_one_is_begun() -> None:
    store = MemoryStore()
    partition = own(store)
    partition.take([message(0, NOON)])
    partition.commit()
    with pytest.raises(StateError, match=r"raw.every is 60 s, .* of 300 s"):
        own(store, raw=RAW._replace(every=MINUTE))


def test_settings() -> None:
    assert raw_of(None) is None
    assert raw_of({"path": PATH}) == Raw(PATH, 300 * SECOND, 100 * 1024 * 1024)
    assert raw_of({"path": PATH, "every": "1m", "bytes": "10MiB"}) == Raw(PATH, MINUTE, 10 * 1024 * 1024)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"path": "raw/{yyyy}"}, "raw.path"),
        ({"path": PATH.replace("{PartitionId}", "0")}, "{PartitionId}"),
        ({"every": "16m"}, "raw.every"),
        ({"every": "1500ms"}, "whole seconds"),
        ({"bytes": "1GiB"}, "raw.bytes"),
        ({"bytes": 1}, "raw.bytes"),
        ({"codec": "snappy"}, "raw.codec"),
    ],
)
def test_settings_that_are_refused(change: dict[str, Any], names: str) -> None:
    with pytest.raises(SettingsError) as refused:
        raw_of({"path": PATH} | change)
    assert names in str(refused.value)
