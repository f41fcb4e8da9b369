"""Doing what reconcile decided: creates, deletes and reads, at the operator's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from scoring_operator.chunks import SensorSet
from scoring_operator.cluster import CONFIG_MAPS, EVENTS, JOBS, PODS, RUNS, ApiError, Cluster, Kind
from scoring_operator.contract import Json
from scoring_operator.decision import (
    Action,
    AskWhy,
    CreateJob,
    DeleteJob,
    DeleteRun,
    KeepPinned,
    PinSensors,
    Prepare,
    Publish,
    ReadPods,
    Trouble,
)
from scoring_operator.jobs import (
    Means,
    decisions_config_map,
    left_config_map,
    preparation,
    prepare_job,
    publish_job,
    scoring_job,
    sensors_config_map,
)
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.records import (
    JobRecord,
    is_recent,
    job_record,
    latest_message,
    mounting,
    pod_record,
    why_stuck,
    why_waiting,
)
from scoring_operator.resource import Run
from scoring_operator.settings import Settings
from scoring_operator.spec import Spec
from scoring_operator.view import View

log = logging.getLogger(__name__)

AT_ONCE = 10  # requests in flight for one run; one core gains nothing by more, and each takes 256 KiB
# A run never waits for the operator's pace: a worker that did could write no status. It comes again after
# this time at the earliest, within which the pace saves up what it lets through, so none of it is lost.
PACE_SECONDS = 0.5
CONTROLLER_UID_LABEL = "batch.kubernetes.io/controller-uid"


@dataclass(slots=True)
class Done:
    """How the actions went. `error` is temporary: they are decided anew after a while.

    `why` is the answer to `AskWhy`; `checked`: `KeepPinned` was done; `tried`: what the run needs was asked
    of the API, so that `trouble` is its word on it. `late`: some were not begun, for the sake of the
    operator's pace, and are to be decided anew soon.
    """

    rejected: str = ""
    why: str = ""
    trouble: Trouble | None = None
    error: ApiError | None = None
    checked: bool = False
    tried: bool = False
    late: bool = False


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

    def _paced(self, done: Done) -> bool:
        """Whether the operator's pace lets a write through now; when one is late, so are all after it.

        Reads need no leave of it: what they find is what the status waits for.
        """
        done.late = done.late or not self._bucket.take()
        return not done.late

    async def _do(self, run: Run, action: Action, done: Done) -> None:
        match action:
            case CreateJob(chunk, incarnation) if self._paced(done):
                spec, means = self._means(run)
                await self._create(run, scoring_job(run, spec, means, chunk, incarnation), done)
            case Prepare() if self._paced(done):
                await self._prepare(run, action, done)
                done.checked = True
            case Publish() if self._paced(done):
                await self._publish(run, action, done)
            case DeleteJob(job) if self._paced(done):
                await self._cluster.delete(JOBS, job.namespace, job.name, job.uid)
                self._view.put_job(replace(job, terminating=True))
            case DeleteRun() if self._paced(done):
                log.info("run %s/%s: its time to live is over: deleting it", run.namespace, run.name)
                await self._cluster.delete(RUNS, run.namespace, run.name, run.uid)
            case KeepPinned():
                done.checked = await self._keep_pinned(run, action, done)
            case ReadPods(job):
                for pod in filter(None, map(pod_record, await self._pods(job))):
                    self._view.put_pod(pod)
                self._view.mark_pods_read(job)
            case AskWhy(job):
                done.why = why_waiting(await self._pods(job)) or await self._why_no_pod(job)
            case PinSensors():
                raise AssertionError("PinSensors is done before a decision's other actions")

    async def _pods(self, job: JobRecord) -> list[Json]:
        """All pods of a Job, as they are now."""
        query = {"labelSelector": f"{CONTROLLER_UID_LABEL}={job.uid}"}
        return [pod async for items, _ in self._cluster.pages(PODS, job.namespace, query) for pod in items]

    async def hindrance(self, job: JobRecord, now: datetime) -> Trouble | None:
        """What somebody has to mend before a Job's pods can start, in Kubernetes' words; None if nothing.

        Raises `ApiError`: then it is not known.
        """
        pods = await self._pods(job)
        if words := why_stuck(pods):
            return Trouble("PodsNotStarting", words)
        for pod in filter(mounting, pods):
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            events = await self._events(job.namespace, uid, "FailedMount")
            if said := latest_message(event for event in events if is_recent(event, now)):
                return Trouble("PodsNotStarting", f"pod {name}: {said}")
        if not pods and (said := latest_message(await self._events(job.namespace, job.uid, "FailedCreate"))):
            return Trouble("PodsNotCreated", f"Kubernetes has made no pod for Job {job.name}: {said}")
        return None

    async def _events(self, namespace: str, uid: str, reason: str) -> list[Json]:
        """An object's Events of that reason."""
        query = {"fieldSelector": f"involvedObject.uid={uid},reason={reason}"}
        pages = self._cluster.pages(EVENTS, namespace, query)
        return [event async for events, _ in pages for event in events]

    async def _why_no_pod(self, job: JobRecord) -> str:
        """A quota, a LimitRange or a policy may refuse pods: the Job controller says so in Events."""
        nothing = f"Kubernetes has made no pod for Job {job.name}"
        try:
            said = latest_message(await self._events(job.namespace, job.uid, "FailedCreate"))
        except ApiError as error:  # the run has waited long enough; it ends without that word
            log.warning("Events of Job %s/%s: %s", job.namespace, job.name, error)
            return nothing
        return f"{nothing}: {said}" if said else nothing

    def _means(self, run: Run) -> tuple[Spec, Means]:
        if not isinstance(run.spec, Spec):
            raise AssertionError("a run whose spec is not understood makes no Jobs")
        settings = self._settings
        # A run holds to the image that it began with, whatever the administrator has listed since.
        runtime = settings.runtimes[run.spec.runtime]
        if run.status.image not in ("", runtime.image):
            runtime = replace(runtime, image=run.status.image)
        # One that was taken away since the run began is left out, and missed in what its pod says.
        known = (settings.sinks[name] for name in run.spec.sinks if name in settings.sinks)
        sinks = tuple(sink for sink in known if sink.offered_to(run.namespace))
        return run.spec, Means(settings.stores[run.spec.store], runtime, settings.stages, sinks)

    async def _prepare(self, run: Run, action: Prepare, done: Done) -> None:
        spec, means = self._means(run)
        wanted = preparation(spec, action.sensors, action.until)
        job = prepare_job(run, spec, means, wanted, action.incarnation)
        if wanted.left is None:
            await self._create(run, job, done)
        elif await self._pinned(run, left_config_map(run, wanted.left), done):
            self._bucket.urgent()
            await self._create(run, job, done)

    async def _publish(self, run: Run, action: Publish, done: Done) -> None:
        spec, means = self._means(run)
        job = publish_job(run, spec, means, action.chunks.sensors, action.incarnation)
        if await self._pinned(run, decisions_config_map(run, action.decisions), done):
            self._bucket.urgent()
            await self._create(run, job, done)

    async def _pinned(self, run: Run, config_map: Json, done: Done) -> bool:
        """Pin what a Job is to read, before the Job: it may be there from before. False if it never will.

        The Job then follows at once: one that came again for it would first find out that this is there, and
        of many runs that is all that the pace let any of them do.
        """
        name = config_map["metadata"]["name"]
        done.tried = True
        try:
            await self._cluster.create(CONFIG_MAPS, run.namespace, config_map)
        except ApiError as error:
            if error.permanent:
                done.rejected = f"ConfigMap {name}: {error.message}"
                return False
            if error.code != 409:
                done.trouble = _trouble(error)
                raise
            await self._ours(run, CONFIG_MAPS, name, error, done)
        return True

    async def _keep_pinned(self, run: Run, action: KeepPinned, done: Done) -> bool:
        """Make again what somebody has deleted; False if that is late.

        What has its name by now is said when it is read.
        """
        sensors = action.chunks.sensors
        wanted = [sensors_config_map(run, sensors)] if isinstance(sensors, SensorSet) else []
        if action.decisions is not None:
            wanted.append(decisions_config_map(run, action.decisions))
        for manifest in wanted:
            name = manifest["metadata"]["name"]
            if await self._cluster.get(CONFIG_MAPS, run.namespace, name) is None:
                if not self._paced(done):
                    return False
                log.warning("run %s/%s: ConfigMap %s is gone: making it again", *run.key, name)
                await self._cluster.create(CONFIG_MAPS, run.namespace, manifest)
        return True

    async def _create(self, run: Run, manifest: Json, done: Done) -> None:
        name = manifest["metadata"]["name"]
        done.tried = True
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
