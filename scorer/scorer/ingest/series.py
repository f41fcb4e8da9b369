"""Every series that ingest serves, as data: what serves, documents, draws and tests them reads it here.

Bounded: a label is never a partition, a device or a sensor; which replica it is, the scrape says.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

FATES = (
    "windowed",
    "corrected",
    "late",
    "early",
    "out_of_order",
    "before_start",
    "bad",
    "conversion",
    "duplicate",
)
"""What becomes of events; each has one."""
ERRORS = ("hub", "store", "landing", "state")
"""Where errors are met."""


class Series(NamedTuple):
    """One family: `name` as it is queried, with `_total` where it counts; `unit` of its values."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    help: str
    more: str = ""  # for the documentation
    labels: tuple[str, ...] = ()


SERIES = (
    Series("sensorscore_ingest_input_events_total", "counter", "events", "Events read from the hub."),
    Series(
        "sensorscore_ingest_events_total",
        "counter",
        "events",
        "Events read, by what became of them; the fates add up to all.",
        "`late`, `early` and `out_of_order` are those that were dropped; adjusted ones are `windowed`; "
        "`corrected` are in windows that were closed before.",
        ("fate",),
    ),
    Series(
        "sensorscore_ingest_late_events_total",
        "counter",
        "events",
        "Events later than the tolerance, dropped or adjusted.",
    ),
    Series(
        "sensorscore_ingest_early_events_total",
        "counter",
        "events",
        "Events too far ahead of their arrival, dropped.",
    ),
    Series(
        "sensorscore_ingest_out_of_order_events_total",
        "counter",
        "events",
        "Events behind the watermark, dropped or adjusted.",
    ),
    Series(
        "sensorscore_ingest_bad_events_total",
        "counter",
        "events",
        "Messages and events whose body cannot be read (deserialisation errors).",
    ),
    Series(
        "sensorscore_ingest_conversion_errors_total",
        "counter",
        "events",
        "Events whose fields cannot be used (data conversion errors).",
    ),
    Series("sensorscore_ingest_duplicate_events_total", "counter", "events", "Events that came again."),
    Series(
        "sensorscore_ingest_missed_messages_total",
        "counter",
        "messages",
        "Messages that the hub had no more when they were asked for.",
    ),
    Series("sensorscore_ingest_output_events_total", "counter", "windows", "Windows of sensors that closed."),
    Series(
        "sensorscore_ingest_stray_windows_total",
        "counter",
        "windows",
        "Windows that closed after their hour had landed: their readings are in no file.",
        "With corrections only those of hours that cannot be corrected any more.",
    ),
    Series(
        "sensorscore_ingest_corrections_total",
        "counter",
        "sensors",
        "Sensors whose landed hour was replaced, once for each correction of an hour.",
        "Of the replica that lands.",
    ),
    Series(
        "sensorscore_ingest_landings_total",
        "counter",
        "hours",
        "Hours that landed.",
        "Of the replica that lands; also an hour without events.",
    ),
    Series("sensorscore_ingest_landed_rows_total", "counter", "rows", "Readings in them."),
    Series(
        "sensorscore_ingest_errors_total",
        "counter",
        "errors",
        "Errors that were met, and tried again, by where.",
        "`hub`: its client's; `store`: commits and claims; `landing`; `state`: one that is not understood.",
        ("kind",),
    ),
    Series(
        "sensorscore_ingest_backlog_events",
        "gauge",
        "events",
        "Events that wait in the hub, in this process's partitions.",
        "Stands still while the hub does not answer.",
    ),
    Series(
        "sensorscore_ingest_watermark_delay_seconds",
        "gauge",
        "seconds",
        "How far the last watermark of this process's partitions is behind.",
        "Of a partition that has none yet: since it was claimed. It rises on while the hub does not answer.",
    ),
    Series(
        "sensorscore_ingest_late_arrival_seconds",
        "gauge",
        "seconds",
        "The late tolerance: so far the watermark may be behind while all is well.",
        "0 where windows are by arrival.",
    ),
    Series(
        "sensorscore_ingest_landed_until_timestamp_seconds",
        "gauge",
        "seconds since 1970",
        "The end of the newest hour that has landed; of none, when this process began.",
    ),
    Series("sensorscore_ingest_partitions", "gauge", "partitions", "Partitions that this process has."),
    Series(
        "sensorscore_ingest_hub_partitions",
        "gauge",
        "partitions",
        "Partitions that the hub has; 0 before it was asked.",
    ),
)
CATALOGUE = {series.name: series for series in SERIES}
