"""Lands hours: what all partitions have passed becomes readings from their parts, and `_SUCCESS` comes last.

Every step can be done again, by anyone, with the same bytes: files are a function of the parts that committed
states name. The order is readings, `_index.json`, `_SUCCESS`, the cursor; only then partitions forget the
parts, and these are deleted when some more hours have landed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import orjson

from scorer.contract.paths import default_marker
from scorer.ingest import commits
from scorer.ingest.accounting import Counts, total
from scorer.ingest.commits import Header
from scorer.ingest.cursor import Claim, Cursor
from scorer.ingest.hours import Source, counted, readings_of
from scorer.ingest.landing import AUTO, Landing, Written, files, layout_for
from scorer.ingest.merge import Readings
from scorer.ingest.places import Places, dated, hour_end, hour_name, hour_start
from scorer.ingest.settings import Column
from scorer.ingest.state import StateError
from scorer.storage import ConflictError, Store
from scorer.window import HOUR, Window

INDEX = "_index.json"
KEPT_HOURS = 2
"""For so many hours after an hour its parts are still there."""
WRITERS = 8


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
    ) -> None:
        self._store = store
        self._places = places
        self._landing = landing
        self._columns = columns
        self._claim = claim
        self._writers = writers

    def look(self) -> int | None:
        """The hour before which all have landed; None if none has."""
        cursor = self._claim.read()
        return cursor.next if cursor else None

    def land(self, partitions: Sequence[str], now: float) -> Landed | None:
        """Lands the next hour, if it is due and this one's turn. Raises StorageError, StateError.

        `partitions` are all that the hub has; `now` is for the claim.
        """
        cursor = self._claim.hold(now)
        if cursor is None:
            return None
        found = [commits.read_header(self._store, self._places.state(each)) for each in partitions]
        headers = {name: header for name, header in zip(partitions, found, strict=True) if header}
        if not headers or len(headers) < len(partitions):
            return None
        hour = _next(cursor, headers.values())
        if hour is None or not all(header.passed(hour_end(hour)) for header in headers.values()):
            return None
        # Partitions forget an hour's parts once the cursor is past it: it was not when these were read.
        if self._claim.read() != cursor:
            return None
        return self._land(cursor, hour, headers)

    def _land(self, cursor: Cursor, hour: int, headers: Mapping[str, Header]) -> Landed | None:
        arrived = total(*(header.ledger[hour] for header in headers.values() if hour in header.ledger))
        if not arrived.adds_up:
            raise StateError(f"hour {hour_name(hour)}: its events do not add up: {arrived}")
        names = {partition: header.parts.get(hour, ()) for partition, header in headers.items()}
        source = Source(self._store, self._places, hour, names)
        found = counted(source, self._landing.shard_rows)
        layout = self._layout(cursor, len(found.names))
        template = self._landing.template(layout)
        told: list[dict[str, Any]] = []
        rows = events = 0
        stretches = readings_of(source, found, self._columns, self._landing.shard_rows)
        for shard, readings in enumerate(stretches):
            told += self._written(readings, layout, hour, shard)
            rows, events = rows + len(readings.times), events + readings.events
        index = _encoded({"v": 1, "hour": _shown(hour), "layout": layout, "files": told})
        marker = dated(default_marker(template), hour)
        self._put(f"{marker.rpartition('/')[0]}/{INDEX}", index)
        success = {
            "v": 1,
            "hour": _shown(hour),
            "readings": {
                "files": len(told),
                "rows": rows,
                "sensors": len(found.names),
                "events": events,
            },
            "arrived": arrived._asdict(),
            "partitions": len(headers),
            "index": hashlib.sha256(index).hexdigest(),
        }
        self._put(marker, _encoded(success))
        if self._claim.move(cursor, hour + 1, layout) is None:
            return None
        self._clear(headers, hour - KEPT_HOURS)
        return Landed(hour, len(told), rows, len(found.names), arrived)

    def _layout(self, cursor: Cursor, sensors: int) -> str:
        """The one that is set, else that of the first hour with sensors; empty before there is one."""
        if self._landing.layout != AUTO or not (cursor.layout or not sensors):
            return layout_for(self._landing, sensors)
        return cursor.layout

    def _written(self, readings: Readings, layout: str, hour: int, shard: int) -> list[dict[str, Any]]:
        """Writes the files; gives what the index says of each, in their order."""
        found = files(readings, self._landing, layout, hour, shard)
        if self._writers < 2:
            return [self._write(each) for each in found]
        told: list[dict[str, Any]] = []
        with ThreadPoolExecutor(self._writers) as pool:
            # Few at a time: a file is encoded here, and not held for longer than it takes to write it.
            waiting = []
            for each in found:
                waiting.append(pool.submit(self._write, each))
                if len(waiting) >= 2 * self._writers:
                    told.append(waiting.pop(0).result())
            told += [each.result() for each in waiting]
        return told

    def _write(self, file: Written) -> dict[str, Any]:
        digest = self._put(file.path, file.data)
        return {
            "path": file.path,
            "rows": file.rows,
            "bytes": len(file.data),
            "sha256": digest,
            "sensors": len(file.names),
            "first": file.names[0],
            "last": file.names[-1],
        }

    def _put(self, path: str, data: bytes) -> str:
        """Writes it, unless just these bytes are there: then not even its ETag changes."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            self._store.put(path, data, {"sha256": digest}, if_none_match=True)
        except ConflictError:
            if self._store.head(path).metadata.get("sha256") != digest:
                self._store.put(path, data, {"sha256": digest})
        return digest

    def _clear(self, partitions: Iterable[str], before: int) -> None:
        """Deletes the parts of hours before this one, and those that no state ever named."""
        for partition in partitions:
            folder = self._places.parts(partition)
            for entry in list(self._store.list(folder)):
                if entry.path.removeprefix(f"{folder}/").partition("/")[0] < hour_name(before):
                    self._store.delete(entry.path)


def _next(cursor: Cursor, headers: Iterable[Header]) -> int | None:
    """The hour to land: the one after the last, at first the earliest of which there is something."""
    if cursor.next is not None:
        return cursor.next
    return min((hour for header in headers for hour in (*header.parts, *header.ledger)), default=None)


def _shown(hour: int) -> str:
    return str(Window(hour_start(hour), hour_start(hour) + HOUR))


def _encoded(told: Mapping[str, Any]) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"
