"""Readings of one sensor for one window: files to sorted, clean rows, with an account of the others.

    file ─▶ formats ─▶ batches of records (times in UTC, values, sensors) ─▶ account ─▶ Readings
            parquet │ csv │ json lines │ json array

Row by row: rows outside (start, end] are not the window's and not counted. A row of the window is *rejected*
if its time or a value of it cannot be used, and *duplicate* if a later row of the same time exists. What is
left is *scored*. A file that many sensors share is decoded once for all of them (`shared`).

Every way a file can be wrong ends in a SensorError or in rejected rows. What files say of their size is not
believed: memory is bounded by what they promise before anything is decoded, and they are decoded in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scorer.contract.work import CAPTURE, ReadingsSource
from scorer.readings.accounting import MAX_DECODED_BYTES, MAX_REJECTS, Columns, Readings, Reject, account
from scorer.readings.batch import Batch, Plan, said_of, span_of
from scorer.readings.formats import file_batches
from scorer.readings.zones import Zone
from scorer.sources import File, Found

if TYPE_CHECKING:
    from scorer.readings.sensors import SensorNames
    from scorer.readings.shared import Shared
    from scorer.window import Window

__all__ = ["MAX_DECODED_BYTES", "MAX_REJECTS", "Reader", "Readings", "Reject", "read_readings"]


class Reader:
    """Decodes readings of one window; what sensors share is decoded once. Threads may ask it at once."""

    def __init__(self, source: ReadingsSource, span: Window) -> None:
        self._source = source
        self._span = span_of(span)
        self._zone = Zone(source.time_zone, source.ambiguous_times, self._span)
        self._shared: Shared | None = None

    def read(
        self, found: Found, sensor: str, features: Sequence[str], *, accepts_missing: bool = False
    ) -> Readings:
        """The sensor's rows of the window. Raises SensorError, and for shared files StorageError.

        If the model `accepts_missing` values, rows with some are scored, with NaN in their place.
        """
        named = self._source.columns
        columns = Columns(named.time, [named.features.get(feature, feature) for feature in features])
        if found.sensors is None:
            lost: list[str] = []
            batches = self._batches(found, None, columns.features, lost)
            return account(batches, columns, accepts_missing=accepts_missing)._replace(lost=said_of(lost))
        if self._shared is None:
            from scorer.readings.shared import Shared  # here: most files are one sensor's

            self._shared = Shared(self._batches)
        taken, missed = self._shared.take(found, sensor, columns.features)
        return account(taken, columns, accepts_missing=accepts_missing)._replace(lost=missed)

    def _batches(
        self, found: Found, names: SensorNames | None, columns: Sequence[str], lost: list[str]
    ) -> Iterator[tuple[str, Batch]]:
        """Every file's batches, with its path."""
        plan = Plan(self._source.columns.time, tuple(columns), self._span, self._zone)
        if names is not None:
            from scorer.readings.sensors import sensor_columns

            named = sensor_columns(self._source.columns.sensor)
            wanted = None if names.all_wanted else named.wanted(names.names)
            plan = plan._replace(sensors=(named, names), wanted=wanted)
        if self._source.layout == CAPTURE:
            yield from self._captured(found, plan, lost)
            return
        for file in found.files:
            for batch in file_batches(file, self._source.format, plan, lost):
                yield file.path, batch

    def _captured(self, found: Found, plan: Plan, lost: list[str]) -> Iterator[tuple[str, Batch]]:
        """The same, of messages that Event Hubs Capture has written: each of them once."""
        from scorer.readings.capture import Seen, capture_batches  # here: few readings are so

        seen = Seen(self._source.path, plan)
        for file in found.files:
            for batch in capture_batches(file, self._source.format, plan, lost, seen):
                yield file.path, batch
        seen.check()


def read_readings(
    files: Sequence[tuple[str, bytes]],
    features: Sequence[str],
    window: Window,
    source: ReadingsSource | None = None,
) -> Readings:
    """The window's rows of one sensor's files given as (path, bytes), in that order. Raises SensorError."""
    found = Found(tuple(File(path, "", data) for path, data in files), ())
    return Reader(source or ReadingsSource("{sensor}"), window).read(found, "", features)
