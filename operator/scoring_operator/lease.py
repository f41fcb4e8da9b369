"""One operator acts at a time: a Lease of coordination.k8s.io, kept as client-go's leader election does it.

A second operator, started by accident (a second release, a Deployment scaled up), stands by until the holder
has let go, or has not renewed for the Lease's duration by our own clock: others' clocks are not believed.
A holder that cannot renew stops acting before anybody else may begin, and goes on when it can again; one
that finds somebody else in its place ends, because what it remembers may be old.

The Lease saves double work and keeps turns in order. No result hangs on it: a call that was on its way when
it lapsed is caught by resourceVersions, names that follow from the work, and preconditions on UIDs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from scoring_operator.cluster import LEASES, ApiError, Cluster
from scoring_operator.contract import Json
from scoring_operator.settings import LeaseSettings

log = logging.getLogger(__name__)

RENEWALS = 3  # tries within the duration
RELEASE_SECONDS = 1.0  # for letting go of it at the end
ACTS_FOR = 2 / 3  # of the duration after a renewal: the rest is for what is on its way, and for clocks' drift


class LeaseLost(RuntimeError):  # noqa: N818 - what happened, not what is wrong
    """Somebody else holds the Lease that was ours."""


class Lease:
    """The right to act. `now` is the time that others read, `clock` the monotonic one that we go by."""

    def __init__(
        self,
        cluster: Cluster,
        settings: LeaseSettings,
        identity: str,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._identity = identity
        self._now = now
        self._clock = clock
        self._got = asyncio.Event()
        self._ours: Json | None = None  # as we wrote it last
        self._renewed: float | None = None  # when that was begun
        self._transitions = 0  # how often it had changed hands when we wrote it last
        self._other = ("", 0.0)  # the version in which we saw it held by somebody else, and since when
        self.why = ""  # we do not act, in words

    @property
    def held(self) -> bool:
        """Whether we may act now."""
        if not self._settings.namespace:
            return True
        return self._renewed is not None and self.age() < self._settings.duration_seconds * ACTS_FOR

    def age(self) -> float:
        """Seconds since it was last renewed; 0 if it never was ours, or there is none."""
        return 0.0 if self._renewed is None else self._clock() - self._renewed

    async def wait(self) -> None:
        """Until we may act."""
        while not self.held:
            self._got.clear()
            await self._got.wait()

    async def keep(self) -> None:
        """Get it and renew it, for ever. Raises `LeaseLost`."""
        if not self._settings.namespace:
            await asyncio.Event().wait()
        pause = self._settings.duration_seconds / RENEWALS
        while True:
            begun = self._clock()
            try:
                async with asyncio.timeout(pause):
                    await self._renew()
            except ApiError as error:
                if self._ours is not None and error.code in (404, 409):
                    # changed or deleted by somebody: look at it anew, at once
                    self._ours = None
                    continue
                self._say(f"{self._place} cannot be renewed: {error}")
            except TimeoutError:
                self._ours = None  # written or not: look
                self._say(f"{self._place} cannot be renewed: no answer within {pause:.1f} s")
            if self.held:
                self._got.set()
            # A try that got no answer has taken the pause: one more would be all that we may act without.
            await asyncio.sleep(max(0.0, pause - (self._clock() - begun)))

    async def release(self) -> None:
        """Let go, so that whoever comes next need not wait. Not being able to costs no more than that."""
        if self._ours is None or not self.held:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(self._ours, holder="")
        except (ApiError, TimeoutError) as error:
            log.warning("%s is not released: %s", self._place, error)
        self._renewed = None

    @property
    def _place(self) -> str:
        return f"Lease {self._settings.namespace}/{self._settings.name}"

    def _say(self, why: str) -> None:
        if why != self.why:
            log.warning("%s", why)
        self.why = why

    async def _renew(self) -> None:
        begun = self._clock()
        found = self._ours or await self._cluster.get(LEASES, self._settings.namespace, self._settings.name)
        if found is not None and self._others(found, begun):
            return
        self._ours = await self._write(found, holder=self._identity)
        self._transitions = _transitions(self._ours["spec"])
        if self._renewed is None:
            log.info("%s is ours, %s", self._place, self._identity)
        self._renewed, self.why = begun, ""

    def _others(self, found: Json, now: float) -> bool:
        """Whether it is held by somebody else, who may still act.

        Raises `LeaseLost` if it was ours and has been somebody else's since, who may have let go again.
        """
        spec = found.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if not holder and self._renewed is not None and _transitions(spec) != self._transitions:
            raise LeaseLost(f"{self._place} was somebody else's meanwhile, who has let go of it")
        if holder in ("", self._identity):
            return False
        if self._renewed is not None:
            raise LeaseLost(f"{self._place} is held by {holder} now")
        version = str(found["metadata"]["resourceVersion"])
        if self._other[0] != version:
            self._other = (version, now)
        self._say(f"standing by: {self._place} is held by {holder}")
        duration = spec.get("leaseDurationSeconds")
        patience = duration if isinstance(duration, int) and duration > 0 else self._settings.duration_seconds
        return now - self._other[1] < patience

    async def _write(self, found: Json | None, holder: str) -> Json:
        """It as we hold it, or let go of it; raises `ApiError` 409 if somebody else was quicker."""
        before = (found or {}).get("spec") or {}
        moment = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        taken = bool(holder) and before.get("holderIdentity") != holder
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": self._settings.duration_seconds,
            "acquireTime": moment if taken else before.get("acquireTime") or moment,
            "renewTime": moment,
            "leaseTransitions": _transitions(before) + (taken and found is not None),
        }
        name, namespace = self._settings.name, self._settings.namespace
        if found is None:
            body = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
            return await self._cluster.create(LEASES, namespace, body)
        return await self._cluster.replace(LEASES, namespace, name, found | {"spec": spec})


def _transitions(spec: Json) -> int:
    return int(spec.get("leaseTransitions") or 0)
