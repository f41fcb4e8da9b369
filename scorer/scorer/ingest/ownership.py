"""Who has which partition, and where to go on: what the client of Event Hubs asks of a checkpoint store.

Ownership is Azure's own, as it is, where readings lie in Blob Storage; elsewhere a small object for each
partition. Checkpoints are in neither: the offset is that of the committed state, so both can never differ.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.eventhub.aio import CheckpointStore
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

from scorer.ingest import commits
from scorer.ingest.identity import WorkloadIdentity
from scorer.ingest.places import Places
from scorer.ingest.service_settings import StoreAt
from scorer.ingest.sharing import Record, Sharing
from scorer.ingest.state import place_of
from scorer.storage import ConflictError, NotFoundError, Store
from scorer.storage.address import AzureAddress, azure_address

_API = "2021-12-02"
_RETRIES = {"retry_total": 2, "initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
"""Some 4 s in all: the client's own begin with 15 s, which cost claims that have 30; and it looks again."""


def ownership(
    at: StoreAt, connection: str | None, store: Store, places: Places, name: str, expire: float
) -> Sharing:
    """The one for this store; `name` is this process's. Raises AddressError and SettingsError."""
    return Sharing(_owners(at, connection, store, places), name, expire)


def _owners(at: StoreAt, connection: str | None, store: Store, places: Places) -> CheckpointStore:
    scheme, _, rest = at.url.partition("://")
    if scheme != "azure":
        return StoreOwnership(store, places)
    address = azure_address(rest, at.endpoint, at.allow_http, connection)
    return AzureOwnership(
        address.endpoint,
        address.container,
        credential=_credential(address),
        api_version=_API,
        **_RETRIES,
        state=StoreOwnership(store, places),
    )


def _credential(address: AzureAddress) -> Any:
    if address.account_key is not None:
        return AzureNamedKeyCredential(address.account, address.account_key)
    return AzureSasCredential(address.sas) if address.sas is not None else WorkloadIdentity()


class AzureOwnership(BlobCheckpointStore):
    """Azure's, but that checkpoints are those of the states."""

    def __init__(self, *given: Any, state: StoreOwnership, **how: Any) -> None:
        super().__init__(*given, **how)
        self._state = state

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[Record]:
        """Where each partition that was ever owned goes on."""
        where = (fully_qualified_namespace, eventhub_name, consumer_group)
        owned = await self.list_ownership(*where)
        return await self._state.checkpoints(where, [each["partition_id"] for each in owned])

    async def update_checkpoint(self, checkpoint: Mapping[str, Any], **_: Any) -> None:
        """Commits are the only checkpoints. Raises NotImplementedError."""
        raise NotImplementedError("offsets are committed with the state")


class StoreOwnership(CheckpointStore):
    """The same in any store. Times are those of its users' clocks: for one machine, that is."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store = store
        self._places = places

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[Record]:
        """All that is owned, or was."""
        where = (fully_qualified_namespace, eventhub_name, consumer_group)
        return await asyncio.to_thread(self._listed, where)

    async def claim_ownership(self, ownership_list: Iterable[Mapping[str, Any]], **_: Any) -> list[Record]:
        """Those of the list that are owned now as it says."""
        found = [await asyncio.to_thread(self._claimed, each) for each in ownership_list]
        return [each for each in found if each is not None]

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[Record]:
        """Where each partition that was ever owned goes on."""
        where = (fully_qualified_namespace, eventhub_name, consumer_group)
        owned = await asyncio.to_thread(self._listed, where)
        return await self.checkpoints(where, [each["partition_id"] for each in owned])

    async def update_checkpoint(self, checkpoint: Mapping[str, Any], **_: Any) -> None:
        """Commits are the only checkpoints. Raises NotImplementedError."""
        raise NotImplementedError("offsets are committed with the state")

    async def checkpoints(self, where: tuple[str, str, str], partitions: Iterable[str]) -> list[Record]:
        """What is committed of these partitions."""
        return await asyncio.to_thread(self._checkpoints, where, list(partitions))

    def _listed(self, where: tuple[str, str, str]) -> list[Record]:
        folder = f"{self._places.root}/ownership"
        found = []
        for entry in self._store.list(folder):
            blob = self._store.get(entry.path)
            told = orjson.loads(blob.data)
            found.append(
                _at(where, entry.path.rpartition("/")[2])
                | {"owner_id": told["owner"], "last_modified_time": told["time"], "etag": blob.etag}
            )
        return found

    def _claimed(self, wanted: Mapping[str, Any]) -> Record | None:
        etag, now = wanted.get("etag"), time.time()
        path = f"{self._places.root}/ownership/{wanted['partition_id']}"
        data = orjson.dumps({"owner": wanted["owner_id"], "time": now})
        try:
            new = self._store.put(path, data, if_match=etag, if_none_match=etag is None)
        except ConflictError:
            return None
        return {**wanted, "etag": new, "last_modified_time": now}

    def _checkpoints(self, where: tuple[str, str, str], partitions: list[str]) -> list[Record]:
        found = []
        for partition in partitions:
            try:
                offset, sequence = self._committed(self._places.state(partition))
            except NotFoundError:
                continue
            if offset:  # else nothing has come yet
                found.append(_at(where, partition) | {"offset": offset, "sequence_number": sequence})
        return found

    def _committed(self, path: str) -> tuple[str, int]:
        told = self._store.head(path).metadata
        if "offset" in told:
            return told["offset"], int(told["sequence"])
        _, state = commits.decode(self._store.get(path).data, path)  # of a copied folder: it has no metadata
        return place_of(state)


def _at(where: tuple[str, str, str], partition: str) -> Record:
    namespace, hub, group = where
    return {
        "fully_qualified_namespace": namespace,
        "eventhub_name": hub,
        "consumer_group": group,
        "partition_id": partition,
    }
