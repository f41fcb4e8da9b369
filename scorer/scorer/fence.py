"""When a prediction is done, and whose prediction stands.

A prediction object's metadata says what it was made from (its fingerprint) and by whom (its claim). A sensor
whose prediction has the fingerprint that scoring would give now is done. Of two different ones the later
(run's creation, then attempt) stands: every write is conditional on the state that the writer has seen, so a
slow old pod finds out and gives way.

A later run that finds an earlier one's prediction done raises its claim to its own. Else a third run, created
between the two, with another model and a slow pod, would take the prediction for older than its own.

Imports neither numpy nor pyarrow: the read stage asks it before those are loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from scorer.contract.outcome import Rows
from scorer.contract.work import Output, ReadingsSource
from scorer.window import Window, utc_text

PREDICTIONS_FORMAT = 2
"""Of a prediction file: it rises when the same readings and model would give another file."""
TRIES = 5
"""Conflicts on one object before giving up: each means that another pod has just written it."""

_NOTHING: Mapping[str, Any] = {}
_SOURCE = ReadingsSource("")
_OUTPUT = Output("")


class Claim(NamedTuple):
    """Who writes: the later claim wins. Times are text that sorts."""

    run_created: str
    run: str
    attempt: str


class Done(NamedTuple):
    """What the metadata of a finished prediction tells."""

    rows: Rows
    anomalies: int


def fingerprint(
    window: Window,
    readings: Sequence[tuple[str, str | None]],
    model_sha256: str,
    source: ReadingsSource = _SOURCE,
    output: Output = _OUTPUT,
    threshold: float | None = None,
) -> str:
    """Digest of all that a prediction is made from; `readings` are (path, ETag or None for no file).

    How the files are read (columns, time zone and so on) and written belongs to it; their paths do not. So
    does a border of the sensor's own, where the run's table gives one.
    """
    made_from = {
        "window": [utc_text(window.start), utc_text(window.end)],
        "readings": readings,
        "read": _read(source),
        "model": model_sha256,
        "written": [output.format, output.layout],
        "format": PREDICTIONS_FORMAT,
    } | ({} if threshold is None else {"threshold": float(threshold)})
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _read(source: ReadingsSource) -> dict[str, Any]:
    """How files are read: not which, of that `readings` tell."""
    told = {**source._asdict(), "path": "", "columns": source.columns._asdict()}
    del told["late_seconds"]
    return told


def prediction_metadata(
    claim: Claim, made_from: str, rows: Rows, anomalies: int, told: Mapping[str, str] = _NOTHING
) -> dict[str, str]:
    """What stands beside a prediction: never in its bytes, which are the same whoever made them."""
    counts = {f"rows_{name}": str(value) for name, value in rows._asdict().items()}
    return {"fingerprint": made_from, **claim._asdict(), **counts, "anomalies": str(anomalies), **told}


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
    return claim_of(metadata) > claim


def claim_of(metadata: Mapping[str, str]) -> Claim:
    """Whose the prediction with this metadata is; of nobody's an empty claim, earlier than any."""
    return Claim(*(metadata.get(field, "") for field in Claim._fields))


class Verdict(Enum):
    """What a writer is to do about a sensor's prediction that it finds."""

    WRITE = "write"
    """There is none, or an older one of something else."""
    AGREE = "agree"
    """It is there, as the writer would make it."""
    RAISE = "raise"
    """It is there, but an earlier run's: the writer's claim belongs to it."""
    GIVE_WAY = "give way"
    """A later one of something else is there."""


def verdict(metadata: Mapping[str, str] | None, made_from: str, claim: Claim) -> Verdict:
    """What to do about the prediction with this metadata (None: there is none), having made another.

    Attempts of one run do not raise each other's claims: they choose the same model.
    """
    if metadata is None:
        return Verdict.WRITE
    later = stands_against(metadata, claim)
    if done(metadata, made_from):
        return Verdict.AGREE if later or metadata.get("run") == claim.run else Verdict.RAISE
    return Verdict.GIVE_WAY if later else Verdict.WRITE
