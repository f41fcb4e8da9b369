"""The input side: which objects hold a sensor's readings of the window, and their bytes.

Files that many sensors share are looked up once for a pack, and a large one is left in the store: the score
stage reads of it what it needs, piece by piece.

Imports neither numpy nor pyarrow, so that the first sensor's bytes are on their way while those are being
loaded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock, Thread
from typing import NamedTuple, TypeVar

from scorer.contract.outcome import SensorError
from scorer.contract.paths import ANY, is_shared, readings_paths
from scorer.contract.work import ASA, CAPTURE, ReadingsSource
from scorer.storage import (
    ConflictError,
    Entry,
    NotFoundError,
    Store,
    TooLargeError,
    UnavailableError,
    checked_path,
)
from scorer.window import Window

MAX_READINGS_BYTES = 64 * 1024 * 1024
"""Of one sensor's files as stored: about 5 million rows. They are held beside their decoded rows."""
MAX_SHARED_BYTES = 1024 * 1024 * 1024
"""Of shared files, as far as they are read for one pack: they pass through, so this bounds time."""
WHOLE_BYTES = 8 * 1024 * 1024
"""Of a shared file: a larger one is read in pieces."""
HELD_BYTES = 32 * 1024 * 1024
"""Of shared files that are read whole: what is more is read when it is decoded."""
PIECE_BYTES = 4 * 1024 * 1024
MAX_FILES = 20_000
"""Of one folder. More are no hour's readings."""
MAX_LISTED = 48
"""Folders whose files are remembered: a day of hours, twice."""
READERS = 8
"""Threads that fetch a window's shared files, where they are many."""

T = TypeVar("T")


class File(NamedTuple):
    """One readings file as stored."""

    path: str
    etag: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return len(self.data)

    def read_range(self, start: int, length: int) -> bytes:
        """A part of it."""
        return self.data[start : start + length]

    def pieces(self) -> Iterator[bytes]:
        """All of it."""
        yield self.data


class SharedFile:
    """A readings file of many sensors: held until it is decoded, or read piece by piece from the store."""

    def __init__(self, store: Store, path: str, etag: str, size: int, data: bytes | None = None) -> None:
        self.path = path
        self.etag = etag
        self.size = size
        self.data = data
        self._store = store
        self._read = 0

    def read_range(self, start: int, length: int) -> bytes:
        """A part of it, of the state that was found. Raises StorageError; SensorError beyond the bounds."""
        if self.data is not None:
            return self.data[start : start + length]
        self._read += length
        if self._read > MAX_SHARED_BYTES:
            raise SensorError(
                "ReadingsTooLarge",
                f"readings {self.path}: more than {MAX_SHARED_BYTES} bytes are to be read for one pack of "
                "sensors: wanted Parquet in row groups by sensor, or a file for each sensor",
            )
        try:
            return self._store.get_range(self.path, start, length, if_match=self.etag)
        except ConflictError as error:
            raise UnavailableError(f"{self.path} was changed while it was being read") from error

    def pieces(self) -> Iterator[bytes]:
        """All of it, in order."""
        for start in range(0, self.size, PIECE_BYTES):
            yield self.read_range(start, min(PIECE_BYTES, self.size - start))

    def release(self) -> None:
        """Holds it no longer: it has been decoded."""
        self.data = None
        self._read = 0


ReadingsFile = File | SharedFile


class Found(NamedTuple):
    """What there is of a sensor's readings."""

    files: tuple[ReadingsFile, ...]
    """In order of time, then of path; of two rows for one time the one in the later file counts."""
    absent: tuple[str, ...]
    """Paths where no file was: one that comes late is a change."""
    sensors: tuple[str, ...] | None = None
    """Of shared files the sensors of the pack; none given means all. None for files of one sensor."""

    @property
    def size(self) -> int:
        """Bytes held for this sensor alone: shared files are held once for all."""
        return sum(len(file.data) for file in self.files if isinstance(file, File))

    def states(self) -> list[tuple[str, str | None]]:
        """Each path with its ETag, or None where no file was: what a fingerprint takes of readings."""
        return [(file.path, file.etag) for file in self.files] + [(path, None) for path in self.absent]

    def without_bytes(self) -> Found:
        """The same, of files that were decoded: a sensor's own are held no longer."""
        files = tuple(file._replace(data=b"") if isinstance(file, File) else file for file in self.files)
        return self._replace(files=files)

    def release(self) -> None:
        """Holds shared files no longer."""
        for file in self.files:
            if isinstance(file, SharedFile):
                file.release()


class Sources:
    """The readings of one window. Reader threads ask it at the same time."""

    def __init__(
        self, store: Store, source: ReadingsSource, span: Window, sensors: Sequence[str] = ()
    ) -> None:
        """`sensors` are those of the pack: of shared files only their records are decoded."""
        self._store = store
        self._source = source
        self._span = span
        self._sensors = tuple(sensors)
        self._shared = is_shared(source.path)
        self._lock = Lock()
        self._found: Found | None = None
        self._listed: dict[str, list[Entry]] = {}

    def find(self, sensor: str) -> Found:
        """The sensor's files. Raises StorageError, and SensorError for files beyond the bounds."""
        if not self._shared:
            return self._find(sensor)
        with self._lock:  # one thread asks, the others wait for its answer
            if self._found is None:
                self._found = self._find_shared()
            return self._found

    def _paths(self, sensor: str) -> list[str]:
        return readings_paths(self._source.path, sensor, self._span, asa=self._source.layout == ASA)

    def _find(self, sensor: str) -> Found:
        files: list[ReadingsFile] = []
        absent: list[str] = []
        left = MAX_READINGS_BYTES
        for path in self._paths(sensor):
            listed = self._matching(path)
            for each in [path] if listed is None else [entry.path for entry in listed]:
                try:
                    blob = self._store.get(each, left)
                except NotFoundError:  # also of what was listed and has gone since
                    absent.append(each)
                except TooLargeError as error:
                    raise SensorError("ReadingsTooLarge", f"readings {error}") from error
                else:
                    files.append(File(each, blob.etag, blob.data))
                    left -= len(blob.data)
            if listed == []:
                absent.append(path)
        return Found(tuple(files), tuple(absent))

    def _find_shared(self) -> Found:
        wanted: list[tuple[str, Entry | None]] = []
        absent: list[str] = []
        held = 0
        if self._source.layout == CAPTURE:
            wanted, absent = self._captured()
        else:
            for path in self._paths(""):
                listed = self._matching(path)
                wanted += [(path, None)] if listed is None else [(entry.path, entry) for entry in listed]
                if listed == []:
                    absent.append(path)
        asks: list[Callable[[], SharedFile | None]] = []
        for path, entry in wanted:
            held += entry.size if entry else WHOLE_BYTES
            whole = (entry is None or entry.size <= WHOLE_BYTES) and held <= HELD_BYTES
            asks.append(partial(self._shared_file, path, entry, whole))
        files = together(asks)
        absent += [path for (path, _), file in zip(wanted, files, strict=True) if file is None]
        return Found(tuple(file for file in files if file), tuple(absent), self._sensors)

    def _captured(self) -> tuple[list[tuple[str, Entry | None]], list[str]]:
        """The files that Event Hubs Capture has written of the window, by time; else their template."""
        from scorer.captured import captured, span_of_files  # here: few windows are read so

        found = captured(self._store, self._source.path, *span_of_files(self._source, self._span))
        return [(each.entry.path, each.entry) for each in found], [] if found else [self._source.path]

    def _shared_file(self, path: str, entry: Entry | None, whole: bool) -> SharedFile | None:
        """The file, with its bytes if it is to be held whole; None if there is none."""
        if entry is not None and not whole:
            return SharedFile(self._store, path, entry.etag, entry.size)
        try:
            if whole:
                try:
                    blob = self._store.get(path, WHOLE_BYTES)
                    return SharedFile(self._store, path, blob.etag, len(blob.data), blob.data)
                except TooLargeError:
                    pass  # what is too large to be held is read piece by piece
            head = self._store.head(path)
        except NotFoundError:
            return None
        return SharedFile(self._store, path, head.etag, head.size)

    def _matching(self, path: str) -> list[Entry] | None:
        """The files that a path with `*` means, in order of path; None for a path without."""
        folder, _, name = path.rpartition("/")
        if ANY not in name:
            return None
        before, _, after = name.partition(ANY)
        start = f"{folder}/{before}" if folder else before
        entries = self._in_folder(folder)
        found = []
        for entry in entries[bisect_left(entries, start, key=lambda entry: entry.path) :]:
            if not entry.path.startswith(start):
                break
            if entry.path.endswith(after) and len(entry.path) >= len(start) + len(after):
                found.append(_usable(entry))
        return found

    def _in_folder(self, folder: str) -> list[Entry]:
        """The folder's own files, in order of path; each folder is listed once.

        What begins with `_` or `.` is no readings: marks like _SUCCESS, and files that are being written.
        """
        if self._shared:
            return self._list(folder)
        with self._lock:  # sensors' files may lie in one folder, and threads ask for many at once
            if folder not in self._listed:
                if len(self._listed) >= MAX_LISTED:
                    self._listed.clear()
                self._listed[folder] = self._list(folder)
            return self._listed[folder]

    def _list(self, folder: str) -> list[Entry]:
        found = []
        inside = len(folder) + 1 if folder else 0
        for entry in self._store.list(folder):
            name = entry.path[inside:]
            if "/" not in name and not name.startswith(("_", ".")):
                found.append(entry)
            if len(found) > MAX_FILES:
                raise SensorError(
                    "ReadingsTooLarge", f"readings folder {folder} holds more than {MAX_FILES} files"
                )
        found.sort()
        return found


def _usable(entry: Entry) -> Entry:
    """The file, if its name is one that can be asked for: others may write what they like into a folder."""
    try:
        checked_path(entry.path)
    except ValueError as error:
        raise SensorError(
            "ReadingsCorrupt", f"readings folder has a file whose name cannot be used: {error}"
        ) from error
    return entry


def together(asks: Sequence[Callable[[], T]]) -> list[T]:
    """The answers, in order, by a few threads. Raises what one of them raised."""
    if len(asks) < 2:
        return [ask() for ask in asks]
    answers: dict[int, T] = {}
    raised: list[BaseException] = []
    places = iter(range(len(asks)))

    def work() -> None:
        for place in places:  # a range's iterator gives each place to one thread
            if raised:
                return
            try:
                answers[place] = asks[place]()
            except BaseException as error:  # noqa: BLE001 (native code panics past Exception; raised again below)
                raised.append(error)

    threads = [Thread(target=work, name="files") for _ in range(min(len(asks), READERS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return [answers[place] for place in range(len(asks))]
