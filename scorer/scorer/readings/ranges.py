"""A file in the store as one that Arrow can read: only the ranges that are asked for cross the network."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scorer.contract.outcome import SensorError

if TYPE_CHECKING:
    from scorer.sources import SharedFile

TAIL_BYTES = 65_536
"""What Arrow asks for first: the footer lies at the end. Larger ones take a second request."""
GAP_BYTES = 1024 * 1024
"""What may be read for nothing between two ranges, rather than asking twice."""
AHEAD_BYTES = 128 * 1024 * 1024
"""Of a row group's columns as stored, which are held until they are decoded."""


class RangedFile(io.RawIOBase):
    """Reads from ranges that are held, or asks the store. Raises StorageError and SensorError."""

    def __init__(self, file: SharedFile) -> None:
        super().__init__()
        self._file = file
        self._place = 0
        start = max(0, file.size - TAIL_BYTES)
        self._tail = (start, file.read_range(start, file.size - start))
        self._ahead: list[tuple[int, bytes]] = []

    def fetch(self, extents: Iterable[tuple[int, int]]) -> None:
        """Holds these ranges, given as (start, length), and no others. Raises SensorError for too many."""
        self._ahead = []
        size = self._file.size
        wanted = _merged((at, at + length) for at, length in extents if 0 <= at <= at + length <= size)
        held = sum(end - start for start, end in wanted)
        if held > AHEAD_BYTES:
            raise SensorError(
                "ReadingsTooLarge",
                f"readings {self._file.path} have a row group of {held} bytes: wanted at most {AHEAD_BYTES}",
            )
        self._ahead = [(start, self._file.read_range(start, end - start)) for start, end in wanted]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._file.size

    def read_range(self, start: int, length: int) -> bytes:
        """A part of it, held or from the store."""
        length = max(0, min(length, self._file.size - start))
        return self._held(start, length) if length else b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Sets where the next read begins."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer at the end."""
        data = self.read_range(self._place, self._file.size if size is None or size < 0 else size)
        self._place += len(data)
        return data

    def _held(self, start: int, length: int) -> bytes:
        for at, data in (self._tail, *self._ahead):
            if at <= start and start + length <= at + len(data):
                return data[start - at : start - at + length]
        return self._file.read_range(start, length)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those as one that lie close to each other."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1] + GAP_BYTES:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found
