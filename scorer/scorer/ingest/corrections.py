"""Corrects hours that have landed: what came since is merged with what was there, and files are written anew.

An hour's correction goes in this order, and each step can be done again by anyone with the same bytes:

1. its record: all its parts, those that are new among them, and the number of this correction;
2. the files that hold the sensors concerned, whole; the others are left untouched;
3. `_index.json`, then `_SUCCESS`;
4. last `_corrected.csv`: all sensors corrected so far, with the number of the correction as metadata.

After a crash the record is ahead of `_corrected.csv`: then the steps from 2 on are done before anything else.
When all hours are through, the cursor says which parts have been seen, and partitions forget these; all but
those of hours that could not be corrected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from scorer.contract.paths import default_marker
from scorer.errors import InputError
from scorer.ingest import records
from scorer.ingest.accounting import Counts
from scorer.ingest.commits import Header
from scorer.ingest.cursor import Claim, Cursor, Taken
from scorer.ingest.hours import Counted, Source, counted, readings_of
from scorer.ingest.landing import AUTO, PER_SENSOR, Landing, layout_for
from scorer.ingest.places import Places, dated
from scorer.ingest.records import Found, Names, Record, uncorrected
from scorer.ingest.settings import Column
from scorer.ingest.writing import INDEX, WRITERS, SupersededError, Writer, shown, success
from scorer.storage import NotFoundError, StorageError, Store

CORRECTED = "_corrected.csv"
MOST_APART = 1_000
"""Hours that may fail and be kept apart, in the cursor; with more of them nothing is forgotten."""
Told = list[dict[str, Any]]


class Corrected(NamedTuple):
    """What one look at late parts came to."""

    hours: int = 0
    sensors: int = 0
    """Of hours: a sensor in two of them is two."""
    events: int = 0
    stray: int = 0
    """Windows and events of hours that landed without a record: they are in no file."""


class Corrector:
    """Corrects the hours of one hub and consumer group, whoever holds the claim."""

    def __init__(
        self,
        store: Store,
        places: Places,
        landing: Landing,
        columns: Sequence[Column],
        claim: Claim,
        every: float,
        writers: int = WRITERS,
    ) -> None:
        self._store = store
        self._places = places
        self._landing = landing
        self._columns = columns
        self._claim = claim
        self._every = every
        self._writers = writers
        self._due = -1.0
        self.trouble = ""
        """What the first hour raised that could not be corrected; until it is."""

    def correct(self, cursor: Cursor, headers: Mapping[str, Header], now: float) -> Corrected | None:
        """Corrects all hours of which parts came since; None if there was nothing to do, or not yet.

        `cursor` and `headers` as they were read; `now`: monotonic seconds. Raises what the first hour raised
        that could not be corrected, when all others are.
        """
        waiting = late_parts(cursor, headers)
        if not waiting:
            self.trouble = ""
        if not waiting or now < self._due:
            return None
        done = Corrected()
        failed: dict[int, Exception] = {}
        layout = cursor.layout
        for hour, names in sorted(waiting.items()):
            try:
                found, layout = self._hour(hour, names, layout, len(headers))
            except SupersededError:
                return done if done != Corrected() else None
            except (StorageError, InputError, ValueError) as error:
                failed[hour] = error
            else:
                done = Corrected(*map(sum, zip(done, found, strict=True)))
        if done.hours or failed:
            self._due = now + self._every
        first = next(iter(failed.values()), None)
        self.trouble = f"hour {shown(next(iter(failed)))}: {first}" if first else ""
        if len(failed) <= MOST_APART:
            last = {name: header.last for name, header in headers.items()}
            self._claim.move(cursor, taken=Taken(cursor.next, last, tuple(failed)), layout=layout)
        if first:
            raise first
        return done if done != Corrected() else None

    def _hour(self, hour: int, names: Names, layout: str, partitions: int) -> tuple[Corrected, str]:
        """Corrects one hour; gives the layout that hours have."""
        found = records.read(self._store, self._places, hour)
        if found is None:
            if self._has_landed(hour, layout):
                return Corrected(stray=sum(counted(self._source(hour, names), 0).rows)), layout
            count = self.shown(hour, layout)
            found = Found(uncorrected({}, 0, Counts()._asdict(), partitions, count), "")
        if found.record.number > self.shown(hour, layout):
            layout = self._apply(hour, found, layout)  # what was begun by someone who is no more
        fresh = _missing(found.record, names)
        if not fresh:
            return Corrected(), layout
        before = found.record
        new = counted(self._source(hour, fresh), 0)
        record = _extended(before, fresh, new)
        written = records.write(self._store, self._places, hour, record, found.etag or None)
        if written is None:
            raise SupersededError(f"hour {shown(hour)} was gone on with by someone else")
        layout = self._apply(hour, written, layout)
        return Corrected(1, len(new.names), new.events), layout

    def _apply(self, hour: int, found: Found, layout: str) -> str:
        """Makes the files what the record says. Raises SupersededError when the record is another one."""
        record = found.record
        path, etag = self._places.record(hour), found.etag
        writer = Writer(
            self._store,
            self._landing,
            hour,
            lambda: self._store.head(path).etag == etag,
            self._writers,
            self._claim.keep,
        )
        changed = counted(self._source(hour, record.fresh), 0).names
        layout = self._layout(layout, hour, record)
        folder = self._folder(hour, layout)
        before = self._index(folder)
        told = self._files(writer, record, layout, changed, list(before))
        writer.clear(before, told)  # landed by other settings; before the index, which tells what to delete
        index = writer.write_index(folder, layout, told)
        corrections = {"count": record.number, "sensors": len(record.sensors), "events": record.corrected}
        said = success(hour, told, record.events, record.arrived, record.partitions, index, corrections)
        writer.put(f"{folder}/_SUCCESS", said)
        lines = "".join(f"{name}\n" for name in ("sensor", *record.sensors))
        writer.put(f"{folder}/{CORRECTED}", lines.encode(), {"count": str(record.number)})
        return layout

    def _files(self, writer: Writer, record: Record, layout: str, changed: Sequence[str], told: Told) -> Told:
        """Writes the files that hold these sensors; gives what the index says of all."""
        template = self._landing.template(layout)
        alone = layout == PER_SENSOR
        expected = [
            dated(template, writer.hour, 0 if alone else shard, file["first"])
            for shard, file in enumerate(told)
        ]
        source = self._source(writer.hour, record.parts)
        if not told or expected != [file["path"] for file in told]:
            return self._written(writer, source, layout)  # none yet, or landed by other settings
        if alone:
            found = self._written(writer, source._replace(wanted=frozenset(changed).__contains__), layout)
            kept = {file["first"]: file for file in told} | {file["first"]: file for file in found}
            return [kept[name] for name in sorted(kept)]
        firsts = [file["first"] for file in told]
        for shard in sorted({shard_for(firsts, name) for name in changed}):
            part = source._replace(wanted=_shard_is(firsts, shard))
            (told[shard],) = self._written(writer, part, layout, shard)
        return told

    def _written(self, writer: Writer, source: Source, layout: str, shard: int | None = None) -> Told:
        """Writes all that the source has; one shard whole, however large, if its number is given."""
        most = self._landing.shard_rows if shard is None else 2**62
        stretches = readings_of(source, counted(source, most), self._columns, most)
        return [
            file
            for number, readings in enumerate(stretches)
            for file in writer.readings(readings, layout, number if shard is None else shard)
        ]

    def _layout(self, layout: str, hour: int, record: Record) -> str:
        if self._landing.layout != AUTO:
            return self._landing.layout
        return layout or layout_for(self._landing, len(counted(self._source(hour, record.parts), 0).names))

    def _folder(self, hour: int, layout: str) -> str:
        return dated(default_marker(self._landing.template(layout)), hour).rpartition("/")[0]

    def _has_landed(self, hour: int, layout: str) -> bool:
        try:
            self._store.head(f"{self._folder(hour, layout)}/_SUCCESS")
        except NotFoundError:
            return False
        return True

    def shown(self, hour: int, layout: str) -> int:
        """The correction that the files have come to; 0 for none."""
        try:
            metadata = self._store.head(f"{self._folder(hour, layout)}/{CORRECTED}").metadata
        except NotFoundError:
            return 0
        return int(metadata.get("count", 0))

    def _index(self, folder: str) -> Told:
        try:
            told: Told = orjson.loads(self._store.get(f"{folder}/{INDEX}").data)["files"]
        except NotFoundError:
            return []
        return told

    def _source(self, hour: int, names: Names) -> Source:
        return Source(self._store, self._places, hour, names, keep=self._claim.keep)


def late_parts(cursor: Cursor, headers: Mapping[str, Header]) -> dict[int, dict[str, list[str]]]:
    """By hour that has landed and by partition: parts that no correction has seen."""
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    for partition, header in headers.items():
        for hour, parts in header.parts.items():
            names = [part.name for part in parts if not cursor.taken.has(partition, hour, part.number)]
            if names and cursor.next is not None and hour < cursor.next:
                found[hour][partition] = names
    return dict(found)


def shard_for(firsts: Sequence[str], sensor: str) -> int:
    """The shard that a sensor lies in, or sorts into, by the first sensor of each.

    Of the firsts only that of the first shard ever changes, so a sensor's shard stays the same.
    """
    return max(bisect_right(firsts, sensor) - 1, 0)


def _shard_is(firsts: Sequence[str], shard: int) -> Callable[[str], bool]:
    return lambda sensor: shard_for(firsts, sensor) == shard


def _extended(record: Record, fresh: Names, new: Counted) -> Record:
    """The record with one correction more."""
    return record._replace(
        parts={
            name: [*record.parts.get(name, ()), *fresh.get(name, ())]
            for name in sorted({*record.parts, *fresh})
        },
        fresh=fresh,
        events=record.events + new.events,
        number=record.number + 1,
        sensors=sorted({*record.sensors, *new.names}),
        corrected=record.corrected + new.events,
    )


def _missing(record: Record, names: Names) -> dict[str, list[str]]:
    """Parts that the hour does not have yet."""
    known = {(partition, name) for partition, listed in record.parts.items() for name in listed}
    found = {
        partition: [name for name in listed if (partition, name) not in known]
        for partition, listed in names.items()
    }
    return {partition: listed for partition, listed in found.items() if listed}
