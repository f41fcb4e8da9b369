"""Buildah, the image builder without a daemon, with a storage of this checkout's own."""

from collections.abc import Sequence
from pathlib import Path

from local import mounts
from local.commands import run
from local.places import Places

_KEPT_LAYERS = 150  # a build of both images makes about 50


def buildah(places: Places, *arguments: str | Path) -> str:
    """Run one buildah command."""
    return run(
        [
            "buildah",
            *("--root", places.image_storage),
            *("--runroot", places.image_run),
            *("--storage-driver", "overlay" if mounts.overlay_works(places.images) else "vfs"),
            *arguments,
        ],
        f"buildah {arguments[0]}",
    )


def has(places: Places, image: str) -> bool:
    """Whether the storage holds an image of that name."""
    names = buildah(places, "images", "--noheading", "--format", "{{.Name}}:{{.Tag}}")
    return image in names.split()


def build(places: Places, dockerfile: Path, context: Path, image: str, base: str | None = None) -> None:
    """Build an image from a Dockerfile, without root file system tricks that need more than chroot."""
    arguments = ["--build-arg", f"BASE={base}"] if base else []
    buildah(
        places,
        "build",
        *("--isolation", "chroot"),
        *("--network", "host"),  # no network is needed; but making one of its own would need more programs
        "--pull-never",
        "--layers",
        *("--tag", image),
        *("--file", dockerfile),
        *arguments,
        context,
    )


def run_in(places: Places, image: str, command: Sequence[str], volume: Path) -> str:
    """Run a command in an image's file tree, as its user, with a directory of ours at `/volume`; its output.

    It sees this machine's network, and is not limited: a test of what the image holds, not of a container.
    """
    container = buildah(places, "from", "--pull-never", image).strip()
    try:
        bound = ("--isolation", "chroot", "--volume", f"{volume}:/volume")
        return buildah(places, "run", *bound, container, "--", *command)
    finally:
        buildah(places, "rm", container)


def archive(places: Places, image: str, target: Path) -> None:
    """Write an image into a file that containerd and docker can load; whole or not at all."""
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    buildah(places, "push", "--quiet", image, f"docker-archive:{part}:{image}")
    part.replace(target)


def prune(places: Places) -> None:
    """Drop the remains of builds when there are many: until then they are what makes the next build short."""
    if len(buildah(places, "images", "--all", "--quiet").split()) > _KEPT_LAYERS:
        buildah(places, "rm", "--all")
        buildah(places, "rmi", "--prune", "--force")
