"""The index of a shard: for each of its sensors what is known of its predictions, and whose they are.

A shard's bytes are a function of its sensors' readings and models, so what is not must lie elsewhere. An
index is an object of its own, named by the digest of its bytes and never changed. The shard object's metadata
names its index, so that one conditional put of the shard commits both. A writer puts the index first and
removes the one before afterwards; a reader whose index is gone has lost a race and looks again.

Imports neither numpy nor pyarrow: the read stage asks it before those are loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.contract.outcome import SensorError
from scorer.fence import TRIES
from scorer.storage import Blob, NotFoundError, Store, TooLargeError, UnavailableError

VERSION = 1
FOLDER = "_index"
"""Beside the shards. Readers of whole folders pass over what begins with an underscore."""
MAX_INDEX_BYTES = 64 * 1024 * 1024
"""60,000 sensors in one shard."""
MAX_SHARD_BYTES = 64 * 1024 * 1024
"""Of a shard as stored: 2.5 million rows of one feature. A writer holds it about four times."""

Entry = Mapping[str, str]
"""What a shard's index says of one sensor: the same as the metadata of a prediction of its own."""


class Index(NamedTuple):
    """What is known of a shard's sensors. One that has rows and no entry is nobody's."""

    shard: int
    shards: int
    sha256: str
    """Of the shard's bytes."""
    rows: int
    sensors: Mapping[str, Entry]

    def encode(self) -> bytes:
        """As JSON, in order of sensor."""
        told = {"v": VERSION, **self._asdict()}
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


class There(NamedTuple):
    """What lies at a shard's path. Its data is there if it was asked for."""

    etag: str | None = None
    digest: str = ""
    """Of its index; empty if the shard has none."""
    contents: Index | None = None
    size: int = 0
    data: bytes = b""

    @property
    def sensors(self) -> Mapping[str, Entry]:
        """The index's entries."""
        return self.contents.sensors if self.contents else {}


def digest_of(index: bytes) -> str:
    """What a shard's metadata names its index by."""
    return hashlib.sha256(index).hexdigest()


def index_path(path: str, digest: str) -> str:
    """Where the index with this digest of the shard at `path` lies."""
    folder, separator, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return f"{folder}{separator}{FOLDER}/{stem}-{digest[:16]}.json"


def look(store: Store, path: str, *, known: There | None = None, whole: bool = False) -> There:
    """What lies at the shard's path, with its data if it is wanted `whole`.

    An index that is `known` is not read again. Raises StorageError, and SensorError for what this scorer
    cannot read.
    """
    before: str | None = None
    for _ in range(TRIES):
        try:
            there = _object(store, path, whole)
        except NotFoundError:
            return There()
        if known and there.digest and known.digest == there.digest:
            return there._replace(contents=known.contents)
        if not there.digest:
            return there
        try:
            return there._replace(contents=_read(store, index_path(path, there.digest), there.digest))
        except NotFoundError:
            if there.etag == before:
                # Not replaced by a writer, but lost: its sensors are nobody's.
                return there._replace(digest="")
            before = there.etag
    raise UnavailableError(f"{path} was changed by others {TRIES} times while its index was being read")


def opened(store: Store, blob: Blob) -> There:
    """The same for a shard that has been read already. A later state, if that one's index is gone by now."""
    there = There(blob.etag, blob.metadata.get("index", ""), size=len(blob.data), data=blob.data)
    if not there.digest:
        return there
    try:
        return there._replace(contents=_read(store, index_path(blob.path, there.digest), there.digest))
    except NotFoundError:
        return look(store, blob.path, whole=True)


def fitting(there: There) -> There:
    """The same, without an index that is not of these bytes: something else has written them."""
    if there.contents is None or there.contents.sha256 == hashlib.sha256(there.data).hexdigest():
        return there
    return there._replace(contents=None)


def _object(store: Store, path: str, whole: bool) -> There:
    if not whole:
        head = store.head(path)
        return There(head.etag, head.metadata.get("index", ""), size=head.size)
    try:
        blob = store.get(path, MAX_SHARD_BYTES)
    except TooLargeError as error:
        raise SensorError("OutputTooLarge", f"shard {error}: choose more shards") from error
    return There(blob.etag, blob.metadata.get("index", ""), size=len(blob.data), data=blob.data)


def _read(store: Store, path: str, digest: str) -> Index:
    """Raises NotFoundError; SensorError for what is there and is not the index."""
    try:
        data = store.get(path, MAX_INDEX_BYTES).data
    except TooLargeError as error:
        raise SensorError("OutputTooLarge", f"index {error}: choose more shards") from error
    if digest_of(data) != digest:
        raise SensorError(
            "OutputCorrupt", f"{path} has sha256 {digest_of(data)}, its shard says {digest[:64]}: delete it"
        )
    return parse_index(data, path)


def parse_index(data: bytes, path: str) -> Index:
    """An index from its bytes. Raises SensorError."""
    try:
        told: dict[str, Any] = json.loads(data)
        if told["v"] != VERSION:
            raise SensorError(
                "OutputCorrupt", f"{path} has v = {told['v']!r:.80}: this scorer understands {VERSION}"
            )
        sensors = {
            str(sensor): {str(name): str(value) for name, value in entry.items()}
            for sensor, entry in told["sensors"].items()
        }
        return Index(int(told["shard"]), int(told["shards"]), str(told["sha256"]), int(told["rows"]), sensors)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SensorError("OutputCorrupt", f"{path} is not the index of a shard: {error!r:.200}") from error
