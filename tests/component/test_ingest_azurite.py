"""Ingest with Azure's own ownership and conditional puts, in a real Azurite, beside the double of the hub."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from eventhubs import EventHubs
from hub_clients import HUB, until
from ingest_fleet import Fleet
from scorer.storage import open_store
from scorer.storage.create import create_store

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = [
    pytest.mark.azurite,
    # The client leaves the connections of questions that are cancelled to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_replicas_share_a_hub_by_blobs_and_one_of_them_dies(azurite: Azurite) -> None:
    url = f"azure://{azurite.endpoint.rpartition('/')[2]}/{uuid.uuid4().hex}/some/prefix"
    create_store(url, azurite.endpoint, True, azurite.connection_string)
    store = open_store(url, azurite.endpoint, True, azurite.connection_string)
    at = {"url": url, "endpoint": azurite.endpoint, "allowHttp": True}
    async with EventHubs({HUB: 4}) as hubs:
        fleet = Fleet(hubs, store, store=at)
        fleet.connection = azurite.connection_string
        fleet.fill(10)
        async with fleet.replica() as staying:
            dying, _, work = fleet.start()
            await until(lambda: all(s.consumer.partitions for s in fleet.services), "shared", 90)
            fleet.fill(10)
            await until(lambda: any(p.sequence > 40 for p in dying.consumer.partitions))
            await fleet.kill(dying, work)
            fleet.fill(10)
            await until(lambda: len(staying.consumer.partitions) == 4, "all taken over", 90)
            fleet.next_hour()
            await fleet.all_landed()
        fleet.check()
    paths = [entry.path for entry in store.list("")]
    assert not [path for path in paths if "/checkpoint/" in path]
