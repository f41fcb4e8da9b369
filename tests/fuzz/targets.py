"""All targets by name."""

from __future__ import annotations

from fuzz import readers, runs
from fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*readers.TARGETS, *runs.TARGETS)}
