"""What is known of one sensor's prediction without reading it.

It stands beside the prediction (as its object's metadata, or as the sensor's entry in a shard's index), so
that whoever finds the prediction done can tell the same as the one who made it.

Imports neither numpy nor pyarrow: the read stage asks it before those are loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.contract.outcome import Rows, cut_utf8
from scorer.fence import Claim, done, prediction_metadata

NOTHING: Mapping[str, Any] = {}
LOST_BYTES = 512  # a blob's metadata may have 8 KiB


class Summary(NamedTuple):
    """One sensor's prediction in short."""

    fingerprint: str
    rows: Rows
    anomalies: int
    sha256: str
    """Of the file's bytes; in a shard, of the sensor's rows: `scorer.sensor_rows.rows_digest`."""
    model: str
    """The model version's name."""
    threshold: float
    first_anomaly: str = ""
    """RFC 3339 with microseconds; empty if there is none."""
    last_anomaly: str = ""
    extreme_score: float | None = None
    """The highest score of the window's rows; None if there are none."""
    rejected_by: Mapping[str, int] = NOTHING
    """Rejected rows by reason."""
    rejected_file: str = ""
    """Where they lie."""
    lost: str = ""
    """What stood in the readings' files and could not be read at all."""
    guard: Mapping[str, Any] = NOTHING
    """What the guard observed."""

    def metadata(self, claim: Claim) -> dict[str, str]:
        """As the metadata of a blob, with whose it is."""
        told = {
            "sha256": self.sha256,
            "model": self.model,
            "threshold": repr(self.threshold),
            "first_anomaly": self.first_anomaly,
            "last_anomaly": self.last_anomaly,
            "extreme_score": "" if self.extreme_score is None else repr(self.extreme_score),
            "rejected_by": _json(self.rejected_by),
            "rejected_file": self.rejected_file,
            "lost": _json(cut_utf8(self.lost, LOST_BYTES)),
            "guard": _json(self.guard),
        }
        return prediction_metadata(
            claim,
            self.fingerprint,
            self.rows,
            self.anomalies,
            {name: value for name, value in told.items() if value},
        )

    def detail(self, path: str) -> dict[str, Any]:
        """As an outcome tells it; `path` is the object that holds the prediction."""
        told = {
            "prediction": path,
            "sha256": self.sha256,
            "fingerprint": self.fingerprint,
            "model": self.model,
            "threshold": _finite(self.threshold),
            "firstAnomaly": self.first_anomaly,
            "lastAnomaly": self.last_anomaly,
            "extremeScore": _finite(self.extreme_score),
            "rejectedBy": self.rejected_by,
            "rejectedFile": self.rejected_file,
            "lost": self.lost,
            "guard": self.guard,
        }
        return {name: value for name, value in told.items() if value or value == 0.0}


def summary_of(metadata: Mapping[str, str]) -> Summary | None:
    """What the metadata tells; None if it is not a prediction's. What it does not say is left empty."""
    counts = done(metadata, metadata.get("fingerprint", ""))
    if counts is None:
        return None
    try:
        return Summary(
            metadata["fingerprint"],
            counts.rows,
            counts.anomalies,
            sha256=metadata.get("sha256", ""),
            model=metadata.get("model", ""),
            threshold=float(metadata.get("threshold") or "nan"),
            first_anomaly=metadata.get("first_anomaly", ""),
            last_anomaly=metadata.get("last_anomaly", ""),
            extreme_score=float(metadata["extreme_score"]) if metadata.get("extreme_score") else None,
            rejected_by=json.loads(metadata.get("rejected_by") or "{}"),
            rejected_file=metadata.get("rejected_file", ""),
            lost=str(json.loads(metadata.get("lost") or '""')),
            guard=json.loads(metadata.get("guard") or "{}"),
        )
    except (ValueError, RecursionError):
        return None


def _json(value: Any) -> str:
    """Compact, in printable ASCII; empty for nothing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if value else ""


def _finite(number: float | None) -> float | None:
    # JSON has no other numbers.
    return number if number is not None and math.isfinite(number) else None
