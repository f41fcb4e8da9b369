"""Remove every trace of a checkout's cluster from the machine, in whatever state it was left.

There is one way down, for a healthy cluster as for one of which half was killed: end every process of ours,
then unmount, then remove namespace, control group and files. Nothing in it needs a program of the cluster to
answer. Ours is a process that is in our network namespace or control group, or that was started with a path
below our run directory; mounts, links and files are known by their names.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local import cgroups, mounts, network
from local.errors import LocalError
from local.places import Places
from local.processes import PROC, Identity, identify, send

_KILL_SECONDS = 20
# Programs that are not built by us but started by us, and named by a path of ours among their arguments.
_FOREIGN = frozenset({"node", "runc", "nsenter", "setpriv"})
_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOGS = Path("/var/log/containers")


@dataclass(frozen=True)
class Leftovers:
    """What is on the machine of one checkout's cluster."""

    processes: tuple[Identity, ...]
    mounts: tuple[Path, ...]
    namespace: bool
    link: bool
    cgroup: bool
    directories: tuple[Path, ...]

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(
            self.processes or self.mounts or self.namespace or self.link or self.cgroup or self.directories
        )


def look(places: Places) -> Leftovers:
    """What there is now."""
    return Leftovers(
        processes=tuple(processes(places)),
        mounts=tuple(mount_points(places)),
        namespace=places.netns.exists(),
        link=Path("/sys/class/net", places.host_link).exists(),
        cgroup=cgroups.exists(places.name),
        directories=tuple(path for path in (places.run, places.state) if path.exists()),
    )


def sweep(places: Places) -> None:
    """Remove everything; raises LocalError if something resists."""
    _kill(places)
    _remove_shim_sockets(places)
    mounts.unmount_below(places.run, places.state, places.image_run, places.images)
    network.remove(places)
    cgroups.remove(places.name)
    _remove_traces_elsewhere(places)
    # State first: as long as the run directory is there, the next command sees that something is left.
    for directory in (places.state, places.run):
        if directory.exists():
            shutil.rmtree(directory)


def mount_points(places: Places) -> list[Path]:
    """Our mount points, in the order in which they can be unmounted."""
    return mounts.below(places.run, places.state, places.image_run, places.images)


def processes(places: Places) -> Iterator[Identity]:
    """All processes of the cluster, but never this one or the ones it was started by."""
    spared = set(_ancestors())
    grouped = cgroups.processes(places.name)
    namespace = _inode(places.netns)
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in spared:
            continue
        try:
            ours = (
                int(entry.name) in grouped
                or (namespace is not None and _inode(entry / "ns/net") == namespace)
                or _started_by_us(entry, places)
            )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or it is another user's
        if ours and (identity := identify(int(entry.name))):
            yield identity


def _started_by_us(entry: Path, places: Places) -> bool:
    arguments = (entry / "cmdline").read_bytes().split(b"\0")
    if not any(os.fsencode(f"{places.run}/") in argument for argument in arguments):
        return False
    # A pager or editor that somebody has open on one of our logs is not ours.
    program = Path(str((entry / "exe").readlink()).removesuffix(" (deleted)"))
    return program.is_relative_to(places.bin) or program.name in _FOREIGN


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _ancestors() -> Iterator[int]:
    pid = os.getpid()
    while pid > 0:
        yield pid
        text = (PROC / str(pid) / "stat").read_text()
        pid = int(text[text.rindex(")") + 1 :].split()[1])


def _kill(places: Places) -> None:
    """End all processes; in rounds, since some may start another one before their own turn comes."""
    deadline = time.monotonic() + _KILL_SECONDS
    while left := list(processes(places)):
        if time.monotonic() > deadline:
            raise LocalError(f"processes {[each.pid for each in left]} of the cluster do not end")
        for identity in left:
            send(identity, signal.SIGKILL)
        time.sleep(0.05)


def _remove_shim_sockets(places: Places) -> None:
    """containerd's shims listen at places of their own choice, written down beside their containers."""
    for note in places.run.glob("containerd/io.containerd.runtime.v2.task/*/*/bootstrap.json"):
        for socket in re.findall(r"unix://(/run/containerd/s/[0-9a-f]+)", note.read_text()):
            Path(socket).unlink(missing_ok=True)


def _remove_traces_elsewhere(places: Places) -> None:
    """What programs of the cluster write to fixed places, below names that are ours."""
    if _CNI_RESULTS.is_dir():
        for result in _CNI_RESULTS.iterdir():
            if f"{places.run}/" in result.read_text(errors="replace"):  # names the pod's network namespace
                result.unlink(missing_ok=True)
    if _CONTAINER_LOGS.is_dir():
        for link in _CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(places.run):
                link.unlink(missing_ok=True)
