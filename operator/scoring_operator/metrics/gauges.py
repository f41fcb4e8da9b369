"""Gauges that are computed from the view when they are scraped, so that they cannot drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scoring_operator.metrics.bounds import Bounds
from scoring_operator.metrics.catalogue import CATALOGUE
from scoring_operator.metrics.pending import Moved, moved
from scoring_operator.metrics.schedules import Marks
from scoring_operator.resource import Key, Run
from scoring_operator.settings import Settings
from scoring_operator.status import PENDING, PHASES
from scoring_operator.view import View


@dataclass(frozen=True)
class Sources:
    """What tells of the operator itself."""

    queue_depth: Callable[[], int]
    ages: Callable[[], dict[str, float]]  # seconds by stream
    active: Callable[[], bool]  # it holds the Lease
    ready: Callable[[], bool]  # the first full lists are in
    now: Callable[[], datetime]


class ViewCollector(Collector):
    """Looks at the view at each scrape; remembers how far schedules have come, and when runs moved."""

    def __init__(
        self, view: View, bounds: Bounds, settings: Settings, sources: Sources, marks: Marks
    ) -> None:
        """`marks` are moved here, and by whoever sees a run end."""
        self._view = view
        self._bounds = bounds
        self._settings = settings
        self._sources = sources
        self._begun = sources.now()
        self._marks = marks
        self._moved: dict[str, Moved] = {}  # by the run's UID

    def collect(self) -> Iterator[Metric]:
        """Of the operator; of runs and schedules once they are listed.

        An operator that stands by has an empty view: what it told of runs would contradict the one that acts.
        """
        yield from self._operator()
        if not self._sources.ready():
            return
        runs = list(self._view.runs())
        now = self._sources.now()
        yield self._phases(runs)
        yield self._unfinished(runs)
        yield self._pending(runs, now)
        yield from self._schedules(runs, now)
        yield from self._budget()

    def _phases(self, runs: Sequence[Run]) -> Metric:
        tally: Counter[tuple[str, str, str]] = Counter()
        places = set(self._bounds.schedules)
        for run in runs:
            place = self._bounds.namespace(run.namespace), self._bounds.schedule(run)
            places.add(place)
            tally[(*place, run.status.phase or PENDING)] += 1
        family = _family("sensorscore_runs")
        for place in sorted(places | {(namespace, "") for namespace, _ in places}):
            for phase in PHASES:
                family.add_metric([*place, phase], tally[(*place, phase)])
        return family

    def _unfinished(self, runs: Sequence[Run]) -> Metric:
        namespaces = {self._bounds.namespace(run.namespace) for run in runs}
        tally = Counter(self._bounds.namespace(job.namespace) for job in self._view.unfinished())
        family = _family("sensorscore_jobs_unfinished")
        for namespace in sorted(self._bounds.namespaces | namespaces | set(tally)):
            family.add_metric([namespace], tally[namespace])
        return family

    def _pending(self, runs: Sequence[Run], now: datetime) -> Metric:
        """The memory follows the runs that have unfinished Jobs now."""
        longest = dict.fromkeys(self._bounds.namespaces, 0.0)
        looked: dict[str, Moved] = {}
        for run in runs:
            namespace = self._bounds.namespace(run.namespace)
            longest.setdefault(namespace, 0.0)
            if run.status.ended:
                continue
            jobs = self._view.jobs_of(run).values()
            if (last := moved(run, jobs, self._moved.get(run.uid), now)) is not None:
                looked[run.uid] = last
                longest[namespace] = max(longest[namespace], (now - last.at).total_seconds())
        self._moved = looked
        family = _family("sensorscore_run_pending_seconds")
        for namespace, seconds in sorted(longest.items()):
            family.add_metric([namespace], seconds)
        return family

    def _schedules(self, runs: Sequence[Run], now: datetime) -> Iterator[Metric]:
        self._marks.move((run for run in runs if self._bounds.schedule(run)), now)
        known, marks = self._bounds.schedules, self._marks
        begun = {key: max(self._begun, schedule.start_from or self._begun) for key, schedule in known.items()}
        ended = {key: marks.complete.get(key, begun[key]) for key in known}
        values: dict[str, dict[Key, float]] = {
            "window_lag_seconds": {key: max(0.0, (now - end).total_seconds()) for key, end in ended.items()},
            "last_success_timestamp_seconds": _timestamps(marks.success),
            "newest_window_end_timestamp_seconds": _timestamps(marks.newest),
            "window_seconds": {key: schedule.window_seconds for key, schedule in known.items()},
            "settle_seconds": {key: schedule.settle_seconds for key, schedule in known.items()},
            "suspended": {key: schedule.suspended for key, schedule in known.items()},
        }
        for name, by_key in values.items():
            family = _family(f"sensorscore_schedule_{name}")
            for key, value in sorted(by_key.items()):
                family.add_metric(list(key), value)
            yield family

    def _budget(self) -> Iterator[Metric]:
        if self._settings.budget_per_day:
            family = _family("sensorscore_cost_budget_per_day")
            family.add_metric([self._settings.currency], float(self._settings.budget_per_day))
            yield family

    def _operator(self) -> Iterator[Metric]:
        yield _family("sensorscore_operator_queue_depth", self._sources.queue_depth())
        yield _family("sensorscore_operator_active", float(self._sources.active()))
        ages = _family("sensorscore_operator_stream_age_seconds")
        for resource, age in sorted(self._sources.ages().items()):
            ages.add_metric([resource], age)
        yield ages


def _timestamps(marks: dict[Key, datetime]) -> dict[Key, float]:
    return {key: mark.timestamp() for key, mark in marks.items()}


def _family(name: str, value: float | None = None) -> GaugeMetricFamily:
    series = CATALOGUE[name]
    if value is not None:
        return GaugeMetricFamily(name, series.help, value=value)
    return GaugeMetricFamily(name, series.help, labels=series.labels)
