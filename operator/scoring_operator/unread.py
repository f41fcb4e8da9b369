"""What to do with a Job that has ended and of whose outcome nothing can be read (yet)."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from scoring_operator.decision import Observation, Situation

INCARNATIONS = 3  # Jobs of one chunk whose outcome may be lost before its sensors are Failed/OutcomeLost


class Unread(Enum):
    """The steps after waiting, in this order."""

    READ = "list its pods: their end was not seen"
    AGAIN = "make it again"
    LOST = "give it up"


def unread(at: Situation, seen: Observation) -> Unread | float:
    """The next step, or seconds to wait for the pod's message: its Job's end may be seen before it."""
    job = seen.job
    grace = timedelta(seconds=at.settings.timing.outcome_grace_seconds)
    left = ((job.finished or job.created) + grace - at.now).total_seconds()
    if left > 0:
        return left
    if not seen.pods_read:
        return Unread.READ
    return Unread.AGAIN if job.incarnation + 1 < INCARNATIONS else Unread.LOST


def told(seen: Observation, step: Unread) -> str:
    """What the log says of it."""
    ending = "making it again" if step is Unread.AGAIN else f"it was the last of {INCARNATIONS}"
    return f"Job {seen.job.name} left no message that can be read: {ending}"
