"""A run whose pods are kept from starting by what somebody has to mend: looked for, and said while it lasts.

Nothing tells the operator of it: a missing ServiceAccount, a quota or a policy show in Events of the Job, a
missing Secret or image in a pod that is there and waits. That no node has room is no such thing: an
autoscaler may be at work, and `timeouts.pendingSeconds` says how long is too long.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from scoring_operator.decision import Trouble
from scoring_operator.records import JobRecord

FIRST_SECONDS = 10.0  # by then a pod's first try to start has failed, if it does
AGAIN_SECONDS = 30.0  # one list of one Job's pods: a thousand such runs cost what one run's Jobs do


@dataclass(slots=True)
class Standstill:
    """Of one run: its oldest waiting Job, since when nothing has moved, and what was found to be why."""

    job: JobRecord | None = None
    since: float = 0.0
    looked: float = float("-inf")
    trouble: Trouble | None = None

    def see(self, jobs: Collection[JobRecord], now: float) -> None:
        """Take in the run's Jobs. As soon as a pod runs, or the oldest Job is another, it moves."""
        waiting = [job for job in jobs if job.unfinished and not job.terminating]
        oldest = min(waiting, key=lambda job: (job.created, job.name), default=None)
        if oldest is None or any(job.runs for job in waiting):
            self.job, self.trouble = None, None
        elif self.job is None or self.job.uid != oldest.uid:
            # Not the trouble: a Job that is given up or deleted leaves the next one in the same.
            self.job, self.since = oldest, now

    def wait(self, now: float) -> float | None:
        """Seconds until it is to be looked at (again); None while all is well."""
        if self.job is None:
            return None
        return max(0.0, self.since + FIRST_SECONDS - now, self.looked + AGAIN_SECONDS - now)

    def found(self, trouble: Trouble | None, now: float) -> bool:
        """Take in what was found; whether that is news."""
        news = trouble != self.trouble
        self.looked, self.trouble = now, trouble
        return news
