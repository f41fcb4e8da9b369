"""Where the open groups (a window of a sensor) have their place: pages of sensors, taken as they are needed.

A group's place is found by two look-ups, without sorting or hashing: the page of its window and of the block
of sensors that its sensor is in, and the sensor's place in the block. Pages of windows that were closed are
used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

SHIFT = 8
SENSORS = 1 << SHIFT
"""Sensors of a page: few enough that a window of few sensors costs little."""
_DENSE = 1 << 16
_NOTHING = -1


class Pages:
    """Places of groups. Windows are numbers; a window's page table is a row of `_table`."""

    def __init__(self) -> None:
        self._table = np.full((4, 1), _NOTHING, np.int32)
        self._rows: dict[int, int] = {}
        self._free_rows = [0, 1, 2, 3]
        self._free_pages: list[int] = []
        self.count = 0
        """Pages that there are, free ones included."""

    @property
    def windows(self) -> list[int]:
        """Windows with groups, in order."""
        return sorted(self._rows)

    def places(self, windows: Places, sensors: NDArray[np.int32]) -> Places:
        """The place of each event's group, new ones included."""
        blocks = sensors >> SHIFT
        self._widen(int(blocks.max()) + 1)
        rows = self._rows_of(windows)
        pages = self._table[rows, blocks].astype(np.int64)
        missing = np.flatnonzero(pages == _NOTHING)
        if len(missing):
            self._take(rows[missing], blocks[missing])
            pages[missing] = self._table[rows[missing], blocks[missing]]
        pages <<= SHIFT
        pages |= sensors & (SENSORS - 1)
        places: Places = pages
        return places

    def found(self, window: int, sensors: NDArray[np.int64]) -> tuple[Places, NDArray[np.int64]]:
        """The places that sensors may have in a window, and whose they are; not of those without a page."""
        blocks = sensors >> SHIFT
        within = blocks < self._table.shape[1]
        if not within.all():
            sensors, blocks = sensors[within], blocks[within]
        pages = self._table[self._rows[window], blocks].astype(np.int64)
        there = pages != _NOTHING
        if not there.all():
            pages, sensors = pages[there], sensors[there]
        return (pages << SHIFT) | (sensors & (SENSORS - 1)), sensors

    def drop(self, window: int) -> None:
        """The window has no groups any more."""
        row = self._rows.pop(window)
        used = self._table[row]
        self._free_pages.extend(used[used != _NOTHING].tolist())
        self._table[row] = _NOTHING
        self._free_rows.append(row)

    def _rows_of(self, windows: Places) -> Places:
        first, last = int(windows.min()), int(windows.max())
        if first == last:
            return np.full(len(windows), self._row(first), np.int64)
        if last - first < _DENSE:
            numbers = windows - first
            known = np.zeros(last - first + 1, np.int64)
            occurring = np.zeros(len(known), np.bool_)
            occurring[numbers] = True
            for number in np.flatnonzero(occurring).tolist():
                known[number] = self._row(first + number)
            found: Places = known[numbers]
            return found
        unique, inverse = np.unique(windows, return_inverse=True)
        return np.array([self._row(window) for window in unique.tolist()], np.int64)[inverse]

    def _row(self, window: int) -> int:
        row = self._rows.get(window)
        if row is None:
            if not self._free_rows:
                height = len(self._table)
                self._table = np.concatenate([self._table, np.full_like(self._table, _NOTHING)])
                self._free_rows = list(range(height, 2 * height))
            row = self._rows[window] = self._free_rows.pop()
        return row

    def _widen(self, blocks: int) -> None:
        height, width = self._table.shape
        if blocks > width:
            table = np.full((height, max(blocks, width + width // 2)), _NOTHING, np.int32)
            table[:, :width] = self._table
            self._table = table

    def _take(self, rows: Places, blocks: NDArray[np.int32]) -> None:
        """Gives each of these a page."""
        wanted = np.unique(rows * self._table.shape[1] + blocks)
        again = min(len(wanted), len(self._free_pages))
        reused = self._free_pages[len(self._free_pages) - again :]
        del self._free_pages[len(self._free_pages) - again :]
        fresh = len(wanted) - again
        taken = np.array([*reused, *range(self.count, self.count + fresh)], np.int32)
        self.count += fresh
        self._table.reshape(-1)[wanted] = taken
