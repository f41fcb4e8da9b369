"""The operator's picture of the cluster, in memory: runs, their Jobs, and pods that have ended.

It is fed by streams and may be late, never wrong for ever: each record carries its resourceVersion, an older
one does not replace a newer one, and a full list takes away what is not in it any more. What a run's status
has recorded is dropped, so that memory follows the work that is open and not the Jobs that exist.

A Job that is deleted before its outcome is recorded (a status may be long in being written, a Job has a time
to live) stays if its pods' ends were seen: they are the only copy of what it did, and nothing has to be done
twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from scoring_operator.decision import Observation
from scoring_operator.groups import Groups
from scoring_operator.records import PREPARES, JobRecord, PodRecord
from scoring_operator.resource import Key, Run
from scoring_operator.status import PREPARE

Place = tuple[str, str]  # namespace and name of a Job or pod
GRAVES = 10_000  # deleted Jobs that are remembered: more than can be deleted while one answer is on its way


class View:
    """Runs, Jobs and pods; `changed` is told the key of a run that may need something done."""

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._runs: dict[Key, Run] = {}
        self._keys: dict[str, Key] = {}  # by the run's UID
        self._groups = Groups()
        self._jobs: dict[Place, JobRecord] = {}
        self._jobs_of: dict[str, set[Place]] = {}  # by the run's UID
        self._job_places: dict[str, Place] = {}  # by the Job's UID
        self._pods: dict[Place, PodRecord] = {}
        self._pods_of: dict[str, set[Place]] = {}  # by the Job's UID
        self._pods_read: set[str] = set()  # UIDs of Jobs
        self._deleted: set[Place] = set()  # Jobs that are kept for their outcome
        self._unfinished: set[Place] = set()
        self._unfinished_in: Counter[str] = Counter()  # by namespace
        self._gone: dict[str, None] = {}  # UIDs of Jobs that were deleted, the latest ones, in order

    # Runs

    def run(self, key: Key) -> Run | None:
        """The run, if it is there."""
        return self._runs.get(key)

    def runs(self) -> Iterator[Run]:
        """All runs."""
        return iter(list(self._runs.values()))

    def put_run(self, run: Run) -> None:
        """Take in a run; an older state than the one that is known is passed over."""
        old = self._runs.get(run.key)
        if old is not None and _newer(old, run):
            return  # also of another UID: versions are of one order, and the name is the newer one's
        if old is not None and old.uid != run.uid:
            self.drop_run(old.key, old.uid)
            old = None
        self._runs[run.key] = run
        self._keys[run.uid] = run.key
        self._groups.put(run)
        self._drop_recorded(run)
        if old is None or old.resource_version != run.resource_version:
            self._changed(run.key)
        self._tell_group(old, run)

    def drop_run(self, key: Key, uid: str) -> None:
        """Forget a run that is deleted; its Jobs go when their own deletion is seen, or was seen before."""
        run = self._runs.get(key)
        if run is not None and run.uid == uid:
            del self._runs[key]
            self._keys.pop(uid, None)
            self._groups.drop(run)
            for place in self._jobs_of.get(uid, set()) & self._deleted:
                self._forget_job(place)
            self._changed(key)
            self._tell_group(run, None)

    def replace_runs(self, namespace: str | None, runs: Iterable[Run], version: int) -> None:
        """Take in a full list: what is older than the list and not in it is gone."""
        listed = set()
        for run in runs:
            listed.add(run.uid)
            self.put_run(run)
        for run in self.runs():
            if namespace in (None, run.namespace) and run.uid not in listed and _number(run) <= version:
                self.drop_run(run.key, run.uid)

    def group_of(self, run: Run, begun: Iterable[str] = ()) -> list[Run]:
        """Those of the others in a run's concurrencyGroup that its turn can depend on.

        `begun`: UIDs of runs that are just beginning; those of its group are among them.
        """
        just = (self._keys[uid] for uid in begun if uid in self._keys)
        keys = dict.fromkeys((*self._groups.beside(run), *just))
        others = (self._runs[key] for key in keys if key in self._runs and key != run.key)
        return [other for other in others if self._groups.same(run, other)]

    def _tell_group(self, old: Run | None, new: Run | None) -> None:
        for key in self._groups.concerned(old, new):
            self._changed(key)

    # Jobs

    def put_job(self, job: JobRecord) -> None:
        """Take in a Job; not one that is known to be deleted (the answer to its creation may come later)."""
        if job.uid in self._gone:
            return
        place = (job.namespace, job.name)
        old = self._jobs.get(place)
        if old is not None and old.version > job.version:
            return
        run = self._runs.get(self._keys.get(job.run_uid, ("", "")))
        if run is not None and not job.unfinished and _recorded(run, job.chunk):
            self._forget_job(place)
            return
        if old is not None and old.uid != job.uid:
            self._forget_job(place)
        self._jobs[place] = job
        self._job_places[job.uid] = place
        self._jobs_of.setdefault(job.run_uid, set()).add(place)
        self._count(place, job.unfinished)
        # Kubernetes writes a Job's status several times on its way; most of that means nothing to the run.
        if old != job:
            self._tell(job.run_uid)

    def has_job(self, uid: str) -> bool:
        """Whether the Job with this UID is in the view."""
        return uid in self._job_places

    def drop_job(self, place: Place) -> None:
        """Forget a Job that is deleted, unless it is finished and its outcome known but not recorded."""
        job = self._jobs.get(place)
        if job is None or place in self._deleted:
            return
        self._bury(job.uid)
        if self._known(job):
            self._deleted.add(place)
            return
        self._forget_job(place)
        self._tell(job.run_uid)

    def bury_job(self, place: Place, uid: str) -> None:
        """Forget a Job that was deleted, also if it was never seen here."""
        self._bury(uid)
        job = self._jobs.get(place)
        if job is not None and job.uid == uid:
            self.drop_job(place)

    def replace_jobs(self, namespace: str | None, jobs: Iterable[JobRecord], version: int) -> None:
        """Take in a full list of Jobs."""
        listed = set()
        for job in jobs:
            listed.add((job.namespace, job.name))
            self.put_job(job)
        for place, job in list(self._jobs.items()):
            if namespace in (None, place[0]) and place not in listed and job.version <= version:
                self.drop_job(place)

    def jobs_of(self, run: Run) -> dict[tuple[int, int], Observation]:
        """What is seen of a run's Jobs, by chunk and incarnation.

        In its own namespace: who may make Jobs in another can write there whose they are said to be.
        """
        seen = {}
        for place in self._jobs_of.get(run.uid, ()):
            if place[0] == run.namespace:
                job = self._jobs[place]
                read = job.uid in self._pods_read
                seen[job.chunk, job.incarnation] = Observation(job, self._pods_seen(job), read)
        return seen

    def _pods_seen(self, job: JobRecord) -> tuple[PodRecord, ...]:
        return tuple(
            self._pods[place] for place in self._pods_of.get(job.uid, ()) if place[0] == job.namespace
        )

    def unfinished(self) -> Iterator[JobRecord]:
        """All Jobs that may still make pods."""
        return (self._jobs[place] for place in list(self._unfinished))

    @property
    def unfinished_count(self) -> int:
        """How many Jobs may still make pods, over all runs."""
        return len(self._unfinished)

    def unfinished_in(self, namespace: str) -> int:
        """The same of one namespace."""
        return self._unfinished_in[namespace]

    # Pods

    def put_pod(self, pod: PodRecord) -> None:
        """Take in a pod that has ended."""
        run = self._runs.get(self._keys.get(pod.run_uid, ("", "")))
        if run is not None and _recorded(run, pod.chunk):
            return
        place = (pod.namespace, pod.name)
        if self._pods.get(place) == pod:
            return
        self._pods[place] = pod
        self._pods_of.setdefault(pod.job_uid, set()).add(place)
        self._tell(pod.run_uid)

    def drop_pod(self, place: Place, last: PodRecord | None = None) -> None:
        """A pod is deleted; `last` is how it was.

        If its Job's outcome is still open the copy here stays, as the only one: PodGC and autoscalers delete
        pods whose message nobody has read yet.
        """
        pod = last or self._pods.get(place)
        if pod is None:
            return
        if pod.job_uid in self._job_places:
            self.put_pod(pod)
        else:
            self._forget_pod(place)

    def replace_pods(self, namespace: str | None, pods: Iterable[PodRecord], version: int) -> None:
        """Take in a full list of pods that have ended."""
        listed = set()
        for pod in pods:
            listed.add((pod.namespace, pod.name))
            self.put_pod(pod)
        for place, pod in list(self._pods.items()):
            if namespace in (None, place[0]) and place not in listed and pod.version <= version:
                self.drop_pod(place)

    def mark_pods_read(self, job: JobRecord) -> None:
        """The Job's pods were listed after its end: none is on its way any more."""
        if job.uid not in self._job_places:
            return  # forgotten meanwhile
        self._pods_read.add(job.uid)
        self._tell(job.run_uid)

    # Housekeeping

    def _known(self, job: JobRecord) -> bool:
        """Whether the finished Job's pods that were seen tell its outcome, as far as can be told unread.

        Should they not tell it, then it is made again under its next incarnation, as if it were still there.
        """
        pods = self._pods_seen(job)
        tells = any(pod.text for pod in pods) or (job.state == "Failed" and bool(pods))
        return job.run_uid in self._keys and not job.unfinished and tells

    def _count(self, place: Place, unfinished: bool) -> None:
        if unfinished and place not in self._unfinished:
            self._unfinished.add(place)
            self._unfinished_in[place[0]] += 1
        elif not unfinished and place in self._unfinished:
            self._unfinished.discard(place)
            self._unfinished_in[place[0]] -= 1

    def _bury(self, uid: str) -> None:
        self._gone[uid] = None
        if len(self._gone) > GRAVES:
            del self._gone[next(iter(self._gone))]

    def _tell(self, run_uid: str) -> None:
        key = self._keys.get(run_uid)
        if key is not None:
            self._changed(key)

    def _drop_recorded(self, run: Run) -> None:
        for place in list(self._jobs_of.get(run.uid, ())):
            job = self._jobs[place]
            if not job.unfinished and _recorded(run, job.chunk):
                self._forget_job(place)

    def _forget_job(self, place: Place) -> None:
        job = self._jobs.pop(place, None)
        if job is None:
            return
        self._count(place, False)
        self._deleted.discard(place)
        self._job_places.pop(job.uid, None)
        self._pods_read.discard(job.uid)
        places = self._jobs_of.get(job.run_uid, set())
        places.discard(place)
        if not places:
            self._jobs_of.pop(job.run_uid, None)
        for pod in list(self._pods_of.get(job.uid, ())):
            self._forget_pod(pod)

    def _forget_pod(self, place: Place) -> None:
        pod = self._pods.pop(place, None)
        if pod is None:
            return
        places = self._pods_of.get(pod.job_uid, set())
        places.discard(place)
        if not places:
            self._pods_of.pop(pod.job_uid, None)


def _recorded(run: Run, chunk: int) -> bool:
    """Whether nobody asks any more what became of the Job of this chunk."""
    prepared = chunk == PREPARES and run.status.begun and run.status.stage != PREPARE
    return run.status.ended or prepared or chunk in run.status.done


def _number(run: Run) -> int:
    return int(run.resource_version) if run.resource_version.isdecimal() else 0


def _newer(old: Run, new: Run) -> bool:
    return _number(old) > _number(new)
