"""The product images and the pods' pause image, built by buildah when something in them changed."""

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local import build, buildah, image_base, wheels
from local.console import stage
from local.errors import LocalError
from local.locks import exclusive
from local.nodeconfig import PAUSE_IMAGE
from local.places import Places

PARTS = ("operator", "scorer")
RUNTIMES = {"sklearn": "scorer-sklearn"}
"""Images of further runtimes, by the runtime's name."""
FURTHER = {**RUNTIMES, "ingest": "scorer-ingest"}
"""Images that are built only when they are asked for, by the word for it: they are large."""
_NAMES = {"scorer-ingest": "ingest"}
"""What a part's image is called, where that is not its own name."""
_DIGEST_LETTERS = 16
_PAUSE_DOCKERFILE = Path(__file__).resolve().parent / "pause.Dockerfile"


@dataclass(frozen=True)
class Image:
    """A built image: name with tag, digest of all that went into it, and the archive that holds it."""

    name: str
    digest: str
    archive: Path


def name(places: Places, part: str) -> str:
    """Name and tag of a part's image; the tag is the part's version."""
    text = (places.checkout / wheels.SOURCES[part] / "pyproject.toml").read_text()
    version = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    if version is None:
        raise LocalError(f"{wheels.SOURCES[part]}/pyproject.toml names no version")
    return f"localhost/sensorscore-{_NAMES.get(part, part)}:{version[1]}"


def wanted(also: Iterable[str] = ()) -> tuple[str, ...]:
    """The two images that every installation has, and further ones by their words."""
    return (*PARTS, *(FURTHER[word] for word in also))


def dockerfile(places: Places, part: str) -> Path:
    """What a part's image is built by."""
    return places.checkout / wheels.SOURCES[part] / "Dockerfile"


def sources(part: Path) -> Iterator[Path]:
    """The files of a part that its image is made of, in a fixed order."""
    for path in sorted(part.rglob("*")):
        inside = path.relative_to(part).parts
        if path.is_file() and not any(each == "__pycache__" or each.endswith(".egg-info") for each in inside):
            yield path


def inputs_digest(places: Places, part: str, base: str) -> str:
    """Digest of everything that decides what a part's image holds."""
    total = hashlib.sha256(base.encode())
    requirements = places.checkout / "requirements" / f"{part}.txt"
    for path in (requirements, *sources(places.checkout / wheels.SOURCES[part])):
        total.update(f"\0{path.relative_to(places.checkout)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:_DIGEST_LETTERS]


def pause(places: Places) -> Path:
    """Archive of the image of every pod's sandbox."""
    program = build.program(places, "pause")
    digest = hashlib.sha256(program.read_bytes() + _PAUSE_DOCKERFILE.read_bytes()).hexdigest()[
        :_DIGEST_LETTERS
    ]
    archive = places.images / f"pause-{digest}.tar"
    with exclusive(places.images, "images"):
        if not archive.is_file():
            with stage("building the pause image"):
                context = places.images / "pause"
                context.mkdir(parents=True, exist_ok=True)
                shutil.copy(program, context / "pause")
                buildah.build(places, _PAUSE_DOCKERFILE, context, PAUSE_IMAGE)
                _archive(places, PAUSE_IMAGE, archive)
    return archive


def product(places: Places, part: str) -> Image:
    """A part's image, built from its Dockerfile unless nothing in it changed."""
    base = image_base.ensure(places)
    image = name(places, part)
    digest = inputs_digest(places, part, base)
    archive = places.images / f"{part}-{digest}.tar"
    with exclusive(places.images, "images"):
        if not archive.is_file():
            context = wheels.third_party(places, part)
            with stage(f"building {image}"):
                wheels.own(places, part)
                buildah.build(places, dockerfile(places, part), context, image, base)
                _archive(places, image, archive)
    return Image(image, digest, archive)


def _archive(places: Places, image: str, archive: Path) -> None:
    """Keep an image's archive, and no older ones of the same kind."""
    buildah.archive(places, image, archive)
    kind = archive.stem.rpartition("-")[0]
    digest = (
        "[0-9a-f]" * _DIGEST_LETTERS
    )  # else those of `scorer-sklearn` were taken for older ones of `scorer`
    for older in places.images.glob(f"{kind}-{digest}.tar"):
        if older != archive:
            older.unlink()
    buildah.prune(places)
