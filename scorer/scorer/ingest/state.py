"""The state of a partition, and its stored form: one value, so that offset and windows commit together.

    8 bytes   SSINGEST
    8 bytes   length of the header, little endian
    header    JSON with sorted keys: version, what it was made with, position, clock, ledger, names, windows
    columns   of streams; then of each window: sensors, and what is kept of their groups. Little endian
    4 bytes   CRC-32 of all that is before them

The bytes are a function of what the state says, not of how it came to be: sensors are in the order of their
names, and those without an open group are left out. So are streams of which no trace is needed: one that was
never heard of is judged as they would be. A group of one event, as most are where devices send once a window,
is stored as its value alone.

A process that runs for long knows more sensors than have a window open; `load(dump(state))` does not.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from scorer.errors import InputError
from scorer.ingest.accounting import Counts
from scorer.ingest.aggregates import EVENTS, Kept
from scorer.ingest.events import sensors_for
from scorer.ingest.settings import Settings
from scorer.ingest.watermarks import NEVER, Streams
from scorer.ingest.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 2
_MAGIC = b"SSINGEST"
_ONE_VALUE = ("sum", "min", "max", "first", "last", "base")
"""What of a group of one event is that event's value."""
_WHOLE, _ZERO = "", "0"


class StateError(InputError):
    """Stored state that cannot be gone on from: broken, of another version, or made with other settings."""


class State:
    """Where a partition is. `step` changes it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sequence = -1
        """Of the last message that was taken; −1 before the first."""
        self.offset = ""
        self.begin = NEVER
        """No reading is made of events of times up to this one: their hours never land."""
        self.sensors = sensors_for(settings)
        self.streams = Streams(settings.ordering, bool(settings.mapping.over))
        self.windows = Windows(settings.windows, settings.columns, len(settings.mapping.values))
        self.ledger: dict[int, Counts] = {}
        """Of events by their hour of arrival, until `settle` takes it."""
        self.passed = np.empty(0, np.int64)
        """The last window that was closed, by stream: follows from the watermarks."""

    @property
    def watermark(self) -> int:
        """All windows that end before it are closed, and no event to come falls into them."""
        return self.streams.low()

    def settle(self, before: int) -> dict[int, Counts]:
        """Takes out the ledger of the hours that end at this time, or before it (microseconds since 1970)."""
        hours = [hour for hour in self.ledger if (hour + 1) * 3_600_000_000 <= before]
        return {hour: self.ledger.pop(hour) for hour in hours}


def dump(state: State) -> bytes:
    """The state's stored form."""
    return b"".join(dump_parts(state))


def load(data: bytes, settings: Settings) -> State:
    """The state that was stored. Raises StateError."""
    header, columns = _opened(data)
    state = State(settings)
    made_with = _made_with(settings)
    if header.get("version") != VERSION:
        raise StateError(f"state is of version {header.get('version')!r}: wanted {VERSION}")
    for name, wanted in made_with.items():
        if (found := header["made_with"].get(name)) != wanted:
            raise StateError(f"state was made with {name} {found!r}, and {wanted!r} is set now")
    state.sequence, state.offset, state.begin = header["sequence"], header["offset"], header["begin"]
    state.ledger = {int(hour): Counts(**counts) for hour, counts in header["ledger"].items()}
    streams = header["streams"]
    for name, stream in header["sensors"]:
        state.sensors.place(name, streams[stream])
    _load_streams(state, streams, header["clock"], columns)
    kept = state.windows.groups.kept
    for window, rows, several in header["windows"]:
        sensors = _sensors(columns, rows, len(header["sensors"]))
        state.windows.put(window, sensors, _load_groups(columns, rows, several, kept))
    state.passed = state.windows.passed(state.streams.marks)
    return state


def place_of(data: bytes) -> tuple[str, int]:
    """Offset and sequence number of a stored state's last message. Raises StateError."""
    header, _ = _opened(data)
    return header["offset"], header["sequence"]


def dump_parts(state: State) -> Iterator[bytes]:
    """The stored form in parts, none of more than one window: a large state is never held twice."""
    every = np.arange(len(state.sensors.names))
    windows: list[tuple[int, int, int]] = []
    live = np.zeros(len(every), np.bool_)
    for window, rows in state.windows.open.items():
        places, sensors = state.windows.within(window, every)
        live[sensors] = True
        windows.append((window, rows, int(np.count_nonzero(state.windows.groups.events(places) > 1))))
    names = state.sensors.names
    order = np.array(sorted(np.flatnonzero(live).tolist(), key=names.__getitem__), np.int64)
    rank = np.zeros(len(every), np.int64)
    rank[order] = np.arange(len(order))
    streams = _live_streams(state, order)
    crc = 0
    for part in _parts(state, windows, order, rank, streams):
        crc = zlib.crc32(part, crc)
        yield part
    yield crc.to_bytes(4, "little")


def _parts(
    state: State,
    windows: Sequence[tuple[int, int, int]],
    order: NDArray[np.int64],
    rank: NDArray[np.int64],
    streams: NDArray[np.int64],
) -> Iterator[bytes]:
    yield _head(state, windows, order, streams)
    yield state.streams.marks[streams].astype("<i8").tobytes()
    yield state.streams.heard[streams].astype("<i8").tobytes()
    for window, _, several in windows:
        places, sensors = state.windows.within(window, order)
        yield _sensor_bytes(rank[sensors], len(order))
        yield from _dump_groups(state.windows.groups.read(places), several)


def _head(
    state: State,
    windows: Sequence[tuple[int, int, int]],
    order: NDArray[np.int64],
    streams: NDArray[np.int64],
) -> bytes:
    stream_rank = {place: rank for rank, place in enumerate(streams.tolist())}
    stream_of = state.sensors.stream_of[order].tolist()
    header = {
        "version": VERSION,
        "made_with": _made_with(state.settings),
        "sequence": state.sequence,
        "offset": state.offset,
        "begin": state.begin,
        "clock": state.streams.clock,
        "ledger": {str(hour): counts._asdict() for hour, counts in state.ledger.items()},
        "streams": [state.sensors.streams[place] for place in streams.tolist()],
        "sensors": [
            (state.sensors.names[place], stream_rank[stream])
            for place, stream in zip(order.tolist(), stream_of, strict=True)
        ],
        "windows": windows,
    }
    told = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    return _MAGIC + len(told).to_bytes(8, "little") + told


def _made_with(settings: Settings) -> dict[str, Any]:
    """What the stored windows hang on. Tolerances may change between one start and the next."""
    columns = sorted(
        {f"{column.function}({settings.mapping.values[column.value]})" for column in settings.columns}
    )
    return {
        "window": list(settings.windows),
        "columns": columns,
        "values": list(settings.mapping.values),
        "over": list(settings.mapping.over),
        "by": settings.ordering.by,
    }


def _live_streams(state: State, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Streams that are to be stored, in the order of their names."""
    if not state.settings.mapping.over:
        return np.zeros(1, np.int64)
    marks, heard, clock = state.streams.marks, state.streams.heard, state.streams.clock
    ordering = state.settings.ordering
    needed = marks > clock - ordering.silence
    if ordering.silence < ordering.late:
        needed |= clock - heard < ordering.silence
    needed[state.sensors.stream_of[order]] = True
    names = state.sensors.streams
    return np.array(sorted(np.flatnonzero(needed).tolist(), key=names.__getitem__), np.int64)


def _load_streams(state: State, names: Sequence[str], clock: int, columns: _Columns) -> None:
    for name in names:
        state.sensors.stream(name)
    marks, heard = (columns.take("<i8", len(names)) for _ in range(2))
    streams = state.streams
    streams.clock = clock
    streams.grow(len(state.sensors.streams))
    places = np.array([state.sensors.stream(name) for name in names], np.int64)
    streams.marks[places], streams.heard[places] = marks, heard


def _sensor_bytes(ranks: NDArray[np.int64], count: int) -> bytes:
    """Which of all sensors: as numbers, or a bit for each sensor if that is shorter."""
    if 4 * len(ranks) <= (count + 7) // 8:
        return ranks.astype("<u4").tobytes()
    bits = np.zeros(count, np.bool_)
    bits[ranks] = True
    return np.packbits(bits, bitorder="little").tobytes()


def _sensors(columns: _Columns, rows: int, count: int) -> NDArray[np.int32]:
    if 4 * rows <= (count + 7) // 8:
        return columns.take("<u4", rows).astype(np.int32)
    bits = np.unpackbits(columns.take("u1", (count + 7) // 8), count=count, bitorder="little")
    found = np.flatnonzero(bits).astype(np.int32)
    if len(found) != rows:
        raise StateError(f"state names {len(found)} sensors in a window of {rows}")
    return found


def _dump_groups(groups: Mapping[str, NDArray[Any]], several: int) -> Iterator[bytes]:
    """The columns of a window's groups."""
    counts = groups[EVENTS]
    more = counts > 1
    if several:
        yield np.packbits(more, bitorder="little").tobytes()
        yield counts[more].astype("<u4").tobytes()
    for name, how in _stored(groups):
        column = groups[name] if how == _WHOLE else groups[name][more]
        yield column.astype(column.dtype.newbyteorder("<")).tobytes()


def _load_groups(
    columns: _Columns, rows: int, several: int, kept: Mapping[str, Kept]
) -> dict[str, NDArray[Any]]:
    more = np.zeros(rows, np.bool_)
    counts = np.ones(rows, np.uint32)
    if several:
        bits = columns.take("u1", (rows + 7) // 8)
        more = np.unpackbits(bits, count=rows, bitorder="little").astype(np.bool_)
        counts[more] = columns.take("<u4", several)
    found: dict[str, NDArray[Any]] = {EVENTS: counts}
    for name, how in _stored(kept):
        kind = np.dtype(kept[name].kind).newbyteorder("<")
        if how == _WHOLE:
            found[name] = columns.take(kind, rows)
            continue
        found[name] = np.zeros(rows, kept[name].kind) if how == _ZERO else found[how].copy()
        found[name][more] = columns.take(kind, several)
    return found


def _stored(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """How each column is stored: whole; or of groups of several events only, for in those of one it is 0, or
    what another column is.
    """
    names = list(names)
    whole: dict[str, str] = {}
    for name in names:
        what, _, of = name.partition(".")
        if name == EVENTS:
            continue
        if f"n.{of}" in names:  # events that may lack the value: one event, and none with it
            yield name, _WHOLE
        elif what in _ONE_VALUE:
            yield name, whole.get(of, _WHOLE)
            whole.setdefault(of, name)
        else:
            yield name, _ZERO if what in ("off", "squares") else _WHOLE


class _Columns:
    """The bytes after the header, taken one column after the other."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, kind: Any, count: int) -> NDArray[Any]:
        """The next column. Raises StateError if there is not so much."""
        size = np.dtype(kind).itemsize * count
        if self._at + size > len(self._data):
            raise StateError("state ends in its middle")
        found = np.frombuffer(self._data[self._at : self._at + size], kind)
        self._at += size
        return found


def _opened(data: bytes) -> tuple[dict[str, Any], _Columns]:
    if data[:8] != _MAGIC or len(data) < 20:
        raise StateError(f"state begins {data[:8]!r}: wanted {_MAGIC!r}")
    if zlib.crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "little"):
        raise StateError(f"state of {len(data)} bytes is broken: its checksum is another")
    end = 16 + int.from_bytes(data[8:16], "little")
    header = orjson.loads(data[16:end])
    return header, _Columns(memoryview(data)[end:-4])
