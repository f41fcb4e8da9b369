"""Which files of Event Hubs Capture may hold a window's events, found by listing no more than it needs.

Folders of the hour and coarser are those of the times wanted; namespaces, hubs and partitions are looked up,
one level at a time; and what lies below is listed. With Capture's usual order that is a request for a
partition and hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from scorer.contract.capture import Begun, begun_of, capture_pattern, capture_segments, filled, tokens_of
from scorer.contract.outcome import SensorError
from scorer.contract.work import ReadingsSource
from scorer.sources import together
from scorer.storage import Entry, Store, checked_path
from scorer.window import HOUR, Window

LONGEST = timedelta(minutes=15)
"""The longest capture window that Azure lets one set."""
EARLY = timedelta(minutes=5)
"""How far a device's clock may be ahead of the hub's: what Stream Analytics lets through."""
MAX_CAPTURED = 100_000
"""Files of one window: 32 partitions, a file a minute, for two days."""
MAX_FOLDERS = 20_000

_COARSE = ("Year", "Month", "Day", "Hour")


class Captured(NamedTuple):
    """One file, in order of time."""

    begun: datetime
    source: tuple[str, ...]
    """Namespace, hub and partition, as far as the path says them."""
    entry: Entry


def span_of_files(source: ReadingsSource, span: Window) -> tuple[datetime, datetime]:
    """When the capture windows began, at the earliest and the latest, whose files a window has to read.

    A file that began at b has what the hub got in b to b + 15 min at most; and a reading of time t came there
    at t − 5 min at the earliest, at t + `lateSeconds` at the latest.
    """
    first, last = span.start, span.end
    early, late = EARLY + LONGEST, timedelta(seconds=source.late_seconds)
    first = first - early if first - first.min.replace(tzinfo=first.tzinfo) > early else first
    last = last + late if last.max.replace(tzinfo=last.tzinfo) - last > late else last
    return first, last


def captured(store: Store, path: str, first: datetime, last: datetime) -> list[Captured]:
    """The files whose capture windows began from `first` to `last`, in order of time and path.

    Raises StorageError, and SensorError for more than a window can have.
    """
    segments = capture_segments(path)
    folders = _folders(store, segments, first, last)
    found: list[Captured] = []
    for some in together([partial(_below, store, path, folder, first, last) for folder in folders]):
        found += some
        if len(found) > MAX_CAPTURED:
            raise _too_many(path, f"{MAX_CAPTURED} files")
    found.sort(key=lambda each: (each.begun, each.entry.path))
    return found


def _below(store: Store, path: str, folder: str, first: datetime, last: datetime) -> list[Captured]:
    found = []
    for entry in store.list(folder):
        begun: Begun | None = begun_of(path, entry.path)
        if begun and first <= begun.time <= last:
            checked_path(entry.path)
            found.append(Captured(begun.time, begun.source, entry))
        if len(found) > MAX_CAPTURED:
            break
    return found


def _folders(store: Store, segments: Sequence[str], first: datetime, last: datetime) -> list[str]:
    """The folders below which no hour, day, month or year is to be chosen any more."""
    level: list[tuple[str, dict[str, str]]] = [("", {})]
    for place, segment in enumerate(segments[:-1]):
        if not any(token in _COARSE for rest in segments[place:] for token in tokens_of(rest)):
            break
        if set(tokens_of(segment)) <= set(_COARSE):
            level = [each for folder, known in level for each in _dated(folder, known, segment, first, last)]
        else:
            asks = [partial(store.folders, folder) for folder, _ in level]
            level = [
                each
                for (folder, known), names in zip(level, together(asks), strict=True)
                for each in _named(folder, known, segment, names)
            ]
        if len(level) > MAX_FOLDERS:
            raise _too_many("/".join(segments), f"{MAX_FOLDERS} folders")
    return [folder for folder, _ in level]


def _dated(
    folder: str, known: dict[str, str], segment: str, first: datetime, last: datetime
) -> Iterator[tuple[str, dict[str, str]]]:
    """What the segment is in the hours wanted, as far as these agree with what is known of the path."""
    seen = set()
    hour = first.replace(minute=0, second=0, microsecond=0)
    while hour <= last:
        parts = {"Year": f"{hour.year:04}", "Month": f"{hour.month:02}"}
        parts |= {"Day": f"{hour.day:02}", "Hour": f"{hour.hour:02}"}
        name = filled(segment, parts)
        own = known | {token: parts[token] for token in tokens_of(segment)}
        agrees = all(parts.get(token, text) == text for token, text in known.items())
        if agrees and name not in seen:
            seen.add(name)
            yield f"{folder}/{name}" if folder else name, own
        if hour.max.replace(tzinfo=hour.tzinfo) - hour < HOUR:
            return
        hour += HOUR


def _named(
    folder: str, known: dict[str, str], segment: str, names: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The folders that are there and fit the segment."""
    pattern: re.Pattern[str] = capture_pattern(segment)
    for name in names:
        if fits := pattern.fullmatch(name):
            yield f"{folder}/{name}" if folder else name, known | fits.groupdict()


def _too_many(path: str, what: str) -> SensorError:
    return SensorError("ReadingsTooLarge", f"readings {path} have more than {what} for one window")
