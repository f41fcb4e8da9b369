"""What the pod of the prepare stage says: how many sensors the run has, and whether its readings are there.

It does not say where the list lies: that follows from the run, so that no message can point a run's pods to
another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from scoring_operator.contract.staged import failure_of, stage_message
from scoring_operator.contract.untrusted import ContractError, Json, a_count, a_text, an_object, shown
from scoring_operator.contract.work import MAX_RUN_SENSORS, MAX_SENSORS, MAX_SHARDS

FAILURE_LIMIT = 800  # bytes: it becomes a condition's message
_SHA256 = re.compile(r"[0-9a-f]{64}")

Waited = Literal["", "Ready", "TimedOut"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The run's list in the store: how many sensors, its digest, and with shards how many each has.

    Of none there is no list: they may be none where the run is of those that are in a second table.
    """

    total: int
    sha256: str
    shards: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PrepareMessage:
    """What one attempt says: what it came to, or why it could not; neither if it was cut short.

    `sensors` is None where there was nothing to find, `waited` empty where there was nothing to wait for.
    """

    finished: bool
    sensors: Resolved | None
    waited: Waited
    failure: str  # `Reason: sentence`, or empty
    total_ms: int


def parse_prepared(text: str, run: str, incarnation: int) -> PrepareMessage:
    """Read a termination message; raises `ContractError` for all but a well-formed one of that attempt's."""
    data, final, total_ms = stage_message(text, run, incarnation, "Prepare")
    if not final or "failure" in data:
        return PrepareMessage(False, None, "", failure_of(data, FAILURE_LIMIT), total_ms)
    for key in ("sensors", "readings"):
        if key not in data:
            raise ContractError(f"{key} is missing; wanted it, or null")
    sensors = None if data["sensors"] is None else _resolved(an_object(data, "sensors"))
    return PrepareMessage(True, sensors, _waited(data["readings"]), "", total_ms)


def _resolved(sensors: Json) -> Resolved:
    total = a_count(sensors, "total", "sensors")
    if not 0 <= total <= MAX_RUN_SENSORS:
        raise ContractError(f"sensors.total is {total}; wanted 0 to {MAX_RUN_SENSORS}")
    sha256 = a_text(sensors, "sha256")
    if not _SHA256.fullmatch(sha256):
        raise ContractError(f"sensors.sha256 is {shown(sha256)}; wanted 64 hexadecimal digits")
    shards = sensors.get("shards")
    if not isinstance(shards, list) or len(shards) > MAX_SHARDS:
        raise ContractError(
            f"sensors.shards is {shown(shards)}; wanted a list of at most {MAX_SHARDS} numbers"
        )
    if not all(type(size) is int and 0 <= size <= MAX_SENSORS for size in shards):
        raise ContractError(f"sensors.shards hold {shown(shards)}; wanted numbers up to {MAX_SENSORS}")
    if shards and sum(shards) != total:
        raise ContractError(f"sensors.shards hold {sum(shards)} sensors; wanted {total}")
    return Resolved(total, sha256, tuple(shards))


def _waited(value: object) -> Waited:
    match value:
        case None:
            return ""
        case "Ready" | "TimedOut":
            return value
    raise ContractError(f"readings is {shown(value)}; wanted Ready, TimedOut or null")
