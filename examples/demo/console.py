"""What the demo shows: a line when a stage begins, its seconds when it is done, progress within."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 30


def say(text: str = "") -> None:
    """One line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(command: str) -> None:
    """The command that is about to run, as one would type it."""
    say(f"   $ {command}")


@contextmanager
def stage(what: str) -> Iterator[None]:
    """A stage of the demo: its name when it begins, its seconds when it is done."""
    say(f"── {what}")
    begun = time.monotonic()
    yield
    say(f"   {time.monotonic() - begun:.1f} s")


class Progress:
    """How far something is: one line that changes on a terminal, one line a change elsewhere."""

    def __init__(self) -> None:
        self._last = ""
        self._live = sys.stdout.isatty()

    def show(self, done: int, total: int, words: str) -> None:
        """Show it, if it is news."""
        text = f"{bar(done, total)} {done}/{total}  {words}" if self._live else f"   {done}/{total}  {words}"
        if text == self._last:
            return
        # Blanks cover what is left of a longer line before.
        sys.stdout.write(f"\r   {text.ljust(len(self._last))}" if self._live else f"{text}\n")
        sys.stdout.flush()
        self._last = text

    def __enter__(self) -> Progress:
        """Nothing to begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the changing line as it is, whatever ended it."""
        if self._live and self._last:
            say()


def bar(done: int, total: int) -> str:
    """A bar of fixed width."""
    full = WIDTH * done // total if total else 0
    return "█" * full + "░" * (WIDTH - full)
