"""Claims on partitions that outlive a process, and cost few requests: a layer before any checkpoint store.

The client makes itself a new name each time it starts, looks at all claims every `rates.balance`, and renews
its own each time. Here a claim's owner is written as REPLICA/PROCESS, so

- a process that begins takes what the one before it, of the same replica, has left: a container that was
  killed goes on at once, and does not wait until its own claims are too old. Only claims that nobody has
  renewed since it began count as left: of two that have one name by mistake, each stays the other's rival.
- a claim is renewed when a third of its time is over, not at each look: looks can be frequent.
- a claim is too old when it was *seen* unchanged for so long; the store's clock is trusted to a minute.

That two believe they have a partition does no harm: its state is changed by one of them only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from azure.eventhub.aio import CheckpointStore

from scorer.ingest.replica import predecessor

Record = dict[str, Any]
SKEW_SECONDS = 60.0
"""What machines' clocks may differ from the store's. A claim older even so is too old at first sight."""
RENEWALS = 3
"""In the time in which a claim expires: two may fail."""


class _Seen(NamedTuple):
    etag: str
    at: float
    """Unix time, by this machine's clock."""


class Sharing(CheckpointStore):
    """Claims in `owners`; checkpoints from there too. `name`: of this process, by `process_name`."""

    def __init__(
        self,
        owners: CheckpointStore,
        name: str,
        expire: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._owners = owners
        self._name = name
        self._expire = expire
        self._clock = clock
        self._client = ""
        """What the client calls itself."""
        self._left: frozenset[str] | None = None
        """ETags of the claims that processes before this one have left; None before the first look."""
        self._seen: dict[str, _Seen] = {}
        self._renewed: dict[str, _Seen] = {}
        """Those of our claims that we have put, by partition."""

    async def __aenter__(self) -> Self:
        """Opens the store, if it is one to be opened."""
        if hasattr(self._owners, "__aenter__"):
            await self._owners.__aenter__()
        return self

    async def __aexit__(self, *how: Any) -> None:
        """Closes it."""
        if hasattr(self._owners, "__aexit__"):
            await self._owners.__aexit__(*how)

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **more: Any
    ) -> list[Record]:
        """All that is owned, or was: ours in the client's own name, and what is free in nobody's."""
        where = (fully_qualified_namespace, eventhub_name, consumer_group)
        listed = await self._owners.list_ownership(*where, **more)
        # Blob Storage tells an empty owner, as claims that were given back have, as none.
        found: list[Record] = [{**each, "owner_id": each["owner_id"] or ""} for each in listed]
        if self._left is None:
            self._left = frozenset(
                each["etag"] for each in found if predecessor(each["owner_id"], self._name)
            )
        return [self._shown(each) for each in found]

    async def claim_ownership(self, ownership_list: Iterable[Mapping[str, Any]], **more: Any) -> list[Record]:
        """Those of the list that are owned now as it says. Claims of ours that are young are left alone."""
        young: list[Record] = []
        wanted: list[Record] = []
        for each in ownership_list:
            if each["owner_id"]:
                self._client = each["owner_id"]
            if each["owner_id"] and self._young(each):
                young.append(dict(each))
            else:
                wanted.append({**each, "owner_id": self._name if each["owner_id"] else ""})
        put = await self._owners.claim_ownership(wanted, **more) if wanted else []
        return [*young, *(self._put(dict(each), wanted) for each in put)]

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **more: Any
    ) -> list[Record]:
        """Where each partition goes on."""
        where = (fully_qualified_namespace, eventhub_name, consumer_group)
        return list(await self._owners.list_checkpoints(*where, **more))

    async def update_checkpoint(self, checkpoint: Mapping[str, Any], **more: Any) -> None:
        """As the store has it."""
        await self._owners.update_checkpoint(dict(checkpoint), **more)

    def _shown(self, record: Record) -> Record:
        partition, etag, owner = record["partition_id"], record["etag"], record["owner_id"]
        seen = self._seen.get(partition)
        if seen is None or seen.etag != etag:
            seen = self._seen[partition] = _Seen(etag, self._clock())
        changed = min(seen.at, record["last_modified_time"] + SKEW_SECONDS)
        if owner == self._name:
            owner = self._client
        elif etag in (self._left or ()):
            owner = ""
        return {**record, "owner_id": owner, "last_modified_time": changed}

    def _young(self, claim: Mapping[str, Any]) -> bool:
        put = self._renewed.get(claim["partition_id"])
        if put is None or put.etag != claim.get("etag"):
            return False
        return 0 <= self._clock() - put.at < self._expire / RENEWALS

    def _put(self, claim: Record, wanted: Iterable[Mapping[str, Any]]) -> Record:
        partition = claim["partition_id"]
        before = {each["partition_id"]: each.get("etag") for each in wanted}
        if not claim["owner_id"]:
            self._renewed.pop(partition, None)
            return claim
        # Azure's store gives a claim back as it was if it could not be put for any reason but a rival.
        if claim.get("etag") != before.get(partition):
            self._renewed[partition] = _Seen(claim["etag"], self._clock())
        return {**claim, "owner_id": self._client, "last_modified_time": self._clock()}
