"""The input side: which objects hold a sensor's readings of the window, and their bytes.

Imports neither numpy nor pyarrow, so that the first sensor's bytes are on their way while those are being
loaded.
"""

from __future__ import annotations

from typing import NamedTuple

from scorer.contract.outcome import SensorError
from scorer.contract.paths import readings_paths
from scorer.contract.work import ReadingsSource
from scorer.storage import NotFoundError, Store, TooLargeError
from scorer.window import Window

MAX_READINGS_BYTES = 64 * 1024 * 1024
"""Of one readings file as stored: about 5 million rows. It is held beside its decoded rows."""


class File(NamedTuple):
    """One readings file as stored."""

    path: str
    etag: str
    data: bytes


class Found(NamedTuple):
    """What there is of a sensor's readings."""

    files: tuple[File, ...]
    """In order of time; of two rows for one time the one in the later file counts."""
    absent: tuple[str, ...]
    """Paths where no file was: one that comes late is a change."""

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(len(file.data) for file in self.files)

    def states(self) -> list[tuple[str, str | None]]:
        """Each path with its ETag, or None where no file was: what a fingerprint takes of readings."""
        return [(file.path, file.etag) for file in self.files] + [(path, None) for path in self.absent]


class Sources:
    """The readings of one window. Reader threads ask it at the same time."""

    def __init__(self, store: Store, source: ReadingsSource, span: Window) -> None:
        self._store = store
        self._source = source
        self._span = span

    def find(self, sensor: str) -> Found:
        """The sensor's files. Raises StorageError, and SensorError for files beyond the bounds."""
        files: list[File] = []
        absent: list[str] = []
        for path in readings_paths(self._source.path, sensor, self._span):
            try:
                blob = self._store.get(path, MAX_READINGS_BYTES)
            except NotFoundError:
                absent.append(path)
            except TooLargeError as error:
                raise SensorError("ReadingsTooLarge", f"readings {error}") from error
            else:
                files.append(File(path, blob.etag, blob.data))
        return Found(tuple(files), tuple(absent))
