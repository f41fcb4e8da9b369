"""Many sensors' work at once: processes for what computes, threads in each for what waits for the store.

Each sensor goes through three steps: read, build, write. A process reads ahead of the one that it builds and
leaves the writes to its threads, so that only building takes its time. What goes wrong with one sensor is
that sensor's and stops no other.

Imports nothing dear itself: the processes load what they need at the same time, and are spawned, because a
forked one would inherit the storage client's threads as locks that nobody opens.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import takewhile
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple, Protocol

from scorer.contract.outcome import SensorError
from scorer.errors import InputError
from scorer.storage import DeniedError, StorageError, UnavailableError

THREADS = 16
"""That wait for the store, in each process."""
CHUNK = 25
"""Items that a process takes at a time: progress is told as often."""
AWAY = 8
"""Once the store failed for so many in a row, after its own retries, the rest is not tried."""
ALONE = 32
"""Fewer items than this are done sooner than a second process has started."""
DENIED, UNAVAILABLE = "StorageDenied", "StorageUnavailable"
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Steps(Protocol):
    """One kind of work. Steps raise InputError, SensorError and StorageError."""

    def read(self, item: Any, /) -> Any:
        """What the item needs from elsewhere; called in threads."""

    def build(self, item: Any, found: Any, /) -> Any:
        """What is made of that; called in one thread."""

    def write(self, item: Any, built: Any, /) -> Any:
        """Puts it where it belongs, and says what came of it; called in threads."""


class Failure(NamedTuple):
    """Why an item was not done."""

    reason: str
    message: str
    again: bool = False
    """Whether trying again may help."""
    defect: str = ""
    """The traceback, where it is this program's own fault."""


class Result(NamedTuple):
    """An item, and what the last step gave or why there is nothing."""

    item: Any
    done: Any = None
    failure: Failure | None = None


def default_jobs(items: int) -> int:
    """Processes for so many items: one a core, but one for few."""
    return 1 if items < ALONE else len(os.sched_getaffinity(0))


def run(make: Callable[[], Steps], items: Sequence[Any], jobs: int) -> Iterator[Result]:
    """Does all items, results as they come. `make` and items are pickled if there are several processes."""
    if jobs <= 1:
        yield from Overlapped(make()).run(items)
        return
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    context = get_context("spawn")
    stop = context.Event()
    with _one_thread():
        pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(make, stop))
        try:
            futures = {pool.submit(_chunk, chunk): chunk for chunk in chunks}
            for future in as_completed(futures):
                yield from _results(future, futures[future])
        finally:
            # After Ctrl-C nobody wants to wait for what is queued: each process ends with the item in hand.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One BLAS thread for each process that is started now: there it must be said before numpy is loaded."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Overlapped:
    """The three steps of many items in this process, each in its own time."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._away = 0

    def run(self, items: Iterable[Any]) -> Iterator[Result]:
        """The results, in the items' order."""
        writing: deque[tuple[Any, Future[Result]]] = deque()
        reading: deque[tuple[Any, Future[Result]]] = deque()
        rest = iter(items)
        with ThreadPoolExecutor(THREADS) as threads:
            while True:
                while len(reading) < THREADS and (item := next(rest, _NOTHING)) is not _NOTHING:
                    reading.append((item, threads.submit(self._tried, item, self._steps.read, item)))
                if not reading:
                    break
                item, future = reading.popleft()
                built = self._then(self._steps.build, future.result())
                writing.append((item, threads.submit(self._then, self._steps.write, built)))
                while writing and (writing[0][1].done() or len(writing) > THREADS):
                    yield self._seen(writing.popleft()[1].result())
            while writing:
                yield self._seen(writing.popleft()[1].result())

    def _then(self, step: Callable[[Any, Any], Any], before: Result) -> Result:
        return before if before.failure else self._tried(before.item, step, before.item, before.done)

    def _tried(self, item: Any, step: Callable[..., Any], *arguments: Any) -> Result:
        if self._away >= AWAY:
            return _failed(item, UNAVAILABLE, "not tried, the store failed for those before it", again=True)
        try:
            return Result(item, step(*arguments))
        except (SensorError, InputError) as error:
            reason = error.reason if isinstance(error, SensorError) else "Refused"
            return _failed(item, reason, str(error))
        except DeniedError as error:
            return _failed(item, DENIED, str(error))
        except UnavailableError as error:
            return _failed(item, UNAVAILABLE, str(error), again=True)
        except StorageError as error:
            return _failed(item, "Refused", str(error))
        except Exception as error:  # noqa: BLE001 (a defect costs its sensor, not its neighbours, and is told)
            said = f"unexpected {type(error).__name__}: {error}"
            return _failed(item, "Internal", said, defect=traceback.format_exc())

    def _seen(self, result: Result) -> Result:
        storage = result.failure and result.failure.reason in (DENIED, UNAVAILABLE)
        self._away = self._away + 1 if storage else 0
        return result


_NOTHING = object()


class _Kept:
    """What a process of a pool keeps for all its chunks: there is no other place for it."""

    make: Callable[[], Steps]
    stop: Event
    overlapped: Overlapped | None = None


def _begin(make: Callable[[], Steps], stop: Event) -> None:
    """In a new process."""
    # Ctrl-C reaches all processes of a terminal: the one that was asked answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Kept.make, _Kept.stop = staticmethod(make), stop


def _chunk(items: Sequence[Any]) -> list[Result]:
    if _Kept.overlapped is None:
        # Here and not at the process's beginning, where an error could not be told.
        _Kept.overlapped = Overlapped(_Kept.make())
    return list(_Kept.overlapped.run(takewhile(lambda _: not _Kept.stop.is_set(), items)))


def _results(future: Future[list[Result]], items: Sequence[Any]) -> list[Result]:
    try:
        return future.result()
    except BrokenProcessPool:
        why = "the process that had it was killed (memory?): try again, with fewer --jobs"
        return [_failed(item, "Killed", why, again=True) for item in items]


def _failed(item: Any, reason: str, message: str, *, again: bool = False, defect: str = "") -> Result:
    sensor = f"sensor {getattr(item, 'sensor', item)}"
    named = message if sensor in message else f"{sensor}: {message}"
    return Result(item, failure=Failure(reason, named, again, defect))
