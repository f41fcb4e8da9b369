"""Which objects are a sensor's readings of a window."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from reading_files import csv_bytes
from scorer import sources
from scorer.contract import Rows, SensorError
from scorer.contract.work import ReadingsSource
from scorer.readings import Reader
from scorer.sources import File, SharedFile, Sources, together
from scorer.storage import Blob, Entry, UnavailableError
from scorer.storage.memory import MemoryStore
from scorer.window import window

SPAN = window("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z")
FOLDERS = "{yyyy}/{MM}/{dd}/{HH}"


class Counting(MemoryStore):
    """Counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, path: str, limit: int | None = None) -> Blob:
        self.asked.append(f"get {path}")
        return super().get(path, limit)

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        self.asked.append(f"range {path}")
        found = self._objects[path]
        return super().get_range(path, start, length, if_match) if found else b""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        self.asked.append(f"list {prefix}")
        return super().list(prefix)


@pytest.fixture
def store() -> Counting:
    return Counting()


def find(store: MemoryStore, path: str, sensor: str = "a", span: Any = SPAN, **source: Any) -> list[str]:
    found = Sources(store, ReadingsSource(path, **source), span).find(sensor)
    return [file.path for file in found.files]


def put(store: MemoryStore, *paths: str) -> None:
    for path in paths:
        store.put(path, path.encode())


def test_one_file_a_sensor_is_one_request(store: Counting) -> None:
    put(store, "r/2026/01/01/09/a.csv")
    found = Sources(store, ReadingsSource(f"r/{FOLDERS}/{{sensor}}.csv"), SPAN).find("a")
    assert [(file.path, file.read_range(0, 3)) for file in found.files] == [("r/2026/01/01/09/a.csv", b"r/2")]
    assert found.absent == ()
    assert store.asked == ["get r/2026/01/01/09/a.csv"]


def test_what_is_absent_is_a_part_of_the_state(store: Counting) -> None:
    found = Sources(store, ReadingsSource(f"r/{FOLDERS}/{{sensor}}-*.csv"), SPAN).find("a")
    assert found.states() == [("r/2026/01/01/09/a-*.csv", None)]
    put(store, "r/2026/01/01/09/a-1.csv")
    found = Sources(store, ReadingsSource(f"r/{FOLDERS}/{{sensor}}-*.csv"), SPAN).find("a")
    assert found.states() == [("r/2026/01/01/09/a-1.csv", "1")]


def test_several_files_an_hour_come_in_order_of_path_and_folder(store: Counting) -> None:
    names = ["x.csv", "c.csv", "b.csv", "b.txt", "_SUCCESS", "_b.csv", ".b.csv", "sub/b.csv", "x.csv.tmp"]
    put(store, *(f"r/2026/01/01/{hour}/{name}" for hour in ("08", "09", "10") for name in names))
    span = window("2026-01-01T08:30:00Z", "2026-01-01T09:30:00Z")
    assert find(store, f"r/{FOLDERS}/*.csv", span=span) == [
        f"r/2026/01/01/{hour}/{name}.csv" for hour in ("08", "09") for name in ("b", "c", "x")
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{sensor}-*", ["a-", "a-1", "a-1.csv", "a-b-1.csv"]),
        ("{sensor}-*.csv", ["a-1.csv", "a-b-1.csv"]),
        ("*-{sensor}.csv", []),
        ("*", ["a", "a-", "a-1", "a-1.csv", "a-b-1.csv", "b-1.csv"]),
        ("a*a.csv", []),
    ],
)
def test_patterns_of_names(store: Counting, pattern: str, names: list[str]) -> None:
    put(store, *(f"r/{name}" for name in ("a", "a-", "a-1", "a-1.csv", "a-b-1.csv", "b-1.csv", "a.csv")[:6]))
    assert find(store, f"r/{pattern}") == [f"r/{name}" for name in names]


def test_a_folder_of_many_sensors_files_is_listed_once(store: Counting) -> None:
    put(store, *(f"r/2026/01/01/09/s{n}={k}.csv" for n in range(20) for k in range(2)))
    looked = Sources(store, ReadingsSource(f"r/{FOLDERS}/{{sensor}}=*.csv"), SPAN)
    for n in range(20):
        assert len(looked.find(f"s{n}").files) == 2
    assert store.asked.count("list r/2026/01/01/09") == 1
    assert len(store.asked) == 41


def test_a_file_that_goes_after_it_was_listed_is_absent(store: Counting) -> None:
    put(store, "r/a.csv", "r/b.csv")
    looked = Sources(store, ReadingsSource("r/{sensor}*.csv"), SPAN)
    assert len(looked.find("a").files) == 1
    store.delete("r/b.csv")
    assert looked.find("b").states() == [("r/b.csv", None)]


def test_all_files_of_a_sensor_are_bounded_together(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_READINGS_BYTES", 9)
    put(store, "r/a-1", "r/a-2")
    with pytest.raises(SensorError, match="r/a-2 has 5 bytes: wanted at most 4") as refusal:
        find(store, "r/{sensor}-*")
    assert refusal.value.reason == "ReadingsTooLarge"


def test_a_folder_of_too_many_files_is_refused(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    put(store, *(f"r/{n}" for n in range(4)))
    with pytest.raises(SensorError, match="folder r holds more than 3 files"):
        find(store, "r/*")


def test_a_name_that_nobody_can_ask_for_is_told(store: Counting) -> None:
    put(store, "r/a-1", "r/b-1")
    store._objects["r/a-2\n"] = store._objects["r/a-1"]._replace(path="r/a-2\n")
    assert find(store, "r/{sensor}-*", "b") == ["r/b-1"]
    with pytest.raises(SensorError, match=r"name cannot be used: path 'r/a-2\\n'") as refusal:
        find(store, "r/{sensor}-*", "a")
    assert refusal.value.reason == "ReadingsCorrupt"


# Stream Analytics


def test_stream_analytics_puts_the_window_s_end_into_the_next_folder(store: Counting) -> None:
    """A row stamped 10:00:00 is of the window that ends then, and lies in folder 10."""
    times = {"09": ["09:00:00", "09:00:05", "09:59:55"], "10": ["10:00:00", "10:00:05"]}
    for hour, stamps in times.items():
        rows = [{"time": f"2026-01-01T{stamp}Z", "value": stamp.replace(":", "")} for stamp in stamps]
        store.put(f"asa/2026/01/01/{hour}/a.csv", csv_bytes(rows))
    source = ReadingsSource(f"asa/{FOLDERS}/{{sensor}}.csv", layout="asa")
    found = Sources(store, source, SPAN).find("a")
    assert [file.path for file in found.files] == ["asa/2026/01/01/09/a.csv", "asa/2026/01/01/10/a.csv"]
    readings = Reader(source, SPAN).read(found, "a", ["value"])
    assert readings.values[:, 0].tolist() == [90005, 95955, 100000]
    assert readings.rows == Rows(3, 3)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("09:00:00", "10:00:00", ["09", "10"]),
        ("09:30:00", "10:30:00", ["09", "10"]),
        ("09:00:00", "09:30:00", ["09"]),
        ("09:00:00", "11:00:00", ["09", "10", "11"]),
        ("09:59:59", "10:00:00", ["09", "10"]),
    ],
)
def test_folders_of_stream_analytics(store: Counting, start: str, end: str, hours: list[str]) -> None:
    put(store, *(f"asa/2026/01/01/{hour:02}/a" for hour in range(24)))
    span = window(f"2026-01-01T{start}Z", f"2026-01-01T{end}Z")
    paths = find(store, f"asa/{FOLDERS}/{{sensor}}", span=span, layout="asa")
    assert paths == [f"asa/2026/01/01/{hour}/a" for hour in hours]


# Shared files


def shared(
    store: MemoryStore, path: str = f"r/{FOLDERS}/*.csv", sensors: tuple[str, ...] = ("a", "b")
) -> Sources:
    return Sources(store, ReadingsSource(path), SPAN, sensors)


def test_shared_files_are_fetched_once_however_many_threads_ask(store: Counting) -> None:
    put(store, *(f"r/2026/01/01/09/{n}.csv" for n in range(20)))
    looked = shared(store)
    found: list[Any] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(looked.find("a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each is found[0] for each in found)
    assert sorted(store.asked) == sorted(
        ["list r/2026/01/01/09", *(f"get r/2026/01/01/09/{n}.csv" for n in range(20))]
    )
    assert [file.path for file in found[0].files] == sorted(f"r/2026/01/01/09/{n}.csv" for n in range(20))
    assert found[0].sensors == ("a", "b")
    assert found[0].size == 0
    assert found[0].without_bytes() == found[0]


def test_a_sensor_s_own_files_count_and_can_be_let_go(store: Counting) -> None:
    put(store, "r/a")
    found = Sources(store, ReadingsSource("r/{sensor}"), SPAN).find("a")
    assert found.size == 3
    assert found.without_bytes().size == 0
    assert found.without_bytes().states() == found.states()


def test_storage_that_was_away_is_asked_again(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "r/2026/01/01/09/x.csv")
    looked = shared(store)
    with monkeypatch.context() as patched:
        patched.setattr(store, "list", lambda _: (_ for _ in ()).throw(UnavailableError("away")))
        with pytest.raises(UnavailableError):
            looked.find("a")
    assert len(looked.find("a").files) == 1


def test_large_shared_files_stay_in_the_store(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WHOLE_BYTES", 10)
    monkeypatch.setattr(sources, "HELD_BYTES", 15)
    monkeypatch.setattr(sources, "PIECE_BYTES", 7)
    for name, size in (("a", 8), ("b", 8), ("c", 20)):
        store.put(f"r/2026/01/01/09/{name}.csv", name.encode() * size)
    files = shared(store).find("a").files
    assert all(isinstance(file, SharedFile) for file in files)
    assert [file.data is None for file in files] == [False, True, True]
    assert [b"".join(file.pieces()) for file in files] == [b"a" * 8, b"b" * 8, b"c" * 20]
    one = shared(store, f"r/{FOLDERS}/c.csv").find("a").files[0]
    assert (one.data, one.size, one.etag) == (None, 20, files[2].etag)


def test_of_a_window_of_many_hours_few_files_are_held(store: Counting) -> None:
    put(store, *(f"r/2026/01/01/{hour:02}/x.csv" for hour in range(20)))
    span = window("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    found = Sources(store, ReadingsSource(f"r/{FOLDERS}/x.csv"), span).find("a")
    assert [file.data is not None for file in found.files] == [True] * 4 + [False] * 16
    assert [b"".join(file.pieces()) for file in found.files] == [file.path.encode() for file in found.files]
    assert len(found.absent) == 4


def test_a_shared_file_that_is_not_there_is_absent(store: Counting) -> None:
    found = shared(store, f"r/{FOLDERS}/all.csv").find("a")
    assert found.states() == [("r/2026/01/01/09/all.csv", None)]


def test_a_large_file_that_changes_meanwhile_is_not_mixed(store: Counting) -> None:
    etag = store.put("r/x", b"0123456789")
    file = SharedFile(store, "r/x", etag, 10)
    assert file.read_range(2, 3) == b"234"
    store.put("r/x", b"abcdefghij")
    with pytest.raises(UnavailableError, match="r/x was changed while it was being read"):
        file.read_range(5, 3)


def test_what_a_pack_reads_is_bounded(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_SHARED_BYTES", 10)
    file = SharedFile(store, "r/x", store.put("r/x", b"x" * 100), 100)
    file.read_range(0, 10)
    with pytest.raises(SensorError, match="r/x: more than 10 bytes") as refusal:
        file.read_range(0, 1)
    assert refusal.value.reason == "ReadingsTooLarge"


def test_files_are_values() -> None:
    assert File("a", "e", b"12345").read_range(1, 2) == b"23"
    assert list(File("a", "e", b"12345").pieces()) == [b"12345"]


def test_together_raises_what_one_raised() -> None:
    def fail() -> int:
        raise ZeroDivisionError

    assert together([lambda n=n: n for n in range(50)]) == list(range(50))  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError):
        together([lambda: 1, fail, lambda: 2])
