"""Locks between commands of one checkout: whoever builds or changes something shared holds one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.console import say


@contextmanager
def exclusive(directory: Path, name: str) -> Iterator[None]:
    """Hold the lock `name` in a directory; the kernel releases it whatever way this process ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  waiting for another command that is at work on {name} ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
