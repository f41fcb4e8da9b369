"""A partition's events as they came, kept in files like those of Event Hubs Capture.

A file is of the events that arrived in one window of `every`, by the hub's clock. It is written when no more
can arrive in it: so its bytes follow from its events, and whoever writes it again after a crash writes the
same at the same place. Until then the events lie in staged objects, which the partition's state lists, as it
lists the parts of hours; so each event is in one file, whenever a process dies.

    ingest/{hub}/{group}/{partition}/raw/{window}/{from}-{to}-{digest}   records of a window that is not over

A window of more than `bytes` has several files, named by seconds of its own; one in which nothing came an
empty one, as with Capture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scorer.contract.capture import SOURCE_TOKENS, capture_segments, filled
from scorer.ingest.commits import Kept
from scorer.ingest.events import Message
from scorer.ingest.parts import part_name
from scorer.ingest.raw_files import avro_file, record
from scorer.ingest.state import StateError
from scorer.storage import StorageError, Store

MOST_EMPTY = 500
"""Empty files of one commit: the others follow with the next."""
_SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Raw(NamedTuple):
    """Where raw events are kept, and how they are cut."""

    path: str
    """In Capture's tokens; {Namespace} and {EventHub} are filled in."""
    every: int = 300 * _SECOND
    """Microseconds of arrival in one file."""
    bytes: int = 100 * 1024 * 1024
    """Of one file's events, before they are compressed."""


class RawEvents:
    """The raw events of one partition that are in no file yet."""

    def __init__(self, store: Store, folder: str, partition: str, raw: Raw, kept: Kept) -> None:
        """`folder` is where events are staged. Raises StateError for windows of another length."""
        if kept.window is not None and kept.every != raw.every:
            raise StateError(
                f"raw.every is {raw.every // _SECOND} s, and the file that partition {partition} is at is of "
                f"{kept.every // _SECOND} s: wanted the same; without raw for one start it can be another"
            )
        self._store = store
        self._folder = folder
        self._partition = partition
        self._raw = raw
        self.kept = kept
        self._window = max(kept.parts, default=kept.window)
        self._pending: dict[int, list[bytes]] = {}
        self._sequences: dict[int, tuple[int, int]] = {}
        self._bytes = 0
        self._staged_in = set(kept.parts)

    @property
    def pending(self) -> int:
        """How much is not staged yet, in hundreds of bytes: as many windows take about as much memory."""
        return self._bytes // 100

    def due(self, clock: int) -> bool:
        """Whether a window is over whose file is not written."""
        return self.kept.window is not None and clock // self._raw.every > self.kept.window

    def take(self, messages: Sequence[Message], after: int) -> None:
        """Takes messages that follow, but for those up to the sequence number `after`, which came before."""
        for message in messages:
            if message.sequence <= after:
                continue
            after = message.sequence
            window = message.enqueued // self._raw.every
            # The hub's clock may go back: its files have their events in order.
            window = window if self._window is None else max(window, self._window)
            self._window = window
            first, _ = self._sequences.get(window, (after, after))
            self._sequences[window] = (first, after)
            each = message.enqueued.to_bytes(8, "little", signed=True) + record(message)
            self._pending.setdefault(window, []).append(each)
            self._bytes += len(each)

    def write(self, clock: int) -> Kept:
        """Stages what is pending, and writes the files of windows that are over: what the state is to say.

        `clock` is before what arrives from now on (microseconds since 1970). Can be done again. Raises
        StorageError.
        """
        parts = {window: list(names) for window, names in self.kept.parts.items()}
        following = self.kept.window
        if following is None:
            following = min(self._pending, default=None)
        if following is None:
            return Kept()
        # Events go into the window that is open or a later one, so what is before that is over too.
        over = max(clock // self._raw.every, following if self._window is None else self._window)
        empty = 0
        while following < over and empty < MOST_EMPTY:
            empty += following not in parts and following not in self._pending
            self._write(following, parts.pop(following, []))
            following += 1
        for window, records in self._pending.items():
            if window >= following:
                data = b"".join(len(each).to_bytes(4, "little") + each for each in records)
                name = part_name(*self._sequences[window], data)
                self._staged_in.add(window)
                self._store.put(self._staged(window, name), data)
                parts[window] = [*parts.get(window, ()), name]
        return Kept(following, parts, self._raw.every)

    def committed(self, kept: Kept) -> None:
        """The state says so now: what is staged of written windows goes."""
        self.kept = kept
        self._pending, self._sequences, self._bytes = {}, {}, 0
        if kept.window is not None and (self._window is None or self._window < kept.window):
            self._window = kept.window
        with contextlib.suppress(StorageError):  # the next owner tidies up
            # Also where a commit that failed has staged, and the next one found the window over.
            for window in sorted(self._staged_in.difference(kept.parts)):
                self._forget(window)
                self._staged_in.remove(window)

    def tidy(self) -> None:
        """Deletes what is staged and not listed: of owners that died. Raises StorageError."""
        listed = {self._staged(window, name) for window, names in self.kept.parts.items() for name in names}
        for entry in list(self._store.list(self._folder)):
            if entry.path not in listed:
                self._store.delete(entry.path)

    def _forget(self, window: int) -> None:
        for entry in list(self._store.list(f"{self._folder}/{window}")):
            self._store.delete(entry.path)

    def _write(self, window: int, names: Sequence[str]) -> None:
        """The window's files: one, but for those that are too large.

        None is named by a second of the next window, whose own file would replace it: the last one has
        what is left.
        """
        begun = window * self._raw.every // _SECOND
        last = begun + self._raw.every // _SECOND - 1
        some: list[bytes] = []
        size = 0
        for enqueued, each in self._records(window, names):
            if size and size + len(each) > self._raw.bytes and begun < last:
                self._put(begun, some)
                begun = min(max(begun + 1, enqueued // _SECOND), last)
                some, size = [], 0
            some.append(each)
            size += len(each)
        self._put(begun, some)

    def _put(self, begun: int, records: Sequence[bytes]) -> None:
        path = capture_path(self._raw.path, self._partition, begun)
        self._store.put(path, avro_file(records, path))

    def _records(self, window: int, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """Each event's arrival and its record: those that are staged, then those that are not."""
        for name in names:
            data, at = self._store.get(self._staged(window, name)).data, 0
            while at < len(data):
                end = at + 4 + int.from_bytes(data[at : at + 4], "little")
                yield int.from_bytes(data[at + 4 : at + 12], "little", signed=True), data[at + 12 : end]
                at = end
        for each in self._pending.get(window, ()):
            yield int.from_bytes(each[:8], "little", signed=True), each[8:]

    def _staged(self, window: int, name: str) -> str:
        return f"{self._folder}/{window}/{name}"


def capture_path(path: str, partition: str, begun: int) -> str:
    """Where the file of a partition is whose window began then (seconds since 1970)."""
    time = _EPOCH + timedelta(seconds=begun)
    known = {
        "PartitionId": partition,
        "Year": f"{time.year:04}",
        "Month": f"{time.month:02}",
        "Day": f"{time.day:02}",
        "Hour": f"{time.hour:02}",
        "Minute": f"{time.minute:02}",
        "Second": f"{time.second:02}",
    }
    return filled("/".join(capture_segments(path)), known)


def of_hub(raw: Raw, namespace: str, hub: str) -> Raw:
    """With the names of the hub filled in."""
    names = dict(zip(SOURCE_TOKENS, (namespace.partition(".")[0] or "local", hub), strict=False))
    return raw._replace(path=filled(raw.path, names))
