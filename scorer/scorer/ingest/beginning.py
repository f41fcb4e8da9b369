"""Where a consumer group begins to read, and the first hour that it lands: decided once, for all partitions.

    Oldest       with the oldest event that the hub has; the first hour that anything is of lands
    Newest       now; the first hour lands whose events can not have come before
    a time       so far before it that the first hour that begins then, or later, is whole

An hour's events can come before it begins: by as much as their clocks may be ahead (`earlyArrival`), and from
the beginning of its first window, where windows are no divisors of an hour. Events of windows before the
first hour are *before the start*: counted, and in no window.

The decision is an object in the store, `ingest/{hub}/{group}/start`, put once: by it begin partitions that
have no state, whenever they are first claimed, and by whom. So nothing is lost between a start and the first
commit, and a partition that a hub gets later is read from the same time as the others.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from scorer.ingest.accounting import HOUR
from scorer.ingest.settings import EVENT, Settings
from scorer.ingest.state import StateError
from scorer.ingest.watermarks import NEVER
from scorer.ingest.windows import ZERO_HOUR
from scorer.storage import ConflictError, NotFoundError, Store

VERSION = 1
OLDEST, NEWEST = "Oldest", "Newest"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Beginning(NamedTuple):
    """Microseconds since 1970; NEVER with the oldest event."""

    said: str
    """The setting by which it was decided."""
    read: int = NEVER
    """Events that the hub got after this are read."""
    begin: int = NEVER
    """Events of times after this are in windows of the first hour that lands, or a later one."""

    @property
    def position(self) -> str | datetime:
        """As the client of Event Hubs wants it, which counts in milliseconds, and reads what is after."""
        return "-1" if self.read == NEVER else _EPOCH + timedelta(milliseconds=self.read // 1_000 - 1)


def decided(start: str, settings: Settings, now: float) -> Beginning:
    """What a setting comes to; `now` in Unix time."""
    if start == OLDEST:
        return Beginning(start)
    if start == NEWEST:
        read = int(now * 1_000_000)
        hour = read // HOUR
        while _reads_from(hour, settings) < read:
            hour += 1
        return Beginning(start, read, _opens(hour, settings))
    asked = (datetime.fromisoformat(start) - _EPOCH) // timedelta(microseconds=1)
    hour = -(-asked // HOUR)
    return Beginning(start, _reads_from(hour, settings), _opens(hour, settings))


def _opens(hour: int, settings: Settings) -> int:
    """When the first window begins whose reading is of this hour."""
    size = settings.windows.size
    zero = ZERO_HOUR + settings.windows.offset
    return (hour * HOUR - zero) // size * size + zero


def _reads_from(hour: int, settings: Settings) -> int:
    """When the first of its events may come."""
    ahead = settings.ordering.early or 0 if settings.ordering.by == EVENT else 0
    return _opens(hour, settings) - ahead


def beginning(store: Store, path: str, start: str, settings: Settings, now: float) -> Beginning:
    """What was decided, or is now. Raises StateError for a decision not understood, and StorageError."""
    wanted = decided(start, settings, now)
    told = orjson.dumps({"version": VERSION, **wanted._asdict()}, option=orjson.OPT_SORT_KEYS)
    try:
        return _read(store.get(path).data, path)
    except NotFoundError:
        pass
    try:
        store.put(path, told, if_none_match=True)
    except ConflictError:
        return _read(store.get(path).data, path)
    return wanted


def _read(data: bytes, path: str) -> Beginning:
    try:
        told: dict[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StateError(f"{path} is {data!r:.200}: wanted JSON of version {VERSION}") from error
    if (
        not isinstance(told, dict)
        or told.pop("version", None) != VERSION
        or set(told) != set(Beginning._fields)
    ):
        raise StateError(f"{path} is {data!r:.200}: wanted version {VERSION}")
    return Beginning(**told)
