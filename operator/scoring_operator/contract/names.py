"""Exit codes, states, and the names of things."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

CONTAINER = "scorer"


class Exit(IntEnum):
    """How a pod's process ends."""

    OK = 0
    USAGE = 64
    PARTIAL = 65
    INTERNAL = 70
    RETRY = 75
    TIMEOUT = 124
    TERMINATED = 143


FAIL_JOB = (Exit.USAGE, Exit.PARTIAL)  # a further attempt would end the same way
IGNORED = (Exit.TERMINATED,)  # the pod was taken away: that costs no attempt


class State(StrEnum):
    """What a sensor is, so far."""

    SCORED = "Scored"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    UNDECIDED = "Undecided"


_SENSOR_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def is_sensor_name(name: str) -> bool:
    """Whether `name` can be a label's value and one segment of a path."""
    return _SENSOR_NAME.fullmatch(name) is not None


def shard_of(sensor: str, shards: int) -> int:
    """The shard that a sensor's predictions lie in: by its name alone, so that it is the same in every run.

    The first 8 bytes of the name's SHA-256, as a big-endian number, modulo the number of shards.
    """
    return int.from_bytes(hashlib.sha256(sensor.encode()).digest()[:8], "big") % shards


def job_name(run: str, uid: str, chunk: int, incarnation: int) -> str:
    """Name of a chunk's Job, at most 56 characters; the same for the same work: made twice is made once."""
    return f"{run[:40].rstrip('-.')}-{chunk}-{digest8(f'{uid}/{chunk}/{incarnation}')}"


def publish_job_name(run: str, uid: str, incarnation: int) -> str:
    """Name of the Job that publishes a run, likewise."""
    return f"{run[:40].rstrip('-.')}-publish-{digest8(f'{uid}/publish/{incarnation}')}"


def prepare_job_name(run: str, uid: str, incarnation: int) -> str:
    """Name of the Job that prepares a run, likewise."""
    return f"{run[:40].rstrip('-.')}-prepare-{digest8(f'{uid}/prepare/{incarnation}')}"


def digest8(text: str) -> str:
    """Eight letters and digits that are `text`'s own, usable in an object's name."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:5]).decode().lower()


def rfc3339(time: datetime) -> str:
    """`time` as Kubernetes writes it: UTC, whole seconds, Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
