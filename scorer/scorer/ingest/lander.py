"""Lands hours: what all partitions have passed becomes readings from their parts, and `_SUCCESS` comes last.

Every step can be done again, by anyone, with the same bytes: files are a function of the parts that committed
states name. The order is readings, `_index.json`, `_SUCCESS`, the cursor; only then partitions forget the
parts, and these are deleted when some more hours have landed. With corrections there comes a record of what
the hour is made of before all these (`records`), and parts are kept as long as they may be wanted for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scorer.contract.paths import default_marker
from scorer.ingest import commits, records
from scorer.ingest.accounting import HOUR, Counts, total
from scorer.ingest.commits import Header
from scorer.ingest.corrections import Corrected, Corrector, late_parts
from scorer.ingest.cursor import Claim, Cursor
from scorer.ingest.hours import Counted, Source, counted, readings_of
from scorer.ingest.landing import AUTO, Landing, layout_for
from scorer.ingest.places import Places, dated, hour_end, hour_name
from scorer.ingest.records import uncorrected
from scorer.ingest.settings import Column, Corrections
from scorer.ingest.state import StateError
from scorer.ingest.writing import WRITERS, SupersededError, Writer, shown, success
from scorer.storage import Store

KEPT_HOURS = 2
"""For so many hours after an hour its parts are still there."""


class Landed(NamedTuple):
    """An hour that has landed."""

    hour: int
    files: int
    rows: int
    sensors: int
    arrived: Counts


class Lander:
    """Lands the hours of one hub and consumer group, one after the other, as long as it has the claim."""

    def __init__(
        self,
        store: Store,
        places: Places,
        landing: Landing,
        columns: Sequence[Column],
        claim: Claim,
        writers: int = WRITERS,
        corrections: Corrections | None = None,
    ) -> None:
        self._store = store
        self._places = places
        self._landing = landing
        self._columns = columns
        self._claim = claim
        self._writers = writers
        self._corrections = corrections
        self._corrector: Corrector | None = None
        if corrections is not None:
            every = corrections.every / 1_000_000
            self._corrector = Corrector(store, places, landing, columns, claim, every, writers)
        self._seen: tuple[Cursor, Mapping[str, Header]] | None = None

    def look(self) -> Cursor | None:
        """Which hour is next, and what corrections have seen; None before there was anything."""
        return self._claim.read()

    def correct(self, now: float) -> Corrected | None:
        """Corrects hours that have landed, after `land` found no more to do. Raises as that does."""
        if self._corrector is None or self._seen is None:
            return None
        return self._corrector.correct(*self._seen, now)

    @property
    def trouble(self) -> str:
        """What keeps an hour from being corrected, as long as it does and the landing is this one's."""
        return self._corrector.trouble if self._corrector is not None and self._seen is not None else ""

    def land(self, partitions: Sequence[str], now: float) -> Landed | None:
        """Lands the next hour, if it is due and this one's turn. Raises StorageError, StateError.

        `partitions` are all that the hub has; `now` is for the claim.
        """
        self._seen = None
        cursor = self._claim.hold(now)
        if cursor is None:
            return None
        found = [commits.read_header(self._store, self._places.state(each)) for each in partitions]
        headers = {name: header for name, header in zip(partitions, found, strict=True) if header}
        if not headers or len(headers) < len(partitions):
            return None
        hour = _next(cursor, headers.values())
        if hour is None or not all(header.passed(hour_end(hour)) for header in headers.values()):
            self._seen = cursor, headers
            return None
        # Partitions forget an hour's parts once the cursor is past it: it was not when these were read.
        if self._claim.read() != cursor:
            return None
        try:
            return self._land(cursor, hour, headers)
        except SupersededError:
            return None

    def _land(self, cursor: Cursor, hour: int, headers: Mapping[str, Header]) -> Landed | None:
        arrived = total(*(header.ledger[hour] for header in headers.values() if hour in header.ledger))
        if not arrived.adds_up:
            raise StateError(f"hour {shown(hour)}: its events do not add up: {arrived}")
        names = {name: [part.name for part in header.parts.get(hour, ())] for name, header in headers.items()}
        known = records.read(self._store, self._places, hour) if self._corrector is not None else None
        source = Source(
            self._store, self._places, hour, known.record.parts if known else names, keep=self._claim.keep
        )
        hours = counted(source, self._landing.shard_rows)
        layout = self._layout(cursor, len(hours.names))
        if self._corrector is not None and known is None:
            count = self._corrector.shown(hour, layout)
            record = uncorrected(names, hours.events, arrived._asdict(), len(headers), count)
            if records.write(self._store, self._places, hour, record, None) is None:
                return None  # someone else has just said what the hour is made of
        told = self._write(source, hours, layout, arrived, len(headers))
        if self._claim.move(cursor, next=hour + 1, layout=layout) is None:
            return None
        self._clear(cursor, headers, hour - KEPT_HOURS)
        return Landed(hour, len(told), sum(file["rows"] for file in told), len(hours.names), arrived)

    def _write(
        self, source: Source, hours: Counted, layout: str, arrived: Counts, partitions: int
    ) -> list[dict[str, Any]]:
        """Writes an hour's files, index and marker; gives what the index says. Raises SupersededError."""
        hour = source.hour
        writer = Writer(
            self._store, self._landing, hour, lambda: self._is_next(hour), self._writers, self._claim.keep
        )
        told: list[dict[str, Any]] = []
        stretches = readings_of(source, hours, self._columns, self._landing.shard_rows)
        for shard, readings in enumerate(stretches):
            told += writer.readings(readings, layout, shard)
        marker = dated(default_marker(self._landing.template(layout)), hour)
        index = writer.write_index(marker.rpartition("/")[0], layout, told)
        writer.put(marker, success(hour, told, hours.events, arrived._asdict(), partitions, index))
        return told

    def _is_next(self, hour: int) -> bool:
        cursor = self._claim.read()
        return cursor is not None and cursor.next in (None, hour)

    def _layout(self, cursor: Cursor, sensors: int) -> str:
        """The one that is set, else that of the first hour with sensors; empty before there is one."""
        if self._landing.layout != AUTO or not (cursor.layout or not sensors):
            return layout_for(self._landing, sensors)
        return cursor.layout

    def _clear(self, cursor: Cursor, headers: Mapping[str, Header], before: int) -> None:
        """Deletes parts and records that are not needed: of hours before this one and beyond the horizon.

        So go the parts that no state ever named. What waits for a correction stays, however long that takes.
        """
        waiting: set[str] = set()
        if self._corrections is not None:
            clock = min(header.clock for header in headers.values())
            # The first hour in which an event to come may still lie.
            horizon = (clock - self._corrections.horizon - 1) // HOUR
            before = min(before, horizon)
            waiting = {hour_name(hour) for hour in late_parts(cursor, headers)}
        folders = [self._places.records, *map(self._places.parts, headers)]
        for folder in folders:
            for entry in list(self._store.list(folder)):
                hour = entry.path.removeprefix(f"{folder}/").partition("/")[0]
                if hour < hour_name(before) and hour not in waiting:
                    self._store.delete(entry.path)


def _next(cursor: Cursor, headers: Iterable[Header]) -> int | None:
    """The hour to land: the one after the last, at first the earliest of which there is something."""
    if cursor.next is not None:
        return cursor.next
    return min((hour for header in headers for hour in (*header.parts, *header.ledger)), default=None)
