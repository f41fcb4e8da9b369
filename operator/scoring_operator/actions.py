"""Doing what reconcile decided: creates, deletes and reads, at the operator's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from scoring_operator.cluster import CONFIG_MAPS, JOBS, PODS, RUNS, ApiError, Cluster, Kind
from scoring_operator.contract import Json
from scoring_operator.decision import (
    Action,
    AskWhy,
    CreateJob,
    DeleteJob,
    DeleteRun,
    PinSensors,
    Publish,
    ReadPods,
    Trouble,
)
from scoring_operator.jobs import Means, decisions_config_map, publish_job, scoring_job
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.records import JobRecord, job_record, pod_record, why_waiting
from scoring_operator.resource import Run
from scoring_operator.settings import Settings
from scoring_operator.spec import Spec
from scoring_operator.view import View

log = logging.getLogger(__name__)

AT_ONCE = 20  # requests in flight for one run; more gains nothing from one API server and one core
CONTROLLER_UID_LABEL = "batch.kubernetes.io/controller-uid"


@dataclass(slots=True)
class Done:
    """How the actions went. `error` is temporary: they are decided anew after a while.

    `why` is the answer to `AskWhy`.
    """

    rejected: str = ""
    why: str = ""
    trouble: Trouble | None = None
    error: ApiError | None = None


class Actor:
    """Carries actions out; what it makes is in the view at once, before its event comes."""

    def __init__(self, cluster: Cluster, view: View, bucket: TokenBucket, settings: Settings) -> None:
        self._cluster = cluster
        self._view = view
        self._bucket = bucket
        self._settings = settings

    async def act(self, run: Run, actions: Iterable[Action]) -> Done:
        """Do all of `actions`, a few at once; the first temporary error stops those not begun yet."""
        done = Done()
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(action: Action) -> None:
            async with slots:
                if done.error is not None or done.rejected:
                    return
                try:
                    await self._do(run, action, done)
                except ApiError as error:
                    done.error = done.error or error

        await asyncio.gather(*(one(action) for action in actions))
        return done

    async def _do(self, run: Run, action: Action, done: Done) -> None:
        match action:
            case CreateJob(chunk, incarnation):
                spec, means = self._means(run)
                await self._create(run, scoring_job(run, spec, means, chunk, incarnation), done)
            case Publish():
                await self._publish(run, action, done)
            case DeleteJob(job):
                await self._bucket.take()
                await self._cluster.delete(JOBS, job.namespace, job.name, job.uid)
                self._view.put_job(replace(job, terminating=True))
            case ReadPods(job):
                for pod in filter(None, map(pod_record, await self._pods(job))):
                    self._view.put_pod(pod)
                self._view.mark_pods_read(job)
            case AskWhy(job):
                nothing = f"Kubernetes has made no pod for Job {job.name}"
                done.why = why_waiting(await self._pods(job)) or nothing
            case DeleteRun():
                log.info("run %s/%s: its time to live is over: deleting it", run.namespace, run.name)
                await self._cluster.delete(RUNS, run.namespace, run.name, run.uid)
            case PinSensors():
                raise AssertionError("PinSensors is done before a decision's other actions")

    async def _pods(self, job: JobRecord) -> list[Json]:
        """All pods of a Job, as they are now."""
        query = {"labelSelector": f"{CONTROLLER_UID_LABEL}={job.uid}"}
        return [pod async for items, _ in self._cluster.pages(PODS, job.namespace, query) for pod in items]

    def _means(self, run: Run) -> tuple[Spec, Means]:
        if not isinstance(run.spec, Spec):
            raise AssertionError("a run whose spec is not understood makes no Jobs")
        settings = self._settings
        return run.spec, Means(
            settings.stores[run.spec.store], settings.runtimes[run.spec.runtime], settings.stages
        )

    async def _publish(self, run: Run, action: Publish, done: Done) -> None:
        """First what was decided, then the Job that reads it; either may be there from before."""
        spec, means = self._means(run)
        decisions = decisions_config_map(run, action.decisions)
        await self._bucket.take()
        try:
            await self._cluster.create(CONFIG_MAPS, run.namespace, decisions)
        except ApiError as error:
            if error.permanent:
                done.rejected = f"ConfigMap {decisions['metadata']['name']}: {error.message}"
                return
            if error.code != 409:
                done.trouble = _trouble(error)
                raise
            await self._ours(run, CONFIG_MAPS, decisions["metadata"]["name"], error, done)
        await self._create(
            run, publish_job(run, spec, means, action.chunks.sensors, action.incarnation), done
        )

    async def _create(self, run: Run, manifest: Json, done: Done) -> None:
        name = manifest["metadata"]["name"]
        await self._bucket.take()
        try:
            made = await self._cluster.create(JOBS, run.namespace, manifest)
        except ApiError as error:
            if error.permanent:
                done.rejected = f"{name}: {error.message}"
                return
            if error.code != 409:
                done.trouble = _trouble(error)
                raise
            made = await self._ours(run, JOBS, name, error, done)
        record = job_record(made)
        if record is not None:
            self._view.put_job(record)
        meta = made["metadata"]
        if not self._view.has_job(meta["uid"]) and "deletionTimestamp" not in meta:
            done.trouble = Trouble(
                "JobUnreadable",
                f"Job {meta['name']} is this run's, but its labels were changed; wanted them as made",
            )

    async def _ours(self, run: Run, kind: Kind, name: str, error: ApiError, done: Done) -> Json:
        """There is an object of that name: ours from before, ours on its way out, or somebody else's."""
        found = await self._cluster.get(kind, run.namespace, name)
        if found is None:
            raise error  # it was just going away: again, after a while
        owners = found["metadata"].get("ownerReferences") or ()
        if not any(owner["uid"] == run.uid for owner in owners):
            what = "Job" if kind == JOBS else "ConfigMap"
            done.trouble = Trouble(
                "NameTaken", f"{what} {name} is there and not this run's; wanted none of that name"
            )
            raise error
        # A Job that is being deleted still holds the name: it goes into the view as terminating, and its end
        # wakes the run.
        return found


def _trouble(error: ApiError) -> Trouble | None:
    """What people should see of an error that may pass."""
    if error.code != 403:
        return None
    return Trouble("QuotaExceeded" if "exceeded quota" in error.message else "Forbidden", error.message)
