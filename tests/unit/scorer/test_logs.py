from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.contract import Header
from scorer.logs import Lines, Log, LogBlob, log_path
from scorer.storage import UnavailableError
from scorer.storage.memory import MemoryStore


def read(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.text().splitlines()]


def test_a_line_is_an_object_with_the_log_s_fields(capfd: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    Log(lines, run="hourly").warning("oh\nno ü", sensor="a")
    said = capfd.readouterr().out
    told = json.loads(said)
    assert (told["level"], told["message"], told["run"], told["sensor"]) == (
        "warning", "oh\nno ü", "hourly", "a",
    )  # fmt: skip
    assert said.count("\n") == 1
    assert lines.text().decode() == said


def test_lines_of_several_threads_stay_whole(capfd: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    log = Log(lines)

    def write(letter: str) -> None:
        for _ in range(50):
            log.info(letter * 5000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [json.loads(line)["message"] for line in capfd.readouterr().out.splitlines()]
    assert sorted(said) == sorted(letter * 5000 for letter in "abcd" for _ in range(50))


def test_the_first_and_the_last_lines_are_kept() -> None:
    lines = Lines(most=1000)
    for number in range(1000):
        lines.add(b'{"number": %3d, "padding": "xxxxxxxxxxxxxxxxxx"}\n' % number)  # 49 bytes
    assert len(lines.text()) < 2200
    told = read(lines)
    assert [line["number"] for line in told[:20]] == list(range(20))
    assert told[20]["message"].startswith("960 lines of 47040 bytes are left out here")
    assert [line["number"] for line in told[21:]] == list(range(980, 1000))


@given(st.lists(st.integers(1, 300), max_size=60))
def test_the_copy_is_bounded_and_in_order(sizes: list[int]) -> None:
    lines = Lines(most=500, longest=200)
    for number, size in enumerate(sizes):
        lines.add(json.dumps({"number": number, "padding": "x" * size}).encode() + b"\n")
    assert len(lines.text()) <= 2 * 500 + 200
    numbers = [line["number"] for line in read(lines) if "number" in line]
    assert numbers == sorted(set(numbers))
    assert lines.count == len(sizes)


def test_a_huge_line_is_left_out_alone() -> None:
    lines = Lines()
    for data in (b'{"a": 1}\n', b"x" * 100_000 + b"\n", b'{"b": 2}\n'):
        lines.add(data)
    first, second, third = read(lines)
    assert (first, third) == ({"a": 1}, {"b": 2})
    assert second["message"] == "a line of 100001 bytes is left out here; stdout has it"


class Store(MemoryStore):
    """Counts puts, and refuses them on demand."""

    refuses = False

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    def put(
        self, path: str, data: bytes, metadata: Mapping[str, str] | None = None, **conditions: Any
    ) -> str:
        self.puts += 1
        if self.refuses:
            raise UnavailableError("PUT x: storage answered 503")
        return super().put(path, data, metadata, **conditions)


def test_the_copy_is_written_when_it_has_grown(capfd: pytest.CaptureFixture[str]) -> None:
    store, lines = Store(), Lines()
    log = Log(lines)
    copy = LogBlob(store, "logs/x", lines, log)
    copy.write()
    assert store.puts == 0
    log.info("one")
    copy.write()
    copy.write()
    log.info("two")
    copy.write()
    assert store.puts == 2
    assert [json.loads(line)["message"] for line in store.get("logs/x").data.splitlines()] == ["one", "two"]


def test_a_copy_that_cannot_be_written_is_told_once_and_fails_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    store, lines = Store(), Lines()
    store.refuses = True
    log = Log(lines)
    copy = LogBlob(store, "logs/x", lines, log)
    log.info("one")
    copy.write()
    copy.write()
    assert capfd.readouterr().out.count("log not copied to the store: PUT x: storage answered 503") == 1
    store.refuses = False
    copy.write()
    assert b"not copied" in store.get("logs/x").data


@pytest.mark.parametrize(
    ("run", "path"),
    [
        ("hourly-2026", "logs/hourly-2026/00003.2026-01-01T13:00:09.123Z.log"),
        ("a/../b", "logs/a-..-b/00003.2026-01-01T13:00:09.123Z.log"),
        ("..", "logs/-/00003.2026-01-01T13:00:09.123Z.log"),
    ],
)
def test_paths(run: str, path: str) -> None:
    assert log_path(run, Header("uid", 3, 0, "2026-01-01T13:00:09.123Z")) == path
