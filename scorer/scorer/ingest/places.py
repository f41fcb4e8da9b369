"""Where ingest keeps what is its own in the store: states of partitions, parts of hours, the landing's place.

    ingest/{hub}/{group}/{partition}/state                             offset, open windows, list of parts
    ingest/{hub}/{group}/{partition}/parts/{yyyyMMddHH}/{from}-{to}-…  closed windows of one hour, immutable
    ingest/{hub}/{group}/landed/{yyyyMMddHH}                           what an hour is made of
    ingest/{hub}/{group}/landing                                       who lands, and which hour is next
    ingest/{hub}/{group}/start                                         where reading began, and landing

An hour is a number since 1970 here; hour h holds what is after h:00, up to and including h+1:00.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scorer.contract.paths import readings_path
from scorer.ingest.accounting import HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Places(NamedTuple):
    """The paths of one hub and consumer group."""

    root: str

    def state(self, partition: str) -> str:
        """A partition's committed state."""
        return f"{self.root}/{partition}/state"

    def parts(self, partition: str) -> str:
        """The folder of a partition's parts."""
        return f"{self.root}/{partition}/parts"

    def part(self, partition: str, hour: int, name: str) -> str:
        """A part of an hour."""
        return f"{self.parts(partition)}/{hour_name(hour)}/{name}"

    def raw(self, partition: str) -> str:
        """The folder of a partition's raw events that are in no file yet."""
        return f"{self.root}/{partition}/raw"

    @property
    def records(self) -> str:
        """The folder of what landed hours are made of."""
        return f"{self.root}/landed"

    def record(self, hour: int) -> str:
        """What a landed hour is made of."""
        return f"{self.records}/{hour_name(hour)}"

    @property
    def start(self) -> str:
        """Where reading began, and landing."""
        return f"{self.root}/start"

    @property
    def landing(self) -> str:
        """Which hour is landed next, and by whom."""
        return f"{self.root}/landing"


def places(folder: str, hub: str, group: str) -> Places:
    """The paths of a hub and consumer group, whose names are the same in any case."""
    return Places(f"{folder}/{hub.lower()}/{group.lower()}")


def hour_start(hour: int) -> datetime:
    """When an hour begins."""
    return _EPOCH + timedelta(hours=hour)


def hour_end(hour: int) -> int:
    """When an hour ends: microseconds since 1970."""
    return (hour + 1) * HOUR


def hour_name(hour: int) -> str:
    """Like 2026010112; sorts by time."""
    start = hour_start(hour)
    return f"{start.year:04}{start.month:02}{start.day:02}{start.hour:02}"


def dated(template: str, hour: int, shard: int = 0, sensor: str = "") -> str:
    """A template of readings or dead letters with its tokens filled in."""
    return readings_path(template, sensor, hour_start(hour)).replace("{shard}", f"{shard:05}")
