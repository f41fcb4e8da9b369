"""Files that many sensors share: decoded once for a pack, whose sensors then take their records from memory.

What the sensors' models want is known only as they come. The columns of the first are decoded; should one
want another, the files are decoded again, for it and all that was asked for before: at most once a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.readings.accounting import MAX_DECODED_BYTES, too_large
from scorer.readings.batch import MAX_TEXTS, TIME, Batch, chosen, said_of
from scorer.readings.sensors import SensorNames
from scorer.storage import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.sources import Found

Decode = Callable[["Found", SensorNames, Sequence[str], list[str]], Iterator[tuple[str, Batch]]]
"""From files, sensors wanted and columns of numbers: batches with their files' paths. The list takes what
sentences there are on what was lost."""

MAX_PACK_TEXTS = 20_000
"""Of a file, what was found where it could not be used; of more rows only the reason is told."""
MAX_TRIES = 3
"""Of reading the files, when storage is away: its own retries come to it."""


class _Pack(NamedTuple):
    """Records of a pack's sensors: each sensor's lie together, in the order of files and records."""

    columns: tuple[str, ...]
    names: Mapping[str, int]
    bounds: NDArray[np.intp]
    """Where each sensor's records begin, and where the last one's end."""
    batch: Batch
    files: NDArray[np.int32]
    """Each record's file, as a place in the following."""
    paths: Sequence[str]
    texts: Sequence[Mapping[tuple[int, int], str]]
    lost: str


class Shared:
    """The shared files of one window, for a pack's sensors. Threads may ask it at the same time."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._lock = Lock()
        self._pack: _Pack | None = None
        self._asked: tuple[str, ...] = ()
        self._refused: dict[tuple[str, ...], SensorError] = {}
        self._away: list[StorageError] = []

    def take(self, found: Found, sensor: str, columns: Sequence[str]) -> tuple[list[tuple[str, Batch]], str]:
        """The sensor's batches, each with its file's path, and what was lost of the files.

        Raises SensorError and StorageError.
        """
        with self._lock:
            pack = self._pack
            if pack is None or not set(columns) <= set(pack.columns) or sensor not in pack.names:
                pack = self._pack = self._decoded(found, sensor, tuple(columns))
        place = pack.names[sensor]
        own = slice(int(pack.bounds[place]), int(pack.bounds[place + 1]))
        return _by_file(pack, own, [pack.columns.index(name) for name in columns]), pack.lost

    def _decoded(self, found: Found, sensor: str, columns: tuple[str, ...]) -> _Pack:
        if columns in self._refused:
            raise self._refused[columns]
        if len(self._away) >= MAX_TRIES:
            raise self._away[-1]
        asked = tuple(dict.fromkeys((*self._asked, *columns)))
        names = dict.fromkeys((*(found.sensors or ()), sensor))
        lost: list[str] = []
        self._pack = None  # not both at once
        try:
            decoded = self._decode(found, SensorNames(names), asked, lost)
            pack = _packed(decoded, asked, list(names), lost)
        except SensorError as error:
            self._refused[columns] = error
            raise
        except StorageError as error:
            self._away.append(error)
            raise
        self._asked = asked
        found.release()
        return pack


def _packed(
    decoded: Iterator[tuple[str, Batch]], columns: tuple[str, ...], names: list[str], lost: list[str]
) -> _Pack:
    """All records of the pack, by sensor."""
    batches: list[Batch] = []
    places: dict[str, int] = {}
    files: list[int] = []
    texts: list[dict[tuple[int, int], str]] = []
    left = MAX_DECODED_BYTES
    for path, batch in decoded:
        if path not in places:
            places[path] = len(places)
            texts.append({})
        if not len(batch.times):
            continue
        left -= len(batch.times) * 8 * (len(columns) + 2)
        if left < 0:
            raise too_large(path, "the window of a pack's sensors")
        batches.append(batch)
        files.append(places[path])
        if len(texts[places[path]]) < MAX_PACK_TEXTS:
            texts[places[path]].update(batch.texts)
    lengths = [len(batch.times) for batch in batches]
    whole = _joined(batches, len(columns))
    sensors = whole.sensors if whole.sensors is not None else np.empty(0, np.int32)
    from_files = np.repeat(np.array(files, np.int32), lengths)
    if bool(np.any(sensors[1:] < sensors[:-1])):
        # Sorting short numbers is quicker by far, and stable sorting keeps the order of files and records.
        order = np.argsort(sensors.astype(np.int16) if len(names) < 2**15 else sensors, kind="stable")
        whole, from_files = chosen(whole, order), from_files[order]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(sensors, minlength=len(names)))])
    return _Pack(
        columns,
        {name: place for place, name in enumerate(names)},
        bounds,
        whole,
        from_files,
        list(places),
        texts,
        said_of(lost),
    )


def _joined(batches: list[Batch], width: int) -> Batch:
    """All batches as one; frees them on the way."""
    if len(batches) == 1:
        return batches.pop()
    rows = sum(len(batch.times) for batch in batches)
    whole = Batch(
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        None if all(batch.faults is None for batch in batches) else np.zeros(rows, np.uint8),
        np.empty((rows, width)),
        None if all(batch.not_numbers is None for batch in batches) else np.zeros((rows, width), np.bool_),
        {},
        np.empty(rows, np.int32),
    )
    end = rows
    while batches:
        part = batches.pop()
        start = end - len(part.times)
        for target, source in zip(whole, part, strict=True):
            if isinstance(target, np.ndarray) and isinstance(source, np.ndarray):
                target[start:end] = source
        end = start
    return whole


def _by_file(pack: _Pack, own: slice, columns: list[int]) -> list[tuple[str, Batch]]:
    """A sensor's records as batches of one file each, with the columns that it wants."""
    files = pack.files[own]
    if not len(files):
        return []
    changes = (np.flatnonzero(np.diff(files)) + 1).tolist() if len(pack.paths) > 1 else []
    edges = [0, *changes, len(files)]
    parts = [slice(own.start + start, own.start + end) for start, end in pairwise(edges)]
    return [(pack.paths[pack.files[part.start]], _part(pack, part, columns)) for part in parts]


def _part(pack: _Pack, part: slice, columns: list[int]) -> Batch:
    batch = pack.batch
    records = batch.records[part]
    faults = None if batch.faults is None else batch.faults[part]
    wrong = None if batch.not_numbers is None else batch.not_numbers[part][:, columns]
    texts: dict[tuple[int, int], str] = {}
    known = pack.texts[pack.files[part.start]]
    if known:
        faulty = np.zeros(len(records), np.bool_) if faults is None else faults != 0
        faulty = faulty if wrong is None else faulty | wrong.any(axis=1)
        for record in records[faulty][:MAX_TEXTS].tolist():
            for place, column in [(TIME, TIME), *enumerate(columns)]:
                if (record, column) in known:
                    texts[record, place] = known[record, column]
    return Batch(records, batch.times[part], faults, batch.values[part][:, columns], wrong, texts)
