"""Programs out of Debian's packages, unpacked below `.cache` and not installed: Prometheus and its kin.

Installed, each would come with a service, started now and at every boot, at a port that somebody may need,
and with a user. Unpacked it is a program and nothing else; it needs no root, and goes away with the checkout.
Debian's builds look for their pages and templates below /usr/share, so each is started with its own view of
that. One that is on PATH is used as it is.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.commands import find, run
from local.console import stage
from local.errors import LocalError
from local.locks import exclusive
from local.places import Places

PACKAGES = (
    "prometheus",
    "prometheus-alertmanager",
    # What Prometheus' pages are made of.
    *(f"libjs-{name}" for name in ("bootstrap4", "d3", "eonasdan-bootstrap-datetimepicker", "jquery")),
    *(f"libjs-{name}" for name in ("jquery-hotkeys", "moment", "moment-timezone", "mustache")),
    *("libjs-popper.js", "libjs-rickshaw", "fonts-glyphicons-halflings"),
)
# Ours over the system's, for one process: nobody else sees it, and nothing is left of it.
_SHARE = 'mount -t overlay overlay -o "lowerdir=$0:/usr/share" /usr/share && exec "$@"'


@dataclass(frozen=True)
class Program:
    """A program by its upstream name: where Debian has it, and what for."""

    name: str
    path: str
    purpose: str


PROGRAMS = {
    program.name: program
    for program in (
        Program("prometheus", "usr/bin/prometheus", "scrapes the operator, evaluates rules"),
        Program("promtool", "usr/bin/promtool", "checks and tests rules"),
        Program("alertmanager", "usr/bin/prometheus-alertmanager", "has the alerts that fire"),
    )
}


def command(places: Places, name: str) -> list[str]:
    """What to put before a program's arguments, the program included; fetched if need be."""
    path = program(places, name)
    folder = _folder(places)
    if not path.is_relative_to(folder):
        return [str(path)]
    view = ["sh", "-c", _SHARE, str(folder / "usr/share")]
    if os.geteuid() == 0:
        return ["unshare", "--mount", *view, str(path)]
    # In a user namespace, where that is allowed; entering one undoes the bond with the parent.
    bond = ["setpriv", "--pdeathsig", "KILL"] if find("setpriv") else []
    return ["unshare", "--mount", "--map-root-user", *view, *bond, str(path)]


def program(places: Places, name: str) -> Path:
    """Path of a program, fetched if need be; LocalError says what to install by hand."""
    there = existing(places, name)
    if there is None:
        _fetch(places, PROGRAMS[name])
        there = existing(places, name)
    if there is None:
        raise LocalError(f"Debian's packages hold no {PROGRAMS[name].path}")
    return there


def existing(places: Places, name: str) -> Path | None:
    """Path of a program that is on PATH or has been unpacked; None when it would have to be fetched."""
    wanted = PROGRAMS[name]
    if found := find(name) or find(Path(wanted.path).name):
        return Path(found)
    path = _folder(places) / wanted.path
    return path if path.is_file() else None


def available(places: Places) -> bool:
    """Whether all programs are there or can be fetched."""
    return can_fetch() or all(existing(places, name) for name in PROGRAMS)


def can_fetch() -> bool:
    """Whether this machine has Debian's tools to fetch and unpack a package; it takes no root."""
    return find("apt-get") is not None and find("dpkg-deb") is not None


def _folder(places: Places) -> Path:
    return places.cache / "debian"


def _fetch(places: Places, wanted: Program) -> None:
    if not can_fetch():
        raise LocalError(f"missing on this machine, please install: {wanted.name} ({wanted.purpose})")
    folder = _folder(places)
    with exclusive(places.cache, "debian"):
        if folder.is_dir():  # another process did it while we waited
            return
        with (
            stage("apt-get download prometheus prometheus-alertmanager, and what their pages need"),
            tempfile.TemporaryDirectory(dir=places.cache) as scratch,
        ):
            content = Path(scratch) / "content"
            for archive in _download(Path(scratch)):
                run(["dpkg-deb", "--extract", archive, content], f"unpacking {archive.name}")
            content.rename(folder)


def _download(folder: Path) -> list[Path]:
    """The packages' archives; apt checks their digests against Debian's signed lists."""
    fetch = ["apt-get", "-q", "download", *PACKAGES]
    try:
        run(fetch, "apt-get download", cwd=folder)
    except LocalError:
        if os.geteuid() != 0:
            raise
        # The lists are missing on a fresh image, and old ones name versions that are gone.
        run(["apt-get", "-q", "update"], "apt-get update")
        run(fetch, "apt-get download", cwd=folder)
    return sorted(folder.glob("*.deb"))
