"""How far a sink has come, and what it did not take: in the store, so that the next attempt goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scorer.contract.paths import day_folder
from scorer.fenced import put_claimed
from scorer.sinks.event import Event, cloudevent, digest_of
from scorer.sinks.rule import DEADLETTERED, DELIVERED
from scorer.storage import ConflictError, NotFoundError

if TYPE_CHECKING:
    from scorer.contract.sinks import Place
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.storage import Store

VERSION = 2
MAX_BYTES = 512 * 1024 * 1024
"""Of a run's dead letters: 100,000 of a kilobyte are 100 MB."""


class OutdoneError(Exception):
    """A later attempt of the run sends to the sink by now."""


class Ledger:
    """Of one sink. Every change is in the store before the next batch is sent."""

    def __init__(
        self, store: Store, order: WorkOrder, claim: Claim, sink: str, items: Sequence[tuple[Place, Event]]
    ) -> None:
        """Goes on where an earlier attempt at the same items was cut short. Raises StorageError."""
        self._store, self._claim, self._sink = store, claim, sink
        self._plan = plan_digest(items)
        self._places = {event.id: place for place, (_, event) in enumerate(items)}
        self.path = progress_path(order.run.uid, sink)
        self.dead_path = dead_path(order, sink)
        self._done = 0
        """A bit for each item that is delivered or a dead letter, by its place in the list: batches of the
        next attempt may be others."""
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
            self._done, self.counts, self.why = int(told["done"], 16), counts, str(told["why"])
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

    def done(self, event: Event) -> bool:
        """Whether it is delivered, or a dead letter."""
        return bool(self._done >> self._places[event.id] & 1)

    def delivered(self, events: Sequence[Event]) -> None:
        """One batch was taken. Raises StorageError and OutdoneError."""
        self._settle(events)
        self.counts[DELIVERED] += len(events)
        self.write()

    def dead(self, events: Sequence[Event], why: str) -> None:
        """These will never be. The letters are there before they count."""
        lines = [
            json.dumps({"sink": self._sink, "reason": why, "event": cloudevent(event)}, ensure_ascii=False)
            for event in events
        ]
        self._dead += "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        self._put(self.dead_path, self._dead)
        self._settle(events)
        self.counts[DEADLETTERED] += len(lines)
        self.why = self.why or why
        self.write()

    def _settle(self, events: Sequence[Event]) -> None:
        for event in events:
            self._done |= 1 << self._places[event.id]

    def end(self, counts: Mapping[str, int]) -> None:
        """Nothing is left; `counts` are of what was not to be sent. Raises StorageError and OutdoneError."""
        lost = self.counts[DEADLETTERED]
        self.write(
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            told=[] if lost else [digest_of(name) for name in self._places],
            **counts,
        )

    def write(self, **more: Any) -> None:
        """How far it is. Raises StorageError and OutdoneError."""
        told = {
            "v": VERSION,
            "sink": self._sink,
            "plan": self._plan,
            "done": f"{self._done:x}",
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


def told_by(store: Store, uid: str, sink: str) -> frozenset[str]:
    """Digests of the results that a run has delivered to the sink. Raises StorageError.

    None of a run that has not sent to the end, or has given something up: what is sent again has the same id.
    """
    try:
        progress = json.loads(store.get(progress_path(uid, sink), MAX_BYTES).data)
        if progress["v"] != VERSION or progress["counts"][DEADLETTERED]:
            return frozenset()
        return frozenset(str(digest) for digest in progress["told"])
    except (NotFoundError, ValueError, LookupError, TypeError, RecursionError):
        return frozenset()


def plan_digest(items: Sequence[tuple[Place, Event]]) -> str:
    """Of which events go where, in which order."""
    told = [[list(place), event.id] for place, event in items]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def counted(counts: Mapping[str, int]) -> str:
    """In words."""
    return ", ".join(f"{times} {name}" for name, times in counts.items() if times) or "nothing to send"
