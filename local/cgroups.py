"""The cluster's own control group: the kubelet puts every pod below it, where it is found after any death."""

import time
from collections.abc import Iterator
from pathlib import Path

from local.errors import LocalError

ROOT = Path("/sys/fs/cgroup")
_REMOVE_SECONDS = 10
_V2_CONTROLLERS = ("cpuset", "cpu", "memory", "pids")


def unified() -> bool:
    """Whether the machine has cgroup v2 only; else (v1, or both) each controller has a tree of its own."""
    return (ROOT / "cgroup.controllers").is_file()


def hierarchies() -> list[Path]:
    """Roots of the trees in which the kubelet makes groups."""
    if unified():
        return [ROOT]
    # `cpu,cpuacct` and the like are links to one another's tree, hence resolved and made unique.
    trees = {path.resolve() for path in ROOT.iterdir() if (path / "cgroup.procs").is_file()}
    return sorted(trees)


def create(name: str) -> None:
    """Make the group in every tree."""
    for tree in hierarchies():
        group = tree / name
        group.mkdir(exist_ok=True)
        if unified():
            available = (tree / "cgroup.controllers").read_text().split()
            wanted = " ".join(f"+{each}" for each in _V2_CONTROLLERS if each in available)
            (tree / "cgroup.subtree_control").write_text(wanted)
            (group / "cgroup.subtree_control").write_text(wanted)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In v1 a new cpuset is empty, and nothing can run in it before it is given processors and memory.
            if not unified() and (group / setting).is_file() and not (group / setting).read_text().strip():
                (group / setting).write_text((tree / setting).read_text())


def processes(name: str) -> set[int]:
    """Pids of all processes in the group and the groups below it."""
    pids: set[int] = set()
    for tree in hierarchies():
        for group in _deepest_first(tree / name):
            try:
                pids.update(map(int, (group / "cgroup.procs").read_text().split()))
            except OSError:
                continue  # the group went away while we looked, and its processes with it
    return pids


def remove(name: str) -> None:
    """Remove the group and all below it; they must hold no process any more."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    for tree in hierarchies():
        while left := [group for group in _deepest_first(tree / name) if not _removed(group)]:
            if time.monotonic() > deadline:
                raise LocalError(f"control group {left[0]} cannot be removed")
            time.sleep(0.05)  # the kernel lets go of ended processes a moment after their end


def exists(name: str) -> bool:
    """Whether the group is there in any tree."""
    return any((tree / name).is_dir() for tree in hierarchies())


def _deepest_first(group: Path) -> Iterator[Path]:
    if group.is_dir():
        yield from sorted((path.parent for path in group.rglob("cgroup.procs")), reverse=True)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
