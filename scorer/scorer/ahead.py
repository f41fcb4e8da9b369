"""Reader threads: what is to be scored is read ahead, and given in order.

How far ahead is bounded by number and by bytes. A sensor's size is known only when it has been read, so each
read that begins is counted as being as large as the largest one lately; until the first has been read there
is one reader. What is held is then at most the bound, and in the worst case one read of each thread more:
small sensors first, then as many large ones at once as there are readers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

READERS = 8
"""What hides the latency of a few small requests a sensor. One alone reads a pack of one."""
AHEAD_BYTES = 32 * 1024 * 1024
AHEAD_ITEMS = 64
"""How far the readers may be ahead: enough to hide latency, little beside one large sensor decoded."""
_FADING = 0.9  # of the largest size lately, with each read: ten ordinary ones later a third of it counts


class Ahead(Generic[T]):
    """Calls `read` for each name, in threads, and gives what it returns in the order of the names.

    What `read` raises is raised by `get`, and ends it. `size` says how many bytes a result holds.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[str], T],
        size: Callable[[T], int],
        readers: int = READERS,
        most_bytes: int = AHEAD_BYTES,
        most_items: int = AHEAD_ITEMS,
    ) -> None:
        self._names = names
        self._read = read
        self._size = size
        self._readers = min(readers, len(names))
        self._most_bytes = most_bytes
        self._most_items = most_items
        lock = threading.Lock()
        self._room = threading.Condition(lock)
        self._ready = threading.Condition(lock)
        self._found: dict[int, T] = {}
        self._next = 0  # to be read
        self._due = 0  # to be given
        self._reading = 0
        self._held = 0
        self._largest: float | None = None
        self._error: BaseException | None = None
        self._closed = False
        _start(self._work)

    def get(self) -> T:
        """Waits for the next one."""
        with self._ready:
            self._ready.wait_for(lambda: self._due in self._found or self._error)
            if self._error:
                raise self._error
            found = self._found.pop(self._due)
            self._due += 1
            self._held -= self._size(found)
            self._room.notify()
            return found

    def close(self) -> None:
        """Nothing more is read; what is being read is finished."""
        with self._room:
            self._closed = True
            self._room.notify_all()

    def _work(self) -> None:
        try:
            while (place := self._take()) is not None:
                found = self._read(self._names[place])
                self._give(place, found)
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            with self._ready:
                self._error = error
                self._ready.notify()

    def _take(self) -> int | None:
        """The place of the next name, when there is room for it; None when there is nothing more to do."""
        with self._room:
            self._room.wait_for(lambda: self._over() or self._has_room())
            if self._over():
                self._room.notify()  # the next one that waits has to hear it too
                return None
            place = self._next
            self._next += 1
            self._reading += 1
            if self._has_room():
                self._room.notify()
            return place

    def _give(self, place: int, found: T) -> None:
        with self._ready:
            first = self._largest is None
            size = self._size(found)
            self._largest = max(float(size), (self._largest or 0.0) * _FADING)
            self._found[place] = found
            self._held += size
            self._reading -= 1
            if place == self._due:
                self._ready.notify()
            self._room.notify()
        if first:
            for _ in range(self._readers - 1):
                _start(self._work)

    def _over(self) -> bool:
        return self._closed or self._next >= len(self._names)

    def _has_room(self) -> bool:
        if self._next == self._due:
            return True  # whatever its size: it is waited for, and nothing else is held
        if self._largest is None or self._next - self._due >= self._most_items:
            return False
        return self._held + (self._reading + 1) * self._largest <= self._most_bytes


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="reader", daemon=True).start()
