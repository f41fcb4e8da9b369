"""Doing what reconcile decided: creates, deletes and reads, at the operator's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from scoring_operator.cluster import JOBS, PODS, RUNS, ApiError, Cluster
from scoring_operator.contract import Json
from scoring_operator.decision import Action, CreateJob, DeleteJob, DeleteRun, PinSensors, ReadPods, Trouble
from scoring_operator.jobs import job_manifest
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.records import job_record, pod_record
from scoring_operator.resource import Run, Spec
from scoring_operator.settings import Settings
from scoring_operator.view import View

log = logging.getLogger(__name__)

AT_ONCE = 20  # requests in flight for one run; more gains nothing from one API server and one core
CONTROLLER_UID_LABEL = "batch.kubernetes.io/controller-uid"


@dataclass(slots=True)
class Done:
    """How the actions went. `error` is temporary: they are decided anew after a while."""

    rejected: str = ""
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
            case CreateJob():
                await self._create(run, action, done)
            case DeleteJob(job):
                await self._bucket.take()
                await self._cluster.delete(JOBS, job.namespace, job.name, job.uid)
                self._view.put_job(replace(job, terminating=True))
            case ReadPods(job):
                query = {"labelSelector": f"{CONTROLLER_UID_LABEL}={job.uid}"}
                async for items, _ in self._cluster.pages(PODS, job.namespace, query):
                    for pod in filter(None, map(pod_record, items)):
                        self._view.put_pod(pod)
                self._view.mark_pods_read(job)
            case DeleteRun():
                log.info("run %s/%s: its time to live is over: deleting it", run.namespace, run.name)
                await self._cluster.delete(RUNS, run.namespace, run.name, run.uid)
            case PinSensors():
                raise AssertionError("PinSensors is done before a decision's other actions")

    async def _create(self, run: Run, action: CreateJob, done: Done) -> None:
        if not isinstance(run.spec, Spec):
            raise AssertionError("a run whose spec is not understood makes no Jobs")
        store, runtime = self._settings.stores[run.spec.store], self._settings.runtimes[run.spec.runtime]
        manifest = job_manifest(run, run.spec, store, runtime, action.chunk, action.incarnation)
        await self._bucket.take()
        try:
            made = await self._cluster.create(JOBS, run.namespace, manifest)
        except ApiError as error:
            if error.code == 409:
                made = await self._adopt(run, manifest["metadata"]["name"], error, done)
            elif error.permanent:
                done.rejected = f"{manifest['metadata']['name']}: {error.message}"
                return
            else:
                if error.code == 403:
                    quota = "exceeded quota" in error.message
                    done.trouble = Trouble("QuotaExceeded" if quota else "Forbidden", error.message)
                raise
        record = job_record(made)
        if record is not None:
            self._view.put_job(record)
        meta = made["metadata"]
        if not self._view.has_job(meta["uid"]) and "deletionTimestamp" not in meta:
            done.trouble = Trouble(
                "JobUnreadable",
                f"Job {meta['name']} is this run's, but its labels were changed; wanted them as made",
            )

    async def _adopt(self, run: Run, name: str, error: ApiError, done: Done) -> Json:
        """There is a Job of that name: ours from before, ours on its way out, or somebody else's."""
        found = await self._cluster.get(JOBS, run.namespace, name)
        if found is None:
            raise error  # it was just going away: again, after a while
        owners = found["metadata"].get("ownerReferences") or ()
        if not any(owner["uid"] == run.uid for owner in owners):
            done.trouble = Trouble(
                "NameTaken", f"Job {name} is there and not this run's; wanted none of that name"
            )
            raise error
        # Being deleted it still holds the name: it goes into the view as terminating, and its end wakes the
        # run.
        return found
