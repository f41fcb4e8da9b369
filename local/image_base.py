"""The base of both images where there is no Docker: a small Debian with Python, by debootstrap."""

import hashlib
import re
import shutil
from pathlib import Path

from local import buildah, mounts
from local.commands import find, run
from local.console import stage
from local.locks import exclusive
from local.places import Places

SUITE = "bookworm"
PYTHON = (3, 11)  # the suite's, and that of the Dockerfiles' default base: wheels are chosen for it
PACKAGES = ("ca-certificates", "python3", "python3-venv")
_DOCKERFILE = Path(__file__).resolve().parent / "base.Dockerfile"
# Nobody reads manuals or installs packages in these images; licences (`copyright`) stay.
_DROPPED = (
    "dev/*",
    "etc/python3.*/sitecustomize.py",  # reports crashes to a service that is not there, at each start
    "usr/lib/python3.*/sitecustomize.py",
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/changelog*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*",
)


def name() -> str:
    """The base image's name; its tag follows from all that goes into it."""
    recipe = repr((SUITE, PACKAGES, _DROPPED)).encode() + _DOCKERFILE.read_bytes()
    return f"localhost/debian-python:12-{hashlib.sha256(recipe).hexdigest()[:10]}"


def ensure(places: Places) -> str:
    """Name of the base image in buildah's storage, made if need be."""
    image = name()
    with exclusive(places.images, "base-image"):
        if not buildah.has(places, image):
            with stage(f"debootstrap {SUITE} (the images' base)"):
                _make(places, image)
    return image


def mirror(targets: str) -> str | None:
    """Where this machine's apt takes the suite from; the lines are site, suite and component."""
    found = re.search(rf"^(\S+) {SUITE} main$", targets, re.MULTILINE)
    return found[1] if found else None


def _make(places: Places, image: str) -> None:
    scratch = places.images / "base"
    # A killed debootstrap leaves /proc and /sys mounted below its target: never delete into those.
    mounts.unmount_below(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "root"
    root.mkdir(parents=True)
    chosen = mirror(_apt_targets())
    run(
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            SUITE,
            root,
            *([chosen] if chosen else []),
        ],
        "debootstrap",
        env={"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
    )
    mounts.unmount_below(scratch)
    for pattern in _DROPPED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    archive = scratch / "base.tar"
    run(["tar", "--numeric-owner", "--sort=name", "-C", root, "-cf", archive, "."], "packing the base")
    shutil.rmtree(root)
    buildah.build(places, _DOCKERFILE, scratch, image)
    shutil.rmtree(scratch)


def _apt_targets() -> str:
    if find("apt-get") is None:
        return ""
    form = "$(SITE) $(RELEASE) $(COMPONENT)"
    return run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        "apt-get indextargets",
    )
