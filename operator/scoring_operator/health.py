"""Whether the operator sees what happens: what /healthz and /readyz answer.

A watch can be silent for ever with its connection open, and a probe that only proves that the process answers
does not notice. So each stream's last sign of life counts; and for kopf's stream, which tells nobody of its
bookmarks, the echo of our own status writes: what we have written must come back as an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container

from scoring_operator.resource import Key

BEAT_SECONDS = 1.0


class Echo:
    """Status writes that kopf's stream has not shown us yet."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[Key, tuple[int, float]] = {}
        self._heard: dict[Key, int] = {}  # latest version shown: before the write's answer, perhaps

    def wrote(self, key: Key, version: int) -> None:
        """We wrote the run; it must come back at `version` or later."""
        if self._heard.get(key, 0) >= version:
            return
        since = self._waiting[key][1] if key in self._waiting else self._clock()
        self._waiting[key] = (version, since)

    def heard(self, key: Key, version: int) -> None:
        """kopf showed us the run."""
        self._heard[key] = max(version, self._heard.get(key, 0))
        if key not in self._waiting:
            return
        wanted, _ = self._waiting[key]
        if wanted <= version:
            del self._waiting[key]
        else:
            self._waiting[key] = (wanted, self._clock())  # late, but alive

    def gone(self, key: Key) -> None:
        """The run is deleted: nothing comes back any more."""
        self._waiting.pop(key, None)
        self._heard.pop(key, None)

    def keep(self, keys: Container[Key]) -> None:
        """Forget all other runs: they are gone, and their deletion may not have been shown."""
        for key in [*self._waiting, *self._heard]:
            if key not in keys:
                self.gone(key)

    def age(self) -> float:
        """Seconds that the oldest write has waited for its echo."""
        now = self._clock()
        return max((now - since for _, since in self._waiting.values()), default=0.0)


class Health:
    """Ages of all sources, against a limit."""

    def __init__(self, clock: Callable[[], float], stale_seconds: float) -> None:
        self._clock = clock
        self._stale = stale_seconds
        self._sources: dict[str, Callable[[], float]] = {}
        self._beat = clock()
        self.ready = False  # set when the first full lists are in
        self.waits_for: Callable[[], str] = str  # what keeps it from listing; empty: nothing
        self.watch("loop", lambda: max(0.0, self._clock() - self._beat - BEAT_SECONDS))

    def watch(self, name: str, age: Callable[[], float]) -> None:
        """Count `name` in, whose age in seconds is told by `age`."""
        self._sources[name] = age

    def ages(self) -> dict[str, float]:
        """Seconds since each source's last sign of life."""
        return {name: age() for name, age in self._sources.items()}

    def sick(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        stale = [f"{name}: {age:.0f} s" for name, age in sorted(self.ages().items()) if age > self._stale]
        return f"no sign of life for more than {self._stale:.0f} s from {', '.join(stale)}" if stale else ""

    def unready(self) -> str:
        """Why it is not ready, in words; empty when it is."""
        if self.ready:
            return ""
        return self.waits_for() or "the first full lists of runs, Jobs and pods are not in yet"

    async def beat(self) -> None:
        """The event loop's own sign of life, for ever."""
        while True:
            self._beat = self._clock()
            await asyncio.sleep(BEAT_SECONDS)
