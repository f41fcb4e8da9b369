"""Exit codes of a scoring pod; the Job's podFailurePolicy acts on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a pod's exit code says. Usage and Partial fail the Job at once: no further attempt helps."""

    OK = 0
    """Every sensor is decided: Scored or Skipped."""
    USAGE = 64
    """The work order cannot be understood."""
    PARTIAL = 65
    """Every sensor is decided, at least one Failed for good."""
    INTERNAL = 70
    """A defect of the scorer."""
    RETRY = 75
    """At least one sensor is undecided: try again."""
    TIMEOUT = 124
    """The attempt's time is over."""
    TERMINATED = 143
    """SIGTERM came."""
