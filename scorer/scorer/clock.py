"""When this process began: attempts are named by it, and deadlines and durations count from it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


def process_seconds() -> float:
    """Seconds since this process was started, to a hundredth: interpreter start and imports are included."""
    try:
        with open("/proc/self/stat", encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not needed before this)
            after_name = file.read().rpartition(")")[2].split()
        started = int(after_name[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), ticks since boot
    except (OSError, ValueError, IndexError):
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


class Stopwatch:
    """Seconds since the process began, by a clock that never steps."""

    def __init__(self) -> None:
        since = process_seconds()
        self._zero = time.monotonic() - since
        self.began = time.time() - since
        """The process's start in seconds since 1970."""

    def seconds(self) -> float:
        """Seconds since the process began."""
        return time.monotonic() - self._zero

    def attempt(self) -> str:
        """The process's start as text that sorts: `2026-01-01T13:00:09.123Z`."""
        began = datetime.fromtimestamp(self.began, UTC)
        return began.strftime("%Y-%m-%dT%H:%M:%S.") + f"{began.microsecond // 1000:03}Z"
