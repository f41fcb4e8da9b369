"""Azure Blob Storage by obstore: requests that release the interpreter lock, imported in ten milliseconds.

Retries are done here and not by obstore, because a `put` whose answer was lost must be tried again too
(obstore does so for reads only) and because the bound then stands in one place. A conditional put that was
tried again may conflict with its own first try: callers find out by reading the object's metadata, as they
must for any conflict.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
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

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import AzureConfig

    from scorer.storage.address import AzureAddress

T = TypeVar("T")

# Parts of an obstore error's text, compiled only when there is one.
_STATUS = r"status code: (\d{3})"
_CODE = r"<Code>(\w+)</Code>"
_CAUSE = r'message: "([^"]+)"'
_QUERY = r"\?\S*"
_LEAD = r"^Generic MicrosoftAzure error: |Error performing \w+ | in [\d.]+\S*s(?= - )"
_DENIED = (401, 403)


class Retries(NamedTuple):
    """How long a failing request is tried: 5 tries over about 8 s, enough for a storage partition to move."""

    tries: int = 5
    denied_tries: int = 2  # a role assignment or a renewed token may need a moment; a wrong one stays wrong
    first_seconds: float = 0.2
    factor: float = 3.0
    longest_seconds: float = 5.0
    request_seconds: float = 60.0
    connect_seconds: float = 5.0


RETRIES = Retries()


class ContainerMissingError(UnavailableError):
    """There is no such container: trying again at once does not help, making it does."""


class AzureBlobStore(Store):
    """One container, below a prefix."""

    def __init__(self, url: str, address: AzureAddress, retries: Retries = RETRIES) -> None:
        """Sends nothing yet. Raises AddressError."""
        self.url = url
        self._address = address
        self._retries = retries
        self._store = _opened(address, retries)

    def get(self, path: str, limit: int | None = None) -> Blob:
        """The object with its bytes."""
        checked_path(path)

        def read() -> tuple[GetResult, bytes]:
            result = self._store.get(path)
            size = result.meta["size"]
            if limit is not None and size > limit:
                raise TooLargeError(f"{path} has {size} bytes: wanted at most {limit}")
            return result, result.bytes().to_bytes()

        result, data = self._tried("GET", path, read)
        return Blob(path, _etag(result.meta["e_tag"]), data, _metadata(result))

    def head(self, path: str) -> Head:
        """What is known of the object without its bytes."""
        checked_path(path)
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
        checked_path(path)
        attributes = checked_metadata(metadata)
        mode = (
            {"e_tag": f'"{if_match}"'} if if_match is not None else "create" if if_none_match else "overwrite"
        )
        result = self._tried(
            "PUT",
            path,
            lambda: self._store.put(path, data, attributes=attributes, mode=mode, use_multipart=False),  # type: ignore[arg-type]
        )
        return _etag(result["e_tag"])

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects under the folder, in order of path."""
        if prefix:
            checked_path(prefix)
        stream = self._store.list(prefix or None)
        while batch := self._tried("LIST", prefix or "/", lambda: next(stream, None)):
            for meta in batch:
                yield Entry(meta["path"], _etag(meta["e_tag"]), meta["size"])

    def delete(self, path: str) -> None:
        """Removes the object, if it is there."""
        checked_path(path)
        try:
            self._tried("DELETE", path, lambda: self._store.delete(path))
        except NotFoundError:
            return

    def _tried(self, operation: str, path: str, request: Callable[[], T]) -> T:
        """Runs the request until it succeeds, fails for good, or the tries are used up."""
        wait = self._retries.first_seconds
        for number in range(1, self._retries.tries + 1):
            try:
                return request()
            except (BaseError, FileNotFoundError) as error:
                failure = self._failure(operation, path, error)
                if number >= self._tries(failure):
                    raise failure from error
            time.sleep(_jittered(wait))
            wait = min(wait * self._retries.factor, self._retries.longest_seconds)
        raise AssertionError("unreachable: the last try returns or raises")

    def _tries(self, failure: StorageError) -> int:
        if isinstance(failure, DeniedError):
            return self._retries.denied_tries
        passing = isinstance(failure, UnavailableError) and not isinstance(failure, ContainerMissingError)
        return self._retries.tries if passing else 1

    def _failure(self, operation: str, path: str, error: Exception) -> StorageError:
        text = str(error)
        status, code = _status(text), _code(text)
        if code == "ContainerNotFound":
            # Not NotFoundError: a missing container would read as thousands of sensors without a model.
            where = f"container {self._address.container!r} of account {self._address.account!r}"
            return ContainerMissingError(f"{where} does not exist: make it with `scorer store init`")
        if isinstance(error, FileNotFoundError):
            return NotFoundError(f"{path} does not exist")
        if isinstance(error, AlreadyExistsError | PreconditionError):
            return ConflictError(f"{path} was changed by someone else")
        said = f"{operation} {path}: storage answered {status} {code}".rstrip()
        if status in _DENIED:
            return DeniedError(f"{said}: the identity or key in use may not do this")
        if status:
            return UnavailableError(said)
        return UnavailableError(f"{operation} {path}: {_said(text)}")


def _opened(address: AzureAddress, retries: Retries) -> AzureStore:
    """The client of the container. Raises AddressError."""
    config: AzureConfig = {"account_name": address.account, "endpoint": address.endpoint}
    if address.account_key is not None:
        config["account_key"] = address.account_key
    if address.sas is not None:
        config["sas_key"] = address.sas
    try:
        return AzureStore(
            address.container,
            prefix=address.prefix or None,
            config=config,
            client_options={
                "allow_http": address.allow_http,
                "timeout": timedelta(seconds=retries.request_seconds),
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


def _status(text: str) -> int:
    found = re.search(_STATUS, text)
    return int(found[1]) if found else 0


def _code(text: str) -> str:
    found = re.search(_CODE, text)
    return found[1] if found else ""


def _said(text: str) -> str:
    """The first line and the deepest cause, without URLs' queries: those may hold an access signature."""
    line = re.sub(_LEAD, "", re.sub(_QUERY, "", text.partition("\n")[0]))
    causes = re.findall(_CAUSE, text)
    return f"{line} ({causes[-1]})" if causes else line


def _jittered(seconds: float) -> float:
    # Imported here: only a request that failed needs it, and every pod would pay for it.
    from random import uniform

    return uniform(0.5, 1.0) * seconds  # noqa: S311 (spreads load, keeps no secret)
