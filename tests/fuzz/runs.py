"""Targets that read what runs have left in the store, and what pods tell the operator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple

from contract_vectors import vectors
from delivering import OWN, SHARED, Pod, Run, claim
from fuzz import bombs
from fuzz.mutate import as_json, as_lines, as_parquet
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import Decision, Header, SensorError
from scorer.contract.work import CSV, Output, UsageError
from scorer.deaths import Deaths
from scorer.errors import InputError
from scorer.guard.state import update
from scorer.logs import Log
from scorer.readings import Reject
from scorer.shard_index import digest_of, index_path
from scorer.storage import Blob, StorageError
from scorer.storage.memory import MemoryStore
from scorer.verify import verify
from scoring_operator.contract import ContractError, Expected, parse_message, parse_published
from unit.guard.given import ALL, SPIKES, STUCK, WELL, hour, told

IN_CSV = OWN._replace(format=CSV, path="predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv")
LAYOUTS: dict[str, Output] = {"own": OWN, "csv": IN_CSV, "shared": SHARED}
OTHERS = {
    "quiet": Decision("Skipped", "NoReadings", "sensor quiet has no readings"),
    "broken": Decision("Failed", "ModelCorrupt", "sensor broken: sha256 differs"),
}
REJECTS = {"a": tuple(Reject("readings/a.csv", row, "", "NotANumber", "value", "x") for row in (7, 9))}
UID = "run-01"


class Quiet(Log):
    """A log that nobody reads."""

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        assert level in ("info", "warning", "error"), fields
        refusal(level, message, "", among=(level,))


class Ready(MemoryStore):
    """A store that starts with these objects."""

    def __init__(self, objects: dict[str, Blob]) -> None:
        super().__init__()
        self._objects = dict(objects)
        self._puts = 1000

    def objects(self) -> dict[str, Blob]:
        """What is in it."""
        return self._objects


@cache
def published(layout: str, stage: str) -> tuple[Any, dict[str, Blob]]:
    """A run, and its store when it was scored or published."""
    store = Ready({})
    observed = {sensor: told() for sensor in "abc"}
    run = Run(store, LAYOUTS[layout], dict.fromkeys("abc", "x"), 1, OTHERS, REJECTS, observed)
    if stage == "published":
        run.publish()
    return run, dict(store.objects())


def objects_in(stage: str, kinds: Sequence[str]) -> list[bytes]:
    """Each object as a case: layout and path as its first line, then its bytes."""
    found = []
    for layout in LAYOUTS:
        _, objects = published(layout, stage)
        for path, blob in objects.items():
            if any(kind in path for kind in kinds):
                found.append(f"{layout} {path}\n".encode() + blob.data)
                found.append(f"{layout} {path}?\n".encode() + json.dumps(dict(blob.metadata)).encode())
    return found


def bombs_of(stage: str) -> Callable[[Sequence[bytes]], list[bytes]]:
    """Predictions that inflate to more than a pod has."""

    def files(_: Sequence[bytes]) -> list[bytes]:
        found = []
        for layout, name in (("own", "/a.parquet"), ("shared", "/part-")):
            _, objects = published(layout, stage)
            for path in (path for path in objects if name in path and path.endswith(".parquet")):
                for column in ("value", "score"):
                    made = bombs.paged(objects[path].data, column, [6, 1, 1000])
                    found += [f"{layout} {path}\n".encode() + data for data in made]
        return found

    return files


def within(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Breaks the object behind the first line, as what it is."""
    head, _, body = data.partition(b"\n")
    if chance.random() < 0.02:
        return head + b"!\n"  # it is gone
    mutator = as_parquet if body[-4:] == b"PAR1" else as_json if body[:1] in b"{[" else as_lines
    return head + b"\n" + mutator(body, [other.partition(b"\n")[2] for other in others], chance)


class Broken(NamedTuple):
    """A run in whose store one object is broken: its bytes, its metadata, or it is not there."""

    output: Output
    run: Any
    store: Ready
    path: str


def broken(stage: str, data: bytes) -> Broken:
    head, _, body = data.partition(b"\n")
    layout, path = head.decode().split(" ")
    run, objects = published(layout, stage)
    store = Ready(objects)
    name = path.rstrip("?!")
    if path.endswith("!"):
        del store.objects()[name]
    elif path.endswith("?"):
        store.objects()[name] = objects[name]._replace(metadata=_metadata(body), etag="broken")
    else:
        store.objects()[name] = objects[name]._replace(data=body, etag="broken")
        _follow(store, name, body)
    return Broken(LAYOUTS[layout], run, store, name)


def _metadata(body: bytes) -> dict[str, str]:
    """Metadata as a store would give it: names and values are text."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    pairs = told.items() if isinstance(told, dict) else ()
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in pairs}


def _follow(store: Ready, name: str, body: bytes) -> None:
    """A broken index is the one that its shard names, and of a broken shard the index has the digest: else
    they are refused before they are read.
    """
    objects = store.objects()
    if "index" in objects[name].metadata:
        index = objects[index_path(name, objects[name].metadata["index"])].data
        told = json.loads(index) | {"sha256": hashlib.sha256(body).hexdigest()}
        _reindex(store, name, json.dumps(told).encode())
    elif "/_index/" in name:
        for path, blob in list(objects.items()):
            if index_path(path, blob.metadata.get("index", "")) == name:
                _reindex(store, path, body)


def _reindex(store: Ready, shard: str, index: bytes) -> None:
    blob, digest = store.objects()[shard], digest_of(index)
    store.objects()[shard] = blob._replace(metadata={**blob.metadata, "index": digest})
    store.objects()[index_path(shard, digest)] = Blob(index_path(shard, digest), "i", index, {})


def _verify(data: bytes, _: Random) -> str:
    damaged = broken("published", data)
    try:
        proof = verify(damaged.store, UID)
    except (InputError, StorageError) as error:
        return refusal(
            type(error).__name__, str(error), damaged.path, among=("InputError", "UnavailableError")
        )
    for finding in (*proof.findings, *proof.notes):
        refusal("found wrong", finding, "", among=("found wrong",))
    return READ if proof.holds else "found wrong"


def _publish(data: bytes, _: Random) -> str:
    damaged = broken("scored", data)
    damaged.run.store = damaged.store
    try:
        done = damaged.run.publish()
    except (StorageError, UsageError) as error:
        return refusal(type(error).__name__, str(error), "/", among=("UnavailableError", "UsageError"))
    assert done.manifest
    return READ if verify(damaged.store, UID).holds else "found wrong"


OUTPUTS = ("OutputCorrupt", "OutputTooLarge")


def _deliver(data: bytes, _: Random) -> str:
    """A later run writes beside and over what is broken."""
    damaged = broken("scored", data)
    later = Pod(damaged.store, damaged.output, claim(2), {"a": "y", "d": "y"})
    try:
        later.look()
    except SensorError as error:
        return refusal(error.reason, error.message, "predictions/", among=OUTPUTS)
    for sensor in later.made_from:
        later.deliver(sensor)
    assert set(later.decided) == {"a", "d"}, later.decided
    for sensor, decision in later.decided.items():
        if decision.reason:
            among = (*OUTPUTS, "Superseded", "StorageUnavailable", "Interrupted")
            refusal(decision.reason, decision.message, f"sensor {sensor}", among=among)
    kinds = sorted({decision.kind for decision in later.decided.values()})
    return READ if kinds == ["Scored"] else ", ".join(kinds)


def _notes() -> list[bytes]:
    attempts = [
        {"attempt": f"2026-01-01T13:00:0{n}.000Z", "inHand": sensor}
        for n, sensor in enumerate((None, "a", "a"))
    ]
    return [json.dumps({"attempts": attempts[:count]}).encode() for count in (0, 1, 2, 3)]


def _in_hand(data: bytes, _: Random) -> str:
    store = MemoryStore()
    store.put("runs/u/inhand/00000.json", data)
    deaths = Deaths(store, Header("u", 0, 0, "2026-01-01T13:00:09.000Z"))
    try:
        deaths.begin()
    except StorageError as error:
        return refusal("StorageError", str(error), "inhand", among=("StorageError",))
    crashed = deaths.crashed("a")
    deaths.take("b")
    return "Crashed" if crashed else READ


@cache
def _guarded() -> tuple[bytes, ...]:
    found = []
    for windows in (3, 12):
        store = Ready({})
        for number in range(windows):
            observed = {"a": told(**ALL), "b": told(**STUCK), "c": told(**SPIKES), "d": told(**WELL)}
            update(store, hour(number), observed, Quiet())
        found += [blob.data for blob in store.objects().values()]
    return tuple(found)


def _guard(data: bytes, chance: Random) -> str:
    """Every shard has the same broken memory, so that it is some sensor's."""
    sensor = chance.choice("abcd")
    store = MemoryStore()
    update(store, hour(0), {sensor: told()}, Quiet())
    path = next(store.list("guard")).path
    store.put(path, data)
    for number in (11, 12):
        judged = update(store, hour(number), {sensor: told()}, Quiet())
        for finding in judged.findings:
            assert len(finding.message.encode()) <= 256, finding
    return READ


def _observations() -> list[bytes]:
    return [json.dumps(told(**changes)).encode() for changes in (WELL, STUCK, {**ALL, "u": 9})]


def _observed(data: bytes, _: Random) -> str:
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(facts, dict):
        return "no object"
    store = MemoryStore()
    for number in range(3):
        update(store, hour(number), {"s1": facts}, Quiet())
    return READ if next(store.list("guard"), None) else "refused"


RUN = "6f0c1a2e-0000-4000-8000-000000000001"


def _messages() -> list[bytes]:
    return [json.dumps(case["message"]).encode() for case in vectors("outcomes")["valid"]]


def _message(data: bytes, chance: Random) -> str:
    expected = Expected(RUN, 3, 0, chance.choice([1, 8]))
    try:
        message = parse_message(data.decode("utf-8", "replace"), expected)
    except ContractError as error:
        return refusal("ContractError", str(error), "", among=("ContractError",))
    assert sum(count for count, _, _ in message.codes) == expected.size
    return READ


def _published_messages() -> list[bytes]:
    return [json.dumps(case["message"]).encode() for case in vectors("publishing")["messages"]]


def _published_message(data: bytes, _: Random) -> str:
    try:
        parse_published(data.decode("utf-8", "replace"), RUN, 0)
    except ContractError as error:
        return refusal("ContractError", str(error), "", among=("ContractError",))
    return READ


def objects_of(stage: str, *kinds: str) -> Callable[[], list[bytes]]:
    return lambda: objects_in(stage, kinds)


TARGETS = (
    Target(
        "verify: manifest, _SUCCESS, tables",
        900,
        objects_of("published", "runs/", "_SUCCESS", "anom"),
        within,
        _verify,
    ),
    Target(
        "verify: predictions, shards, indexes",
        900,
        objects_of("published", "predictions/", "rejected/"),
        within,
        _verify,
        bombs_of("published"),
    ),
    Target(
        "publish: outcomes, predictions", 600, objects_of("scored", "runs/", "predictions/"), within, _publish
    ),
    Target(
        "deliver beside broken predictions",
        700,
        objects_of("scored", "predictions/", "rejected/"),
        within,
        _deliver,
        bombs_of("scored"),
    ),
    Target("notes of what is in hand", 400, _notes, as_json, _in_hand, grows_mib=64),
    Target("memory of the guard", 700, _guarded, as_json, _guard, grows_mib=64),
    Target("observations of the guard", 400, _observations, as_json, _observed, grows_mib=64),
    Target("termination messages", 800, _messages, as_json, _message, grows_mib=64),
    Target(
        "termination messages of the publish stage",
        500,
        _published_messages,
        as_json,
        _published_message,
        grows_mib=64,
    ),
)
