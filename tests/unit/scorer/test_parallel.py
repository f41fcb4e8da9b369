from __future__ import annotations

import os
import threading
from functools import partial
from typing import Any, NamedTuple

import pytest

from scorer.contract import SensorError
from scorer.errors import InputError
from scorer.fit.parallel import AWAY, CHUNK, THREADS, Failure, Overlapped, Result, default_jobs, run
from scorer.storage import DeniedError, NotFoundError, UnavailableError


class Doubling:
    """Reads a number, doubles it, writes it; fails for those that it is told to."""

    def __init__(self, fails: dict[int, Exception] | None = None, at: str = "build") -> None:
        self.fails = fails or {}
        self.at = at
        self.did: list[tuple[str, int]] = []

    def read(self, item: int) -> int:
        return self._step("read", item, item)

    def build(self, item: int, found: int) -> int:
        return self._step("build", item, 2 * found)

    def write(self, item: int, built: int) -> int:
        return self._step("write", item, built + 1)

    def _step(self, name: str, item: int, value: int) -> int:
        self.did.append((name, item))
        if name == self.at and item in self.fails:
            raise self.fails[item]
        return value


def test_every_item_goes_through_its_steps_in_order() -> None:
    results = list(Overlapped(Doubling()).run(range(100)))
    assert results == [Result(item, 2 * item + 1) for item in range(100)]


@pytest.mark.parametrize("at", ["read", "build", "write"])
@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (SensorError("NoReadings", "no file"), Failure("NoReadings", "sensor 7: no file")),
        (InputError("sensor 7 is odd"), Failure("Refused", "sensor 7 is odd")),
        (NotFoundError("x is gone"), Failure("Refused", "sensor 7: x is gone")),
        (DeniedError("no"), Failure("StorageDenied", "sensor 7: no")),
        (UnavailableError("away"), Failure("StorageUnavailable", "sensor 7: away", again=True)),
    ],
)
def test_what_goes_wrong_with_one_stops_no_other(at: str, error: Exception, failure: Failure) -> None:
    steps = Doubling({7: error}, at)
    results = list(Overlapped(steps).run(range(20)))
    assert [result.item for result in results if result.failure] == [7]
    assert results[7].failure == failure
    assert [result.done for result in results if not result.failure] == [
        2 * item + 1 for item in range(20) if item != 7
    ]
    after = {"read": ["build", "write"], "build": ["write"], "write": []}[at]
    assert not [did for did in steps.did if did in [(step, 7) for step in after]]


def test_a_defect_is_told_with_its_traceback() -> None:
    results = list(Overlapped(Doubling({1: ZeroDivisionError("oh")})).run(range(3)))
    failure = results[1].failure
    assert failure is not None
    assert failure.message == "sensor 1: unexpected ZeroDivisionError: oh"
    assert "Traceback" in failure.defect
    assert results[2].done == 5


def test_a_store_that_is_away_is_not_asked_for_all() -> None:
    steps = Doubling({item: UnavailableError("away") for item in range(500)}, "read")
    results = list(Overlapped(steps).run(range(500)))
    asked = [item for step, item in steps.did if step == "read"]
    assert len(asked) <= AWAY + 2 * THREADS
    assert all(result.failure and result.failure.again for result in results)
    last = results[-1].failure
    assert last is not None
    assert "not tried" in last.message


def test_a_few_failures_are_no_store_that_is_away() -> None:
    steps = Doubling({item: UnavailableError("away") for item in range(0, 300, 2)}, "read")
    assert len([result for result in Overlapped(steps).run(range(300)) if not result.failure]) == 150


def test_reading_is_never_far_ahead_of_building() -> None:
    steps = Doubling()
    gaps = []

    def build(item: int, found: int) -> int:
        gaps.append(len([did for did in steps.did if did[0] == "read"]) - item)
        return found

    steps.build = build  # type: ignore[method-assign]
    list(Overlapped(steps).run(range(200)))
    assert max(gaps) <= THREADS + 1


def test_writes_wait_beside_each_other() -> None:
    together = threading.Barrier(4, timeout=60)

    class Waiting(Doubling):
        def write(self, _: int, built: int) -> int:
            together.wait()
            return built

    assert len(list(Overlapped(Waiting()).run(range(8)))) == 8


def test_few_items_need_no_second_process() -> None:
    assert default_jobs(5) == 1
    assert default_jobs(1000) == len(os.sched_getaffinity(0))


class Named(NamedTuple):
    sensor: str


class InProcess:
    """Steps for other processes: they say which one, and with how many BLAS threads."""

    def __init__(self, dies: str = "") -> None:
        self.dies = dies

    def read(self, _: Named) -> int:
        return os.getpid()

    def build(self, item: Named, found: int) -> tuple[int, str | None]:
        if item.sensor == self.dies:
            os._exit(9)
        return found, os.environ.get("OPENBLAS_NUM_THREADS")

    def write(self, _: Named, built: Any) -> Any:
        return built


def broken() -> InProcess:
    raise InputError("--store is wrong")


def test_processes_share_the_items_with_one_blas_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    items = [Named(f"s{number}") for number in range(2 * CHUNK + 1)]
    results = list(run(InProcess, items, 2))
    assert {result.item for result in results} == set(items)
    assert os.getpid() not in {result.done[0] for result in results}
    assert {result.done[1] for result in results} == {"1"}
    assert os.environ["OPENBLAS_NUM_THREADS"] == "8"


def test_a_process_that_is_killed_is_told_for_each_sensor_that_it_had() -> None:
    items = [Named(f"s{number}") for number in range(CHUNK)]
    results = list(run(partial(InProcess, "s3"), items, 2))
    assert {result.item for result in results} == set(items)
    failures = [result.failure for result in results if result.failure]
    assert all(failure.again and "fewer --jobs" in failure.message for failure in failures)
    assert len(failures) == CHUNK


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_wrong_for_all_is_told_once(jobs: int) -> None:
    with pytest.raises(InputError, match="--store is wrong"):
        list(run(broken, [Named("a"), Named("b")], jobs))
