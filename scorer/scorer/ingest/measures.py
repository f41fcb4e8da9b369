"""Ingest's metrics, with Stream Analytics' names in Prometheus' form. Bounded: no partition, no sensor.

Events are counted as they are committed, so what is made anew after a crash is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from scorer.ingest.lander import Landed
from scorer.ingest.partition import Done

_COUNTERS = {
    "input_events": "Events read from the hub.",
    "late_events": "Events later than the tolerance, dropped or adjusted.",
    "early_events": "Events too far ahead of their arrival, dropped.",
    "out_of_order_events": "Events behind the watermark, dropped or adjusted.",
    "bad_events": "Messages and events whose body cannot be read (deserialisation errors).",
    "conversion_errors": "Events whose fields cannot be used (data conversion errors).",
    "duplicate_events": "Events that came again.",
    "missed_messages": "Messages that the hub had no more when they were asked for.",
    "output_events": "Windows of sensors that closed.",
    "stray_windows": "Windows that closed after their hour had landed: their readings are in no file.",
    "landed_hours": "Hours that landed.",
    "landed_rows": "Readings in them.",
    "errors": "Errors of the hub's client and of the store that were met, and tried again.",
}


class Measures:
    """The counters and gauges of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"sensorscore_ingest_{name}", said, registry=self.registry)
            for name, said in _COUNTERS.items()
        }
        self._backlog = self._gauge(
            "backlog_events", "Events that wait in the hub, in this process's partitions."
        )
        self._delay = self._gauge(
            "watermark_delay_seconds", "How far the last watermark of this process's partitions is behind."
        )
        self._owned = self._gauge("partitions", "Partitions that this process has.")

    def _gauge(self, name: str, said: str) -> Gauge:
        return Gauge(f"sensorscore_ingest_{name}", said, registry=self.registry)

    def committed(self, done: Done) -> None:
        """A commit went through."""
        counts = done.counts
        for name, number in {
            "input_events": counts.events,
            "late_events": counts.late + counts.late_adjusted,
            "early_events": counts.early,
            "out_of_order_events": counts.out_of_order + counts.out_of_order_adjusted,
            "bad_events": counts.bad - done.unusable,
            "conversion_errors": done.unusable,
            "duplicate_events": counts.duplicate,
            "missed_messages": counts.missed,
            "output_events": done.readings,
            "stray_windows": done.stray,
        }.items():
            self._counters[name].inc(number)

    def landed(self, landed: Landed) -> None:
        """An hour has landed."""
        self._counters["landed_hours"].inc()
        self._counters["landed_rows"].inc(landed.rows)

    def error(self) -> None:
        """Something is tried again."""
        self._counters["errors"].inc()

    def state(self, backlog: int, delays: Iterable[float]) -> None:
        """How far the partitions are: events, and seconds that each watermark is behind."""
        behind = list(delays)
        self._backlog.set(backlog)
        self._delay.set(max(behind, default=0.0))
        self._owned.set(len(behind))

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)
