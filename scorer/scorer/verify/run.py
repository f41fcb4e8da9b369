"""Verifies one run: the chain of digests from `_SUCCESS` down, then every prediction."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from scorer.contract.outcome import SCORED, Rows
from scorer.errors import InputError
from scorer.fence import Claim, claim_of
from scorer.listed import names_of, read_all
from scorer.outcomes import in_order
from scorer.publish.results import STATES
from scorer.publish.run import manifest_path, names_digest
from scorer.publish.tables import ANOMALIES, RESULTS
from scorer.storage import Blob, NotFoundError, Store, TooLargeError
from scorer.verify.manifest import Manifest, parse_manifest
from scorer.verify.predictions import Row, check_object, wanted_path
from scorer.verify.proof import Proof
from scorer.verify.tables import read_table

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_TABLE_BYTES = 512 * 1024 * 1024


def verify(store: Store, uid: str) -> Proof:
    """Checks all that the run has published. Raises InputError if there is nothing, and StorageError."""
    proof = Proof()
    blob = _manifest(store, uid)
    manifest = parse_manifest(blob.data, blob.path)
    proof.same("the manifest is the run's", f"{blob.path}, run.uid", manifest.uid, uid)
    _check_success(store, proof, manifest, blob)
    rows = _check_results(store, proof, manifest)
    _check_anomalies(store, proof, manifest, rows)
    by_path: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["state"] == SCORED:
            path, wanted = row["prediction"], wanted_path(manifest, row["sensor"])
            if proof.same("predictions are told", f"sensor {row['sensor']}, prediction", path, wanted):
                by_path[path].append(row)
    told = {shard.path: shard for shard in manifest.shards}
    proof.add(
        in_order(
            list(by_path),
            lambda path: check_object(store, manifest, path, by_path[path], told.get(path)),
            lambda _: 0,
        )
    )
    return proof


def _manifest(store: Store, uid: str) -> Blob:
    path = manifest_path(uid)
    try:
        return store.get(path, MAX_MANIFEST_BYTES)
    except NotFoundError as error:
        raise InputError(
            f"no manifest at {path}: is {uid!r} the run's metadata.uid, published, and is this its store?"
        ) from error
    except TooLargeError as error:
        raise InputError(f"manifest {error}") from error


def _check_success(store: Store, proof: Proof, manifest: Manifest, blob: Blob) -> None:
    """`_SUCCESS` is there if the run is complete, and names this manifest."""
    path = manifest.success
    if manifest.complete and manifest.part and path is None:
        proof.note(f"{blob.path}: no _SUCCESS, as no run of all the window's sensors has left one")
        return
    if not manifest.complete or path is None:
        proof.same("an incomplete run has no _SUCCESS", blob.path, (manifest.complete, path), (False, None))
        return
    try:
        success = store.get(path, MAX_MANIFEST_BYTES)
    except (NotFoundError, TooLargeError) as error:
        proof.see("_SUCCESS is there", False, str(error))
        return
    whose = claim_of(success.metadata)
    if whose.run != manifest.uid and whose > Claim(manifest.created, manifest.uid, "~"):
        proof.note(f"{path} is that of the later run {whose.run}")
        return
    told = _object(success.data)
    of = told.get("manifest")
    of = of if isinstance(of, dict) else {}
    proof.same("_SUCCESS names the manifest", f"{path}, manifest.path", of.get("path"), blob.path)
    digest = hashlib.sha256(blob.data).hexdigest()
    proof.same("_SUCCESS names the manifest", f"{path}, manifest.sha256", of.get("sha256"), digest)
    for field in ("run", "window", "counts", "rows", "anomalies"):
        wanted = _object(blob.data).get(field)
        proof.same("_SUCCESS says what the manifest says", f"{path}, {field}", told.get(field), wanted)


def _check_results(store: Store, proof: Proof, manifest: Manifest) -> list[Row]:
    """Every sensor once, and the sums."""
    rows = _table(store, proof, "results", manifest.results.path, manifest.results.sha256, RESULTS)
    if rows is None:
        return []
    path = manifest.results.path
    sensors = [row["sensor"] for row in rows]
    proof.same("every sensor is accounted for", f"{path}, sensors", len(sensors), manifest.total)
    twice = [sensor for sensor, count in Counter(sensors).items() if count > 1]
    proof.see("every sensor is accounted for", not twice, f"{path} holds {', '.join(twice[:3])} twice")
    digest = names_digest(sensors)
    proof.same("the sensors are the run's", f"{path}, sha256 of the list", digest, manifest.sensors_sha256)
    _check_list(store, proof, manifest, sensors)
    counts = Counter(row["state"] for row in rows)
    for state in STATES:
        proof.same("states add up", f"{path}, {state}", counts[state], manifest.counts.get(state, 0))
    sums = Rows(*(sum(row[f"rows_{name}"] for row in rows) for name in Rows._fields))
    proof.same("rows add up over the run", f"{path}, rows", tuple(sums), tuple(manifest.rows))
    anomalies = sum(row["anomalies"] for row in rows)
    proof.same("rows add up over the run", f"{path}, anomalies", anomalies, manifest.anomalies)
    for row in rows:
        parts = row["rows_scored"] + row["rows_rejected"] + row["rows_duplicate"]
        of = f"sensor {row['sensor']}, scored + rejected + duplicate"
        proof.same("rows add up for each sensor", of, parts, row["rows_read"])
    return rows


def _check_list(store: Store, proof: Proof, manifest: Manifest, sensors: Sequence[str]) -> None:
    """The list in the store is the one that the run held to, and the results are of its sensors."""
    if manifest.sensors_list is None:
        return
    path, sha256 = manifest.sensors_list
    try:
        _, listed = read_all(store, path, sha256)
    except (NotFoundError, InputError) as error:
        proof.see("the list is the run's", False, str(error))
        return
    proof.see("the list is the run's", names_of(listed) == tuple(sensors), f"{path} lists other sensors")


def _check_anomalies(store: Store, proof: Proof, manifest: Manifest, rows: Sequence[Row]) -> None:
    """The table of those with anomalies, if no later run of the same name has replaced it."""
    path, sha256 = manifest.anomalies_file
    try:
        whose = claim_of(store.head(path).metadata)
    except NotFoundError as error:
        proof.see("anomalies are there", False, str(error))
        return
    if whose.run != manifest.uid and whose > Claim(manifest.created, manifest.uid, "~"):
        proof.note(f"{path} is that of the later run {whose.run}")
        return
    found = _table(store, proof, "anomalies", path, sha256, ANOMALIES)
    if found is not None:
        told = {row["sensor"]: row["anomalies"] for row in found}
        wanted = {row["sensor"]: row["anomalies"] for row in rows if row["anomalies"]}
        for sensor in sorted(told.keys() | wanted.keys()):
            of = f"sensor {sensor}: {path}, anomalies"
            proof.same("anomalies are the results'", of, told.get(sensor, 0), wanted.get(sensor, 0))


def _table(store: Store, proof: Proof, name: str, path: str, sha256: str, schema: Any) -> list[Row] | None:
    try:
        data = store.get(path, MAX_TABLE_BYTES).data
    except (NotFoundError, TooLargeError) as error:
        proof.see(f"{name} are there", False, str(error))
        return None
    found = hashlib.sha256(data).hexdigest()
    proof.same(f"{name} have their digest", f"{path}, sha256", found, sha256)
    try:
        return read_table(path, data, schema)
    except InputError as error:
        proof.see(f"{name} are there", False, str(error))
        return None


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
