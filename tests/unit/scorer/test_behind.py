"""Writing behind: bounded, as many threads as there is work for, and nothing left at the end."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.behind import Behind

WAIT = 30.0


class Writes:
    """Writes that wait until they are let go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._let_go = False
        self.begun: list[int] = []
        self.done: list[int] = []

    def write(self, item: int) -> None:
        with self._changed:
            self.begun.append(item)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._let_go, WAIT)
            self.done.append(item)

    def let_go(self) -> None:
        with self._changed:
            self._let_go = True
            self._changed.notify_all()

    def wait_begun(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, WAIT)


def writers() -> int:
    return sum(thread.name == "writer" for thread in threading.enumerate())


def test_finishing_waits_for_all() -> None:
    writes = Writes()
    behind = Behind(writes.write, writers=4)
    for number in range(20):
        behind.put(number, 1)
    writes.wait_begun(4)
    assert len(writes.begun) == 4
    writes.let_go()
    behind.finish()
    assert sorted(writes.done) == list(range(20))
    behind.close()


def test_an_idle_thread_is_used_before_another_is_started() -> None:
    before = writers()
    writes = Writes()
    writes.let_go()
    behind = Behind(writes.write, writers=8)
    for number in range(5):
        behind.put(number, 1)
        behind.finish()
    assert writers() - before <= 2  # the first may be on its way back to the queue when the second comes
    behind.close()


def blocked(behind: Behind[int], size: int) -> threading.Thread:
    thread = threading.Thread(target=behind.put, args=(99, size), daemon=True)
    thread.start()
    thread.join(0.05)
    return thread


def test_slow_storage_holds_the_giver_back() -> None:
    for many, size in ({"most_items": 3}, 1), ({"most_bytes": 30}, 10):
        writes = Writes()
        behind = Behind(writes.write, writers=2, **many)
        for number in range(3):
            behind.put(number, size)
        giver = blocked(behind, size)
        assert giver.is_alive()
        assert 99 not in writes.begun
        writes.let_go()
        giver.join(WAIT)
        behind.finish()
        assert sorted(writes.done) == [0, 1, 2, 99]
        behind.close()


def test_what_is_larger_than_the_bound_passes_alone() -> None:
    writes = Writes()
    behind = Behind(writes.write, writers=2, most_bytes=10)
    behind.put(1, 1000)
    writes.wait_begun(1)
    giver = blocked(behind, 1)
    assert giver.is_alive()
    writes.let_go()
    giver.join(WAIT)
    behind.finish()
    assert writes.done == [1, 99]
    behind.close()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 60), max_size=80), st.integers(1, 8), st.integers(1, 100), st.integers(1, 10))
def test_everything_is_written_once_whatever_the_sizes(
    sizes: list[int], threads: int, most_bytes: int, most_items: int
) -> None:
    done: list[int] = []
    behind = Behind(done.append, threads, most_bytes, most_items)
    for number, size in enumerate(sizes):
        behind.put(number, size)
    behind.finish()
    behind.close()
    assert sorted(done) == list(range(len(sizes)))


def test_what_a_write_raises_is_raised_where_it_is_waited_for() -> None:
    def write(item: int) -> None:
        if item == 3:
            raise BrokenPipeError("stdout")

    behind = Behind(write, writers=2)
    for number in range(4):
        behind.put(number, 1)
    with pytest.raises(BrokenPipeError):
        behind.finish()
    with pytest.raises(BrokenPipeError):
        behind.put(5, 1)
    behind.close()
