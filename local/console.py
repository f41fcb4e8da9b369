"""What the developer sees: one plain line a stage, with the seconds it took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_REMINDER_SECONDS = 60.0
_lock = threading.Lock()


def say(text: str) -> None:
    """Write one line to stderr; stdout is kept for what scripts read (paths, names)."""
    with _lock:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Say that `what` begins, once a minute that it goes on, and at its end how long it took."""
    begun = time.monotonic()
    over = threading.Event()

    def remind() -> None:
        while not over.wait(_REMINDER_SECONDS):
            say(f"  {what}: at work for {time.monotonic() - begun:.0f} s")

    say(f"  {what} ...")
    threading.Thread(target=remind, daemon=True).start()
    try:
        yield
    except BaseException:
        say(f"  {what}: failed after {time.monotonic() - begun:.1f} s")
        raise
    finally:
        over.set()
    say(f"  {what}: {time.monotonic() - begun:.1f} s")
