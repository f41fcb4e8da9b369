"""A store in a folder, so that NFS, Azure Files and blobfuse mounts work, and one machine with no service.

An object is a plain file that any other tool can read. What a file cannot hold is kept beside it:

- metadata, in a hidden file of the same folder. It names the state of the file it belongs to, so a file that
  another tool replaced has no metadata rather than a stranger's. It is renamed first and holds what the file
  before has too: a writer killed between its two renames leaves that one as it was.
- an ETag is the file's modification time and size. The time is set by the writer, later than the file's
  before it, because kernels stamp files with a clock so coarse that two writes can get the same time.

So a folder that was copied without its files' times has no metadata any more. One file of a known time tells.

Conditional puts hold a lock from check to rename. What that is worth depends on the file system:

- a local disk, and NFS of version 4 or 3 with its lock service, Azure Files' NFS shares among them: writers
  on all machines exclude each other. State is asked of an opened file, because what NFS answers of a name
  alone may be seconds old.
- Azure Files over SMB: likewise from Linux 5.5 on, if the share is not mounted with `nobrl`.
- blobfuse, and NFS mounted with `nolock`: writers on one machine exclude each other. Of two on different
  machines that write the same object in the same moment both may win, and the later one's stands. blobfuse's
  renames are copies besides, with times of their own, so what is there belongs to nobody and never counts as
  done. Use azure://ACCOUNT/CONTAINER, which is the same container without these limits.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scorer.storage import (
    Blob,
    ConflictError,
    DeniedError,
    Entry,
    Head,
    NotFoundError,
    StorageError,
    Store,
    TooLargeError,
    TooLongError,
    UnavailableError,
    checked_metadata,
    checked_path,
)

_OWN = ".sensorscore"  # folder of locks, and the mark in hidden files' names
_LOCKS = 64  # enough that sensors written at the same time seldom wait for each other
_TIMES = "times"
_KNOWN_TIME = 978_307_200 * 10**9  # 2001: no copy is made then, and every file system can keep a whole second
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP)


class _State(NamedTuple):
    modified: int  # nanoseconds
    size: int

    @property
    def etag(self) -> str:
        return f"{self.modified:x}-{self.size:x}"


class FolderStore(Store):
    """Objects below one folder, which must be there: a mount that is away is not an empty store."""

    def __init__(self, url: str, folder: str) -> None:
        self.url = url
        self._root = Path(folder)

    def get(self, path: str, limit: int | None = None) -> Blob:
        """The object with its bytes."""
        target = self._target(path)
        with self._errors(path), target.open("rb") as file:
            # One open file throughout: what is read is one state, even while a writer renames another over
            # it.
            state = _state(os.fstat(file.fileno()))
            if limit is not None and state.size > limit:
                raise TooLargeError(f"{path} has {state.size} bytes: wanted at most {limit}")
            return Blob(path, state.etag, file.read(), _read_metadata(target, state))

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        """A part of the object's bytes."""
        target = self._target(path)
        with self._errors(path), target.open("rb") as file:
            if if_match is not None and _state(os.fstat(file.fileno())).etag != if_match:
                raise ConflictError(f"{path} was changed by someone else")
            file.seek(start)
            return file.read(length)

    def head(self, path: str) -> Head:
        """What is known of the object without its bytes."""
        target = self._target(path)
        with self._errors(path), target.open("rb") as file:
            state = _state(os.fstat(file.fileno()))
            return Head(path, state.etag, state.size, _read_metadata(target, state))

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
        target, kept = self._target(path), checked_metadata(metadata)
        with self._errors(path):
            self._check_root()
            self._make(target.parent)
            with self._locked(path):
                found = _found(target)
                if (if_none_match and found) or (
                    if_match is not None and (not found or found.etag != if_match)
                ):
                    raise ConflictError(f"{path} was changed by someone else")
                return _replace(target, data, kept, found)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects under the folder, in order of path."""
        base = self._target(prefix) if prefix else self._root
        with self._errors(prefix or "/"):
            self._check_root()
            files = sorted(self._files(base), key=lambda file: file.relative_to(self._root).as_posix())
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                state = _state(file.stat())
                yield Entry(file.relative_to(self._root).as_posix(), state.etag, state.size)

    def folders(self, prefix: str = "") -> Sequence[str]:
        """The folders right below the folder; an empty one may be among them."""
        base = self._target(prefix) if prefix else self._root
        with self._errors(prefix or "/"):
            self._check_root()
            if not base.is_dir():
                return []
            return sorted(found.name for found in base.iterdir() if found.is_dir() and found.name != _OWN)

    def delete(self, path: str) -> None:
        """Removes the object, if it is there."""
        target = self._target(path)
        with self._errors(path), self._locked(path):
            target.unlink(missing_ok=True)
            _metadata_file(target).unlink(missing_ok=True)

    def doubt(self) -> str:
        """A sentence, if the files' times are not those that were set: then their metadata is lost."""
        try:
            known = (self._root / _OWN / _TIMES).stat()
        except OSError:
            return ""
        if known.st_mtime_ns == _KNOWN_TIME:
            return ""
        return (
            f"store folder {self._root} was copied, or is mounted, without the times of its files, which "
            "metadata goes by: predictions there count as nobody's, are scored again and cannot be verified; "
            f"copy it with times (cp -a, rsync -a, tar), or remove {_OWN}/{_TIMES} in it to take it as it is"
        )

    def _target(self, path: str) -> Path:
        return self._root / checked_path(path)

    def _files(self, base: Path) -> Iterator[Path]:
        for folder, folders, names in os.walk(base):
            folders[:] = [name for name in folders if name != _OWN]
            yield from (Path(folder, name) for name in names if not _is_own(name))

    def _make(self, folder: Path) -> None:
        """The folder and those above it, but never the root: made anew it would pass for an empty store."""
        if folder != self._root and not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)

    def _check_root(self) -> None:
        if not self._root.is_dir():
            raise UnavailableError(
                f"store folder {self._root} does not exist: mount it, or make it with `scorer store init`"
            )

    @contextlib.contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(path, error) from error

    def _failure(self, path: str, error: OSError) -> StorageError:
        if error.errno in _MISSING:
            self._check_root()
            return NotFoundError(f"{path} does not exist")
        if error.errno == errno.ENAMETOOLONG:
            return TooLongError(f"{path[:80]}… in {self._root}: {error.strerror}")
        if error.errno in _DENIED:
            return DeniedError(f"{path} in {self._root}: {error.strerror}")
        return UnavailableError(f"{path} in {self._root}: {error.strerror}")

    @contextlib.contextmanager
    def _locked(self, path: str) -> Iterator[None]:
        """Excludes other writers of this path; the lock goes with the open file, also a killed process's."""
        locks = self._root / _OWN / "locks"
        if not locks.is_dir():
            self._make(locks)
            _mark(self._root / _OWN)
        with (locks / f"{zlib.crc32(path.encode()) % _LOCKS:02x}").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            yield


def _mark(folder: Path) -> None:
    """A file of a known time: a copy without times has another one."""
    with _written_beside(folder / _TIMES, b"", _KNOWN_TIME) as (part, _):
        part.replace(folder / _TIMES)


def _replace(target: Path, data: bytes, metadata: dict[str, str], found: _State | None) -> str:
    modified = max(time.time_ns(), found.modified + 1_000 if found else 0)
    with _written_beside(target, data, modified) as (part, state):
        if metadata:
            told: dict[str, Any] = {"etag": state.etag, "metadata": metadata}
            if found and (before := _read_metadata(target, found)):
                told["before"] = {"etag": found.etag, "metadata": before}
            kept = json.dumps(told, sort_keys=True).encode()
            with _written_beside(_metadata_file(target), kept, modified) as (metadata_part, _):
                metadata_part.replace(_metadata_file(target))
        part.replace(target)
    if found and not metadata:
        _metadata_file(target).unlink(missing_ok=True)
    return state.etag


@contextlib.contextmanager
def _written_beside(target: Path, data: bytes, modified: int) -> Iterator[tuple[Path, _State]]:
    """A finished file beside the target, to be renamed over it, and its state as kept by the file system."""
    part = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}{_OWN}-part")
    try:
        part.write_bytes(data)
        os.utime(part, ns=(modified, modified))
        yield part, _state(part.stat())
    finally:
        part.unlink(missing_ok=True)


def _found(target: Path) -> _State | None:
    try:
        with target.open("rb") as file:
            return _state(os.fstat(file.fileno()))
    except FileNotFoundError:
        return None


def _state(status: os.stat_result) -> _State:
    return _State(status.st_mtime_ns, status.st_size)


def _metadata_file(target: Path) -> Path:
    return target.with_name(f".{target.name}{_OWN}-metadata")


def _is_own(name: str) -> bool:
    return name.startswith(".") and name.endswith((f"{_OWN}-metadata", f"{_OWN}-part"))


def _read_metadata(target: Path, state: _State) -> dict[str, str]:
    try:
        kept = json.loads(_metadata_file(target).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    for told in (kept, kept.get("before")) if isinstance(kept, dict) else ():
        match told:
            case {"etag": state.etag, "metadata": dict(metadata)}:
                return {str(name): str(value) for name, value in metadata.items()}
    return {}
