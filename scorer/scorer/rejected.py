"""Rejected rows of one sensor as a file: JSON Lines, one row each, after a line that sums them up.

    {"rejected": 3, "read": 60, "by": {"NotANumber": 3}, "listed": 3}
    {"file": "readings/….csv", "row": 17, "time": "…", "reason": "NotANumber", "column": "v", "found": "x"}

`row` is the record's number in its file, from 1; a CSV file's header and empty lines are none. The same
readings give the same bytes.
"""

from __future__ import annotations

import json
from typing import Any

from scorer.readings import Readings, Reject


def encode(readings: Readings) -> bytes:
    """The file's bytes."""
    about: dict[str, Any] = {
        "rejected": readings.rows.rejected,
        "read": readings.rows.read,
        "by": dict(sorted(readings.rejected.items())),
        "listed": len(readings.rejects),
    }
    if readings.lost:
        about["lost"] = readings.lost
    lines = [about, *(_row(reject) for reject in readings.rejects)]
    return b"".join(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines)


def _row(reject: Reject) -> dict[str, Any]:
    """What is known of the row."""
    return {name: value for name, value in reject._asdict().items() if value != "" or name == "found"}
