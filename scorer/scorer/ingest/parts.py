"""Parts: what one partition has closed of one hour between two commits, as immutable objects.

    8 bytes   SSPARTS1
    8 bytes   length of the header, little endian
    header    JSON with sorted keys: partition, hour, rows, again, columns (name, type), names of sensors
    columns   sensors (u4, places among the names), ends (i8), then what is kept of the groups

Rows are in order of sensor and time; of events that came after their window was closed (`again`: a row for
each), those of one window are in order of arrival. A part's name ends with the digest of its bytes, so two
owners that once had the same partition never write different bytes to one name; which parts count, the
partition's state says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from scorer.errors import InputError
from scorer.ingest.accounting import HOUR
from scorer.ingest.windows import Closed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"SSPARTS1"


class PartError(InputError):
    """A part that cannot be read, or is not the one that its name says."""


def by_hour(closed: Sequence[Closed]) -> Iterator[tuple[int, Closed]]:
    """Closed windows by the hour that their readings lie in, in order of hour."""
    some = [each for each in closed if len(each.ends)]
    if not some:
        return
    whole = _together(some)
    hours = (whole.ends - 1) // HOUR
    for hour in np.unique(hours).tolist():
        rows = np.flatnonzero(hours == hour)
        yield (
            hour,
            Closed(
                whole.names,
                whole.sensors[rows],
                whole.ends[rows],
                {name: column[rows] for name, column in whole.kept.items()},
                whole.again,
            ),
        )


def _together(closed: Sequence[Closed]) -> Closed:
    """All of one partition's, of one kind: places of sensors mean the same in each, later ones have more."""
    return Closed(
        closed[-1].names,
        np.concatenate([each.sensors for each in closed]),
        np.concatenate([each.ends for each in closed]),
        {name: np.concatenate([each.kept[name] for each in closed]) for name in closed[0].kept},
        closed[0].again,
    )


def encode(partition: str, hour: int, closed: Closed) -> bytes:
    """A part's bytes: a function of the windows in it."""
    occurring = np.unique(closed.sensors)
    names = sorted(closed.names[place] for place in occurring.tolist())
    rank_of = {name: rank for rank, name in enumerate(names)}
    ranks = np.zeros(int(occurring[-1]) + 1 if len(occurring) else 0, np.int64)
    ranks[occurring] = [rank_of[closed.names[place]] for place in occurring.tolist()]
    sensors = ranks[closed.sensors]
    order = np.lexsort((closed.ends, sensors))
    header = {
        "partition": partition,
        "hour": hour,
        "rows": len(order),
        "columns": [(name, column.dtype.str[1:]) for name, column in closed.kept.items()],
        "names": names,
        "again": closed.again,
    }
    told = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    columns = [sensors[order].astype("<u4"), closed.ends[order].astype("<i8")]
    columns += [_little(column[order]) for column in closed.kept.values()]
    return b"".join(
        [_MAGIC, len(told).to_bytes(8, "little"), told, *(column.tobytes() for column in columns)]
    )


def decode(data: bytes, name: str) -> Closed:
    """The windows of a part. Raises PartError if these are not the bytes that were written by this name."""
    if digest_of(data) != name.rpartition("-")[2]:
        raise PartError(f"part {name} has other bytes than were written: sha256 {digest_of(data)}…")
    if data[:8] != _MAGIC:
        raise PartError(f"part {name} begins {data[:8]!r}: wanted {_MAGIC!r}")
    end = 16 + int.from_bytes(data[8:16], "little")
    header = orjson.loads(data[16:end])
    rows, at = header["rows"], end

    def column(kind: str) -> NDArray[Any]:
        nonlocal at
        found = np.frombuffer(data, kind, rows, at)
        at += found.nbytes
        return found

    sensors, ends = column("<u4").astype(np.int64), column("<i8")
    kept = {name: column(f"<{kind}") for name, kind in header["columns"]}
    return Closed(header["names"], sensors, ends, kept, header.get("again", False))


def part_name(first: int, last: int, data: bytes) -> str:
    """By the sequence numbers that were taken since the commit before, and the digest of the bytes."""
    return f"{first:019}-{last:019}-{digest_of(data)}"


def digest_of(data: bytes) -> str:
    """Of bytes that nobody forges."""
    return hashlib.sha256(data).hexdigest()[:24]


def _little(column: NDArray[Any]) -> NDArray[Any]:
    return column.astype(column.dtype.newbyteorder("<"))
