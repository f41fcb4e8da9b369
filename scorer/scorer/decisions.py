"""What delivery decides on a sensor whose prediction is there, by the metadata that stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorer.contract.outcome import SCORED, SKIPPED, UNDECIDED, Decision
from scorer.fence import Claim
from scorer.fenced import delete_claimed, delete_own, put_claimed
from scorer.storage import NotFoundError, Store
from scorer.summary import NOTHING, Summary, summary_of

MAX_REJECTED_BYTES = 64 * 1024 * 1024


def scored(summary: Summary, path: str, about: Mapping[str, Any] = NOTHING) -> Decision:
    """The prediction is there."""
    detail = summary.detail(path) | dict(about)
    return Decision(SCORED, rows=summary.rows, anomalies=summary.anomalies, detail=detail)


def agreed(metadata: Mapping[str, str], path: str, claim: Claim, about: Mapping[str, Any]) -> Decision:
    """What is there is what this claim would write; `madeBy` says if it is another run's."""
    summary = summary_of(metadata)
    if summary is None:
        raise ValueError(f"{path} is taken for done and has metadata that is no prediction's: {metadata}")
    others = {} if metadata.get("run") == claim.run else {"madeBy": metadata.get("run")}
    return scored(summary, path, {**about, **others})


def superseded(
    sensor: str, metadata: Mapping[str, str], path: str, about: Mapping[str, Any] = NOTHING
) -> Decision:
    """A later run's prediction stands."""
    why = f"sensor {sensor}: {path} holds the prediction of the later run {metadata['run']}"
    return Decision(SKIPPED, "Superseded", why, detail={"prediction": path, **about})


def changed(sensor: str, path: str) -> Decision:
    """What was found done was replaced before it could be claimed. The next attempt sees what is there."""
    why = f"sensor {sensor}: {path} was replaced by an earlier run while it was being kept"
    return Decision(UNDECIDED, "Interrupted", why)


def withdraw(store: Store, summary: Summary | None, claim: Claim) -> None:
    """Removes the rejected rows of a prediction that gave way, unless others are there by now."""
    if summary and summary.rejected_file:
        delete_own(store, summary.rejected_file, claim)


def clear_rejected(store: Store, prior: Mapping[str, str] | None, claim: Claim) -> None:
    """Removes the rejected rows of an earlier prediction, for one in its place that has none."""
    path = prior.get("rejected_file") if prior else None
    if path:
        delete_claimed(store, path, claim)


def claim_rejected(store: Store, metadata: Mapping[str, str], claim: Claim) -> None:
    """Claims the rejected rows of a prediction that is about to be claimed: else an older run might replace
    them, before it finds that its prediction gives way.
    """
    path = metadata.get("rejected_file")
    if not path:
        return
    try:
        there = store.get(path, MAX_REJECTED_BYTES)
    except NotFoundError:
        return  # `scorer verify` tells
    if there.metadata.get("fingerprint") == metadata.get("fingerprint"):
        put_rejected(store, path, there.data, there.metadata["fingerprint"], claim)


def put_rejected(store: Store, path: str, data: bytes, made_from: str, claim: Claim) -> None:
    """Writes rejected rows, unless a later run's are there."""
    put_claimed(store, path, data, claim, {"fingerprint": made_from})
