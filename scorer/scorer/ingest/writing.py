"""Writes the files of an hour, and what stands beside them, so that nobody who is late undoes what is newer.

What is there already with the same bytes is left as it is: not even its ETag changes. What is there with
others is replaced on condition that it is what was seen *before* it was asked whether the hour is still ours
to write: whoever came in between had moved the hour on before, or has changed the object since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import orjson

from scorer.ingest.landing import Landing, Written, files
from scorer.ingest.merge import Readings
from scorer.ingest.places import hour_start
from scorer.storage import ConflictError, NotFoundError, Store
from scorer.window import HOUR, Window

INDEX = "_index.json"
WRITERS = 8
_NOTHING: Mapping[str, str] = {}


class SupersededError(Exception):
    """Someone else has gone on with the hour."""


class Writer(NamedTuple):
    """Writes one hour, as long as `still` says that it is ours."""

    store: Store
    landing: Landing
    hour: int
    still: Callable[[], bool]
    writers: int = WRITERS
    keep: Callable[[], None] = lambda: None
    """Called before each object is written, by any thread; may raise SupersededError."""

    def readings(self, readings: Readings, layout: str, shard: int) -> list[dict[str, Any]]:
        """Writes the files of readings; gives what the index says of each, in their order."""
        found = files(readings, self.landing, layout, self.hour, shard)
        if self.writers < 2:
            return [self._file(each) for each in found]
        told: list[dict[str, Any]] = []
        with ThreadPoolExecutor(self.writers) as pool:
            # Few at a time: a file is encoded here, and not held for longer than it takes to write it.
            waiting = []
            for each in found:
                waiting.append(pool.submit(self._file, each))
                if len(waiting) >= 2 * self.writers:
                    told.append(waiting.pop(0).result())
            told += [each.result() for each in waiting]
        return told

    def write_index(self, folder: str, layout: str, told: Sequence[Mapping[str, Any]]) -> str:
        """Writes the index of these files; gives its digest."""
        data = encoded({"v": 1, "hour": shown(self.hour), "layout": layout, "files": told})
        return self.put(f"{folder}/{INDEX}", data)

    def put(self, path: str, data: bytes, more: Mapping[str, str] = _NOTHING) -> str:
        """Writes an object, with its digest as metadata. Raises SupersededError, StorageError."""
        self.keep()
        digest = hashlib.sha256(data).hexdigest()
        told = {"sha256": digest, **more}
        try:
            self.store.put(path, data, told, if_none_match=True)
        except ConflictError:
            self._exchange(path, data, told)
        return digest

    def clear(self, before: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> None:
        """Deletes what the index before has and the one to come has not: readers by pattern read it all."""
        gone = {file["path"] for file in before} - {file["path"] for file in told}
        if gone and not self.still():
            raise SupersededError(f"hour {shown(self.hour)} was gone on with by someone else")
        for path in sorted(gone):
            self.keep()
            self.store.delete(path)

    def _exchange(self, path: str, data: bytes, told: Mapping[str, str]) -> None:
        try:
            head = self.store.head(path)
            if dict(head.metadata) == told:
                return
            if not self.still():
                raise SupersededError(f"hour {shown(self.hour)} was gone on with by someone else")
            self.store.put(path, data, told, if_match=head.etag)
        except (ConflictError, NotFoundError) as error:
            raise SupersededError(f"{path} was changed by someone else") from error

    def _file(self, file: Written) -> dict[str, Any]:
        digest = self.put(file.path, file.data)
        return {
            "path": file.path,
            "rows": file.rows,
            "bytes": len(file.data),
            "sha256": digest,
            "sensors": len(file.names),
            "first": file.names[0],
            "last": file.names[-1],
        }


def success(
    hour: int,
    told: Sequence[Mapping[str, Any]],
    events: int,
    arrived: Mapping[str, int],
    partitions: int,
    index: str,
    corrections: Mapping[str, int] | None = None,
) -> bytes:
    """What `_SUCCESS` says; `index` is the digest of the index, which says `told` of the files."""
    found: dict[str, Any] = {
        "v": 1,
        "hour": shown(hour),
        "readings": {
            "files": len(told),
            "rows": sum(file["rows"] for file in told),
            "sensors": sum(file["sensors"] for file in told),
            "events": events,
        },
        "arrived": dict(arrived),
        "partitions": partitions,
        "index": index,
    }
    if corrections:
        found["corrections"] = dict(corrections)
    return encoded(found)


def shown(hour: int) -> str:
    """An hour as files say it."""
    return str(Window(hour_start(hour), hour_start(hour) + HOUR))


def encoded(told: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, and a line's end."""
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"
