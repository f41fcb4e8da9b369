"""What a process does with messages that become large when they are read."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from scorer.ingest import consumer
from scorer.ingest.consumer import Clocks, Consumer
from scorer.ingest.events import Message
from scorer.ingest.health import Health
from scorer.ingest.measures import Measures
from scorer.ingest.partition import Rooms, claim
from scorer.ingest.service_settings import Rates
from scorer.storage.memory import MemoryStore
from unit.ingest.crashing import LETTERS, PLACES, FaultyStore, engine
from unit.ingest.partitions import NOON


@pytest.mark.parametrize(("most", "committed"), [(0, ["0", "1", "2"]), (10**9, [])], ids=["full", "not full"])
def test_what_waits_for_a_commit_has_its_bound_between_the_messages_of_a_delivery(
    monkeypatch: pytest.MonkeyPatch, most: int, committed: list[str]
) -> None:
    monkeypatch.setattr(consumer, "MOST_LETTER_BYTES", most)
    store = MemoryStore()
    partition = claim(Rooms(store, PLACES, LETTERS), engine(), "0", "a")
    seen: list[str] = []

    def written(path: str) -> None:
        if path == PLACES.state("0") and (offset := store.head(path).metadata["offset"]) not in ("", *seen):
            seen.append(offset)

    partition._rooms = Rooms(FaultyStore(store, written), PLACES, LETTERS)
    nobody: Any = None
    process = Consumer(
        nobody,
        partition._rooms,
        engine(),
        Rates(),
        Health(60, lambda: 0.0),
        Measures(),
        nobody,
        Clocks(lambda: 0.0),
    )
    owned = process._owned["0"] = consumer._Owned(partition, 10.0, 0.0)
    body = gzip.compress(b"{}\n" * 30_000)
    owned.gathered.add([Message(place, str(place), NOON + place, body) for place in range(4)], 0.0)
    asyncio.run(process._step(owned, silent=False))
    assert partition.sequence == 3
    assert seen == committed
