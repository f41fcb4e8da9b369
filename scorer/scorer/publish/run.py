"""Publishes one run: reads what its attempts said, and writes tables, manifest and `_SUCCESS`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from scorer.contract.outcome import SCORED, Decision, SensorError
from scorer.contract.paths import day_folder, output_folder
from scorer.contract.publishing import Decisions, Published, Sample
from scorer.contract.sensors import SensorsInStore
from scorer.contract.work import UsageError
from scorer.errors import InputError
from scorer.fence import Claim
from scorer.fenced import put_claimed
from scorer.guard.state import update
from scorer.outcomes import Told, held, in_order, outcome_paths
from scorer.outputs import Outputs
from scorer.publish.results import Result, decisions_of, from_prediction, read_results, results, totals
from scorer.publish.tables import anomalies_table, results_table
from scorer.publish.whole import makes_whole, whole
from scorer.shard_index import look
from scorer.storage import NotFoundError, TooLargeError, UnavailableError
from scorer.window import utc_text

if TYPE_CHECKING:
    from scorer.contract.sensors import Given
    from scorer.contract.work import WorkOrder
    from scorer.guard.words import Finding
    from scorer.logs import Log
    from scorer.storage import Store

VERSION = 1
"""Of the manifest and of `_SUCCESS`."""
SUCCESS = "_SUCCESS"
FINDINGS = 1000
"""Of the guard's warnings that the manifest says whole; it counts all of them."""

Json = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


def publish(
    store: Store, order: WorkOrder, claim: Claim, decisions: Decisions, sensors: Sequence[str], log: Log
) -> Published:
    """Writes what the run came to. Raises StorageError, and UsageError for a run with an impossible name."""
    return publish_results(store, order, claim, decisions, sensors, log)[0]


def publish_results(
    store: Store, order: WorkOrder, claim: Claim, decisions: Decisions, sensors: Sequence[str], log: Log
) -> tuple[Published, list[Result]]:
    """The same, and how each sensor went."""
    outputs = Outputs(store, order.output, order.window, claim, sensors)
    heard = _outcomes(store, order.run.uid, log)
    found = results(sensors, heard, decisions, partial(from_prediction, outputs))
    if order.given:
        found = [_with_owner(result, order.of(result.sensor)) for result in found]
    anomalies = anomalies_path(order)
    judged = update(store, order.window, _Observations(found), log)
    about = _about(order, decisions, found)
    kept = whole(store, success_path(order), about) if order.part else {}
    success = success_path(order) if decisions.complete else None
    if success and order.part and not kept and not makes_whole(store, order, about, manifest_path):
        log.warning(f"{success} is not written: no run of all the window's sensors has left one")
        success = None
    manifest = {
        **about,
        "sensors": {"total": len(sensors), "sha256": names_digest(sensors), **_list(order)},
        "output": order.output._asdict(),
        "results": _put(store, f"runs/{order.run.uid}/results.parquet", results_table(found), claim),
        "anomaliesFile": _put_shared(store, anomalies, anomalies_table(found, order.window), claim, log),
        "shards": _shards(outputs, found, log),
        "guard": {
            "warnings": judged.warnings,
            "ongoing": judged.ongoing,
            "notes": judged.notes,
            "findings": [_finding(finding) for finding in judged.findings[:FINDINGS]],
        },
        "success": success,
    }
    told = _put(store, manifest_path(order.run.uid), _json(manifest), claim)
    if success:
        data = _json({**about, "manifest": told, **kept})
        if not put_claimed(store, success, data, claim):
            log.warning(f"{success} is a later run's, and stays")
            success = None
    samples = tuple(Sample(**_finding(finding)) for finding in judged.samples)
    guard = (judged.warnings, judged.notes, samples)
    return Published(told["path"], told["sha256"], success, anomalies, *guard), found


def _list(order: WorkOrder) -> Json:
    """Where the run's list lies, if it is in the store; its digest is of its first line."""
    where = order.sensors
    return {"list": where.path, "listSha256": where.sha256} if isinstance(where, SensorsInStore) else {}


def _with_owner(result: Result, given: Given) -> Result:
    return result._replace(group=given.group, owner=given.owner)


def publish_local(
    store: Store, order: WorkOrder, claim: Claim, decided: Sequence[tuple[str, Decision]], log: Log
) -> Published:
    """Publishes a run without an operator, whose one outcome is in the store. Raises StorageError."""
    sensors = [sensor for sensor, _ in decided]
    return publish(store, order, claim, decisions_of(decided), sensors, log)


def anomalies_path(order: WorkOrder) -> str:
    """Where the run's anomalies go. Raises UsageError for a run whose name is no file's."""
    if not _NAME.fullmatch(order.run.name):
        raise UsageError(f"work order: run.name is {order.run.name!r}: wanted a Kubernetes name")
    return f"{day_folder('anomalies', order.window)}/{order.run.name}.parquet"


def manifest_path(uid: str) -> str:
    """Where a run's manifest lies."""
    return f"runs/{uid}/manifest.json"


def success_path(order: WorkOrder) -> str:
    """Where the run's `_SUCCESS` lies."""
    folder = output_folder(order.output.path, order.window)
    return f"{folder}/{SUCCESS}" if folder else SUCCESS


def names_digest(sensors: Sequence[str]) -> str:
    """SHA-256 of a list of sensors, one a line."""
    return hashlib.sha256("".join(f"{sensor}\n" for sensor in sensors).encode()).hexdigest()


def _outcomes(store: Store, uid: str, log: Log) -> Iterator[Told]:
    """What the run's attempts said, in order; one that cannot be understood is passed over."""

    def read(path: str) -> Told | str:
        try:
            return read_results(store, path)
        except (InputError, TooLargeError, NotFoundError) as error:
            return str(error)

    def size(told: Told | str) -> int:
        return 0 if isinstance(told, str) else held(told)

    for told in in_order(outcome_paths(store, uid), read, size):
        if isinstance(told, str):
            log.warning(f"outcome passed over: {told}")
        else:
            yield told


def _about(order: WorkOrder, decisions: Decisions, found: Sequence[Result]) -> Json:
    """What manifest and `_SUCCESS` both say."""
    sums = totals(found)
    return {
        "v": VERSION,
        "run": order.run._asdict(),
        "window": {"start": utc_text(order.window.start), "end": utc_text(order.window.end)},
        "complete": decisions.complete,
        "reason": decisions.reason,
        "counts": sums.counts,
        "reasons": sums.reasons,
        "rows": sums.rows._asdict(),
        "anomalies": sums.anomalies,
        **({"part": True} if order.part else {}),
        **({"rest": order.rest} if order.rest else {}),
    }


def _put(store: Store, path: str, data: bytes, claim: Claim) -> dict[str, str]:
    """Writes an object that is the run's alone."""
    if not put_claimed(store, path, data, claim):
        raise UnavailableError(f"{path} is a later attempt's: it publishes the run")
    return {"path": path, "sha256": _sha256(data)}


def _put_shared(store: Store, path: str, data: bytes, claim: Claim, log: Log) -> dict[str, str]:
    """Writes an object that runs of the same name share: the later one's stays."""
    if not put_claimed(store, path, data, claim):
        log.warning(f"{path} is a later run's, and stays")
    return {"path": path, "sha256": _sha256(data)}


class _Observations(Mapping[str, Mapping[str, Any]]):
    """What the guard observed of each scored sensor; made from its text only when it is asked for."""

    def __init__(self, found: Sequence[Result]) -> None:
        self._texts = {result.sensor: result.guard for result in found if result.guard}

    def __getitem__(self, sensor: str) -> Mapping[str, Any]:
        observed: Mapping[str, Any] = json.loads(self._texts[sensor])
        return observed

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _finding(finding: Finding) -> dict[str, str]:
    return {"sensor": finding.sensor, "reason": finding.reason, "message": finding.message}


def _shards(outputs: Outputs, found: Sequence[Result], log: Log) -> list[Json]:
    """The shards with the run's predictions, as they are now: later runs change them."""
    if not outputs.sharded:
        return []
    scored = {outputs.shard(result.sensor) for result in found if result.state == SCORED}

    def read(path: str) -> Json | str:
        try:
            there = look(outputs.store, path)
        except SensorError as error:
            return str(error)
        about = there.contents
        return {"path": path, "index": there.digest, "sha256": about.sha256 if about else ""}

    shards = []
    for told in in_order([outputs.shard_path(shard) for shard in sorted(scored)], read, lambda _: 0):
        if isinstance(told, str):
            log.error(f"shard left out of the manifest: {told}")
        else:
            shards.append(told)
    return shards


def _json(told: Mapping[str, Any]) -> bytes:
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
