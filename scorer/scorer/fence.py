"""When a prediction is done, and whose prediction stands.

A prediction object's metadata says what it was made from (its fingerprint) and by whom. A sensor whose
prediction has the fingerprint that scoring would give now is done. Of two different ones the later (run's
creation, then attempt) stands: every write is conditional on the state that the writer has seen, so a slow
old pod finds out and gives way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorer.contract.outcome import Rows
from scorer.window import Window, utc_text

PREDICTIONS_FORMAT = 1
"""Of a prediction file: it rises when the same readings and model would give another file."""


class Claim(NamedTuple):
    """Who writes: the later claim wins. Times are text that sorts."""

    run_created: str
    run: str
    attempt: str


class Done(NamedTuple):
    """What the metadata of a finished prediction tells."""

    rows: Rows
    anomalies: int


def fingerprint(window: Window, readings: Sequence[tuple[str, str | None]], model_sha256: str) -> str:
    """Digest of all that a prediction is made from; `readings` are (path, ETag or None for no file)."""
    made_from = {
        "window": [utc_text(window.start), utc_text(window.end)],
        "readings": readings,
        "model": model_sha256,
        "format": PREDICTIONS_FORMAT,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def prediction_metadata(claim: Claim, made_from: str, rows: Rows, anomalies: int) -> dict[str, str]:
    """What stands beside a prediction: never in its bytes, which are the same whoever made them."""
    counts = {f"rows_{name}": str(value) for name, value in rows._asdict().items()}
    return {"fingerprint": made_from, **claim._asdict(), **counts, "anomalies": str(anomalies)}


def done(metadata: Mapping[str, str], made_from: str) -> Done | None:
    """The counts of a prediction with this fingerprint; None if it has another, or counts that cannot be."""
    if metadata.get("fingerprint") != made_from:
        return None
    try:
        rows = Rows(*(int(metadata[f"rows_{name}"]) for name in Rows._fields))
        anomalies = int(metadata["anomalies"])
    except (KeyError, ValueError):
        return None
    if min(rows) < 0 or rows.read != rows.scored + rows.rejected + rows.duplicate:
        return None
    return Done(rows, anomalies) if 0 <= anomalies <= rows.scored else None


def stands_against(metadata: Mapping[str, str], claim: Claim) -> bool:
    """Whether the prediction with this metadata is later than the claim, so that the claim must give way."""
    if "run_created" not in metadata:
        return False  # not written by a scorer, or by one that was killed in between: nobody's
    return Claim(*(metadata.get(field, "") for field in Claim._fields)) > claim
