"""What every storage backend promises, as checks that its tests run against it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from scorer.storage import ConflictError, NotFoundError, Store, TooLargeError, TooLongError


def keeps_bytes_and_metadata(store: Store) -> None:
    etag = store.put("a/b.bin", b"\x00one", {"fingerprint": "f" * 64, "rows_read": "12"})
    blob = store.get("a/b.bin")
    assert (blob.data, blob.etag, dict(blob.metadata)) == (
        b"\x00one",
        etag,
        {"fingerprint": "f" * 64, "rows_read": "12"},
    )
    head = store.head("a/b.bin")
    assert (head.etag, head.size, dict(head.metadata)) == (etag, 4, dict(blob.metadata))


def keeps_empty_objects(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty").data == b""
    assert store.head("empty").size == 0


def forgets_metadata_when_overwritten_without(store: Store) -> None:
    store.put("a", b"one", {"fingerprint": "f"})
    store.put("a", b"two")
    assert dict(store.head("a").metadata) == {}


def gives_every_state_its_own_etag(store: Store) -> None:
    etags = [store.put("a", b"same", {"number": str(number % 2)}) for number in range(6)]
    assert len(set(etags)) == 6
    assert store.head("a").etag == etags[-1]


def says_what_is_missing(store: Store) -> None:
    store.put("folder/a", b"")
    for path in ("none", "folder", "folder/a/b", "none/none"):
        with pytest.raises(NotFoundError, match=path):
            store.get(path)
        with pytest.raises(NotFoundError, match=path):
            store.head(path)


def refuses_what_is_too_large(store: Store) -> None:
    store.put("a", b"12345")
    assert store.get("a", limit=5).data == b"12345"
    with pytest.raises(TooLargeError, match="5 bytes: wanted at most 4"):
        store.get("a", limit=4)


def gives_parts(store: Store) -> None:
    etag = store.put("a", b"0123456789")
    assert store.get_range("a", 0, 10) == b"0123456789"
    assert store.get_range("a", 2, 3, if_match=etag) == b"234"
    assert store.get_range("a", 8, 5) == b"89"
    with pytest.raises(NotFoundError):
        store.get_range("none", 0, 1)


def gives_parts_of_one_state_only(store: Store) -> None:
    etag = store.put("a", b"0123456789")
    store.put("a", b"abcdefghij")
    with pytest.raises(ConflictError):
        store.get_range("a", 2, 3, if_match=etag)


def creates_only_where_nothing_is(store: Store) -> None:
    store.put("a", b"one", if_none_match=True)
    with pytest.raises(ConflictError):
        store.put("a", b"two", if_none_match=True)
    assert store.get("a").data == b"one"


def replaces_only_the_state_that_was_seen(store: Store) -> None:
    first = store.put("a", b"one")
    second = store.put("a", b"two", if_match=first)
    with pytest.raises(ConflictError):
        store.put("a", b"three", if_match=first)
    with pytest.raises(ConflictError):
        store.put("b", b"three", if_match=second)
    assert store.get("a").data == b"two"


def lets_one_of_many_writers_win(store: Store) -> None:
    etag = store.put("a", b"start")
    won: list[int] = []

    def write(number: int) -> None:
        try:
            store.put("a", str(number).encode(), if_match=etag)
            won.append(number)
        except ConflictError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("a").data == str(won[0]).encode()


def lists_below_a_folder_in_order(store: Store) -> None:
    for path in ("b/2", "b/10", "b/c/1", "bb/1", "a"):
        store.put(path, path.encode())
    assert [entry.path for entry in store.list("b")] == ["b/10", "b/2", "b/c/1"]
    assert [entry.path for entry in store.list()] == ["a", "b/10", "b/2", "b/c/1", "bb/1"]
    entry = next(store.list("bb"))
    assert (entry.etag, entry.size) == (store.head("bb/1").etag, 4)
    assert list(store.list("none")) == []


def names_the_folders_below_one(store: Store) -> None:
    for path in ("a/b/c/1", "a/b/2", "a/bc/3", "a/4", "d/5"):
        store.put(path, b"")
    assert [list(store.folders(prefix)) for prefix in ("", "a", "a/b", "d", "none")] == [
        ["a", "d"],
        ["b", "bc"],
        ["c"],
        [],
        [],
    ]


def deletes_what_is_there(store: Store) -> None:
    store.put("a/b", b"x", {"number": "1"})
    store.delete("a/b")
    store.delete("a/b")
    with pytest.raises(NotFoundError):
        store.get("a/b")
    assert list(store.list()) == []


def stays_inside(store: Store) -> None:
    for path in ("../a", "/a", "a//b", "a/./b", "", "a\\b", "a\nb"):
        for call in (store.get, store.head, store.delete, lambda path: store.put(path, b"")):
            with pytest.raises(ValueError, match="path"):
                call(path)


def refuses_names_that_are_too_long(store: Store) -> None:
    for call in (store.get, store.head, store.delete, lambda path: store.put(path, b"")):
        with pytest.raises(TooLongError, match="wanted at most 1024"):
            call(f"folder/{'x' * 1018}")


def refuses_metadata_that_headers_cannot_carry(store: Store) -> None:
    for metadata in ({"Name": "x"}, {"a-b": "x"}, {"a": "ü"}, {"a": "x\n"}):
        with pytest.raises(ValueError, match="metadata"):
            store.put("a", b"", metadata)


PROMISES: list[Callable[[Store], None]] = [
    keeps_bytes_and_metadata,
    keeps_empty_objects,
    forgets_metadata_when_overwritten_without,
    gives_every_state_its_own_etag,
    says_what_is_missing,
    refuses_what_is_too_large,
    gives_parts,
    gives_parts_of_one_state_only,
    creates_only_where_nothing_is,
    replaces_only_the_state_that_was_seen,
    lets_one_of_many_writers_win,
    lists_below_a_folder_in_order,
    names_the_folders_below_one,
    deletes_what_is_there,
    stays_inside,
    refuses_names_that_are_too_long,
    refuses_metadata_that_headers_cannot_carry,
]
