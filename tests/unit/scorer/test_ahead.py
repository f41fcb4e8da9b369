"""Reading ahead: in order, bounded, whatever finishes first."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.ahead import Ahead

WAIT = 30.0


class Reads:
    """Reads that wait until they are let go, and what was begun of them."""

    def __init__(self, size: Callable[[str], int] = lambda _: 1) -> None:
        self.size = size
        self._changed = threading.Condition()
        self._begun: list[str] = []
        self._let_go: set[str] = set()
        self.most_at_once = 0
        self._at_once = 0

    def read(self, name: str) -> str:
        with self._changed:
            self._begun.append(name)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: name in self._let_go, WAIT)
            self._at_once -= 1
        return name

    def let_go(self, *names: str) -> None:
        with self._changed:
            self._let_go.update(names)
            self._changed.notify_all()

    def wait_begun(self, count: int) -> list[str]:
        """The names begun, once they are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._begun) >= count, WAIT), self._begun
            return list(self._begun)


NAMES = [f"s{number}" for number in range(20)]


def test_results_come_in_order_though_reads_finish_in_another() -> None:
    reads = Reads()
    ahead = Ahead(NAMES[:4], reads.read, reads.size, readers=4)
    reads.let_go("s0")
    reads.wait_begun(4)
    for name in ("s3", "s1", "s2"):
        reads.let_go(name)
    assert [ahead.get() for _ in range(4)] == NAMES[:4]


def test_one_reads_until_a_size_is_known() -> None:
    reads = Reads()
    ahead = Ahead(NAMES, reads.read, reads.size, readers=4)
    assert reads.wait_begun(1) == ["s0"]
    assert reads.most_at_once == 1
    reads.let_go("s0")
    reads.wait_begun(5)
    assert reads.most_at_once == 4
    reads.let_go(*NAMES)
    assert [ahead.get() for _ in NAMES] == NAMES
    assert reads.most_at_once == 4


def test_a_pack_of_one_has_one_reader() -> None:
    before = threading.active_count()
    reads = Reads()
    ahead = Ahead(["s0"], reads.read, reads.size)
    reads.let_go("s0")
    assert ahead.get() == "s0"
    assert threading.active_count() <= before + 1


def test_it_is_ahead_by_so_many_at_most() -> None:
    reads = Reads()
    reads.let_go(*NAMES)
    ahead = Ahead(NAMES, reads.read, reads.size, readers=8, most_items=5)
    assert len(reads.wait_begun(5)) == 5
    for number in range(len(NAMES)):
        assert ahead.get() == NAMES[number]
        assert len(reads.wait_begun(0)) <= number + 6


def test_it_is_ahead_by_so_many_bytes_at_most() -> None:
    reads = Reads(lambda _: 40)
    reads.let_go(*NAMES)
    ahead = Ahead(NAMES, reads.read, reads.size, readers=8, most_bytes=100)
    assert reads.wait_begun(2) == ["s0", "s1"]
    for number in range(len(NAMES)):
        assert ahead.get() == NAMES[number]
        assert len(reads.wait_begun(0)) <= number + 3


def test_what_is_larger_than_the_bound_passes_alone() -> None:
    reads = Reads(lambda _: 1000)
    reads.let_go(*NAMES)
    ahead = Ahead(NAMES, reads.read, reads.size, readers=8, most_bytes=100)
    assert [ahead.get() for _ in NAMES] == NAMES
    assert reads.most_at_once == 1


def test_large_ones_among_small_ones_are_forgotten_after_a_while() -> None:
    reads = Reads(lambda name: 99 if name == "s0" else 1)
    names = [f"s{number}" for number in range(100)]
    reads.let_go(*names[:60])
    ahead = Ahead(names, reads.read, reads.size, readers=4, most_bytes=100)
    assert [ahead.get() for _ in range(60)] == names[:60]
    reads.wait_begun(64)
    assert reads.most_at_once == 4
    reads.let_go(*names)


def test_nothing_is_read_any_more_once_it_is_closed() -> None:
    reads = Reads()
    ahead = Ahead(NAMES, reads.read, reads.size, readers=4)
    reads.let_go("s0")
    begun = reads.wait_begun(5)
    ahead.close()
    reads.let_go(*NAMES)
    for thread in threading.enumerate():
        if thread.name == "reader":
            thread.join(WAIT)
    assert reads.wait_begun(5) == begun


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
    st.integers(1, 8),
    st.integers(1, 100),
    st.integers(1, 10),
)
def test_everything_is_given_once_whatever_the_sizes(
    sizes: list[int], readers: int, most_bytes: int, most_items: int
) -> None:
    names = [str(number) for number in range(len(sizes))]
    ahead = Ahead(names, lambda name: name, lambda name: sizes[int(name)], readers, most_bytes, most_items)
    assert [ahead.get() for _ in names] == names


@pytest.mark.parametrize("readers", [1, 3])
def test_values_may_be_errors(readers: int) -> None:
    error = ZeroDivisionError()
    ahead: Ahead[object] = Ahead(NAMES, lambda name: error if name == "s3" else name, lambda _: 0, readers)
    found = [ahead.get() for _ in NAMES]
    assert found[3] is error


def test_what_a_read_raises_is_raised_where_it_is_waited_for() -> None:
    def read(name: str) -> str:
        if name == "s3":
            raise BrokenPipeError("stdout")
        return name

    ahead = Ahead(NAMES, read, lambda _: 0, readers=3)
    with pytest.raises(BrokenPipeError):
        _ = [ahead.get() for _ in NAMES]
    ahead.close()
