from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from scorer.storage import (
    AddressError,
    ConflictError,
    DeniedError,
    NotFoundError,
    Store,
    TooLongError,
    UnavailableError,
    open_store,
)
from scorer.storage.create import create_store
from scorer.storage.folder import FolderStore
from scorer.storage.memory import MemoryStore
from storage_promises import PROMISES


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_memory_keeps_its_promises(promise: Callable[[Store], None]) -> None:
    promise(MemoryStore())


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_folder_keeps_its_promises(promise: Callable[[Store], None], folder: Store) -> None:
    promise(folder)


def test_memory_stores_of_one_name_are_one() -> None:
    open_store("memory://shared").put("a", b"x")
    assert open_store("memory://shared").get("a").data == b"x"
    with pytest.raises(NotFoundError):
        open_store("memory://other").get("a")


def test_objects_in_a_folder_are_plain_files(folder: Store, tmp_path: Path) -> None:
    folder.put("a/b.parquet", b"data", {"fingerprint": "f"})
    assert (tmp_path / "a/b.parquet").read_bytes() == b"data"
    names = [file.name for file in (tmp_path / "a").iterdir()]
    assert [name for name in names if not name.startswith(".")] == ["b.parquet"]


def test_a_file_that_another_tool_replaced_has_no_metadata(folder: Store, tmp_path: Path) -> None:
    etag = folder.put("a", b"data", {"fingerprint": "f"})
    (tmp_path / "a").write_bytes(b"other")
    assert dict(folder.head("a").metadata) == {}
    assert folder.head("a").etag != etag
    with pytest.raises(ConflictError):
        folder.put("a", b"mine", if_match=etag)


def test_broken_metadata_is_none(folder: Store, tmp_path: Path) -> None:
    folder.put("a", b"data", {"fingerprint": "f"})
    (tmp_path / ".a.sensorscore-metadata").write_bytes(b"{broken")
    assert dict(folder.head("a").metadata) == {}


def test_a_folder_that_is_away_is_not_an_empty_store(tmp_path: Path) -> None:
    away = open_store(f"file://{tmp_path}/away")
    for call in (lambda: away.get("a"), lambda: away.put("a", b""), lambda: list(away.list())):
        with pytest.raises(UnavailableError, match="does not exist: mount it"):
            call()
    assert create_store(f"file://{tmp_path}/away")
    assert not create_store(f"file://{tmp_path}/away")
    away.put("a", b"")


@pytest.mark.parametrize("path", ["a", "below/it/a"])
def test_a_folder_that_goes_away_while_it_is_written_to_is_not_made_anew(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"file://{tmp_path}/store")
    create_store(store.url)
    make = FolderStore._make

    def goes(folder: FolderStore, wanted: Path) -> None:
        if (tmp_path / "store").exists():
            (tmp_path / "store").rename(tmp_path / "away")
        make(folder, wanted)

    monkeypatch.setattr(FolderStore, "_make", goes)
    with pytest.raises(UnavailableError, match="does not exist: mount it"):
        store.put(path, b"")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EACCES, DeniedError), (errno.EROFS, DeniedError), (errno.ENOSPC, UnavailableError)],
)
def test_what_the_system_refuses_is_told(
    code: int, kind: type[Exception], folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(kind, match=os.strerror(code)):
        folder.put("a", b"")


def test_readers_see_whole_objects_while_writers_replace_them(folder: Store) -> None:
    folder.put("a", b"0" * 100_000)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            folder.put("a", str(number % 10).encode() * 100_000, {"number": str(number % 10)})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            blob = folder.get("a")
            assert len(set(blob.data)) == 1
            assert blob.metadata.get("number", "") in ("", chr(blob.data[0]))
    finally:
        stop.set()
        writer.join()


COUNTER = """
import sys
from scorer.storage import ConflictError, NotFoundError, open_store
store = open_store(sys.argv[1])
for _ in range(25):
    while True:
        try:
            try:
                there = store.get("counter")
                store.put("counter", str(int(there.data) + 1).encode(), if_match=there.etag)
            except NotFoundError:
                store.put("counter", b"1", if_none_match=True)
            break
        except ConflictError:
            continue
"""


def test_processes_lose_no_conditional_put(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    counters = [subprocess.Popen([sys.executable, "-c", COUNTER, url]) for _ in range(4)]
    assert [counter.wait(60) for counter in counters] == [0] * 4
    assert open_store(url).get("counter").data == b"100"


CREATOR = """
import sys
from scorer.storage import ConflictError, open_store
store = open_store(sys.argv[1])
sys.stdin.readline()
for name in range(60):
    try:
        store.put(f"once/{name}", sys.argv[2].encode(), {"by": sys.argv[2]}, if_none_match=True)
        print(name)
    except ConflictError:
        pass
"""


def test_processes_create_each_object_once(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    creators = [
        subprocess.Popen(
            [sys.executable, "-c", CREATOR, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for creator in creators:
        assert creator.stdin
        creator.stdin.write("go\n")  # once all of them could have begun
        creator.stdin.flush()
    made = [creator.communicate(timeout=60)[0].split() for creator in creators]
    assert sorted(int(name) for names in made for name in names) == list(range(60))
    store = open_store(url)
    for number, names in enumerate(made):
        for name in names:
            blob = store.get(f"once/{name}")
            assert (blob.data, dict(blob.metadata)) == (str(number).encode(), {"by": str(number)})


ENDLESS = """
import sys
from scorer.storage import open_store
store = open_store(sys.argv[1])
print("begun", flush=True)
number = 0
while True:
    number += 1
    store.put("a", str(number % 10).encode() * 100_000, {"number": str(number % 10)})
"""


def test_a_writer_that_is_killed_leaves_a_whole_object_and_no_lock(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    store = open_store(url)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", ENDLESS, url], stdout=subprocess.PIPE)
        assert writer.stdout
        writer.stdout.readline()
        while not (tmp_path / "a").exists():
            pass
        writer.kill()
        writer.communicate()
        blob = store.get("a")
        assert (len(blob.data), len(set(blob.data))) == (100_000, 1)
        assert blob.metadata["number"] == chr(blob.data[0])
        assert [entry.path for entry in store.list()] == ["a"]
        store.put("a", b"next", if_match=blob.etag)
        store.delete("a")


def test_a_writer_that_is_killed_between_its_renames_leaves_the_object_as_it_was(
    folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    rename = Path.replace

    def dies(file: Path, target: Path) -> Path:
        if target == tmp_path / "a":
            raise KilledError
        return rename(file, target)

    etag = folder.put("a", b"one", {"number": "1"})
    monkeypatch.setattr(Path, "replace", dies)
    for _ in range(2):
        with pytest.raises(KilledError):
            folder.put("a", b"two", {"number": "2"})
        blob = folder.get("a")
        assert (blob.etag, blob.data, dict(blob.metadata)) == (etag, b"one", {"number": "1"})
    monkeypatch.undo()
    folder.put("a", b"three", {"number": "3"}, if_match=etag)
    assert dict(folder.head("a").metadata) == {"number": "3"}
    folder.put("a", b"four")
    assert dict(folder.head("a").metadata) == {}


def test_a_folder_that_was_copied_without_times_is_told(folder: Store, tmp_path: Path) -> None:
    folder.put("a/b", b"data", {"fingerprint": "f"})
    assert folder.doubt() == ""
    for copy, by, metadata in (
        ("good", shutil.copy2, {"fingerprint": "f"}),
        ("bad", shutil.copyfile, {}),
    ):
        shutil.copytree(tmp_path, f"{tmp_path}-{copy}", copy_function=by)
        store = open_store(f"file://{tmp_path}-{copy}")
        assert dict(store.head("a/b").metadata) == metadata
        assert ("without the times of its files" in store.doubt()) == (not metadata)
        assert ("cp -a" in store.doubt()) == (not metadata)


def test_a_mount_without_locks_is_written_to(folder: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr("fcntl.flock", refuse)
    etag = folder.put("a", b"one")
    folder.put("a", b"two", if_match=etag)
    assert folder.get("a").data == b"two"


@pytest.mark.parametrize("path", ["x" * 300, "ü" * 200, f"{'y' * 250}"])
def test_a_name_that_the_file_system_cannot_have(path: str, folder: Store) -> None:
    with pytest.raises(TooLongError, match="File name too long"):
        folder.put(path, b"")


def test_a_path_that_the_file_system_cannot_have_below_the_store_s_folder(tmp_path: Path) -> None:
    root = "/".join([str(tmp_path), *(["d" * 200] * 18)])
    Path(root).mkdir(parents=True)
    with pytest.raises(TooLongError, match="File name too long"):
        open_store(f"file://{root}").put("/".join(["e" * 200] * 4), b"")


def test_the_bound_of_a_name_counts_the_store_s_prefix() -> None:
    string = "AccountName=acc;AccountKey=c2VjcmV0;BlobEndpoint=https://127.0.0.1:1/acc"
    store = open_store(f"azure://acc/cont/{'p' * 100}", connection_string=string)
    with pytest.raises(
        TooLongError, match=r"below the store's prefix p+ has 1025 characters: wanted at most"
    ):
        store.put("x" * 924, b"")


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "file://relative", "azure://", "azure://account", "s3://a/b", "/mnt"]
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(AddressError, match="store"):
        open_store(url)
