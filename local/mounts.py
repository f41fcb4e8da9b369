"""Mount points below our directories: found, and unmounted."""

import functools
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from local.commands import run
from local.errors import LocalError

_MOUNTINFO = Path("/proc/self/mountinfo")


def parse(mountinfo: str, below: Iterable[Path]) -> list[Path]:
    """Mount points at or below some directories, the last mounted first, out of mountinfo (proc(5))."""
    roots = [str(each) for each in below]
    found = []
    for line in mountinfo.splitlines():
        # Blanks and the like are written as octal numbers.
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split(" ")[4])
        if any(point == root or point.startswith(f"{root}/") for root in roots):
            found.append(Path(point))
    return found[::-1]


def below(*directories: Path) -> list[Path]:
    """What is mounted there now, in the order in which it can be unmounted."""
    return parse(_MOUNTINFO.read_text(), directories)


def unmount_below(*directories: Path) -> None:
    """Unmount everything at or below these directories, also what is still in use."""
    for point in below(*directories):
        run(["umount", "--lazy", point], f"unmounting {point}")


@functools.cache
def overlay_works(directory: Path) -> bool:
    """Whether an overlay can be mounted there, which it cannot on another overlay.

    Tried in a mount namespace of its own, which takes the mount with it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        parts = [Path(scratch) / name for name in ("lower", "upper", "work", "merged")]
        for part in parts:
            part.mkdir()
        options = f"lowerdir={parts[0]},upperdir={parts[1]},workdir={parts[2]}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts[3])]
        try:
            run(["unshare", "--mount", *mount], "mounting an overlay")
        except LocalError:
            return False
    return True
