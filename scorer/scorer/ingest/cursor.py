"""Which hour is landed next, and who does it: one small object, changed by conditional puts only.

Who holds it renews it. Others take it over when they have seen it unchanged for a while by their own clock:
no two machines' clocks are compared. That two hold it for a moment costs work and nothing else: an hour's
files are a function of the committed parts, and partitions give those up only after the cursor has moved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from scorer.ingest.replica import predecessor
from scorer.ingest.state import StateError
from scorer.ingest.writing import SupersededError
from scorer.storage import ConflictError, NotFoundError, Store

VERSION = 2


class Taken(NamedTuple):
    """What corrections have seen: of hours before `before`, each partition's parts up to these numbers.

    What they have not seen must stay listed: a part may have come as its hour was being landed.
    """

    before: int | None = None
    parts: Mapping[str, int] = {}
    apart: Sequence[int] = ()
    """Hours that could not be corrected: all of theirs stays listed."""

    def has(self, partition: str, hour: int, number: int) -> bool:
        """Whether a part needs to be listed no more."""
        if self.before is None or hour >= self.before or hour in self.apart:
            return False
        return number <= self.parts.get(partition, 0)


class Cursor(NamedTuple):
    """What the object says."""

    etag: str
    holder: str
    next: int | None
    """The hour that is landed next; None before the first one is known."""
    layout: str
    """That was chosen with the first hour; empty before."""
    beat: int
    taken: Taken = Taken()


class Claim:
    """One process's hold on the cursor, or wish for it."""

    def __init__(
        self,
        store: Store,
        path: str,
        holder: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._path = path
        self._holder = holder
        self._seconds = seconds
        self._seen: tuple[str, float] = ("", 0.0)
        self._renewed = 0.0
        self._clock = clock
        self._put_at = clock()
        self._held: tuple[str, Cursor] | None = None  # the ETag that `hold` gave, and the cursor since
        self._lock = threading.Lock()

    def read(self) -> Cursor | None:
        """The cursor as it is. Raises StateError for one that is not understood."""
        try:
            blob = self._store.get(self._path)
        except NotFoundError:
            return None
        told = orjson.loads(blob.data)
        if told.get("version") != VERSION:
            raise StateError(f"{self._path} is of version {told.get('version')!r}: wanted {VERSION}")
        seen = told["taken"]
        taken = Taken(seen["before"], seen["parts"], tuple(seen.get("apart", ())))
        return Cursor(blob.etag, told["holder"], told["next"], told["layout"], told["beat"], taken)

    def hold(self, now: float) -> Cursor | None:
        """The cursor, if it is ours, renewed or taken over if need be. `now`: monotonic seconds."""
        found = self._hold(now)
        self._held = found and (found.etag, found)
        return found

    def keep(self) -> None:
        """Renews what is held, if it is time, while something is done that lasts; from any thread.

        Raises SupersededError if someone else has it now, and StorageError.
        """
        with self._lock:
            passed = self._clock() - self._put_at
            if self._held is None or passed < self._seconds / 3:
                return
            origin, cursor = self._held
            renewed = self._put(cursor._replace(beat=cursor.beat + 1), self._renewed + passed)
            if renewed is None:
                raise SupersededError("the landing was taken over by someone else")
            self._held = origin, renewed

    def _hold(self, now: float) -> Cursor | None:
        found = self.read()
        if found is None:
            return self._put(Cursor("", self._holder, None, "", 0), now)
        if found.holder == self._holder:
            if now - self._renewed < self._seconds / 3:
                return found
            return self._put(found._replace(beat=found.beat + 1), now)
        if found.etag != self._seen[0]:
            # What this replica's last process held and nobody has renewed since this one began is left.
            left = not self._seen[0] and predecessor(found.holder, self._holder)
            self._seen = (found.etag, now - self._seconds if left else now)
        if found.holder and now - self._seen[1] < self._seconds:
            return None
        return self._put(found._replace(holder=self._holder, beat=found.beat + 1), now)

    def move(self, cursor: Cursor, **changes: Any) -> Cursor | None:
        """The cursor with these changes, kept or not since; None if someone else has changed it."""
        if self._held is not None and self._held[0] == cursor.etag:
            cursor = self._held[1]
        return self._put(cursor._replace(**changes), self._renewed)

    def let_go(self) -> None:
        """Lets another take it at once."""
        with self._lock:
            found = self.read()
            if found is not None and found.holder == self._holder:
                self._put(found._replace(holder=""), self._renewed)

    def _put(self, cursor: Cursor, now: float) -> Cursor | None:
        told = {"version": VERSION, **cursor._asdict(), "taken": cursor.taken._asdict()}
        del told["etag"]
        data = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        try:
            etag = self._store.put(
                self._path, data, if_match=cursor.etag or None, if_none_match=not cursor.etag
            )
        except ConflictError:
            return None
        self._renewed = now
        self._put_at = self._clock()
        return cursor._replace(etag=etag)
