"""What the pods of all stages but scoring say alike: that they have begun, or why they could not do it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scorer.contract.outcome import VERSION, Header, cut_utf8

PREPARE, SCORE, PUBLISH = "Prepare", "Score", "Publish"
STAGES = (PREPARE, SCORE, PUBLISH)
WHY_BYTES = 256
"""Of one sentence on a sensor."""
FAILURE_BYTES = 900
"""Of the one sentence on the whole run: it becomes a condition's message."""


def encode_begun(header: Header, stage: str, stages_ms: Mapping[str, int]) -> bytes:
    """The termination message of an attempt that has not ended yet."""
    return message({**stage_head(header, stage), "final": False, "stagesMs": dict(stages_ms)})


def encode_failure(header: Header, stage: str, reason: str, why: str, stages_ms: Mapping[str, int]) -> bytes:
    """The termination message of a stage that could not be done."""
    failure = {"reason": reason, "message": cut_utf8(why, FAILURE_BYTES)}
    return message({**stage_head(header, stage), "failure": failure, "stagesMs": dict(stages_ms)})


def stage_head(header: Header, stage: str) -> dict[str, Any]:
    """Whose message it is."""
    return {"v": VERSION, **header._asdict(), "final": True, "stage": stage}


def message(value: Any) -> bytes:
    """As the kubelet takes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
