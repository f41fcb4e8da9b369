"""Writer threads: what is scored waits for them, bounded by number and bytes.

When storage is slow the bound holds the scoring thread back, and through it the readers. Threads are started
when there is work for them: a pack of one needs none.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

WRITERS = 4
"""What hides the latency of one request a sensor, and encodes beside the scoring thread. Eight gain nothing:
eight readers ask for four times as much."""
BEHIND_BYTES = 32 * 1024 * 1024
BEHIND_ITEMS = 64


class Behind(Generic[T]):
    """Calls `write` with each item, in threads. What it raises, `put` and `finish` raise, and it ends."""

    def __init__(
        self,
        write: Callable[[T], None],
        writers: int = WRITERS,
        most_bytes: int = BEHIND_BYTES,
        most_items: int = BEHIND_ITEMS,
    ) -> None:
        self._write = write
        self._writers = writers
        self._most_bytes = most_bytes
        self._most_items = most_items
        lock = threading.Lock()
        self._room = threading.Condition(lock)
        self._work = threading.Condition(lock)
        self._waiting: deque[tuple[T, int]] = deque()
        self._held = 0  # bytes, of those that are being written too
        self._items = 0  # likewise
        self._idle = 0
        self._threads = 0
        self._error: BaseException | None = None
        self._closed = False

    def put(self, item: T, size: int) -> None:
        """Waits for room. An item larger than the bound passes when it is alone."""
        with self._room:
            self._room.wait_for(lambda: self._has_room(size) or self._error)
            self._check()
            self._waiting.append((item, size))
            self._held += size
            self._items += 1
            start = len(self._waiting) > self._idle and self._threads < self._writers
            self._threads += start
            self._work.notify()
        if start:
            threading.Thread(target=self._run, name="writer", daemon=True).start()

    def finish(self) -> None:
        """Waits until all is written."""
        with self._room:
            self._room.wait_for(lambda: not self._items or self._error)
            self._check()

    def close(self) -> None:
        """Nothing more is begun; what is being written is finished."""
        with self._work:
            self._closed = True
            self._work.notify_all()

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                item, size = taken
                self._write(item)
                del item, taken  # not held while waiting for the next one
                with self._room:
                    self._held -= size
                    self._items -= 1
                    self._room.notify_all()
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            with self._room:
                self._error = error
                self._room.notify_all()

    def _check(self) -> None:
        if self._error:
            raise self._error

    def _take(self) -> tuple[T, int] | None:
        with self._work:
            self._idle += 1
            self._work.wait_for(lambda: self._waiting or self._closed)
            self._idle -= 1
            return None if self._closed else self._waiting.popleft()

    def _has_room(self, size: int) -> bool:
        return not self._items or (self._items < self._most_items and self._held + size <= self._most_bytes)
