"""Wheels for the images: third-party ones as pinned, and our own, collected in `build/wheels/PART`.

That directory is the build context of PART's image, for buildah and for Docker alike. The wheels are those of
the image's Python and platform, whatever Python runs this.
"""

import platform
import re
import shutil
import sys
from pathlib import Path

from packaging.markers import Marker

from local.commands import run
from local.console import stage
from local.image_base import PYTHON
from local.places import Places

GLIBC_MINOR = 36  # the base's glibc is 2.36: no wheel that wants a later one
_OLDEST_GLIBC_MINOR = 17
SOURCES = {"operator": "operator", "scorer": "scorer", "scorer-sklearn": "scorer", "scorer-ingest": "scorer"}
"""Of each image: the folder of its Dockerfile and of our own code in it."""


def target_platforms() -> list[str]:
    """Wheel platforms that the image can run, best first."""
    machine = platform.machine()
    newest_first = range(GLIBC_MINOR, _OLDEST_GLIBC_MINOR - 1, -1)
    return [f"manylinux_2_{minor}_{machine}" for minor in newest_first] + [f"manylinux2014_{machine}"]


def for_target(requirements: str) -> str:
    """A hashed requirements file with the entries for the image's Python only, and no markers.

    pip judges markers by the Python that it runs on, and would leave out or take in the wrong ones.
    """
    version = ".".join(map(str, PYTHON))
    environment = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": platform.machine(),
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    kept = []
    for entry in re.findall(r"^[A-Za-z0-9](?:.*\\\n)*.*\n?", requirements, re.MULTILINE):
        first, _, rest = entry.partition("\\\n")
        requirement, _, marker = first.partition(";")
        if not marker.strip() or Marker(marker.strip()).evaluate(environment):
            kept.append(f"{requirement.strip()} \\\n{rest}")
    return "".join(kept)


def third_party(places: Places, part: str) -> Path:
    """Download what a part's requirements pin, unless it lies there already; returns the build context."""
    context = places.checkout / "build" / "wheels" / part
    wanted = for_target((places.checkout / "requirements" / f"{part}.txt").read_text())
    requirements = context / "requirements.txt"
    if requirements.is_file() and requirements.read_text() == wanted:
        return context
    shutil.rmtree(context, ignore_errors=True)
    (context / "wheels").mkdir(parents=True)
    part_file = context / "requirements.part"
    part_file.write_text(wanted)
    with stage(f"pip download ({part})"):
        platforms = [argument for each in target_platforms() for argument in ("--platform", each)]
        run(
            [
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
                *("--require-hashes", "--only-binary", ":all:", "--no-deps"),
                *("--implementation", "cp", "--python-version", ".".join(map(str, PYTHON))),
                *platforms,
                *("--requirement", str(part_file), "--dest", str(context / "wheels")),
            ],
            f"downloading the wheels of {part}",
        )
    part_file.replace(requirements)  # last: its presence says that the wheels are complete
    return context


def own(places: Places, part: str) -> None:
    """Build a part's own wheel into its build context, in place of an earlier one."""
    target = places.checkout / "build" / "wheels" / part / "own"
    shutil.rmtree(target, ignore_errors=True)
    run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target],
        f"building the wheel of {part}",
        cwd=places.checkout / SOURCES[part],
    )
