"""Puts predictions into shards: a pack's sensors of one shard in one go, beside those of other packs.

A shard is changed by reading it whole, putting some sensors' rows in the place of what it held of them, and
writing it on condition that it is still what was read. When it is not, it is read and merged again: for each
sensor the later claim wins, and a slow pod still delivers the sensors that nobody else has written.

Imports neither numpy nor pyarrow until there is something to write.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.contract.outcome import Decision, SensorError
from scorer.decisions import agreed, changed, claim_rejected, clear_rejected, scored, superseded, withdraw
from scorer.fence import Verdict, verdict
from scorer.fetch import undone
from scorer.shard_index import Entry, Index, There, digest_of, fitting, index_path, look
from scorer.storage import ConflictError, StorageError, UnavailableError
from scorer.summary import NOTHING, Summary

if TYPE_CHECKING:
    from scorer.outputs import Outputs
    from scorer.sensor_rows import SensorRows

TRIES = 20
"""Conflicts on one shard before giving up: each means that another pack has just written it."""
FIRST_SECONDS, LONGEST_SECONDS = 0.02, 1.0
"""Between two tries, jittered, twice as long each time: packs that met once shall not meet again."""
HELD_BYTES = 32 * 1024 * 1024
"""Of rows that wait for the rest of their shard. Beyond it the largest part of a shard is written as it is:
a pack whose sensors are in the shards' order never comes there."""
LARGE_BYTES = 4 * 1024 * 1024
"""A merge of a shard beyond this takes four times its size: one at a time."""

Decided = list[tuple[str, Decision]]


class Item(NamedTuple):
    """A sensor's prediction on its way into a shard. Without rows: one that is there, and is to be kept."""

    fingerprint: str
    summary: Summary | None = None
    rows: SensorRows | None = None
    about: Mapping[str, Any] = NOTHING

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.rows.size if self.rows else 0


class _Pending:
    """What is known of one shard's sensors of the pack."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        """Not through yet."""
        self.held: dict[str, Item] = {}
        """Through, and not written."""
        self.size = 0
        """Bytes held."""

    def hold(self, sensor: str, item: Item) -> None:
        """Keeps it until it is written."""
        self.held[sensor] = item
        self.size += item.size

    def take(self) -> dict[str, Item]:
        """What is held, to be written."""
        held, self.held, self.size = self.held, {}, 0
        return held


class _Plan(NamedTuple):
    """What one try at a shard comes to."""

    decided: dict[str, Decision]
    entries: dict[str, Entry]
    """Of the index, new or changed."""
    rows: dict[str, SensorRows]
    """To be put in the place of what is there."""


class ShardWriter:
    """The shards of one window, as far as one pack is concerned. Threads use it at the same time."""

    def __init__(self, outputs: Outputs, wait: Callable[[float], None] = time.sleep) -> None:
        self._outputs = outputs
        self._wait = wait
        self._lock = threading.Lock()
        self._one_large = threading.Lock()
        self._shards: dict[int, _Pending] = {}
        for sensor in outputs.sensors:
            self._shards.setdefault(outputs.shard(sensor), _Pending()).waiting.add(sensor)

    def through(self, sensor: str, item: Item | None = None) -> Decided:
        """Takes a sensor that is through, with what is to be written of it, and returns what is final by it.

        Storage's errors are decisions.
        """
        shard = self._outputs.shard(sensor)
        with self._lock:
            pending = self._shards[shard]
            pending.waiting.discard(sensor)
            if item is not None:
                pending.hold(sensor, item)
            due = self._due(shard)
            batch = {} if due is None else self._shards[due].take()
        if due is None or not batch:
            return []
        try:
            with self._one_large if self._is_large(due, batch) else contextlib.nullcontext():
                return list(self._write(due, batch).items())
        except (StorageError, SensorError) as error:
            return [(name, undone(name, error)) for name in batch]

    def _due(self, shard: int) -> int | None:
        """The shard to be written now: this one if it is complete, the largest if too much is held."""
        if not self._shards[shard].waiting:
            return shard
        if sum(pending.size for pending in self._shards.values()) <= HELD_BYTES:
            return None
        return max(self._shards, key=lambda other: self._shards[other].size)

    def _is_large(self, shard: int, batch: Mapping[str, Item]) -> bool:
        size = self._outputs.seen(shard).size + sum(item.size for item in batch.values())
        return size > LARGE_BYTES

    def _write(self, shard: int, batch: Mapping[str, Item]) -> dict[str, Decision]:
        outputs, path = self._outputs, self._outputs.shard_path(shard)
        there, plan, mine = outputs.seen(shard), _Plan({}, {}, {}), ""
        outputs.note_count()
        for number in range(TRIES):
            if number:
                self._wait(_pause(number))
            before, there = (
                there,
                outputs.checked(shard, fitting(look(outputs.store, path, known=there, whole=True))),
            )
            if mine and there.digest == mine:
                # Our own put, whose answer was lost.
                self._forget(path, before.digest)
                return plan.decided
            if mine:
                self._forget(path, mine)
            plan = self._plan(path, batch, there)
            if not plan.entries:
                return plan.decided
            data, index = self._merged(shard, there, plan)
            mine = digest_of(index)
            outputs.store.put(index_path(path, mine), index)
            told = {"index": mine, "sha256": hashlib.sha256(data).hexdigest()}
            try:
                outputs.store.put(path, data, told, if_match=there.etag, if_none_match=there.etag is None)
            except ConflictError:
                continue
            if there.digest != mine:
                self._forget(path, there.digest)
            return plan.decided
        raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")

    def _plan(self, path: str, batch: Mapping[str, Item], there: There) -> _Plan:
        """What becomes of each sensor, beside what is there."""
        outputs, plan = self._outputs, _Plan({}, {}, {})
        for sensor, item in batch.items():
            entry = there.sensors.get(sensor)
            found = verdict(entry, item.fingerprint, outputs.claim)
            if entry is not None and found is Verdict.GIVE_WAY:
                withdraw(outputs.store, item.summary, outputs.claim)
                plan.decided[sensor] = superseded(sensor, entry, path, item.about)
            elif entry is not None and found is not Verdict.WRITE:
                plan.decided[sensor] = agreed(entry, path, outputs.claim, item.about)
                if found is Verdict.RAISE:
                    claim_rejected(outputs.store, entry, outputs.claim)
                    plan.entries[sensor] = {**entry, **outputs.claim._asdict()}
            elif item.rows is None or item.summary is None:
                plan.decided[sensor] = changed(sensor, path)
            else:
                if not item.summary.rejected_file:
                    clear_rejected(outputs.store, entry, outputs.claim)
                plan.decided[sensor] = scored(item.summary, path, item.about)
                plan.entries[sensor] = item.summary.metadata(outputs.claim)
                plan.rows[sensor] = item.rows
        return plan

    def _merged(self, shard: int, there: There, plan: _Plan) -> tuple[bytes, bytes]:
        """The shard and its index."""
        # Here: the reader has imported this module before those were loaded.
        from scorer.shards import Shard, merged

        outputs = self._outputs
        if plan.rows or there.contents is None:
            made = merged(outputs.shard_path(shard), there.data, plan.rows)
        else:
            made = Shard(there.data, there.contents.rows)
        sensors = {**there.sensors, **plan.entries}
        digest = hashlib.sha256(made.data).hexdigest()
        return made.data, Index(shard, outputs.output.shards, digest, made.rows, sensors).encode()

    def _forget(self, path: str, digest: str) -> None:
        """Removes an index that no shard names any more. One that stays harms nobody."""
        if digest:
            with contextlib.suppress(StorageError):
                self._outputs.store.delete(index_path(path, digest))


def _pause(number: int) -> float:
    # Imported here: only a writer that met another needs it, and every pod would pay for it.
    from random import uniform

    longest = min(FIRST_SECONDS * 2.0**number, LONGEST_SECONDS)
    return uniform(0.5, 1.0) * longest  # noqa: S311 (spreads load, keeps no secret)
