"""Targets that read what runs have left in the store, and what pods tell the operator."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from contract_vectors import vectors
from delivering import OWN, SHARED, Pod, Run, claim
from fuzz.mutate import as_bytes, as_json, as_lines, as_parquet, as_text, changed
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import Decision, Header, SensorError
from scorer.contract.work import CSV, Output, UsageError
from scorer.deaths import Deaths
from scorer.errors import InputError
from scorer.guard.state import update
from scorer.logs import Log
from scorer.readings import Reject
from scorer.report.load import load
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
        assert "\n" not in message


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
def _published(layout: str, stage: str) -> tuple[Any, dict[str, Blob]]:
    """A run, and its store when it was scored or published."""
    store = Ready({})
    observed = {sensor: told() for sensor in "abc"}
    run = Run(store, LAYOUTS[layout], dict.fromkeys("abc", "x"), 1, OTHERS, REJECTS, observed)
    if stage == "published":
        run.publish()
    return run, dict(store.objects())


def _places(stage: str, kinds: Sequence[str]) -> list[bytes]:
    """Each object as a case: layout and path as its first line, then its bytes."""
    found = []
    for layout in LAYOUTS:
        _, objects = _published(layout, stage)
        for path, blob in objects.items():
            if any(kind in path for kind in kinds):
                found.append(f"{layout} {path}\n".encode() + blob.data)
                found.append(f"{layout} {path}?\n".encode() + json.dumps(dict(blob.metadata)).encode())
    return found


def _within(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Breaks the object behind the first line, as what it is."""
    head, _, body = data.partition(b"\n")
    if chance.random() < 0.02:
        return head + b"!\n"  # it is gone
    mutator = as_parquet if body[-4:] == b"PAR1" else as_json if body[:1] in b"{[" else as_lines
    return head + b"\n" + mutator(body, [other.partition(b"\n")[2] for other in others], chance)


def _broken(stage: str, data: bytes) -> tuple[str, Any, Ready, str]:
    """Layout, run and store with one object broken: its bytes, its metadata, or not there."""
    head, _, body = data.partition(b"\n")
    layout, path = head.decode().split(" ")
    run, objects = _published(layout, stage)
    store = Ready(objects)
    name = path.rstrip("?!")
    old = objects[name]
    if path.endswith("!"):
        del store.objects()[name]
    elif path.endswith("?"):
        metadata = _metadata(body)
        store.objects()[name] = old._replace(metadata=metadata, etag="broken")
    else:
        store.objects()[name] = old._replace(data=body, etag="broken")
        _follow(store, name, body)
    return layout, run, store, name


def _metadata(body: bytes) -> dict[str, str]:
    """Metadata as a store would give it: names and values are text."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    pairs = told.items() if isinstance(told, dict) else ()
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in pairs}


def _follow(store: Ready, name: str, body: bytes) -> None:
    """A broken index that its shard names by its digest: else it is refused before it is read."""
    if "/_index/" not in name:
        return
    for path, blob in list(store.objects().items()):
        if index_path(path, blob.metadata.get("index", "")) == name:
            digest = digest_of(body)
            store.objects()[path] = blob._replace(metadata={**blob.metadata, "index": digest})
            store.objects()[index_path(path, digest)] = Blob(name, "i", body, {})


def _verify(data: bytes, chance: Random) -> str:
    layout, run, store, name = _broken("published", data)
    try:
        proof = verify(store, UID)
    except InputError as error:
        return refusal("InputError", str(error), "manifest", among=("InputError",))
    except StorageError as error:
        return refusal("StorageError", str(error), "a", among=("StorageError",))
    for finding in (*proof.findings, *proof.notes):
        assert "\n" not in finding, finding
        finding.encode()
    return READ if proof.holds else "found wrong"


def _publish(data: bytes, chance: Random) -> str:
    layout, run, store, name = _broken("scored", data)
    run.store = store
    try:
        published = run.publish()
    except (StorageError, UsageError) as error:
        return refusal(type(error).__name__, str(error), "a", among=("UnavailableError", "UsageError"))
    assert published.manifest
    proof = verify(store, UID)
    return READ if proof.holds else "found wrong"


def _report(data: bytes, chance: Random) -> str:
    layout, run, store, name = _broken("scored", data)
    try:
        load(store, UID)
    except InputError as error:
        return refusal("InputError", str(error), "runs/run-01", "predictions", among=("InputError",))
    except SensorError as error:
        return refusal(error.reason, error.message, name, among=("OutputCorrupt", "OutputTooLarge"))
    return READ


def _deliver(data: bytes, chance: Random) -> str:
    """A later run writes beside and over what is broken."""
    layout, run, store, name = _broken("scored", data)
    later = Pod(store, LAYOUTS[layout], claim(2), {"a": "y", "d": "y"})
    kinds = set()
    try:
        later.look()
    except SensorError as error:
        return refusal(error.reason, error.message, name, "part-", among=("OutputCorrupt", "OutputTooLarge"))
    for sensor in later.made_from:
        later.deliver(sensor)
    assert set(later.decided) == {"a", "d"}, later.decided
    for sensor, decision in later.decided.items():
        kinds.add(decision.kind)
        if decision.reason:
            refusal(
                decision.reason,
                decision.message,
                f"sensor {sensor}",
                among=("OutputCorrupt", "OutputTooLarge", "Superseded", "StorageUnavailable"),
            )
    return READ if kinds == {"Scored"} else "/".join(sorted(kinds))


def _notes() -> list[bytes]:
    attempts = [
        {"attempt": f"2026-01-01T13:00:0{n}.000Z", "inHand": sensor} for n, sensor in enumerate((None, "a", "a"))
    ]
    return [json.dumps({"attempts": attempts[:count]}).encode() for count in (0, 1, 2, 3)]


def _in_hand(data: bytes, chance: Random) -> str:
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
            for sensor, changes in {"a": ALL, "b": {**STUCK}, "c": SPIKES, "d": WELL}.items():
                update(store, hour(number), {sensor: told(**changes)}, Quiet())
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


def _observed(data: bytes, chance: Random) -> str:
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


def _published_message(data: bytes, chance: Random) -> str:
    try:
        parse_published(data.decode("utf-8", "replace"), RUN, 0)
    except ContractError as error:
        return refusal("ContractError", str(error), "", among=("ContractError",))
    return READ


def _all(stage: str, *kinds: str) -> Callable[[], list[bytes]]:
    return lambda: _places(stage, kinds)


TARGETS = (
    Target("verify: manifest, _SUCCESS, tables", 900, _all("published", "runs/", "_SUCCESS", "anom"), _within, _verify),
    Target("verify: predictions, shards, indexes", 900, _all("published", "predictions/", "rejected/"), _within, _verify),
    Target("publish: outcomes, predictions", 600, _all("scored", "runs/", "predictions/"), _within, _publish),
    Target("report: outcomes, predictions", 500, _all("scored", "runs/", "predictions/"), _within, _report),
    Target("deliver beside broken predictions", 700, _all("scored", "predictions/", "rejected/"), _within, _deliver),
    Target("notes of what is in hand", 400, _notes, as_json, _in_hand, grows_mib=64),
    Target("memory of the guard", 700, _guarded, as_json, _guard, grows_mib=64),
    Target("observations of the guard", 400, _observations, as_json, _observed, grows_mib=64),
    Target("termination messages", 800, _messages, as_json, _message, grows_mib=64),
    Target("termination messages of the publish stage", 500, _published_messages, as_json, _published_message, grows_mib=64),
)
assert (as_bytes, as_text, changed, io)
