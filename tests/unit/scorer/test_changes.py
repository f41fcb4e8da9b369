"""Which hours were corrected after they had landed, as `scorer changes` finds them for a schedule."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scorer import changes
from scorer.changes import Change, encode, ends, find, list_template
from scorer.cli import main
from scorer.errors import InputError
from scorer.storage import Head, UnavailableError, open_store
from scorer.storage.memory import MemoryStore
from scoring import at

NOW = at(13, 25)
DAY = timedelta(days=1)
TEMPLATE = list_template("readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet")
LAST = "readings/2026/01/01/12/_corrected.csv"  # of the hour that ends 13:00


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_corrected_hours_are_found_in_order(store: MemoryStore) -> None:
    store.put(LAST, b"sensor\na\n", {"count": "3"})
    store.put("readings/2025/12/31/23/_corrected.csv", b"sensor\na\n", {"count": "1"})
    store.put("readings/2026/01/01/11/_SUCCESS", b"{}")
    assert find(store, TEMPLATE, NOW, DAY) == ([Change(at(0), 1), Change(at(13), 3)], "")


def test_only_hours_that_have_ended_within_the_horizon_are_asked_for() -> None:
    assert list(ends(NOW, timedelta(hours=3))) == [at(11), at(12), at(13)]
    assert list(ends(at(13), timedelta(hours=1))) == [at(13)]
    assert len(list(ends(NOW, timedelta(days=31)))) == 31 * 24


@pytest.mark.parametrize("metadata", [{}, {"count": "0"}, {"count": "many"}, {"count": "1" * 7}])
def test_a_list_that_ingest_has_not_left_is_said_and_the_others_count(
    store: MemoryStore, metadata: dict[str, str]
) -> None:
    store.put(LAST, b"sensor\na\n", metadata)
    store.put("readings/2026/01/01/11/_corrected.csv", b"", {"count": "2"})
    found, error = find(store, TEMPLATE, NOW, DAY)
    assert found == [Change(at(12), 2)]
    assert error.startswith(f"{LAST} has the metadata count ")


def test_of_many_complaints_some_are_said(store: MemoryStore) -> None:
    for hour in range(9):
        store.put(f"readings/2026/01/01/{hour:02}/_corrected.csv", b"")
    error = find(store, TEMPLATE, NOW, DAY).error
    assert error.endswith(" and 6 more")


def test_storage_that_is_away_is_said_with_what_was_found_before() -> None:
    class Away(MemoryStore):
        def head(self, path: str) -> Head:
            if path == LAST:
                raise UnavailableError("HEAD: no answer")
            return super().head(path)

    away = Away()
    away.put("readings/2026/01/01/11/_corrected.csv", b"", {"count": "2"})
    assert find(away, TEMPLATE, NOW, DAY) == ([Change(at(12), 2)], "HEAD: no answer")


@pytest.mark.parametrize(
    ("readings", "template"),
    [
        ("r/{yyyy}/{MM}/{dd}/{HH}/*.csv", "r/{yyyy}/{MM}/{dd}/{HH}/_corrected.csv"),
        ("{yyyy}{MM}{dd}{HH}/{sensor}/x.csv", "{yyyy}{MM}{dd}{HH}/_corrected.csv"),
    ],
)
def test_the_list_lies_in_the_hour_s_folder(readings: str, template: str) -> None:
    assert list_template(readings) == template


@pytest.mark.parametrize("readings", ["{sensor}/{yyyy}/{MM}/{dd}/{HH}.csv", "{yyyy}/{MM}/{dd}/{HH}.csv"])
def test_hours_that_share_a_folder_have_no_list(readings: str) -> None:
    with pytest.raises(InputError, match="wanted a folder for each hour"):
        list_template(readings)


# The command


def told(file: Path) -> dict[str, Any]:
    return json.loads(file.read_bytes())  # type: ignore[no-any-return]


def test_the_command_leaves_what_a_schedule_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    url = f"file://{tmp_path}/store"
    open_store(url).put(LAST, b"sensor\na\n", {"count": "3"})
    monkeypatch.setattr(changes, "ends", lambda *_: [at(13)])
    file = tmp_path / "changes.json"
    assert main(["changes", "--store", url, "--to", str(file)]) == 0
    assert told(file) == {
        "v": 1,
        "error": "",
        "changes": [{"end": "2026-01-01T13:00:00Z", "count": 3}],
    }
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["changes.json"]


def test_the_command_tells_people_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"file://{tmp_path}"
    open_store(url).put(LAST, b"", {"count": "3"})
    monkeypatch.setattr(changes, "ends", lambda *_: [at(13)])
    assert main(["changes", "--store", url]) == 0
    assert capsys.readouterr().out == "the hour until 2026-01-01T13:00Z was corrected 3 times\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--store", "file:///none/such"], "/none/such does not exist"),
        (["--store", "ftp://x"], "is not known"),
        (["--store", "memory://x", "--readings", "all.csv"], "wanted a folder for each hour"),
        (
            ["--store", "azure://account/container", "--endpoint", "http://127.0.0.1:1/account"],
            "is not encrypted",
        ),
    ],
)
def test_what_went_wrong_is_left_too_and_the_pod_ends_well(
    tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its other container goes on, and says it where people look."""
    file = tmp_path / "changes.json"
    assert main(["changes", *arguments, "--to", str(file)]) == 0
    assert says in told(file)["error"]
    assert says in capsys.readouterr().err
    assert main(["changes", *arguments]) == 1


HANGING = """
import sys, time
import scorer.changes
import scorer.commands.changes
scorer.changes.find = lambda *_: time.sleep(600)
scorer.commands.changes.SECONDS = 0.2
from scorer.cli import main
main(sys.argv[1:])
"""


def test_storage_that_hangs_does_not_keep_the_pod(tmp_path: Path) -> None:
    file = tmp_path / "changes.json"
    command = [sys.executable, "-c", HANGING, "changes", "--store", f"file://{tmp_path}", "--to", str(file)]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
    assert told(file) == {"v": 1, "error": "storage did not answer within 0.2 seconds", "changes": []}


def test_a_horizon_is_of_31_days_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("60", "9999999", "1d", "-3600"):
        with pytest.raises(SystemExit):
            main(["changes", "--store", "memory://x", f"--horizon={text}"])
        assert "wanted 3600 to 2678400 seconds" in capsys.readouterr().err


def test_the_answer_of_the_longest_horizon_is_small() -> None:
    found = [Change(end, 999_999) for end in ends(NOW, timedelta(days=31))]
    assert len(encode(changes.Changes(found, "x" * 1000))) < 262_144
