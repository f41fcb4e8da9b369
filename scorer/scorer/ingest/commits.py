"""What is committed of a partition: one object, changed by one conditional put.

    8 bytes   SSCOMMIT
    8 bytes   length of the header, little endian
    header    JSON with sorted keys: watermark, arrival clock, parts and ledger of the hours not landed yet
    rest      the state itself (scorer.ingest.state)

Whoever lands hours reads headers only. Offset and sequence number stand in the object's metadata too, where
whoever begins to receive finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from scorer.ingest.accounting import Counts
from scorer.ingest.state import State, StateError, dump_parts
from scorer.storage import ConflictError, NotFoundError, Store, UnavailableError

_MAGIC = b"SSCOMMIT"
_FIRST_BYTES = 64 * 1024
_TRIES = 5
VERSION = 2


class Part(NamedTuple):
    """A part of an hour: what a partition closed of it between two commits."""

    name: str
    number: int
    """Grows with each part of the partition."""


class Kept(NamedTuple):
    """What a state says of raw events: the first window of them without a file, and what is staged."""

    window: int | None = None
    """Its number since 1970; None before the first event."""
    parts: Mapping[int, Sequence[str]] = {}
    """Names of staged objects by window, in the order of events."""
    every: int = 0
    """What the windows are counted by."""


class Header(NamedTuple):
    """What a committed state says to those who land hours."""

    watermark: int
    """No event to come gets an earlier time. Microseconds since 1970."""
    clock: int
    """No event to come arrives earlier."""
    parts: Mapping[int, list[Part]]
    """Of each hour that is not landed yet; of one that is, those that corrections have not seen yet."""
    ledger: Mapping[int, Counts]
    """Events by their hour of arrival, of those hours."""
    last: int = 0
    """Number of the last part that there was; 0 for none."""
    raw: Kept = Kept()
    """Of raw events: what is in no file yet."""

    def passed(self, end: int) -> bool:
        """Whether the partition has no more to say of what ends then, nor gets what arrived until then."""
        return self.watermark > end and self.clock > end


def encode(
    state: State,
    parts: Mapping[int, list[Part]],
    last: int,
    raw: Kept = Kept(),  # noqa: B008 (never changes)
) -> Iterator[bytes]:
    """What is put, in parts."""
    header: dict[str, Any] = {
        "version": VERSION,
        "watermark": state.watermark,
        "clock": state.streams.clock,
        "parts": {str(hour): [list(part) for part in listed] for hour, listed in parts.items()},
        "last": last,
        "ledger": {str(hour): list(counts) for hour, counts in state.ledger.items()},
    }
    if raw.window is not None:
        listed = {str(window): list(names) for window, names in raw.parts.items()}
        header["raw"] = {"every": raw.every, "window": raw.window, "parts": listed}
    told = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    yield _MAGIC + len(told).to_bytes(8, "little") + told
    yield from dump_parts(state)


def metadata(state: State, owner: str, attempt: int) -> dict[str, str]:
    """Beside it: where to go on, whose it is, and which of the owner's attempts to commit."""
    return {
        "offset": state.offset,
        "sequence": str(state.sequence),
        "owner": owner,
        "attempt": str(attempt),
    }


def decode(data: bytes, path: str) -> tuple[Header, bytes]:
    """The header and the state's bytes. Raises StateError."""
    length = _length(data, path)
    return _header(data[16 : 16 + length], path), data[16 + length :]


def read_header(store: Store, path: str) -> Header | None:
    """The header alone; None if nothing is committed yet. Raises StateError and StorageError."""
    for _ in range(_TRIES):
        try:
            etag = store.head(path).etag
            start = store.get_range(path, 0, _FIRST_BYTES, if_match=etag)
            length = _length(start, path)
            if 16 + length > len(start):
                start += store.get_range(path, len(start), 16 + length - len(start), if_match=etag)
            return _header(start[16 : 16 + length], path)
        except NotFoundError:
            return None
        except ConflictError:
            continue  # committed again meanwhile
    raise UnavailableError(f"{path} was committed {_TRIES} times while its header was being read")


def _length(data: bytes, path: str) -> int:
    if data[:8] != _MAGIC or len(data) < 16:
        raise StateError(f"{path} begins {data[:8]!r}: wanted {_MAGIC!r}")
    return int.from_bytes(data[8:16], "little")


def _header(told: bytes, path: str) -> Header:
    header = orjson.loads(told)
    if header.get("version") != VERSION:
        raise StateError(f"{path} is of version {header.get('version')!r}: wanted {VERSION}")
    return Header(
        header["watermark"],
        header["clock"],
        {int(hour): [Part(*part) for part in listed] for hour, listed in header["parts"].items()},
        {int(hour): Counts(*counts) for hour, counts in header["ledger"].items()},
        header["last"],
        _raw(header.get("raw")),
    )


def _raw(told: Mapping[str, Any] | None) -> Kept:
    if told is None:
        return Kept()
    return Kept(
        told["window"], {int(window): names for window, names in told["parts"].items()}, told["every"]
    )
