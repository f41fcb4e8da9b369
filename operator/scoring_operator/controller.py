"""The loop around reconcile: observe, decide, write the status, act.

Per run there is at most one reconcile at a time. Its order is fixed: first the status is written (with a
resourceVersion precondition, so that counts cannot be made from an old state), then metrics and Events tell
what is now recorded, then the actions are done. Being killed between any two of these costs nothing but a
repetition: names of Jobs are deterministic and outcomes are counted only together with the chunk they belong
to.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from scoring_operator import queue
from scoring_operator.actions import PACE_SECONDS, Actor, Done
from scoring_operator.cluster import EVENTS, RUNS, ApiError, Cluster
from scoring_operator.contract import Json, clean
from scoring_operator.decision import (
    CreateJob,
    Decision,
    Missing,
    Observed,
    PinSensors,
    Prepare,
    Publish,
    Sensors,
    Trouble,
)
from scoring_operator.events import event_manifest, events_between
from scoring_operator.health import Echo
from scoring_operator.metrics import Metrics
from scoring_operator.phases import earliest
from scoring_operator.pinning import pin
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Key, ResourceError, Run, parse_run
from scoring_operator.settings import Settings
from scoring_operator.spec import Spec
from scoring_operator.standstill import Standstill
from scoring_operator.status import Status
from scoring_operator.status_json import to_api
from scoring_operator.turns import peers_of
from scoring_operator.view import View

log = logging.getLogger(__name__)

WORKERS = 16  # runs reconciled at once: hides the API's answer times, the work itself is one core's
MUCH_TO_TELL = 20  # outcomes: a status write for each twenty Jobs is a twentieth of a write a Job
CREATES_AT_A_TIME = 100  # of one run, before another run's turn


@dataclass(slots=True)
class _Memory:
    """What is remembered of a run between reconciles; all of it can be lost."""

    sensors: Sensors | None = None
    rejected: str = ""
    trouble: Trouble | None = None
    why: str = ""  # no pod starts
    standstill: Standstill = field(default_factory=Standstill)
    checked: float = float("-inf")  # what is pinned was looked for, by the monotonic clock
    written: float = float("-inf")  # when its status was, by the monotonic clock
    failures: int = 0  # of actions, in a row
    paused_until: float = float("-inf")  # no Jobs are made before, by the monotonic clock


async def _always() -> None:
    """There is nobody else."""


class Controller:
    """Keeps runs going."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        metrics: Metrics,
        echo: Echo,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        may_act: Callable[[], Awaitable[None]] = _always,
    ) -> None:
        self._debounce = settings.timing.debounce_milliseconds / 1000
        self.queue: queue.WorkQueue[Key] = queue.WorkQueue(clock, self._debounce)
        self.view = View(self._wake)
        self._cluster = cluster
        self._settings = settings
        self._metrics = metrics
        self._echo = echo
        self._now = now
        self._clock = clock
        self._may_act = may_act  # waits until the operator is the one that acts
        self._bucket = TokenBucket(settings.limits.writes_per_second, clock)
        self._actor = Actor(cluster, self.view, self._bucket, settings)
        self._memories: dict[str, _Memory] = {}
        self._reserved: Counter[str] = Counter()  # Jobs being made and not in the view yet, by namespace
        self._late: set[Key] = set()  # runs that could not do all they wanted at the operator's pace
        # Runs that begin, by UID, from when that is decided until the written status says so: no other of
        # their group may be let begin in between.
        self._beginning: set[str] = set()

    # Feeding

    def _wake(self, key: Key) -> None:
        """Look at a run, at a new one a moment later: of those that are applied together none goes before."""
        run = self.view.run(key)
        self.queue.add(key, None if run is not None and run.uid in self._memories else self._debounce)

    def run_event(self, kind: str | None, body: Json) -> None:
        """Take in what kopf saw."""
        run = self._parsed(body)
        if run is None:
            return
        if kind == "DELETED":
            self._echo.gone(run.key)
            self.view.drop_run(run.key, run.uid)
        else:
            self._echo.heard(run.key, _number(run.resource_version))
            self.view.put_run(run)

    async def resync(self) -> None:
        """List all runs, and look at each that has not ended: what any stream has missed comes right here."""
        for namespace in self._settings.namespaces or (None,):
            runs: list[Run] = []
            version = 0
            async for items, listed in self._cluster.pages(RUNS, namespace, {}):
                version = listed
                runs.extend(run for item in items if (run := self._parsed(item)) is not None)
            self.view.replace_runs(namespace, runs, version)
        self._echo.keep({run.key for run in self.view.runs()})
        for run in self.view.runs():
            if not run.status.ended:
                self.queue.add(run.key)

    def _parsed(self, body: Json) -> Run | None:
        try:
            run = parse_run(body)
        except ResourceError as error:
            name = (body.get("metadata") or {}).get("name")
            log.error("ScoringRun %s cannot be read and is passed over: %s", name, error)
            return None
        self._metrics.meet(run.namespace)
        return run

    # Working

    async def work(self) -> None:
        """Reconcile what is due, for ever. An error of one run never harms another."""
        while True:
            key = await self.queue.take()
            await self._may_act()
            with self._metrics.reconcile_duration.time():
                try:
                    await self._reconcile(key)
                    self.queue.done(key)
                except ApiError as error:
                    self._metrics.reconcile_errors.labels("api").inc()
                    wait = self.queue.failed(key, error.retry_after)
                    log.warning("run %s/%s: %s; again in %.0f s", *key, error, wait)
                except Exception:  # a defect in one run's way must not stop all others'
                    self._metrics.reconcile_errors.labels("defect").inc()
                    wait = self.queue.failed(key)
                    log.exception("run %s/%s: defect of the operator; again in %.0f s", *key, wait)

    async def _reconcile(self, key: Key) -> None:
        run = self.view.run(key)
        if run is None:
            self._forget_the_gone()
            return
        memory = self._memories.setdefault(run.uid, _Memory())
        decision = self._decide(run, memory)
        if PinSensors() in decision.actions and isinstance(run.spec, Spec):
            memory.sensors = await pin(self._cluster, self._bucket, run, run.spec)
            decision = self._decide(run, memory)
            if isinstance(memory.sensors, Missing):
                memory.sensors = None  # look again next time
        creates = sum(isinstance(action, CreateJob | Prepare | Publish) for action in decision.actions)
        # At once: another run is decided while this one's status is on its way.
        self._reserved[run.namespace] += creates
        begins = decision.status.begun and not run.status.begun
        (self._beginning.add if begins else self._beginning.discard)(run.uid)
        try:
            await self._carry_out(run, memory, decision)
        finally:
            self._reserved[run.namespace] -= creates

    async def _carry_out(self, run: Run, memory: _Memory, decision: Decision) -> None:
        wait = None  # until the status is to be written
        if decision.status != run.status:
            wait = self._patience(run, memory, decision)
            if wait <= 0 and not await self._write(run, memory, decision):
                return
        after = earliest(decision.after, wait if wait is None or wait > 0 else None)
        done = await self._actor.act(replace(run, status=decision.status), decision.actions)
        self._remember(run, memory, done)
        if done.checked:
            memory.checked = self._clock()
        if done.error is not None:
            pause = self._pause(memory, done.error)
            log.warning("run %s/%s: %s; again in %.0f s", run.namespace, run.name, done.error, pause)
            after = earliest(after, pause)
        elif done.tried:
            memory.failures = 0
        (self._late.add if done.late else self._late.discard)(run.key)
        if done.late:
            # Not at once: each of those that are late gets a write before any of them gets a second.
            turn = max(PACE_SECONDS, len(self._late) / self._settings.limits.writes_per_second)
            after = earliest(turn, after or None)
        after = earliest(after, await self._look(run, memory))
        if after is not None:
            self.queue.add(run.key, after)
        if run.status.ended:
            self._memories.pop(run.uid, None)

    async def _look(self, run: Run, memory: _Memory) -> float | None:
        """Look why no pod starts, if that is due; seconds until the next time."""
        still = memory.standstill
        if still.job is not None and still.wait(self._clock()) == 0.0:
            try:
                trouble = await self._actor.hindrance(still.job, self._now())
            except ApiError as error:  # a courtesy: looked for again in a while, and as it was until then
                log.warning("run %s/%s: why no pod starts: %s", run.namespace, run.name, error)
                trouble = still.trouble
            if still.found(trouble, self._clock()):
                self.queue.add(run.key)
        return still.wait(self._clock())

    def _decide(self, run: Run, memory: _Memory) -> Decision:
        jobs = self.view.jobs_of(run)
        memory.standstill.see([seen.job for seen in jobs.values()], self._clock())
        observed = Observed(
            sensors=memory.sensors,
            jobs=jobs,
            peers=peers_of(run, self.view.group_of(run, self._beginning), self._beginning),
            allowance=0 if self._clock() < memory.paused_until else self._room(run.namespace),
            rejected=memory.rejected,
            trouble=memory.trouble or memory.standstill.trouble,
            why=memory.why,
            unchecked=self._clock() - memory.checked >= self._settings.timing.resync_seconds,
        )
        return reconcile(run, observed, self._settings, self._now())

    def _room(self, namespace: str) -> int:
        """How many Jobs may be made for a run there now."""
        limits, view = self._settings.limits, self.view
        everywhere = limits.unfinished_jobs - view.unfinished_count - self._reserved.total()
        there = view.unfinished_in(namespace) + self._reserved[namespace]
        return max(0, min(everywhere, limits.unfinished_jobs_per_namespace - there, CREATES_AT_A_TIME))

    def _patience(self, run: Run, memory: _Memory, decision: Decision) -> float:
        """Seconds until the status should be written; none for what people or later steps wait for.

        Sooner when there is much to tell: then a write is little beside the writes that the Jobs were.
        """
        wanted = decision.status
        if _steps(run.status) != _steps(wanted):
            return 0.0
        pause = self._settings.timing.status_seconds * (1 if len(decision.recorded) >= MUCH_TO_TELL else 3)
        return memory.written + pause - self._clock()

    async def _write(self, run: Run, memory: _Memory, decision: Decision) -> bool:
        """Write the status and tell what it records; False if the run was not what it was taken for."""
        self._bucket.urgent()
        try:
            body = await self._cluster.write_status(run.key, run.resource_version, to_api(decision.status))
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            await self._refresh(run)
            return False
        self._beginning.discard(run.uid)
        memory.written = self._clock()
        if decision.status.stage != run.status.stage:
            memory.rejected = ""  # that was of the stage before
        written = self._parsed(body)
        if written is not None:
            self._echo.wrote(run.key, _number(written.resource_version))
            self.view.put_run(written)
        for note in decision.notes:
            log.warning("run %s/%s: %s", run.namespace, run.name, note)
        self._metrics.recorded(run.namespace, decision.recorded, self._now())
        self._metrics.spent(run.namespace, run.status.cost, decision.status.cost)
        for stage, outcome in (("prepare", decision.prepared), ("publish", decision.published)):
            if outcome is not None and outcome.message is not None:
                self._metrics.staged(run.namespace, stage, outcome.message.total_ms)
        if decision.published is not None and decision.published.message is not None:
            self._metrics.guarded(run.namespace, decision.published.message.guard)
            self._metrics.sent(run.namespace, decision.published.message.sinks)
        if decision.status.ended and not run.status.ended:
            self._metrics.ended(run, decision.status)
        await self._post_events(run, decision.status)
        return True

    async def _refresh(self, run: Run) -> None:
        """Read a run anew that somebody else has changed or deleted."""
        body = await self._cluster.get(RUNS, run.namespace, run.name)
        fresh = self._parsed(body) if body is not None else None
        if fresh is None or fresh.uid != run.uid:
            self._echo.gone(run.key)
            self.view.drop_run(run.key, run.uid)
        if fresh is not None:
            self.view.put_run(fresh)
            self.queue.add(run.key, 0.0)

    async def _post_events(self, run: Run, status: Status) -> None:
        """Events are a courtesy: one that cannot be posted is logged and not missed."""
        for event in events_between(run.status, status):
            log.info("run %s/%s: %s: %s", run.namespace, run.name, event.reason, event.message)
            self._bucket.urgent()
            try:
                await self._cluster.create(EVENTS, run.namespace, event_manifest(run, event, self._now()))
            except ApiError as error:
                log.warning("run %s/%s: Event %s: %s", run.namespace, run.name, event.reason, error)

    def _remember(self, run: Run, memory: _Memory, done: Done) -> None:
        before = (memory.rejected, memory.trouble, memory.why)
        memory.rejected = clean(done.rejected, 800) or memory.rejected
        memory.why = done.why
        if done.tried:
            memory.trouble = done.trouble
        if (memory.rejected, memory.trouble, memory.why) != before:
            self.queue.add(run.key)

    def _pause(self, memory: _Memory, error: ApiError) -> float:
        """Make no Jobs for a growing time; outcomes are recorded all the same, not held up by a quota."""
        wait = max(error.retry_after, queue.backoff(memory.failures))
        memory.failures = min(memory.failures + 1, 16)
        memory.paused_until = self._clock() + wait
        self._metrics.reconcile_errors.labels("api").inc()
        return wait

    def _forget_the_gone(self) -> None:
        alive = {run.uid for run in self.view.runs()}
        for uid in self._memories.keys() - alive:
            del self._memories[uid]
        self._beginning &= alive
        self._late &= {run.key for run in self.view.runs()}


def _steps(status: Status) -> tuple[object, ...]:
    """What has to stand in the written status before anything that follows from it is done."""
    again = status.incarnations, status.prepare_incarnation, status.publish_incarnation
    return status.phase, status.stage, status.pinned, status.stopping, *again


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
