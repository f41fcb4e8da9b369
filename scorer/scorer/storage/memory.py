"""A store in this process's memory: for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from scorer.storage import (
    Blob,
    ConflictError,
    Entry,
    Head,
    NotFoundError,
    Store,
    TooLargeError,
    checked_metadata,
    checked_path,
)

_named: dict[str, MemoryStore] = {}


def named_store(url: str) -> MemoryStore:
    """The same store for the same URL, so that several openers in one process share it."""
    return _named.setdefault(url, MemoryStore(url))


class MemoryStore(Store):
    """Objects in a dict; an ETag is a count of all puts."""

    def __init__(self, url: str = "memory://") -> None:
        self.url = url
        self._lock = threading.Lock()
        self._objects: dict[str, Blob] = {}
        self._puts = 0

    def get(self, path: str, limit: int | None = None) -> Blob:
        """The object with its bytes."""
        with self._lock:
            found = self._objects.get(checked_path(path))
        if found is None:
            raise NotFoundError(f"{path} does not exist")
        if limit is not None and len(found.data) > limit:
            raise TooLargeError(f"{path} has {len(found.data)} bytes: wanted at most {limit}")
        return found

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        """A part of the object's bytes."""
        found = self.get(path)
        if if_match is not None and found.etag != if_match:
            raise ConflictError(f"{path} was changed by someone else")
        return found.data[start : start + length]

    def head(self, path: str) -> Head:
        """What is known of the object without its bytes."""
        found = self.get(path)
        return Head(path, found.etag, len(found.data), found.metadata)

    def put(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> str:
        """Writes the object whole, returns its ETag."""
        kept = checked_metadata(metadata)
        with self._lock:
            found = self._objects.get(checked_path(path))
            if (if_none_match and found) or (
                if_match is not None and (found is None or found.etag != if_match)
            ):
                raise ConflictError(f"{path} was changed by someone else")
            self._puts += 1
            self._objects[path] = Blob(path, f"{self._puts:x}", bytes(data), kept)
            return self._objects[path].etag

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects under the folder, in order of path."""
        start = f"{checked_path(prefix)}/" if prefix else ""
        with self._lock:
            found = sorted(blob for path, blob in self._objects.items() if path.startswith(start))
        yield from (Entry(blob.path, blob.etag, len(blob.data)) for blob in found)

    def folders(self, prefix: str = "") -> Sequence[str]:
        """The folders right below the folder."""
        inside = len(prefix) + 1 if prefix else 0
        names = (entry.path[inside:].partition("/") for entry in self.list(prefix))
        return sorted({name for name, below, _ in names if below})

    def delete(self, path: str) -> None:
        """Removes the object, if it is there."""
        with self._lock:
            self._objects.pop(checked_path(path), None)
