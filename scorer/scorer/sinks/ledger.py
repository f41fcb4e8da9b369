"""How far a sink has come, and what it did not take: in the store, so that the next attempt goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scorer.contract.paths import day_folder
from scorer.fenced import put_claimed
from scorer.sinks.event import Event, cloudevent
from scorer.sinks.rule import DEADLETTERED, DELIVERED
from scorer.storage import ConflictError, NotFoundError

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.storage import Store

VERSION = 1
MAX_BYTES = 512 * 1024 * 1024
"""Of a run's dead letters: 100,000 of a kilobyte are 100 MB."""


class OutdoneError(Exception):
    """A later attempt of the run sends to the sink by now."""


class Ledger:
    """Of one sink. Every change is in the store before the next batch is sent."""

    def __init__(self, store: Store, order: WorkOrder, claim: Claim, sink: str, plan: str) -> None:
        """Goes on where an earlier attempt at the same `plan` was cut short. Raises StorageError."""
        self._store, self._claim, self._sink, self._plan = store, claim, sink, plan
        self.path = progress_path(order.run.uid, sink)
        self.dead_path = dead_path(order, sink)
        self.done = 0
        """Batches that are delivered or dead letters."""
        self.counts = {DELIVERED: 0, DEADLETTERED: 0}
        self.why = ""
        """The first dead letter's reason."""
        self._dead = b""
        self._etag = ""
        self._load()

    def _load(self) -> None:
        try:
            told = json.loads(self._store.get(self.path, MAX_BYTES).data)
            if told["v"] != VERSION or told["plan"] != self._plan:
                return
            counts = {name: int(told["counts"][name]) for name in self.counts}
            self.done, self.counts, self.why = int(told["done"]), counts, str(told["why"])
        except (NotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return  # nothing was sent yet, or nobody can say what: what is sent again has the same id
        if self.counts[DEADLETTERED]:
            self._dead = self._earlier_dead()

    def _earlier_dead(self) -> bytes:
        try:
            blob = self._store.get(self.dead_path, MAX_BYTES)
        except NotFoundError:
            return b""
        return blob.data if blob.metadata.get("run") == self._claim.run else b""

    def delivered(self, events: int) -> None:
        """One batch was taken. Raises StorageError and OutdoneError."""
        self.done += 1
        self.counts[DELIVERED] += events
        self.write()

    def dead(self, batches: Sequence[Sequence[Event]], why: str) -> None:
        """These batches, the next ones, will never be. The letters are there before they count."""
        lines = [
            json.dumps({"sink": self._sink, "reason": why, "event": cloudevent(event)}, ensure_ascii=False)
            for events in batches
            for event in events
        ]
        self._dead += "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        self._put(self.dead_path, self._dead)
        self.done += len(batches)
        self.counts[DEADLETTERED] += len(lines)
        self.why = self.why or why
        self.write()

    def write(self, **more: Any) -> None:
        """How far it is. Raises StorageError and OutdoneError."""
        told = {
            "v": VERSION,
            "sink": self._sink,
            "plan": self._plan,
            "done": self.done,
            "counts": self.counts,
            "why": self.why,
            **more,
        }
        data = json.dumps(told, ensure_ascii=False).encode()
        try:
            if self._etag:  # one request, where a claim takes three
                self._etag = self._store.put(self.path, data, self._claim._asdict(), if_match=self._etag)
                return
        except ConflictError:
            self._etag = ""
        self._put(self.path, data)
        self._etag = self._store.head(self.path).etag

    def _put(self, path: str, data: bytes) -> None:
        if not put_claimed(self._store, path, data, self._claim):
            raise OutdoneError(f"{path} is a later attempt's")


def progress_path(uid: str, sink: str) -> str:
    """Where a sink's progress lies."""
    return f"runs/{uid}/sinks/{sink}.json"


def dead_path(order: WorkOrder, sink: str) -> str:
    """Where a run's dead letters of a sink lie."""
    return f"{day_folder(f'deadletter/sinks/{sink}', order.window)}/{order.run.name}.jsonl"


def plan_digest(batches: Sequence[tuple[Any, Sequence[Event]]]) -> str:
    """Of which events go where, in which order."""
    told = [[list(place), [event.id for event in events]] for place, events in batches]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def counted(counts: Mapping[str, int]) -> str:
    """In words."""
    return ", ".join(f"{times} {name}" for name, times in counts.items() if times) or "nothing to send"
