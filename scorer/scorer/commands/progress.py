"""How far a command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

LINE_SECONDS = 10.0
"""Between lines where nobody sees a bar: in a log."""
BAR_SECONDS = 0.1
LEAST_SHARE = 0.05
"""Of what is done before the rest is guessed: the first ones wait for libraries to load."""
WIDTH = 30


class Progress:
    """Counts items that are done, on stderr: stdout is for results."""

    def __init__(
        self,
        what: str,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._total = total
        self._stream = stream or sys.stderr
        self._clock = clock
        self._bar = self._stream.isatty()
        self._began = self._told = clock()
        self._done = 0
        self._failed = 0
        self._shown = False

    def __enter__(self) -> Self:
        """Shows the empty bar."""
        if self._bar:
            self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the bar away: what follows are results."""
        self._clear()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._began

    def step(self, failed: bool = False) -> None:
        """One more item is done."""
        self._done += 1
        self._failed += failed
        if self._clock() - self._told >= (BAR_SECONDS if self._bar else LINE_SECONDS):
            self._show()

    def complain(self, text: str) -> None:
        """A line that stays, above the bar."""
        self._clear()
        self._stream.write(f"{text}\n")
        if self._bar:
            self._show()
        self._stream.flush()

    def _show(self) -> None:
        self._told = self._clock()
        if self._bar:
            full = WIDTH * self._done // max(1, self._total)
            self._stream.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {self._line()}\033[K")
        else:
            self._stream.write(f"scorer: {self._line()}\n")
        self._shown = self._bar
        self._stream.flush()

    def _line(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        left = ""
        if self._total * LEAST_SHARE <= self._done < self._total:
            seconds = self.seconds / self._done * (self._total - self._done)
            left = f", {int(seconds // 60)}:{int(seconds % 60):02} left"
        return f"{self._what} {self._done}/{self._total}{failed}{left}"

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._shown = False
