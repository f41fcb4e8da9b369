"""What hours that have landed are made of: a small object for each, as long as it can be corrected.

    ingest/{hub}/{group}/landed/{yyyyMMddHH}

It is written before the files are, on condition that it is the one that was read: so of two that land or
correct an hour at a time one decides what belongs to it, and the files are a function of that. It is ahead of
the files from a crash until someone writes these again; `_corrected.csv` says which correction they show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from scorer.ingest.places import Places
from scorer.ingest.state import StateError
from scorer.storage import ConflictError, NotFoundError, Store

VERSION = 1

Names = Mapping[str, Sequence[str]]
"""Of parts, by partition, in the order in which the partition has closed them."""


class Record(NamedTuple):
    """What an hour is made of."""

    parts: Names
    """All of them."""
    events: int
    """That are in them."""
    arrived: Mapping[str, int]
    """What became of those that arrived in that hour."""
    partitions: int
    number: int
    """Of the last correction: there were so many; 0 for none."""
    fresh: Names
    """The parts that the last correction has added."""
    sensors: Sequence[str]
    """All that were corrected so far, in order."""
    corrected: int
    """Events that corrections have added."""


def uncorrected(
    parts: Names, events: int, arrived: Mapping[str, int], partitions: int, number: int
) -> Record:
    """The record of an hour as it lands; `number` is that of the correction to go on from, 0 mostly."""
    return Record(parts, events, arrived, partitions, number, {}, (), 0)


class Found(NamedTuple):
    """A record as it is stored."""

    record: Record
    etag: str


def read(store: Store, places: Places, hour: int) -> Found | None:
    """The record of an hour; None if there is none. Raises StateError for one that is not understood."""
    path = places.record(hour)
    try:
        blob = store.get(path)
    except NotFoundError:
        return None
    told: dict[str, Any] = orjson.loads(blob.data)
    if told.pop("version", None) != VERSION:
        raise StateError(f"{path} is of another version: wanted {VERSION}")
    return Found(Record(**told), blob.etag)


def write(store: Store, places: Places, hour: int, record: Record, etag: str | None) -> Found | None:
    """Stores it in the place of the one with this ETag (None: of none). None if that is not what is there."""
    data = orjson.dumps({"version": VERSION, **record._asdict()}, option=orjson.OPT_SORT_KEYS)
    try:
        put = store.put(places.record(hour), data, if_match=etag, if_none_match=etag is None)
    except ConflictError:
        return None
    return Found(record, put)
