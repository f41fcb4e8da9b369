"""A partition as its owner has it: events in, parts out, and commits of both at once.

What happened since the last commit is in memory only. A commit writes dead letters and the parts of closed
windows first, then the state that names those parts, on condition that nobody else has committed. So a
process that dies anywhere leaves at most parts that no state names; who comes next begins at the committed
offset and makes the same again. An owner whose put is refused has lost the partition, and drops its work.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from scorer.ingest import commits, parts
from scorer.ingest.accounting import HOUR, Counts, total
from scorer.ingest.events import Message, decode
from scorer.ingest.letters import Dead, dead
from scorer.ingest.places import Places, dated
from scorer.ingest.settings import Settings
from scorer.ingest.state import State, load
from scorer.ingest.step import step
from scorer.ingest.windows import Closed
from scorer.storage import ConflictError, NotFoundError, Store

UNREADABLE = frozenset(
    ("BrokenJSON", "BrokenCSV", "BrokenGzip", "NotUTF8", "NotAnObject", "MissingRecords", "TooLarge")
)
"""Reasons of bodies that cannot be read: deserialisation errors, in the words of Stream Analytics. All other
reasons are its data conversion errors."""
CLAIMS = 10
"""Tries to claim: each that fails met a commit of the owner before."""


class LostError(Exception):
    """Someone else has the partition now."""


class Rooms(NamedTuple):
    """Where a partition's owner reads and writes."""

    store: Store
    places: Places
    letters: str
    """Template of dead letters' paths; empty for none."""


class Done(NamedTuple):
    """What a commit has made durable."""

    counts: Counts
    readings: int
    """Windows of sensors that closed."""
    unusable: int
    """Of bad events those whose body could be read, but not used."""
    stray: int
    """Windows of hours that were landed before: their readings are in parts that nobody takes."""


class Partition:
    """One partition, from its claim to its loss or release. Safe to be used by one thread after the other."""

    def __init__(
        self, rooms: Rooms, name: str, owner: str, state: State, listed: dict[int, list[str]]
    ) -> None:
        self.name = name
        self._rooms = rooms
        self._owner = owner
        self._state = state
        self._listed = listed
        self._etag: str | None = None
        self._closed: list[Closed] = []
        self._letters: list[Dead] = []
        self._counts: list[Counts] = []
        self._unusable = 0
        self._committed = (state.sequence, self.marks())
        self._lock = threading.Lock()
        self._released = False

    @property
    def sequence(self) -> int:
        """Of the last message taken."""
        return self._state.sequence

    @property
    def watermark(self) -> int:
        """Microseconds since 1970; far below that before anything came."""
        return self._state.watermark

    @property
    def pending(self) -> int:
        """Closed windows and dead letters that wait for a commit."""
        return sum(len(each.ends) for each in self._closed) + len(self._letters)

    def marks(self) -> tuple[int, int]:
        """The hours that watermark and clock are in: when these change, there is perhaps an hour to land."""
        return (self._state.watermark - 1) // HOUR, (self._state.streams.clock - 1) // HOUR

    @property
    def changed(self) -> bool:
        """Whether a commit is worth its request: something came, closed, or an hour is over."""
        return bool(self._closed or self._letters) or self._committed != (self.sequence, self.marks())

    def take(self, messages: Sequence[Message], now: int | None = None) -> None:
        """Takes messages that follow; `now` as `step` wants it. Raises LostError after release.

        Whatever else is raised, nothing of this partition is committed any more: it is to be claimed again.
        """
        with self._lock:
            if self._released:
                raise LostError(f"partition {self.name} was given back")
            try:
                self._take(messages, now)
            except BaseException:
                self._released = True  # the state may be half changed: it must never be committed
                raise

    def _take(self, messages: Sequence[Message], now: int | None) -> None:
        state = self._state
        done = step(state, decode(messages, state.settings.mapping, state.sensors), now)
        if len(done.closed.ends):
            self._closed.append(done.closed)
        self._unusable += sum(letter.reason not in UNREADABLE for letter in done.letters)
        if self._rooms.letters:
            self._letters.extend(dead(self.name, done.letters, messages))
        self._counts.append(done.counts)

    def commit(self, landed: int | None = None) -> Done:
        """Makes all that was taken durable; what is of hours before `landed` is not kept any more.

        Can be called again after a StorageError: nothing is forgotten until all is written. Raises LostError.
        """
        with self._lock:
            if self._released:
                raise LostError(f"partition {self.name} was given back")
            return self._commit(landed)

    def release(self, landed: int | None = None) -> Done | None:
        """Commits and takes no more; None if it was given back before. Raises LostError and StorageError."""
        with self._lock:
            if self._released:
                return None
            self._released = True
            return self._commit(landed)

    def abandon(self) -> None:
        """Takes no more and commits nothing."""
        with self._lock:
            self._released = True

    def _commit(self, landed: int | None) -> Done:
        first = self._committed[0] + 1
        stray = 0
        self._put_letters(first)
        listed = {hour: names for hour, names in self._listed.items() if landed is None or hour >= landed}
        for hour, closed in parts.by_hour(self._closed):
            name = self._put_part(hour, first, closed)
            if landed is not None and hour < landed:
                stray += len(closed.ends)
            elif name not in listed.get(hour, ()):
                listed[hour] = [*listed.get(hour, ()), name]
        if landed is not None:
            self._state.settle(landed * HOUR)
        self._put_state(listed)
        self._listed = listed
        self._committed = (self.sequence, self.marks())
        done = Done(total(*self._counts), sum(len(c.ends) for c in self._closed), self._unusable, stray)
        self._closed, self._letters, self._counts, self._unusable = [], [], [], 0
        return done

    def _put_letters(self, first: int) -> None:
        by_hour: defaultdict[int, list[bytes]] = defaultdict(list)
        for letter in self._letters:
            by_hour[letter.hour].append(letter.line)
        for hour, lines in by_hour.items():
            data = b"".join(lines)
            folder = dated(self._rooms.letters, hour)
            name = f"{self.name}-{parts.part_name(first, self.sequence, data)}.jsonl"
            self._rooms.store.put(f"{folder}/{name}", data)

    def _put_part(self, hour: int, first: int, closed: Closed) -> str:
        data = parts.encode(self.name, hour, closed)
        name = parts.part_name(first, self.sequence, data)
        self._rooms.store.put(self._rooms.places.part(self.name, hour, name), data)
        return name

    def _put_state(self, listed: dict[int, list[str]]) -> None:
        store, path = self._rooms.store, self._rooms.places.state(self.name)
        data = b"".join(commits.encode(self._state, listed))
        told = commits.metadata(self._state, self._owner)
        for last in (False, True):
            try:
                fresh = self._etag is None
                self._etag = store.put(path, data, told, if_match=self._etag, if_none_match=fresh)
                return
            except ConflictError:
                self._etag = None if last else self._own(path)
                if self._etag is None:
                    self._released = True
                    raise LostError(f"partition {self.name} was taken over by someone else") from None

    def _own(self, path: str) -> str | None:
        """The ETag of what is there, if we have put it: a put whose answer was lost."""
        try:
            head = self._rooms.store.head(path)
        except NotFoundError:
            return None
        return head.etag if head.metadata.get("owner") == self._owner else None


def claim(rooms: Rooms, settings: Settings, name: str, owner: str) -> Partition:
    """The partition, from what is committed of it. `owner` is a name that nobody had before.

    Its state is put at once, in the new owner's name: whoever had it before can commit no more. Raises
    LostError if others claim it all the time, StateError for a state that cannot be gone on from.
    """
    path = rooms.places.state(name)
    for _ in range(CLAIMS):
        try:
            blob = rooms.store.get(path)
        except NotFoundError:
            found = Partition(rooms, name, owner, State(settings), {})
        else:
            header, data = commits.decode(blob.data, path)
            listed = {hour: list(names) for hour, names in header.parts.items()}
            found = Partition(rooms, name, owner, load(data, settings), listed)
            found._etag = blob.etag
        try:
            found.commit()
        except LostError:
            continue
        return found
    raise LostError(f"partition {name} was committed {CLAIMS} times while it was being claimed")
