from __future__ import annotations

import ctypes

import pytest

from scorer.allocator import give_back_free_pages, give_back_large_blocks, keep_freed_memory


class Library:
    """A C library that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self.trimmed: list[int] = []

    def malloc_trim(self, kept: int) -> int:
        self.trimmed.append(kept)
        return 1

    def mallopt(self, parameter: int, value: int) -> int:
        self.told.append((parameter, value))
        return 1


def test_the_allocator_is_told_to_keep_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    keep_freed_memory()
    assert library.told == [
        (-1, 16 * 1024 * 1024),
        (-3, 4 * 1024 * 1024),
    ]  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def test_a_process_that_runs_for_long_gives_large_blocks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    give_back_large_blocks()
    assert dict(library.told)[-3] == 128 * 1024  # M_MMAP_THRESHOLD
    assert dict(library.told)[-8] == 1  # M_ARENA_MAX


def test_free_pages_in_the_midst_of_the_heaps_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    give_back_free_pages()
    assert library.trimmed == [0]


def test_a_library_without_such_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    keep_freed_memory()
    give_back_free_pages()
