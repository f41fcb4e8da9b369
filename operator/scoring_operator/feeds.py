"""Which streams feed the view."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from scoring_operator.cluster import JOBS, PODS, Cluster
from scoring_operator.labels import SELECTOR
from scoring_operator.records import JobRecord, PodRecord, job_record, pod_record
from scoring_operator.streams import Stream
from scoring_operator.view import Place, View


@dataclass(frozen=True)
class JobSink:
    """Jobs of a scope, into the view."""

    view: View
    namespace: str | None

    def put(self, record: JobRecord) -> None:
        """A Job is there, or has changed."""
        self.view.put_job(record)

    def drop(self, place: Place, last: JobRecord | None) -> None:
        """A Job is gone."""
        if last is not None:
            self.view.bury_job(place, last.uid)
        else:
            self.view.drop_job(place)

    def replace(self, records: Iterable[JobRecord], version: int) -> None:
        """All Jobs."""
        self.view.replace_jobs(self.namespace, records, version)


@dataclass(frozen=True)
class PodSink:
    """Pods of a scope that have ended, into the view."""

    view: View
    namespace: str | None

    def put(self, record: PodRecord) -> None:
        """A pod has ended."""
        self.view.put_pod(record)

    def drop(self, place: Place, last: PodRecord | None) -> None:
        """A pod is gone."""
        self.view.drop_pod(place, last)

    def replace(self, records: Iterable[PodRecord], version: int) -> None:
        """All pods that have ended."""
        self.view.replace_pods(self.namespace, records, version)


def streams(
    cluster: Cluster, view: View, namespace: str | None
) -> tuple[Stream[JobRecord], Stream[PodRecord]]:
    """The streams of one scope. Pods only when they have ended: each comes once, with its message."""
    ended = {"labelSelector": SELECTOR, "fieldSelector": "status.phase!=Pending,status.phase!=Running"}
    jobs = JobSink(view, namespace)
    pods = PodSink(view, namespace)
    return (
        Stream(cluster, JOBS, namespace, {"labelSelector": SELECTOR}, job_record, jobs, time.monotonic),
        Stream(cluster, PODS, namespace, ended, pod_record, pods, time.monotonic),
    )
