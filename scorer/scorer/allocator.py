"""The C library's allocator, told to keep what it is given back: the next sensor wants it again.

By default it returns blocks beyond 128 KiB to the system at once, and the top of its heap soon after. A
sensor of 10,000 rows and 10 features then pays for 500 pages that are taken, cleared and given back, a tenth
of all its work. Kept are at most 16 MiB a heap beyond what is used.
"""

from __future__ import annotations

# mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8
KEPT_BYTES = 16 * 1024 * 1024
SINGLE_BYTES = 4 * 1024 * 1024
"""A larger block is the system's, and goes back to it: a large sensor leaves nothing behind."""


LARGE_BYTES = 128 * 1024
ARENAS = 1


def give_back_large_blocks() -> None:
    """For a process that runs for long, with few large arrays: what they leave is the system's at once.

    By default the C library takes blocks of up to 32 MiB from heaps of its own after the first of them was
    freed, and has such heaps for each thread: they stay, mostly empty.
    """
    _told((_TRIM_THRESHOLD, KEPT_BYTES), (_MMAP_THRESHOLD, LARGE_BYTES), (_ARENAS, ARENAS))


def keep_freed_memory() -> None:
    """For a process that works on many sensors; nothing where the C library has no such settings."""
    _told((_TRIM_THRESHOLD, KEPT_BYTES), (_MMAP_THRESHOLD, SINGLE_BYTES))


def give_back_free_pages() -> None:
    """Whole pages that are free in the midst of the heaps, to the system; some milliseconds."""
    import ctypes  # here: numpy has loaded it by then

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _told(*settings: tuple[int, int]) -> None:
    import ctypes  # here: numpy has loaded it by then

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting in settings:
            mallopt(*setting)
