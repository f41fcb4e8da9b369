"""The scorer against a real Azurite: storage's promises, pods, and the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer.cli import main
from scorer.contract import Exit
from scorer.storage import DeniedError, Store, UnavailableError, open_store
from scorer.storage.create import create_store
from scorer.verify import verify
from scoring import CSV, RUN_UID, put_model, put_sensor, work
from storage_promises import PROMISES

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite


def account(azurite: Azurite) -> str:
    return azurite.endpoint.rpartition("/")[2]


class Container:
    """A container of its own for each test."""

    def __init__(self, azurite: Azurite) -> None:
        self.azurite = azurite
        self.url = f"azure://{account(azurite)}/{uuid.uuid4().hex}/some/prefix"
        create_store(self.url, azurite.endpoint, True, azurite.connection_string)

    def open(self, connection_string: str | None = None) -> Store:
        return open_store(
            self.url, self.azurite.endpoint, True, connection_string or self.azurite.connection_string
        )


@pytest.fixture
def container(azurite: Azurite) -> Container:
    return Container(azurite)


@pytest.fixture
def store(container: Container) -> Store:
    return container.open()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_azure_keeps_its_promises(promise: Callable[[Store], None], store: Store) -> None:
    promise(store)


def test_a_container_is_made_once(container: Container) -> None:
    azurite = container.azurite
    assert not create_store(container.url, azurite.endpoint, True, azurite.connection_string)


def test_corrected_hours_are_found_by_the_metadata_of_their_lists(
    container: Container, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of a schedule's pod, which begins with a look at the clock: so an hour that is over."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    folder = f"{end - timedelta(hours=1):in/%Y/%m/%d/%H}"
    store.put(f"{folder}/_corrected.csv", b"sensor\na\n", {"count": "7"})
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", container.azurite.connection_string)
    asked = ["--readings=in/{yyyy}/{MM}/{dd}/{HH}/*.parquet", "--horizon=86400"]
    where = ["--store", container.url, "--endpoint", container.azurite.endpoint, "--allow-http"]
    assert main(["changes", *where, *asked, "--to", str(tmp_path / "changes.json")]) == 0
    told = json.loads((tmp_path / "changes.json").read_bytes())
    assert told == {"v": 1, "error": "", "changes": [{"end": f"{end:%Y-%m-%dT%H:%M:%SZ}", "count": 7}]}


def test_names_that_urls_must_escape(store: Store) -> None:
    store.put("a/b c%20ü#?.txt", b"x")
    assert store.get("a/b c%20ü#?.txt").data == b"x"
    assert [entry.path for entry in store.list("a")] == ["a/b c%20ü#?.txt"]


def test_a_missing_container_is_told(azurite: Azurite) -> None:
    url = f"azure://{account(azurite)}/nosuchcontainer"
    away = open_store(url, azurite.endpoint, True, azurite.connection_string)
    with pytest.raises(
        UnavailableError, match=r"container 'nosuchcontainer' .* make it with `scorer store init`"
    ):
        away.get("a")


def test_a_wrong_key_is_denied(container: Container) -> None:
    wrong = re.sub(r"AccountKey=[^;]+", "AccountKey=c2VjcmV0", container.azurite.connection_string)
    with pytest.raises(DeniedError, match="403"):
        container.open(wrong).put("a", b"")


def run_pod(
    container: Container, tmp_path: Path, order: dict[str, Any], **settings: str
) -> tuple[int, dict[str, Any]]:
    azurite = container.azurite
    order |= {"store": {"url": container.url, "endpoint": azurite.endpoint, "allowHttp": True}}
    environment = os.environ | {
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
        "SENSORSCORE_MESSAGE_PATH": str(tmp_path / "message"),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-m", "scorer", "run", "--work", json.dumps(order)],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, json.loads((tmp_path / "message").read_bytes())


def test_a_pod_scores_and_a_second_one_finds_it_done(
    container: Container, store: Store, tmp_path: Path
) -> None:
    put_sensor(store, "a", faults={7: 99.0})
    put_sensor(store, "broken")
    put_model(store, "broken", b"rubbish")
    sensors = ["a", "broken", "none"]
    code, message = run_pod(container, tmp_path, work(sensors))
    assert (code, message["codes"], message["anomalies"]) == (Exit.PARTIAL, "SAB", 1)
    head = store.head("predictions/2026/01/01/12/a.parquet")
    assert (head.metadata["run"], head.metadata["rows_read"]) == (RUN_UID, "60")
    again, repeated = run_pod(container, tmp_path, work(sensors))
    assert (again, repeated["codes"], repeated["rows"]) == (code, message["codes"], message["rows"])
    assert store.head("predictions/2026/01/01/12/a.parquet").etag == head.etag
    assert len(list(store.list(f"runs/{RUN_UID}/outcomes"))) == 2


def test_packs_that_write_one_shard_at_the_same_time_lose_nothing(
    container: Container, store: Store, tmp_path: Path
) -> None:
    names = [f"s{number}" for number in range(12)]
    for name in names:
        put_sensor(store, name, faults={7: 99.0})
    output = {"path": "p/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet", "layout": "Sharded", "shards": 1}

    def pack(chunk: int) -> int:
        folder = tmp_path / str(chunk)
        folder.mkdir()
        order = work(names[3 * chunk : 3 * chunk + 3], output=output, chunk=chunk)
        return run_pod(container, folder, order)[0]

    with ThreadPoolExecutor(4) as packs:
        assert set(packs.map(pack, range(4))) == {Exit.OK}
    decisions = {"v": 1, "total": 12, "complete": True, "reason": "", "failed": "", "undecided": ""}
    (tmp_path / "decisions").write_text(json.dumps(decisions | {"failures": []}))
    order = work(names, output=output, chunk=0, stage="Publish", decisions=str(tmp_path / "decisions"))
    code, message = run_pod(container, tmp_path, order)
    assert (code, message["success"]) == (Exit.OK, "p/2026/01/01/12/_SUCCESS")
    proof = verify(store, RUN_UID)
    assert (proof.findings, proof.notes) == ([], [])
    assert proof.checks["predictions have their digest"].looked_at == 12
    assert len(list(store.list("p/2026/01/01/12/_index"))) == 1


def test_a_pod_with_a_wrong_key_says_so(container: Container, store: Store, tmp_path: Path) -> None:
    put_sensor(store, "a")
    wrong = re.sub(r"AccountKey=[^;]+", "AccountKey=c2VjcmV0", container.azurite.connection_string)
    code, message = run_pod(container, tmp_path, work(["a"]), AZURE_STORAGE_CONNECTION_STRING=wrong)
    assert (code, message["legend"]) == (Exit.PARTIAL, {"A": "Failed/StorageDenied"})


def test_the_command_line(
    container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    azurite = container.azurite
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    where = ["--store", container.url, "--endpoint", azurite.endpoint, "--allow-http"]
    assert main(["land", str(CSV), *where]) == 0
    assert main(["train", *where, "--window", "2018-08-28T23:00:00Z/2018-08-29T00:00:00Z"]) == 0
    assert main(["score", *where, "--window", "2018-08-29T00:00:00Z/2018-08-29T03:00:00Z"]) == 0
    assert capsys.readouterr().out.count("Scored") == 15


@pytest.mark.parametrize("dots", ["%2e%2e", "%2E%2E", "..%2f..", "%252e%252e", "\uff0e\uff0e"])
def test_dots_in_another_writing_lead_nowhere(container: Container, dots: str) -> None:
    """They are a name like any other, below the store's prefix: on the wire they are encoded once more."""
    path = f"{dots}/{dots}/theirs"
    container.open().put(path, b"x")
    whole = open_store(
        container.url.removesuffix("/some/prefix"),
        container.azurite.endpoint,
        True,
        container.azurite.connection_string,
    )
    assert [entry.path for entry in whole.list("")] == [f"some/prefix/{path}"]
    assert container.open().get(path).data == b"x"
