"""A real Azurite behind a proxy that loses, cuts, delays and refuses: nothing of it is seen by scoring."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faulty_proxy import Fault, FaultyProxy, answer, answer_after, lost, reset, silent, truncated
from scorer.clock import Stopwatch
from scorer.contract import Exit, Header
from scorer.fence import Claim
from scorer.outcome import Outcome
from scorer.pipeline import Pipeline
from scorer.storage import ConflictError, Store, UnavailableError, open_store
from scorer.storage.address import azure_address
from scorer.storage.azure import AzureBlobStore, Retries
from scorer.storage.create import create_store
from scoring import KeptLog, order, put_sensor, work

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite

QUICK = Retries(first_seconds=0.001, busy_seconds=0.001, longest_seconds=0.005, silent_seconds=1.0)
BUSY, BROKEN = answer(503, "ServerBusy"), answer(500, "InternalError")
THROTTLED = answer(429, "TooManyRequests", Retry_After="1")
PREDICTION = "predictions/2026/01/01/12/{}.parquet"


class Place:
    """A container of its own, through the proxy and beside it."""

    def __init__(self, azurite: Azurite, proxy: FaultyProxy) -> None:
        self.azurite = azurite
        self.proxy = proxy
        account = azurite.endpoint.rpartition("/")[2]
        self.rest = f"{account}/{uuid.uuid4().hex}/prefix"
        self.url = f"azure://{self.rest}"
        create_store(self.url, azurite.endpoint, True, azurite.connection_string)

    def faulty(self, connection_string: str = "") -> Store:
        string = connection_string or self.azurite.connection_string
        return AzureBlobStore(self.url, azure_address(self.rest, self.proxy.endpoint, True, string), QUICK)

    def sound(self) -> Store:
        return open_store(self.url, self.azurite.endpoint, True, self.azurite.connection_string)


@pytest.fixture
def place(azurite: Azurite) -> Iterator[Place]:
    with FaultyProxy(azurite.endpoint) as proxy:
        yield Place(azurite, proxy)


CALLS: dict[str, Callable[[Store], object]] = {
    "GET": lambda store: store.get("a/b").data,
    "PUT": lambda store: store.put("a/b", b"0123456789"),
    "HEAD": lambda store: store.head("a/b").size,
    "LIST": lambda store: [entry.path for entry in store.list("a")],
    "DELETE": lambda store: store.delete("a/b"),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    "faults",
    [[BUSY], [BROKEN, BUSY], [answer(502), answer(504)], [THROTTLED] * 4, [reset(), reset()], [lost()],
     [silent()], [reset(), BUSY, lost(), answer(500, "OperationTimedOut")]],
    ids=["503", "500 503", "502 504", "429 four times", "resets", "answer lost", "silence", "all at once"],
)  # fmt: skip
def test_what_passes_is_not_seen(place: Place, operation: str, faults: list[Fault]) -> None:
    place.sound().put("a/b", b"0123456789")
    place.proxy.faults[operation] = list(faults)
    found = CALLS[operation](place.faulty())
    assert place.proxy.requests.count(operation) == len(faults) + 1
    if operation != "PUT":
        place.sound().put("a/b", b"0123456789")
        assert found == CALLS[operation](place.sound())


@pytest.mark.parametrize("size", [0, 5])
def test_half_an_object_is_no_object(place: Place, size: int) -> None:
    place.sound().put("a/b", b"0123456789")
    place.proxy.faults["GET"] = [truncated(size), truncated(size)]
    assert place.faulty().get("a/b").data == b"0123456789"


def test_the_tries_have_an_end(place: Place) -> None:
    for operation, call in CALLS.items():
        place.proxy.faults[operation] = [BUSY] * 50
        with pytest.raises(UnavailableError, match="storage answered 503"):
            call(place.faulty())
        assert place.proxy.requests.count(operation) == QUICK.tries


@pytest.mark.parametrize("fault", [lost(), answer_after(500), answer_after(503, "ServerBusy")])
def test_a_conditional_put_that_was_done_does_not_conflict_with_itself(place: Place, fault: Fault) -> None:
    store = place.faulty()
    place.proxy.faults["PUT"] = [fault]
    first = store.put("a", b"one", {"number": "1"}, if_none_match=True)
    assert first == place.sound().head("a").etag
    place.proxy.faults["PUT"] = [fault, fault]
    second = store.put("a", b"two", {"number": "2"}, if_match=first)
    assert second == place.sound().head("a").etag != first


@pytest.mark.parametrize("theirs", [b"theirs", b"ours"])
def test_a_put_that_was_done_and_then_replaced_is_a_conflict(place: Place, theirs: bytes) -> None:
    def replace() -> None:
        place.sound().put("a", theirs, {"by": "them"})

    store = place.faulty()
    etag = store.put("a", b"before")
    place.proxy.faults["PUT"] = [answer_after(500, meanwhile=replace)]
    with pytest.raises(ConflictError):
        store.put("a", b"ours", {"by": "us"}, if_match=etag)


def test_a_listing_goes_on_where_it_was_cut(place: Place) -> None:
    names = [f"folder/{number:03}" for number in range(40)]
    for name in names:
        place.sound().put(name, b"")
    place.proxy.max_results = 7
    store = place.faulty(sas(place, "rl"))
    place.proxy.faults["LIST"] = [BUSY]
    entries = store.list("folder")
    found = [next(entries).path]
    place.proxy.faults["LIST"] = [reset(), BUSY]
    assert [*found, *(entry.path for entry in entries)] == names
    assert place.proxy.requests.count("LIST") >= 40 // 7


def score(store: Store, sensors: list[str]) -> Outcome:
    ordered = order(sensors)
    outcome = Outcome(Header(ordered.run.uid, 0, 0, "2026-01-01T13:00:09.000Z"), sensors, Stopwatch())
    claim = Claim(ordered.run.created, ordered.run.uid, "2026-01-01T13:00:09.000Z")
    assert Pipeline(ordered, store, claim, outcome, KeptLog()).run() == 0
    return outcome


@pytest.mark.parametrize("seed", range(5))
def test_a_pack_through_bad_weather_is_scored_as_in_good(place: Place, seed: int) -> None:
    """A tenth of all requests meets a fault, of which up to four may come in a row."""
    sensors = [f"s{number}" for number in range(30)]
    for sensor in sensors:
        put_sensor(place.sound(), sensor, faults={3: 99.0})
    score(place.sound(), sensors)
    wanted = {sensor: place.sound().get(PREDICTION.format(sensor)) for sensor in sensors}
    for sensor in sensors:
        place.sound().delete(PREDICTION.format(sensor))

    weather = random.Random(seed)  # noqa: S311 (chooses faults)
    kinds = [BUSY, BROKEN, THROTTLED, reset(), lost(), truncated(), answer_after(500), answer(502)]
    passes: Fault = lambda handler, forward: handler.reply(forward())  # noqa: E731

    def bad(operation: str) -> Fault:
        if weather.random() < 0.9:
            return passes
        return weather.choice([kind for kind in kinds if operation == "GET" or kind is not kinds[5]])

    place.proxy.faults = {name: [bad(name) for _ in range(300)] for name in ("GET", "PUT", "HEAD")}
    outcome = score(place.faulty(), sensors)
    assert {decision.kind for _, decision in outcome.decisions()} == {"Scored"}
    for sensor in sensors:
        found = place.sound().get(PREDICTION.format(sensor))
        assert (found.data, found.metadata) == (wanted[sensor].data, wanted[sensor].metadata)


def sas(place: Place, rights: str) -> str:
    """A connection string with a shared access signature for the container."""
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    account, container, _ = place.rest.split("/")
    key = place.azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
    signature = generate_container_sas(
        account, container, account_key=key,
        permission=ContainerSasPermissions.from_string(rights), expiry=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    return f"BlobEndpoint={place.proxy.endpoint};SharedAccessSignature={signature}"


def run_pod(place: Place, tmp_path: Path, connection_string: str, sensors: list[str]) -> tuple[int, str]:
    """Exit code, and all that the pod said: stdout, message, log and detail in the store."""
    told = work(sensors) | {"store": {"url": place.url, "endpoint": place.proxy.endpoint, "allowHttp": True}}
    environment = os.environ | {
        "AZURE_STORAGE_CONNECTION_STRING": connection_string,
        "SENSORSCORE_MESSAGE_PATH": str(tmp_path / "message"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "scorer", "run", "--work", json.dumps(told)],
        env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.stderr == ""
    store = place.sound()
    kept = [
        store.get(entry.path).data.decode() for folder in ("logs", "runs") for entry in store.list(folder)
    ]
    return done.returncode, "\n".join([done.stdout, (tmp_path / "message").read_text(), *kept])


def test_a_pod_whose_write_was_taken_and_its_answer_lost(place: Place, tmp_path: Path) -> None:
    put_sensor(place.sound(), "a")
    put_sensor(place.sound(), "b")
    place.proxy.only = "predictions/"
    place.proxy.faults["PUT"] = [answer_after(500), lost()]
    code, _ = run_pod(place, tmp_path, place.azurite.connection_string, ["a", "b"])
    message = json.loads((tmp_path / "message").read_bytes())
    assert (code, message["codes"]) == (Exit.OK, "2S")
    assert place.proxy.faults["PUT"] == []
    for sensor in ("a", "b"):
        assert place.sound().head(PREDICTION.format(sensor)).metadata["attempt"] == message["attempt"]


def test_a_pod_by_a_shared_access_signature_never_tells_it(place: Place, tmp_path: Path) -> None:
    put_sensor(place.sound(), "a")
    string = sas(place, "rcwl")
    place.proxy.faults["GET"] = [BUSY, reset()]
    code, said = run_pod(place, tmp_path, string, ["a", "none"])
    assert code == Exit.OK
    assert "scored" in said
    signature = string.partition("sig=")[2].partition("&")[0]
    assert len(signature) > 20
    assert signature not in said


def test_a_signature_without_the_right_to_write(place: Place, tmp_path: Path) -> None:
    put_sensor(place.sound(), "a")
    string = sas(place, "rl")
    code, said = run_pod(place, tmp_path, string, ["a"])
    assert code == Exit.PARTIAL
    message = json.loads((tmp_path / "message").read_bytes())
    assert message["legend"] == {"A": "Failed/StorageDenied"}
    assert "AuthorizationPermissionMismatch" in said
    assert string.partition("sig=")[2] not in said


def test_an_account_key_is_never_told(place: Place, tmp_path: Path) -> None:
    put_sensor(place.sound(), "a")
    place.proxy.faults["GET"] = [reset()] * 3
    _, said = run_pod(place, tmp_path, place.azurite.connection_string, ["a"])
    key = place.azurite.connection_string.partition("AccountKey=")[2].partition(";")[0]
    assert key not in said
