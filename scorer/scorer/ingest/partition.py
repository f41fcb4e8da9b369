"""A partition as its owner has it: events in, parts out, and commits of both at once.

What happened since the last commit is in memory only. A commit writes dead letters and the parts of closed
windows first, then the state that names those parts, on condition that nobody else has committed. So a
process that dies anywhere leaves at most parts that no state names; who comes next begins at the committed
offset and makes the same again. An owner whose put is refused has lost the partition, and drops its work.
"""

from __future__ import annotations

import io
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from scorer.ingest import commits, parts
from scorer.ingest.accounting import HOUR, Counts, total
from scorer.ingest.commits import Kept, Part
from scorer.ingest.cursor import Taken
from scorer.ingest.events import Message, decode
from scorer.ingest.letters import Dead, dead
from scorer.ingest.places import Places, dated
from scorer.ingest.raw import Raw, RawEvents
from scorer.ingest.settings import Settings
from scorer.ingest.state import State, load
from scorer.ingest.step import step
from scorer.ingest.watermarks import NEVER
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
    raw: Raw | None = None
    """Where events are kept as they came; None for nowhere."""


class Done(NamedTuple):
    """What a commit has made durable."""

    counts: Counts
    readings: int
    """Windows of sensors that closed."""
    unusable: int
    """Of bad events those whose body could be read, but not used."""
    stray: int
    """Windows of hours that were landed before: their readings are in parts that nobody takes."""


class _Attempt(NamedTuple):
    """A commit that was begun: what is so once its state is there."""

    takes: int
    """How often messages had been taken."""
    listed: dict[int, list[Part]]
    number: int
    raw: Kept


class Partition:
    """One partition, from its claim to its loss or release. Safe to be used by one thread after the other."""

    def __init__(
        self,
        rooms: Rooms,
        name: str,
        owner: str,
        state: State,
        listed: dict[int, list[Part]],
        number: int = 0,
        raw: Kept = Kept(),  # noqa: B008 (never changes)
    ) -> None:
        self.name = name
        self._rooms = rooms
        self._owner = owner
        self._state = state
        self._listed = listed
        self._number = number  # of the last part
        folder = rooms.places.raw(name)
        self._raw = RawEvents(rooms.store, folder, name, rooms.raw, raw) if rooms.raw else None
        self._etag: str | None = None
        self._takes = 0
        self._attempts: list[_Attempt] = []  # since the last commit that we know of
        self._begun = 0  # of all that ever were
        self._closed: list[Closed] = []
        self._late: list[Closed] = []
        self._letters: list[Dead] = []
        self.letter_bytes = 0
        """Of dead letters that wait for a commit."""
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
        """Closed windows, late and raw events that wait for a commit."""
        raw = self._raw.pending if self._raw else 0
        return sum(len(each.ends) for each in (*self._closed, *self._late)) + raw

    def marks(self) -> tuple[int, int]:
        """The hours that watermark and clock are in: when these change, there is perhaps an hour to land."""
        return (self._state.watermark - 1) // HOUR, (self._state.streams.clock - 1) // HOUR

    @property
    def changed(self) -> bool:
        """Whether a commit is worth its request: something came, closed, or an hour is over."""
        if self._raw and self._raw.due(self._state.streams.clock):
            return True
        return bool(self._closed or self._late or self._letters) or self._committed != (
            self.sequence,
            self.marks(),
        )

    def take(self, messages: Sequence[Message], now: int | None = None) -> int:
        """Takes messages that follow; `now` as `step` wants it, with the last of them. Raises LostError after
        release.

        Gives how many it took: of those that become large when they are decoded no more than memory is meant
        for, and one at least. The others are to be given again, perhaps after a commit.
        Whatever else is raised, nothing of this partition is committed any more: it is to be claimed again.
        """
        with self._lock:
            if self._released:
                raise LostError(f"partition {self.name} was given back")
            try:
                return self._take(messages, now)
            except BaseException:
                self._released = True  # the state may be half changed: it must never be committed
                raise

    def _take(self, messages: Sequence[Message], now: int | None) -> int:
        self._takes += 1
        state = self._state
        events = decode(messages, state.settings.mapping, state.sensors, bounded=True)
        count = len(events.sequences)
        if self._raw:
            self._raw.take(messages[:count], state.sequence)
        done = step(state, events, now if count == len(messages) else None)
        if len(done.closed.ends):
            self._closed.append(done.closed)
        if done.late is not None:
            self._late.append(done.late)
        self._unusable += sum(letter.reason not in UNREADABLE for letter in done.letters)
        if self._rooms.letters:
            found = list(dead(self.name, done.letters, messages))
            self._letters.extend(found)
            self.letter_bytes += sum(len(letter.line) for letter in found)
        self._counts.append(done.counts)
        return count

    def commit(self, landed: int | None = None, taken: Taken = Taken()) -> Done:  # noqa: B008 (never changes)
        """Makes all that was taken durable; what is of hours before `landed` is not kept any more.

        With corrections, parts of theirs stay listed until these have `taken` them.
        Can be called again after a StorageError: nothing is forgotten until all is written. Raises LostError.
        """
        with self._lock:
            if self._released:
                raise LostError(f"partition {self.name} was given back")
            return self._commit(landed, taken)

    def release(self, landed: int | None = None, taken: Taken = Taken()) -> Done | None:  # noqa: B008
        """Commits and takes no more; None if it was given back before. Raises LostError and StorageError."""
        with self._lock:
            if self._released:
                return None
            self._released = True
            return self._commit(landed, taken)

    def abandon(self) -> None:
        """Takes no more and commits nothing."""
        with self._lock:
            self._released = True

    def _commit(self, landed: int | None, taken: Taken) -> Done:
        first = self._committed[0] + 1
        stray, number = 0, self._number
        self._put_letters(first)
        listed = self._kept(landed, taken)
        # A window stands before the events that came after it was closed.
        for hour, closed in (*parts.by_hour(self._closed), *parts.by_hour(self._late)):
            name = self._put_part(hour, first, closed)
            if self._state.settings.corrections is None and landed is not None and hour < landed:
                stray += len(closed.ends)
            elif all(name != part.name for part in listed.get(hour, ())):
                number += 1
                listed[hour] = [*listed.get(hour, ()), Part(name, number)]
        if landed is not None:
            self._state.settle(landed * HOUR)
        raw = self._put_raw()
        there = self._put_state(_Attempt(self._takes, listed, number, raw))
        if self._raw:
            self._raw.committed(there.raw)
        self._listed, self._number = there.listed, there.number
        self._committed = (self.sequence, self.marks())
        done = Done(total(*self._counts), sum(len(c.ends) for c in self._closed), self._unusable, stray)
        self._closed, self._late, self._letters, self._counts, self._unusable = [], [], [], [], 0
        self.letter_bytes = 0
        return done

    def _kept(self, landed: int | None, taken: Taken) -> dict[int, list[Part]]:
        """The parts that stay listed."""
        if self._state.settings.corrections is None:
            return {hour: found for hour, found in self._listed.items() if landed is None or hour >= landed}
        kept = {
            hour: [part for part in found if not taken.has(self.name, hour, part.number)]
            for hour, found in self._listed.items()
        }
        return {hour: found for hour, found in kept.items() if found}

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

    def _put_raw(self) -> Kept:
        """Writes raw events, and files of them that are whole; what the state says of the others."""
        if self._raw is None:
            return Kept()
        try:
            return self._raw.write(self._state.streams.clock)
        except NotFoundError as error:  # whoever has the partition now has tidied up
            self._released = True
            raise LostError(f"partition {self.name}: staged raw events are gone: {error}") from error

    def tidy(self) -> None:
        """Deletes raw events that owners before have staged, and no state lists."""
        if self._raw:
            self._raw.tidy()

    def _put_state(self, attempt: _Attempt) -> _Attempt:
        """Puts the state; gives the attempt that is there now, which may be one whose answer was lost."""
        self._attempts = [*(each for each in self._attempts if each.takes == self._takes), attempt]
        self._begun += 1
        store, path = self._rooms.store, self._rooms.places.state(self.name)
        whole = io.BytesIO()  # joined, the parts and the whole would be there at the same time
        whole.writelines(commits.encode(self._state, attempt.listed, attempt.number, attempt.raw))
        data = whole.getvalue()
        told = commits.metadata(self._state, self._owner, self._begun)
        try:
            etag = store.put(path, data, told, if_match=self._etag, if_none_match=self._etag is None)
        except ConflictError:
            etag, attempt = self._own(path)
        self._etag, self._attempts = etag, []
        return attempt

    def _own(self, path: str) -> tuple[str, _Attempt]:
        """What is there, if we have put it: an attempt whose answer was lost.

        Of one that more was taken after, whoever lands may have made use: the rest alone would have to be
        committed now. That is rare, and claiming the partition again comes to it.
        """
        try:
            head = self._rooms.store.head(path)
        except NotFoundError:
            head = None
        said = "was taken over by someone else"
        if head is not None and head.metadata.get("owner") == self._owner:
            said = "was committed, but no answer came"
            back = self._begun - int(head.metadata["attempt"])
            if back < len(self._attempts) and self._attempts[-1 - back].takes == self._takes:
                return head.etag, self._attempts[-1 - back]
        self._released = True
        raise LostError(f"partition {self.name} {said}") from None


def claim(rooms: Rooms, settings: Settings, name: str, owner: str, begin: int = NEVER) -> Partition:
    """The partition, from what is committed of it. `owner` is a name that nobody had before.

    Where nothing is committed, no reading is made of events of times up to `begin`.
    Its state is put at once, in the new owner's name: whoever had it before can commit no more. Raises
    LostError if others claim it all the time, StateError for a state that cannot be gone on from.
    """
    path = rooms.places.state(name)
    for _ in range(CLAIMS):
        try:
            blob = rooms.store.get(path)
        except NotFoundError:
            state = State(settings)
            state.begin = begin
            found = Partition(rooms, name, owner, state, {})
        else:
            header, data = commits.decode(blob.data, path)
            listed = {hour: list(each) for hour, each in header.parts.items()}
            found = Partition(rooms, name, owner, load(data, settings), listed, header.last, header.raw)
            found._etag = blob.etag
        try:
            found.commit()
        except LostError:
            continue
        found.tidy()
        return found
    raise LostError(f"partition {name} was committed {CLAIMS} times while it was being claimed")
