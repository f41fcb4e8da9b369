"""Whether predictions stay apart from what a store holds beside them: readings, models, reserved folders.

The scorer refuses such an order with exit code 64; said here, the run ends before a Job is made. Templates
are compared segment by segment, and what a token or `*` may become as a pattern: rather refused too often
than once too few, since what is overwritten is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scoring_operator.contract.paths import (
    ANY,
    CAPTURE_SOURCES,
    CAPTURE_TIMES,
    SENSOR,
    SHARD,
    default_marker,
)
from scoring_operator.contract.untrusted import ContractError

RESERVED = frozenset(
    {"runs", "rejected", "anomalies", "guard", "logs", "deadletter"}
)  # the scorer's, beside predictions
_BECOMES: Mapping[str, str] = {
    "{yyyy}": "[0-9]{4}",
    "{MM}": "[0-9]{2}",
    "{dd}": "[0-9]{2}",
    "{HH}": "[0-9]{2}",
    SENSOR: "[A-Za-z0-9._-]+",
    SHARD: "[0-9]{5}",
    ANY: "[^/]*",
    **dict.fromkeys(CAPTURE_TIMES, "[0-9]{2,4}"),
    **dict.fromkeys(CAPTURE_SOURCES, "[^/]+"),
}
_NOTHING: Mapping[str, str] = {}
_BLANK = re.compile(r"(\{[A-Za-z]+\}|\*)")


def check_apart(output: str, readings: str, model: str, others: Mapping[str, str] = _NOTHING) -> None:
    """Raise `ContractError`, naming both paths, for predictions that may overwrite something else.

    So may their `_SUCCESS`: whoever waits for that of the readings would take it for theirs. All are
    templates that `check_template` has let through; `others` are further ones, with a word for what they are.
    """
    folder = output.partition("/")[0]
    if folder in RESERVED:
        raise ContractError(
            f"output.path {output!r} lies in {folder}, which is kept for other things; wanted another folder"
        )
    # Below a model's folder lie its switch and a folder for each version.
    kept = {
        readings: "readings",
        f"{model}/current.json": "models",
        f"{model}/*/*": "models",
        default_marker(readings): "the readings' marker",
        **others,
    }
    own = (output, default_marker(output))
    for path, what in kept.items():
        if any(_may_meet(one, path) for one in own):
            raise ContractError(
                f"output.path {output!r} may overwrite {what} at {path}; wanted a folder of its own"
            )


def _may_meet(one: str, other: str) -> bool:
    """Whether two templates can become one path."""
    ours, theirs = one.split("/"), other.split("/")
    return len(ours) == len(theirs) and all(map(_segments_meet, ours, theirs))


def _segments_meet(one: str, other: str) -> bool:
    parts, other_parts = _BLANK.split(one), _BLANK.split(other)  # text, token, text, …, text
    if len(parts) == 1 and len(other_parts) == 1:
        return one == other
    if len(parts) == 1:
        return re.fullmatch(_pattern(other_parts), one) is not None
    if len(other_parts) == 1:
        return re.fullmatch(_pattern(parts), other) is not None
    # Two that both vary: their fixed beginnings and ends can agree or not, what is between is not looked at.
    return _agree(parts[0], other_parts[0]) and _agree(parts[-1][::-1], other_parts[-1][::-1])


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _pattern(parts: list[str]) -> str:
    return "".join(_BECOMES[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
