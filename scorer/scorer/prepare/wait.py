"""Waits until a window's readings are there, by markers that whoever writes them leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from scorer.contract.paths import ANY, readings_paths
from scorer.contract.preparing import FAIL, READY, TIMED_OUT, WaitFor
from scorer.prepare.errors import NotReadyError
from scorer.storage import NotFoundError, UnavailableError
from scorer.window import Window, utc_time

if TYPE_CHECKING:
    from scorer.logs import Log
    from scorer.storage import Store

POLL_SECONDS = 10.0
"""One question a marker each time: in a day 8,640 of them, for a third of a cent."""


def wait(
    store: Store,
    wanted: WaitFor,
    span: Window,
    asa: bool,
    log: Log,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> str:
    """READY once every marker is there; TIMED_OUT where the run goes on without.

    A marker is wanted in each folder that the window reads, in the layout asa also in the one after it. The
    deadline is the run's: an attempt that begins after it looks once. Raises NotReadyError, and StorageError
    where storage refuses; that it is away for a time is waited for too.
    """
    left = readings_paths(wanted.marker, "", span, asa=asa)
    until = utc_time(wanted.until)
    while True:
        left = [path for path in left if not _is_there(store, path, log)]
        if not left:
            return READY
        seconds = (until - now()).total_seconds()
        if seconds <= 0:
            break
        sleep(min(POLL_SECONDS, seconds))
    absent = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    why = f"waited until {wanted.until} for the readings: not there is {absent}"
    if wanted.on_timeout == FAIL:
        raise NotReadyError(why)
    log.warning(f"{why}; scoring what there is")
    return TIMED_OUT


def waited(store: Store, wanted: WaitFor, span: Window, asa: bool, log: Log) -> str:
    """How an earlier attempt's wait went, as far as can be seen now: by one look at the markers.

    Raises StorageError where storage refuses.
    """
    if wanted.on_timeout == FAIL:
        return READY  # else it had not gone on
    paths = readings_paths(wanted.marker, "", span, asa=asa)
    return READY if all(_is_there(store, path, log) for path in paths) else TIMED_OUT


def _is_there(store: Store, path: str, log: Log) -> bool:
    """Whether the marker is there; one with `*` is any file of the folder that fits."""
    try:
        if ANY in path:
            return _any(store, path)
        store.head(path)
    except NotFoundError:
        return False
    except UnavailableError as error:
        log.warning(f"marker not asked for: {error}")
        return False
    return True


def _any(store: Store, path: str) -> bool:
    start, _, end = path.partition(ANY)
    inside = len(path.rpartition("/")[0]) + 1
    return any(
        entry.path.startswith(start)
        and entry.path.endswith(end)
        and len(entry.path) >= len(start) + len(end)
        and "/" not in entry.path[inside:]
        for entry in store.list(path.rpartition("/")[0])
    )
