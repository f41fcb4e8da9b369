"""Azure Blob Storage by obstore: requests that release the interpreter lock, imported in ten milliseconds.

Retries are done here and not by obstore, because a `put` whose answer was lost must be tried again too
(obstore does so for reads only) and because the bound then stands in one place. A conditional put that was
tried again may conflict with its own first try: then what is there is compared with what was to be written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from obstore.exceptions import BaseError
from obstore.store import AzureStore

from scorer.storage import (
    AddressError,
    Blob,
    ConflictError,
    DeniedError,
    Entry,
    Head,
    NotFoundError,
    StorageError,
    Store,
    TooLargeError,
    UnavailableError,
    checked_metadata,
    checked_path,
)
from scorer.storage.answers import BusyError, ContainerMissingError, UnauthorizedError, meaning

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ListStream, ObjectMeta, PutResult
    from obstore.store import AzureConfig

    from scorer.storage.address import AzureAddress

T = TypeVar("T")


class Retries(NamedTuple):
    """How long a failing request is tried: 5 tries over about 8 s, enough for a storage partition to move.

    Storage that says it is busy is given twice that: the `Retry-After` it sends, obstore does not tell.
    """

    tries: int = 5
    denied_tries: int = 2  # a role assignment or a renewed token may need a moment; a wrong one stays wrong
    first_seconds: float = 0.2
    busy_seconds: float = 1.0
    factor: float = 3.0
    longest_seconds: float = 5.0
    total_seconds: float = 120.0  # no try begins later, however long those before hung
    request_seconds: float = 120.0
    silent_seconds: float = 30.0  # an upload must be through by then too: obstore makes no difference
    connect_seconds: float = 5.0


RETRIES = Retries()


class AzureBlobStore(Store):
    """One container, below a prefix."""

    def __init__(self, url: str, address: AzureAddress, retries: Retries = RETRIES) -> None:
        """Sends nothing yet. Raises AddressError."""
        self.url = url
        self._address = address
        self._container = f"container {address.container!r} of account {address.account!r}"
        self._retries = retries
        self._store = _opened(address, retries)
        self._opening = threading.Lock()

    def get(self, path: str, limit: int | None = None) -> Blob:
        """The object with its bytes."""
        self._checked(path)

        def read() -> tuple[GetResult, bytes]:
            result = self._store.get(path)
            size = result.meta["size"]
            if limit is not None and size > limit:
                raise TooLargeError(f"{path} has {size} bytes: wanted at most {limit}")
            return result, result.bytes().to_bytes()

        result, data = self._tried("GET", path, read)
        return Blob(path, _etag(result.meta["e_tag"]), data, _metadata(result))

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        """A part of the object's bytes."""
        self._checked(path)
        options: GetOptions = {"range": (start, start + length)}
        if if_match is not None:
            options["if_match"] = f'"{if_match}"'

        def read() -> bytes:
            return self._store.get(path, options=options).bytes().to_bytes()

        return self._tried("GET", path, read)

    def head(self, path: str) -> Head:
        """What is known of the object without its bytes."""
        self._checked(path)
        result = self._tried("HEAD", path, lambda: self._store.get(path, options={"head": True}))
        return Head(path, _etag(result.meta["e_tag"]), result.meta["size"], _metadata(result))

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
        self._checked(path)
        attributes = checked_metadata(metadata)
        mode = (
            {"e_tag": f'"{if_match}"'} if if_match is not None else "create" if if_none_match else "overwrite"
        )
        tries = 0

        def write() -> PutResult:
            nonlocal tries
            tries += 1
            return self._store.put(path, data, attributes=attributes, mode=mode, use_multipart=False)  # type: ignore[arg-type]

        try:
            return _etag(self._tried("PUT", path, write)["e_tag"])
        except ConflictError:
            if tries > 1 and (etag := self._own(path, data, attributes)):
                return etag
            raise

    def _own(self, path: str, data: bytes, metadata: dict[str, str]) -> str | None:
        """The ETag of what is there, if it is what was to be written: then an earlier try has done it."""
        try:
            there = self.get(path, len(data))
        except (NotFoundError, TooLargeError):
            return None
        return there.etag if (there.data, there.metadata) == (data, metadata) else None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects under the folder, in order of path."""
        if prefix:
            self._checked(prefix)
        stream: ListStream[Sequence[ObjectMeta]] | None = None
        last: str | None = None

        def page() -> Sequence[ObjectMeta] | None:
            # A stream that has failed would end as if there were no more: another one goes on from there.
            nonlocal stream
            if stream is None:
                stream = self._store.list(prefix or None, offset=last)
            try:
                return next(stream, None)
            except BaseException:
                stream = None
                raise

        while (batch := self._tried("LIST", prefix or "/", page)) is not None:
            for meta in batch:
                last = meta["path"]
                yield Entry(meta["path"], _etag(meta["e_tag"]), meta["size"])

    def folders(self, prefix: str = "") -> Sequence[str]:
        """The folders right below the folder, by one request for each 5,000 names."""
        if prefix:
            self._checked(prefix)
        found = self._tried("LIST", prefix or "/", lambda: self._store.list_with_delimiter(prefix or None))
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    def delete(self, path: str) -> None:
        """Removes the object, if it is there."""
        self._checked(path)
        try:
            self._tried("DELETE", path, lambda: self._store.delete(path))
        except NotFoundError:
            return

    def _checked(self, path: str) -> str:
        return checked_path(path, self._address.prefix)

    def _tried(self, operation: str, path: str, request: Callable[[], T]) -> T:
        """Runs the request until it succeeds, fails for good, or the tries are used up."""
        retries, started, wait = self._retries, time.monotonic(), 0.0
        for number in range(1, retries.tries + 1):
            used = self._store
            try:
                return request()
            except (BaseError, FileNotFoundError) as error:
                failure = meaning(operation, path, self._container, error)
                if number >= self._tries(failure) or time.monotonic() - started > retries.total_seconds:
                    raise failure from error
            if isinstance(failure, UnauthorizedError):
                self._renew(used)
            first = retries.busy_seconds if isinstance(failure, BusyError) else retries.first_seconds
            wait = min(max(wait * retries.factor, first), retries.longest_seconds)
            time.sleep(_jittered(wait))
        raise AssertionError("unreachable: the last try returns or raises")

    def _renew(self, used: AzureStore) -> None:
        """Another client, whose token is a new one: the one before keeps its token for an hour.

        Once for all threads that met its end: the first opens it, the others find it open.
        """
        with self._opening:
            if self._store is used:
                self._store = _opened(self._address, self._retries)

    def _tries(self, failure: StorageError) -> int:
        if isinstance(failure, DeniedError):
            return self._retries.denied_tries
        passing = isinstance(failure, UnavailableError) and not isinstance(failure, ContainerMissingError)
        return self._retries.tries if passing else 1


def _opened(address: AzureAddress, retries: Retries) -> AzureStore:
    """The client of the container. Raises AddressError."""
    config: AzureConfig = {"account_name": address.account, "endpoint": address.endpoint}
    # By name, because where the environment has a workload identity obstore would take that one.
    if address.account_key is not None:
        config |= {"account_key": address.account_key, "credential_type": "access_key"}
    elif address.sas is not None:
        config |= {"sas_key": address.sas, "credential_type": "sas_token"}
    try:
        return AzureStore(
            address.container,
            prefix=address.prefix or None,
            config=config,
            client_options={
                "allow_http": address.allow_http,
                "timeout": timedelta(seconds=retries.request_seconds),
                "read_timeout": timedelta(seconds=retries.silent_seconds),
                "connect_timeout": timedelta(seconds=retries.connect_seconds),
            },
            retry_config={"max_retries": 0},
        )
    except (BaseError, ValueError):
        # A sentence of our own, and no cause beside it: theirs may repeat a key or a signature.
        raise AddressError(
            "store's endpoint, prefix or credential cannot be used: wanted https://HOST[:PORT], "
            "a plain prefix, and AccountKey or SharedAccessSignature as Azure shows it"
        ) from None


def _etag(raw: str | None) -> str:
    # Listings give ETags without quotes, answers with them: one form, so that they can be compared.
    return (raw or "").strip('"')


def _metadata(result: GetResult) -> dict[str, str]:
    return {name: value for name, value in result.attributes.items() if name.islower()}


def _jittered(seconds: float) -> float:
    # Imported here: only a request that failed needs it, and every pod would pay for it.
    from random import uniform

    return uniform(0.5, 1.0) * seconds  # noqa: S311 (spreads load, keeps no secret)
