"""Reads a run's predictions, and counts them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.contract.paths import output_path, rejected_path, shard_of, shard_path
from scorer.contract.work import SHARDED
from scorer.fence import Claim, claim_of
from scorer.sensor_rows import SensorRows, anomaly_times, extreme_score
from scorer.storage import NotFoundError, Store, TooLargeError
from scorer.stored import Object, Stored, read_object
from scorer.verify.manifest import Manifest, ShardTold
from scorer.verify.proof import Proof
from scorer.window import Window

MAX_REJECTED_BYTES = 256 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, Any]
"""One sensor of the results table."""


def wanted_path(manifest: Manifest, sensor: str) -> str:
    """Where the run writes the sensor's predictions."""
    output = manifest.output
    if output.layout == SHARDED:
        return shard_path(output.path, shard_of(sensor, output.shards), manifest.window)
    return output_path(output.path, sensor, manifest.window)


def check_object(
    store: Store, manifest: Manifest, path: str, rows: Sequence[Row], told: ShardTold | None
) -> Proof:
    """Checks one prediction object against the results of its sensors. Raises StorageError."""
    proof = Proof()
    try:
        found = read_object(store, path, {row["sensor"] for row in rows}, whole=True)
    except NotFoundError:
        for row in rows:
            proof.see("predictions are there", False, f"sensor {row['sensor']}: {path} does not exist")
        return proof
    except (SensorError, TooLargeError) as error:
        for row in rows:
            proof.see("predictions are there", False, f"sensor {row['sensor']}: {error}")
        return proof
    if found.there is not None:
        _check_shard(proof, manifest, path, found, told)
    for row in rows:
        stored = found.sensors.get(row["sensor"])
        there = f"sensor {row['sensor']}: {path} has no predictions of it"
        if proof.see("predictions are there", stored is not None, there) and stored is not None:
            _check_sensor(store, proof, manifest, path, row, stored)
    return proof


def _check_shard(proof: Proof, manifest: Manifest, path: str, found: Object, told: ShardTold | None) -> None:
    there = found.there
    if there is None or not proof.see(
        "shards have their index", there.contents is not None, f"{path} has no index, or another file's"
    ):
        return
    proof.see(
        "shards hold what their index names",
        not found.unknown,
        f"{path} holds rows of {', '.join(found.unknown[:3])} and {len(found.unknown)} sensors in all that "
        "its index does not name",
    )
    strays = [sensor for sensor in there.sensors if wanted_path(manifest, sensor) != path]
    proof.see(
        "shards hold their own sensors", not strays, f"{path} holds {', '.join(strays[:3])} of another shard"
    )
    if told is None or told.index_sha256 != there.digest:
        # No fault by itself: each sensor's rows have a digest of their own in the results.
        runs = sorted({claim_of(entry).run for entry in there.sensors.values()} - {manifest.uid})
        proof.note(f"{path} has changed since the run was published; other runs in it: {', '.join(runs[:3])}")


def _check_sensor(
    store: Store, proof: Proof, manifest: Manifest, path: str, row: Row, stored: Stored
) -> None:
    of = f"sensor {row['sensor']}: {path}"
    whose = claim_of(stored.metadata)
    if stored.metadata.get("fingerprint") != row["fingerprint"]:
        if whose > Claim(manifest.created, manifest.uid, "~"):
            proof.note(f"{of} was replaced by the later run {whose.run}")
        else:
            proof.see(
                "predictions are the run's",
                False,
                f"{of} is another one, of run {whose.run or 'nobody'}: found fingerprint "
                f"{stored.metadata.get('fingerprint')}, wanted {row['fingerprint']}",
            )
        return
    proof.see("predictions are the run's", True, "")
    proof.same("predictions have their digest", f"{of}, sha256", stored.sha256, row["sha256"])
    proof.same("metadata has their digest", f"{of}, sha256", stored.metadata.get("sha256"), row["sha256"])
    _check_rows(proof, of, manifest.window, row, stored.rows)
    _check_rejected(store, proof, manifest, row)


def _check_rows(proof: Proof, of: str, span: Window, row: Row, rows: SensorRows) -> None:
    proof.same("rows are those scored", f"{of}, rows", len(rows.times), row["rows_scored"])
    strange = int(np.count_nonzero((rows.flagged != 0) & (rows.flagged != 1)))
    proof.same("labels are 0 or 1", f"{of}, labels that are neither", strange, 0)
    proof.same("anomalies are those counted", f"{of}, anomalies", rows.anomalies, row["anomalies"])
    not_later = np.flatnonzero(np.diff(rows.times) <= 0)
    proof.see(
        "times increase, none twice",
        not len(not_later),
        f"{of}: row {not_later[:1].tolist()} is followed by one that is not later",
    )
    start, end = ((time - _EPOCH) // timedelta(microseconds=1) for time in span)
    outside = int(np.count_nonzero((rows.times <= start) | (rows.times > end)))
    proof.same("times lie in the window", f"{of}, rows outside {span}", outside, 0)
    border = row["threshold"]
    if border is not None:
        wrong = ((rows.scores > border) & (rows.flagged == 0)) | (
            (rows.scores < border) & (rows.flagged == 1)
        )
        proof.same("labels are those of the scores", f"{of}, other labels", int(np.count_nonzero(wrong)), 0)
    proof.same("scores are those told", f"{of}, highest score", extreme_score(rows), row["extreme_score"])
    told = tuple(time.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else "" for time in _ends(row))
    proof.same("anomalies are when told", f"{of}, first and last anomaly", anomaly_times(rows), told)


def _ends(row: Row) -> tuple[datetime | None, datetime | None]:
    return row["first_anomaly"], row["last_anomaly"]


def _check_rejected(store: Store, proof: Proof, manifest: Manifest, row: Row) -> None:
    """The rejected rows lie where they should, as many as were counted."""
    if not row["rows_rejected"] and not row["rejected_file"]:
        return
    of = f"sensor {row['sensor']}"
    path = rejected_path(row["sensor"], manifest.window)
    if not proof.same("rejected rows are told", f"{of}, rejected rows", row["rejected_file"], path):
        return
    try:
        lines = store.get(path, MAX_REJECTED_BYTES).data.splitlines()
        about = json.loads(lines[0])
        counts = (about["rejected"], about["read"], sum(about["by"].values()), about["listed"])
    except (NotFoundError, TooLargeError) as error:
        proof.see("rejected rows are there", False, f"{of}: {error}")
        return
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        proof.see("rejected rows are there", False, f"{of}: {path} is not the scorer's: {error!r:.200}")
        return
    rejected = row["rows_rejected"]
    wanted = (rejected, row["rows_read"], rejected, len(lines) - 1)
    proof.same("rejected rows are there", f"{of}: {path}, rejected, read, by reason, listed", counts, wanted)
