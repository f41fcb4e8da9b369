"""The pace of the operator's writes: one token bucket over all runs.

The Python client has no limit of its own, unlike Go's. Nobody waits here: who finds no token is told so and
comes again, so that whoever works for many runs has time for the others. Writes that a run's status waits
for, and the status itself, are `urgent`: they are done at once and taken off what others find, so creates
cannot starve them, and the pace holds over time.
"""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """`rate` tokens a second, at most one second's worth saved up."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = rate
        self._at = clock()

    def urgent(self) -> None:
        """Take a token, on credit if there is none."""
        self._refill()
        self._tokens -= 1.0

    def take(self) -> bool:
        """Take a token; False if there is none."""
        self._refill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
