"""Deadline and SIGTERM, kept by a thread of their own.

Python runs a signal's handler in the main thread and between two of its instructions: not while that thread
waits for storage, which is just when a deadline matters. So SIGTERM is blocked everywhere (threads started
later inherit that, those of native libraries too) and one thread waits for it, for as long as the attempt may
last.

The same thread begins what an attempt needs only if it lasts: most are over before.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from scorer.contract.exits import Exit

LASTING_SECONDS = 1.0


def watch(seconds: float, end: Callable[[Exit], None], lasting: Callable[[], None] | None = None) -> None:
    """Calls `end(Exit.TERMINATED)` at SIGTERM or `end(Exit.TIMEOUT)` after the seconds, in another thread.

    `lasting` is called there too, after the first second; it must return at once. To be called in the main
    thread before any other is started.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def wait() -> None:
        first = min(max(seconds, 0.0), LASTING_SECONDS)
        came = signal.sigtimedwait([signal.SIGTERM], first)
        if came is None and first < seconds:
            if lasting:
                lasting()
            came = signal.sigtimedwait([signal.SIGTERM], seconds - first)
        end(Exit.TIMEOUT if came is None else Exit.TERMINATED)

    threading.Thread(target=wait, name="watch", daemon=True).start()
