"""Claims on partitions: whose they are after a restart, when they are renewed, when they are too old."""

from __future__ import annotations

from typing import Any

import pytest

from scorer.ingest.cursor import Claim
from scorer.ingest.events import Message
from scorer.ingest.ownership import StoreOwnership
from scorer.ingest.partition import Rooms, claim
from scorer.ingest.places import places
from scorer.ingest.replica import process_name
from scorer.ingest.sharing import SKEW_SECONDS, Record, Sharing
from scorer.storage.memory import MemoryStore
from unit.ingest.crashing import engine
from unit.ingest.partitions import NOON

WHERE = ("namespace", "hub", "group")
PLACES = places("ingest", "hub", "group")
EXPIRE = 30.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of the processes and of the store."""
    clock = Clock()
    monkeypatch.setattr("scorer.ingest.ownership.time.time", clock)
    return clock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class Process:
    """A process, and its client's name for itself."""

    def __init__(self, store: MemoryStore, clock: Clock, replica: str, client: str) -> None:
        self.sharing = Sharing(StoreOwnership(store, PLACES), process_name(replica), EXPIRE, clock)
        self.client = client
        self.etags: list[str] = []

    async def sees(self) -> dict[str, Record]:
        return {each["partition_id"]: each for each in await self.sharing.list_ownership(*WHERE)}

    async def claims(self, *partitions: str, owner: str | None = None) -> list[str]:
        """As the client does it: by the records that it has listed."""
        seen = await self.sees()
        namespace, hub, group = WHERE
        bare = {"fully_qualified_namespace": namespace, "eventhub_name": hub, "consumer_group": group}
        wanted: list[dict[str, Any]] = [
            {
                **seen.get(each, bare | {"partition_id": each}),
                "owner_id": self.client if owner is None else owner,
            }
            for each in partitions
        ]
        put = await self.sharing.claim_ownership(wanted)
        self.etags = [each["etag"] for each in put]
        return [each["partition_id"] for each in put if each["owner_id"] == self.client]


async def test_a_replica_that_begins_again_finds_its_partitions_free(
    store: MemoryStore, clock: Clock
) -> None:
    before = Process(store, clock, "pod-1", "a")
    other = Process(store, clock, "pod-2", "b")
    assert await before.claims("0", "1") == ["0", "1"]
    assert await other.claims("2") == ["2"]
    after = Process(store, clock, "pod-1", "c")
    assert {name: each["owner_id"] for name, each in (await after.sees()).items()} == {
        "0": "",
        "1": "",
        "2": other.sharing._name,
    }
    assert await after.claims("0", "1") == ["0", "1"]
    assert {name: each["owner_id"] for name, each in (await after.sees()).items()} == {
        "0": "c",
        "1": "c",
        "2": other.sharing._name,
    }


async def test_of_two_that_live_with_one_name_each_is_the_others_rival(
    store: MemoryStore, clock: Clock
) -> None:
    first, second = (Process(store, clock, "pod-1", client) for client in "ab")
    await first.sees()
    await second.sees()  # it has begun: what is claimed from here on was not left to it
    assert await first.claims("0") == ["0"]
    assert (await second.sees())["0"]["owner_id"] == first.sharing._name
    third = Process(store, clock, "pod-1", "c")
    await third.claims("0")
    assert (await first.sees())["0"]["owner_id"] == third.sharing._name
    assert (await third.sees())["0"]["owner_id"] == "c"


async def test_without_a_name_nothing_is_left_to_it(store: MemoryStore, clock: Clock) -> None:
    before = Process(store, clock, "", "a")
    await before.claims("0")
    after = Process(store, clock, "", "b")
    assert (await after.sees())["0"]["owner_id"] == before.sharing._name


async def test_a_claim_is_put_again_only_when_a_third_of_its_time_is_over(
    store: MemoryStore, clock: Clock
) -> None:
    process = Process(store, clock, "pod-1", "a")
    await process.claims("0")
    first = process.etags
    clock.now += EXPIRE / 3 - 1
    assert await process.claims("0") == ["0"]
    assert process.etags == first
    clock.now += 1
    assert await process.claims("0") == ["0"]
    assert process.etags != first


async def test_a_claim_that_is_given_back_is_anybodys_at_once(store: MemoryStore, clock: Clock) -> None:
    process, other = Process(store, clock, "pod-1", "a"), Process(store, clock, "pod-2", "b")
    await process.claims("0")
    await process.claims("0", owner="")
    assert (await other.sees())["0"]["owner_id"] == ""
    assert await other.claims("0") == ["0"]
    assert await process.claims("0") == ["0"]  # a thief's claim, by the ETag that it has seen
    assert (await other.sees())["0"]["owner_id"] == process.sharing._name


async def test_a_claim_that_was_given_back_may_be_told_with_no_owner(
    store: MemoryStore, clock: Clock
) -> None:
    """As Blob Storage does it in listings, of metadata that are empty."""

    class Listing(StoreOwnership):
        async def list_ownership(self, *where: str, **how: Any) -> list[Record]:
            found = await super().list_ownership(*where, **how)
            return [{**each, "owner_id": each["owner_id"] or None} for each in found]

    before, after = Process(store, clock, "pod-1", "a"), Process(store, clock, "pod-1", "b")
    await before.claims("0")
    await before.claims("0", owner="")
    after.sharing._owners = Listing(store, PLACES)
    assert (await after.sees())["0"]["owner_id"] == ""
    assert await after.claims("0") == ["0"]


@pytest.mark.parametrize("skew", [-0.9 * SKEW_SECONDS, 0.9 * SKEW_SECONDS])
async def test_a_claim_is_too_old_when_it_was_seen_unchanged_whatever_the_stores_clock_says(
    skew: float, store: MemoryStore, clock: Clock
) -> None:
    clock.now += skew
    await Process(store, clock, "pod-1", "a").claims("0")
    clock.now -= skew
    watcher = Process(store, clock, "pod-2", "b")
    seen = clock.now
    for clock.now in (seen, seen + 10, seen + EXPIRE):
        told = (await watcher.sees())["0"]["last_modified_time"]
        assert told <= seen
        assert clock.now - told >= clock.now - seen
        assert told >= seen - max(skew, 0) or skew > 0
    if skew < 0:  # its clock is ahead of the store's: by that alone it is not too old
        assert told == seen


async def test_what_nobody_has_renewed_for_long_is_too_old_at_first_sight(
    store: MemoryStore, clock: Clock
) -> None:
    await Process(store, clock, "pod-1", "a").claims("0")
    clock.now += EXPIRE + SKEW_SECONDS + 1
    told = (await Process(store, clock, "pod-2", "b").sees())["0"]["last_modified_time"]
    assert clock.now - told > EXPIRE


async def test_a_claim_that_could_not_be_put_is_put_at_the_next_look(
    store: MemoryStore, clock: Clock
) -> None:
    """Azure's own store gives back what it was given if a put fails: nothing was renewed by it."""

    class Failing(StoreOwnership):
        fails = False

        async def claim_ownership(self, ownership_list: Any, **how: Any) -> list[Record]:
            if self.fails:
                return [dict(each) for each in ownership_list]
            return await super().claim_ownership(ownership_list, **how)

    process = Process(store, clock, "pod-1", "a")
    failing = process.sharing._owners = Failing(store, PLACES)
    await process.claims("0")
    first = process.etags
    clock.now += EXPIRE / 3
    failing.fails = True
    assert await process.claims("0") == ["0"]
    assert process.etags == first
    failing.fails = False
    assert await process.claims("0") == ["0"]
    assert process.etags != first


async def test_offsets_are_committed_nowhere_else(store: MemoryStore, clock: Clock) -> None:
    with pytest.raises(NotImplementedError):
        await Process(store, clock, "", "a").sharing.update_checkpoint({})


async def test_a_state_that_was_copied_without_its_metadata_says_itself_where_to_go_on(
    store: MemoryStore,
) -> None:
    partition = claim(Rooms(store, PLACES, ""), engine(), "0", "me")
    partition.take([Message(7, "700", NOON, b"{}")])
    partition.commit()
    claim(Rooms(store, PLACES, ""), engine(), "1", "me")  # nothing has come yet
    owners = StoreOwnership(store, PLACES)
    told = await owners.checkpoints(WHERE, ["0", "1", "2"])
    assert [(each["offset"], each["sequence_number"]) for each in told] == [("700", 7)]
    for name in "01":
        store.put(PLACES.state(name), store.get(PLACES.state(name)).data)
    assert await owners.checkpoints(WHERE, ["0", "1", "2"]) == told


def test_landing_is_taken_over_at_once_by_the_same_replica_only(store: MemoryStore) -> None:
    def claim(replica: str) -> Claim:
        return Claim(store, "landing", process_name(replica), 30)

    assert claim("pod-1").hold(0.0)
    assert claim("pod-2").hold(0.0) is None
    after = claim("pod-1")
    assert after.hold(0.0)
    before = claim("pod-1")
    before._seen = ("long ago", 0.0)
    assert before.hold(1.0) is None
