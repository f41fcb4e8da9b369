"""Waits until a window's readings are there, by markers that whoever writes them leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scorer.captured import captured, span_of_files
from scorer.contract.paths import ANY, readings_paths
from scorer.contract.preparing import FAIL, READY, TIMED_OUT, WaitFor
from scorer.contract.work import ASA, CAPTURE, ReadingsSource
from scorer.prepare.errors import NotReadyError
from scorer.storage import NotFoundError, UnavailableError
from scorer.window import Window, utc_time

if TYPE_CHECKING:
    from scorer.logs import Log
    from scorer.storage import Store

POLL_SECONDS = 10.0
"""One question a marker each time: in a day 8,640 of them, for a third of a cent."""
CAPTURE_POLL_SECONDS = 30.0
"""A listing for each partition and hour: dearer, and Capture writes once in a minute at most."""
LATER = timedelta(hours=1)
"""How far beyond a window's last file the next one is looked for: four of the longest capture windows."""


def wait(
    store: Store,
    wanted: WaitFor,
    span: Window,
    source: ReadingsSource,
    log: Log,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> str:
    """READY once every marker is there; TIMED_OUT where the run goes on without.

    A marker is wanted in each folder that the window reads, in the layout asa also in the one after it. The
    deadline is the run's: an attempt that begins after it looks once. Raises NotReadyError, and StorageError
    where storage refuses; that it is away for a time is waited for too.
    """
    missing = _missing(store, wanted, span, source, log)
    until = utc_time(wanted.until)
    while True:
        left = missing()
        if not left:
            return READY
        seconds = (until - now()).total_seconds()
        if seconds <= 0:
            break
        sleep(min(CAPTURE_POLL_SECONDS if _is_captured(wanted, source) else POLL_SECONDS, seconds))
    absent = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    why = f"waited until {wanted.until} for the readings: not there is {absent}"
    if wanted.on_timeout == FAIL:
        raise NotReadyError(why)
    log.warning(f"{why}; scoring what there is")
    return TIMED_OUT


def waited(store: Store, wanted: WaitFor, span: Window, source: ReadingsSource, log: Log) -> str:
    """How an earlier attempt's wait went, as far as can be seen now: by one look at the markers.

    Raises StorageError where storage refuses.
    """
    if wanted.on_timeout == FAIL:
        return READY  # else it had not gone on
    return TIMED_OUT if _missing(store, wanted, span, source, log)() else READY


def _missing(
    store: Store, wanted: WaitFor, span: Window, source: ReadingsSource, log: Log
) -> Callable[[], list[str]]:
    """Looks again with each call: what is not there yet."""
    if _is_captured(wanted, source):
        return Behind(store, source, span, log).names
    left = readings_paths(wanted.marker, "", span, asa=source.layout == ASA)

    def look() -> list[str]:
        left[:] = [path for path in left if not _is_there(store, path, log)]
        return left

    return look


def _is_captured(wanted: WaitFor, source: ReadingsSource) -> bool:
    return source.layout == CAPTURE and wanted.marker == source.path


class Behind:
    """Partitions of which Event Hubs Capture may still write events of the window.

    It writes the files of one partition in order, and an empty one where nothing came: so one whose window
    began when no more can come says that all before it are there. Partitions do not wait for each other.
    """

    def __init__(self, store: Store, source: ReadingsSource, span: Window, log: Log) -> None:
        self._store = store
        self._source = source
        self._log = log
        self._first, self._last = span_of_files(source, span)
        self._known: set[tuple[str, ...]] = set()
        self._done: set[tuple[str, ...]] = set()

    def names(self) -> list[str]:
        """Those that were met in the window's files and have no later file; the template, if none was met."""
        path = self._source.path
        try:
            if not self._known:
                self._known = {each.source for each in captured(self._store, path, self._first, self._last)}
            later = captured(self._store, path, self._last, self._last + LATER)
            self._done |= {each.source for each in later}
        except UnavailableError as error:
            self._log.warning(f"files of Capture not asked for: {error}")
            return [path]
        known = self._known | self._done
        return sorted(f"a later file of {'/'.join(filter(None, each))}" for each in known - self._done) or (
            [] if known else [path]
        )


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
