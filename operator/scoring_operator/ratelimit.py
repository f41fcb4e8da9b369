"""The pace of the operator's writes: one token bucket over all runs.

The Python client has no limit of its own, unlike Go's. Status writes are `urgent`: they are taken from the
same bucket but never wait, so that creates cannot starve them; they make the next creates wait a little
longer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable


class TokenBucket:
    """`rate` tokens a second, at most one second's worth saved up."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._tokens = rate
        self._at = clock()

    def urgent(self) -> None:
        """Take a token now, on credit if there is none."""
        self._refill()
        self._tokens -= 1.0

    async def take(self, within: float = math.inf) -> bool:
        """Take a token, waiting for its turn; False, at once, if that were more than `within` seconds."""
        self._refill()
        if 1.0 - self._tokens > within * self._rate:
            return False
        self._tokens -= 1.0
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)
        return True

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
