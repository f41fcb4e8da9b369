"""Which namespaces and schedules have series of their own.

Who may make runs chooses their namespace and labels; without a bound that would be a choice of how many
series Prometheus keeps. Each namespace has some hundred, each schedule some twenty.
"""

from __future__ import annotations

from collections.abc import Iterable

from scoring_operator.metrics.reasons import OTHER
from scoring_operator.resource import Run
from scoring_operator.settings import ScheduleSettings, Settings
from scoring_operator.sinks import Sink

NAMESPACES_LIMIT = 50  # that the settings do not name


class Bounds:
    """The label values of runs: those that the settings name, and the first namespaces besides."""

    def __init__(
        self,
        namespaces: Iterable[str] = (),
        schedules: Iterable[ScheduleSettings] = (),
        sinks: Iterable[Sink] = (),
    ) -> None:
        self._sinks = {each.name: each for each in sinks}
        self.schedules = {(each.namespace, each.name): each for each in schedules}
        self._named = frozenset((*namespaces, *(namespace for namespace, _ in self.schedules)))
        self._others: set[str] = set()

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """By the operator's settings."""
        return cls(
            (*settings.namespaces, *settings.known_namespaces), settings.schedules, settings.sinks.values()
        )

    @property
    def namespaces(self) -> frozenset[str]:
        """Those that have series from the start."""
        return self._named

    def namespace(self, name: str) -> str:
        """The namespace itself, or Other once there are too many that nobody has named."""
        if name in self._named or name in self._others:
            return name
        if len(self._others) >= NAMESPACES_LIMIT:
            return OTHER
        self._others.add(name)
        return name

    def sink(self, name: str) -> str:
        """The sink itself if the settings name it, else Other."""
        return name if name in self._sinks else OTHER

    def sinks_of(self, namespace: str) -> tuple[str, ...]:
        """Those that are offered to a namespace."""
        return tuple(sorted(name for name, sink in self._sinks.items() if sink.offered_to(namespace)))

    def schedule(self, run: Run) -> str:
        """The run's schedule if the settings name it, else empty, as for a run by hand."""
        return run.schedule if (run.namespace, run.schedule) in self.schedules else ""

    def schedules_of(self, namespace: str) -> tuple[str, ...]:
        """The values of `schedule` that runs of a namespace can have."""
        return ("", *sorted(name for place, name in self.schedules if place == namespace))
