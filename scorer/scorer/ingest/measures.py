"""Ingest's metrics, with Stream Analytics' names in Prometheus' form.

Events are counted as they are committed, so what is made anew after a crash is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from scorer.ingest.accounting import Counts
from scorer.ingest.corrections import Corrected
from scorer.ingest.lander import Landed
from scorer.ingest.partition import Done
from scorer.ingest.series import ERRORS, FATES, SERIES

PREFIX = "sensorscore_ingest_"


class Measures:
    """The counters and gauges of one process. `late`: the late tolerance in seconds; `began`: Unix time."""

    def __init__(self, late: float = 0.0, began: float = 0.0) -> None:
        # Else each counter has a second series, of which this text format makes no use.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        for series in SERIES:
            name = series.name.removeprefix(PREFIX)
            if series.kind == "counter":
                self._counters[name] = Counter(
                    series.name, series.help, series.labels, registry=self.registry
                )
            else:
                self._gauges[name] = Gauge(series.name, series.help, registry=self.registry)
        ProcessCollector(registry=self.registry)
        for fate in FATES:
            self._counters["events_total"].labels(fate)
        for kind in ERRORS:
            self._counters["errors_total"].labels(kind)
        self._gauges["late_arrival_seconds"].set(late)
        self._gauges["landed_until_timestamp_seconds"].set(began)

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
            self._counters[f"{name}_total"].inc(number)
        for fate, number in _fates(counts, done.unusable).items():
            self._counters["events_total"].labels(fate).inc(number)

    def landed(self, landed: Landed) -> None:
        """An hour has landed."""
        self._counters["landings_total"].inc()
        self._counters["landed_rows_total"].inc(landed.rows)

    def corrected(self, corrected: Corrected) -> None:
        """Hours were corrected."""
        self._counters["corrections_total"].inc(corrected.sensors)
        self._counters["stray_windows_total"].inc(corrected.stray)

    def landed_until(self, seconds: float) -> None:
        """All hours before this Unix time have landed, by whichever replica."""
        self._gauges["landed_until_timestamp_seconds"].set(seconds)

    def error(self, kind: str) -> None:
        """Something is tried again: one of ERRORS."""
        self._counters["errors_total"].labels(kind).inc()

    def hub(self, partitions: int) -> None:
        """So many partitions has the hub."""
        self._gauges["hub_partitions"].set(partitions)

    def backlog(self, events: int) -> None:
        """So many events wait in the hub."""
        self._gauges["backlog_events"].set(events)

    def watermarks(self, delays: Iterable[float]) -> None:
        """Seconds that each of the process's partitions is behind."""
        behind = list(delays)
        self._gauges["watermark_delay_seconds"].set(max(behind, default=0.0))
        self._gauges["partitions"].set(len(behind))

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)


def _fates(counts: Counts, unusable: int) -> dict[str, int]:
    """Each event once: they add up to `counts.events`."""
    return {
        "windowed": counts.windowed,
        "corrected": counts.corrected,
        "late": counts.late,
        "early": counts.early,
        "out_of_order": counts.out_of_order,
        "before_start": counts.before_start,
        "bad": counts.bad - unusable,
        "conversion": unusable,
        "duplicate": counts.duplicate,
    }
