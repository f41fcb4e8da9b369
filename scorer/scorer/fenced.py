"""Objects that belong to the latest claim: puts that give way to a later writer's.

Imports neither numpy nor pyarrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from scorer.fence import TRIES, Claim, claim_of, stands_against
from scorer.storage import ConflictError, NotFoundError, Store, UnavailableError


def put_claimed(
    store: Store, path: str, data: bytes, claim: Claim, told: Mapping[str, str] | None = None
) -> bool:
    """Writes the object unless a later claim's is there; False if so. Raises StorageError.

    Its metadata is the claim, the bytes' `sha256`, and what is `told`.
    """
    digest = hashlib.sha256(data).hexdigest()
    metadata = {**claim._asdict(), "sha256": digest, **(told or {})}
    etag: str | None = None
    for _ in range(TRIES):
        try:
            store.put(path, data, metadata, if_match=etag, if_none_match=etag is None)
        except ConflictError:
            # Something is there: another's, or our own first try whose answer was lost.
            try:
                head = store.head(path)
            except NotFoundError:
                etag = None
                continue
            if stands_against(head.metadata, claim):
                return False
            if claim_of(head.metadata) == claim and head.metadata.get("sha256") == digest:
                return True
            etag = head.etag
        else:
            return True
    raise UnavailableError(f"{path} was changed by others {TRIES} times while it was being written")


def delete_claimed(store: Store, path: str, claim: Claim) -> None:
    """Removes the object unless a later claim's is there. Raises StorageError."""
    try:
        head = store.head(path)
    except NotFoundError:
        return
    if not stands_against(head.metadata, claim):
        store.delete(path)


def delete_own(store: Store, path: str, claim: Claim) -> None:
    """Removes the object if it is this claim's. Raises StorageError."""
    try:
        head = store.head(path)
    except NotFoundError:
        return
    if claim_of(head.metadata) == claim:
        store.delete(path)
