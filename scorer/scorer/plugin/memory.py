"""How much memory a plugin's process may take, and whether the kernel has killed for want of it."""

from __future__ import annotations

import os
from pathlib import Path

RESERVE = 96 * 1024 * 1024
"""Left to the scorer beside what it holds already: readings read ahead, one sensor decoded."""
LEAST = 256 * 1024 * 1024
"""With less, importing scikit-learn alone fails, and not always by saying so: its BLAS tries for ever."""

_PROC = Path("/proc/self")
_CGROUPS = Path("/sys/fs/cgroup")


def budget() -> int:
    """Bytes that a plugin's process may take: of the container's limit, what the scorer leaves."""
    return _limit() - _resident() - RESERVE


def oom_kills() -> int:
    """How often the kernel has killed in this container for want of memory; 0 where it does not say."""
    total = 0
    for folder in _folders():
        for name in ("memory.events", "memory.oom_control"):
            for line in _text(folder / name).splitlines():
                if line.startswith("oom_kill "):
                    total = max(total, int(line.split()[1]))
    return total


def _limit() -> int:
    """The container's limit, or the machine's memory where there is none."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for folder in _folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(folder / name).strip()
            if text.isdigit():  # "max" says that there is none
                found.append(int(text))
    return min(found)


def _resident() -> int:
    return int(_text(_PROC / "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _folders() -> list[Path]:
    """Control groups of this process and those above it, in both versions' hierarchies (cgroups(7)).

    In a container the root of the hierarchy is the container's own.
    """
    found = []
    for line in _text(_PROC / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root = _CGROUPS
        elif "memory" in controllers.split(","):
            root = _CGROUPS / "memory"
        else:
            continue
        group = root / path.lstrip("/")
        found += [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return found


def _text(path: Path) -> str:
    """Of a file that need not be there: kernels and containers differ."""
    try:
        return path.read_text()
    except OSError:
        return ""
