"""The programs that the cluster takes from Debian: what each is for, what is missing, and installing that.

On another distribution nothing is installed; the error then says which programs to install by hand.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from local.commands import find, run
from local.console import stage
from local.errors import LocalError

_CNI_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))  # Debian's place, and upstream's
_CNI = "bridge"


@dataclass(frozen=True)
class Package:
    """A Debian package, the program in it that we call, and what we call it for."""

    name: str
    program: str
    purpose: str

    def path(self) -> str | None:
        """Where the program lies, None when it is missing."""
        if self.program != _CNI:
            return find(self.program)
        directory = cni_directory()
        return str(directory / _CNI) if directory else None


PACKAGES = (
    Package("iproute2", "ip", "makes the network namespace and the link into it"),
    Package("nftables", "nft", "kube-proxy writes service addresses as nftables rules"),
    Package("runc", "runc", "starts containers"),
    Package("containernetworking-plugins", _CNI, "gives pods their network"),
    Package("buildah", "buildah", "builds images from Dockerfiles without a daemon"),
    Package("debootstrap", "debootstrap", "makes the images' base from Debian's packages"),
)


def cni_directory() -> Path | None:
    """Where the CNI plugins lie."""
    return next((directory for directory in _CNI_PLUGINS if (directory / _CNI).is_file()), None)


def missing() -> list[Package]:
    """Packages whose program is not on this machine."""
    return [package for package in PACKAGES if package.path() is None]


def can_install() -> bool:
    """Whether missing packages can be installed here: root on a Debian or one of its kin."""
    return os.geteuid() == 0 and find("apt-get") is not None


def ensure() -> None:
    """Install what is missing, or raise LocalError that says what to install."""
    lacking = missing()
    if not lacking:
        return
    if not can_install():
        listed = "; ".join(f"{package.program} ({package.purpose})" for package in lacking)
        raise LocalError(f"missing on this machine, please install: {listed}")
    names = [package.name for package in lacking]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with stage(f"apt-get install {' '.join(names)}"):
        run(["apt-get", "-q", "update"], "apt-get update", env=quiet)
        run(
            ["apt-get", "-q", "install", "-y", "--no-install-recommends", *names],
            "apt-get install",
            env=quiet,
        )
    still = missing()
    if still:
        raise LocalError(f"installed, but not found: {', '.join(package.program for package in still)}")
