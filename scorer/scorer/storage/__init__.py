"""The only place that knows where blobs live: Azure Blob Storage, a folder or memory, behind one interface.

Every backend gives the same promises, and tests hold all of them to it:

- a `put` is whole or not at all: nobody reads half an object;
- an ETag names one state of one object, metadata included; `if_match` and `if_none_match` make a `put`
  conditional on it, which is all the locking that scoring needs;
- what goes wrong is one of the few errors below, in one sentence that a user can act on.

Backends are imported when they are opened: a pod pays only for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from scorer.errors import InputError

MAX_PATH = 1024
"""Azure's own limit for a blob's name, in characters."""

_OUTSIDE = re.compile(r"(^|/)\.{0,2}(/|$)|\\")
"""An empty segment, `.` or `..`, or what another system takes for a separator."""
_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)


class StorageError(Exception):
    """What storage could not do, in one sentence."""


class NotFoundError(StorageError):
    """There is no such object."""


class ConflictError(StorageError):
    """A conditional put found another state of the object than the one it was conditional on."""


class DeniedError(StorageError):
    """Storage refuses this, for want of a right mostly (401, 403): trying again does not help."""


class TooLongError(DeniedError):
    """The store cannot have an object of so long a name: a shorter template or prefix helps."""


class UnavailableError(StorageError):
    """Storage did not answer, or not properly, after bounded retries: trying later may help."""


class TooLargeError(StorageError):
    """The object is larger than the caller is ready to hold."""


class AddressError(InputError):
    """A store's URL, endpoint or connection string cannot be understood."""


class Head(NamedTuple):
    """What is known of an object without its bytes: `etag` is opaque, `size` is in bytes."""

    path: str
    etag: str
    size: int
    metadata: Mapping[str, str]


class Blob(NamedTuple):
    """An object with its bytes."""

    path: str
    etag: str
    data: bytes
    metadata: Mapping[str, str]


class Entry(NamedTuple):
    """One line of a listing."""

    path: str
    etag: str
    size: int


class Store:
    """Named bytes with metadata. Paths are relative to the store's URL, with `/` between segments.

    Metadata names are lower snake case and values printable ASCII: what Azure takes as HTTP headers
    unchanged.
    """

    url: str

    def doubt(self) -> str:
        """A sentence on why what is here may not be what was put here; none is known of most stores."""
        return ""

    def get(self, path: str, limit: int | None = None) -> Blob:
        """The object with its bytes. Raises NotFoundError; TooLargeError before holding more than `limit`."""
        raise NotImplementedError

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        """So many bytes of the object from `start` on, fewer where it ends before.

        With `if_match` only of exactly that state: else ConflictError. Raises NotFoundError.
        """
        raise NotImplementedError

    def head(self, path: str) -> Head:
        """The object's ETag, size and metadata. Raises NotFoundError."""
        raise NotImplementedError

    def put(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> str:
        """Writes the object whole and returns its new ETag.

        With `if_match` only over exactly that state, with `if_none_match` only where nothing is: else
        ConflictError. A put whose answer was lost is tried again; if exactly its bytes and metadata are there
        by then it has succeeded, though they could be another writer's who has put the same.
        """
        raise NotImplementedError

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects under the folder `prefix`, recursively, in order of path."""
        raise NotImplementedError

    def folders(self, prefix: str = "") -> Sequence[str]:
        """The names, in order, of the folders right below the folder `prefix`: those that hold objects."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """Removes the object; one that is not there is removed already."""
        raise NotImplementedError


def open_store(
    url: str, endpoint: str | None = None, allow_http: bool = False, connection_string: str | None = None
) -> Store:
    """Opens `azure://ACCOUNT/CONTAINER[/PREFIX]`, `file:///FOLDER` or `memory://NAME`, not touching it yet.

    `endpoint`, `allow_http` and `connection_string` are for Azure; without a connection string the
    environment's workload identity, managed identity or token is used. Raises AddressError.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "azure" and separator:
        from scorer.storage.address import azure_address
        from scorer.storage.azure import AzureBlobStore

        return AzureBlobStore(url, azure_address(rest, endpoint, allow_http, connection_string))
    if scheme == "file" and separator:
        from scorer.storage.folder import FolderStore

        return FolderStore(url, _folder(rest))
    if scheme == "memory" and separator:
        from scorer.storage.memory import named_store

        return named_store(url)
    raise AddressError(
        f"store URL {url!r} is not known: wanted azure://ACCOUNT/CONTAINER, file:///FOLDER or memory://NAME"
    )


def _folder(rest: str) -> str:
    if not rest.startswith("/"):
        raise AddressError(f"store URL file://{rest} is not absolute: wanted file:///FOLDER")
    return rest


def checked_path(path: str, prefix: str = "") -> str:
    """The path itself, if it stays inside the store and, below the store's own prefix, is not too long.

    Raises TooLongError, and ValueError for what the check of a template keeps out.
    """
    if not path:
        raise ValueError("path is empty")
    length = len(path) + (len(prefix) + 1 if prefix else 0)
    if length > MAX_PATH:
        below = f" below the store's prefix {prefix}" if prefix else ""
        raise TooLongError(f"{path[:80]}…{below} has {length} characters: wanted at most {MAX_PATH}")
    if not path.isprintable() or _OUTSIDE.search(path):
        raise ValueError(f"path {path!r} does not stay inside the store")
    return path


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """A copy, if every backend can keep it as it is (Azure sends it as HTTP headers). Raises ValueError."""
    checked = dict(metadata or {})
    for name, value in checked.items():
        if not (_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
            raise ValueError(
                f"metadata {name}={value!r}: wanted a lower snake case name and printable ASCII characters"
            )
    return checked
