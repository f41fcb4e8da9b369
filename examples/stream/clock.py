"""The demo's time: it begins at a moment of the machine's, and goes faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

HOUR = timedelta(hours=1)


class Clock(NamedTuple):
    """When it begins (Unix time), what time it is then, how many times as fast as the machine's it goes."""

    when: float
    then: datetime
    speed: float

    @property
    def text(self) -> str:
        """As pods are told it: `pods/sitecustomize.py`, and the double's `--clock`."""
        return f"{self.when:.3f} {self.then.timestamp():.0f} {self.speed:g}"

    def now(self) -> datetime:
        """What time it is."""
        return self.then + timedelta(seconds=self.speed * (time.time() - self.when))

    def until(self, moment: datetime) -> float:
        """The machine's seconds until then; negative if it was."""
        return (moment - self.now()).total_seconds() / self.speed


def beginning(then: datetime, speed: float, seconds: float, at_second: int | None = None) -> Clock:
    """A clock that begins in so many seconds, or after them when the machine's minute is `at_second` old."""
    when = time.time() + seconds
    if at_second is not None:
        when += (at_second - when) % 60
    return Clock(when, then.astimezone(UTC), speed)
