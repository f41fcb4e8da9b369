"""`image-size`: the scorer's image as a registry keeps it, layers compressed by gzip -6; and what is in it.

The reference is the same base and the same wheels with nothing taken out. The base is the local one, made by
debootstrap: the Dockerfile's default base loses the same packages.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from figures import FOLDER, ROOT, Figure

from local import buildah, image_base, images
from local.places import Places

COMMAND = "make bench"
REFERENCE = "same base and wheels, nothing taken out"
BAR_MB = 120
MB = 1_000_000
LEVEL = 6

# The first that fits a file's path.
COMPONENTS = {
    "own": r"opt/sensorscore/lib/python3\.\d+/site-packages/(scorer|sensorscore_scorer.*)/",
    **{
        name: rf"opt/sensorscore/lib/python3\.\d+/site-packages/{name}[^/]*/"
        for name in ("numpy", "pyarrow", "obstore", "safetensors")
    },
    "other packages": r"opt/",
    "python": r"usr/(local/)?(lib|bin|include)/(lib)?python3",
    "time zones": r"usr/share/zoneinfo/",
    "base": r"",
}


def measure() -> list[Figure]:
    """The figure; the table goes to the screen and into `build/bench/image-contents.json`."""
    places = Places.here()
    image = images.product(places, "scorer")
    with tarfile.open(image.archive) as archive:
        layers = layer_sizes(archive)
        contents = component_sizes(archive)
    _tell(layers, contents)
    total = sum(compressed for _, compressed in layers) / MB
    return [Figure("image-size", total, "MB", REFERENCE, _untouched(places) / MB, BAR_MB, COMMAND)]


def layer_sizes(archive: tarfile.TarFile) -> list[tuple[int, int]]:
    """Each layer's bytes, as they are and compressed."""
    return [_sizes(_chunks(archive, layer)) for layer in _layers(archive)]


def component_sizes(archive: tarfile.TarFile) -> dict[str, tuple[int, int]]:
    """The same by component, over all layers: together a little less than those, which hold names too."""
    squeezers = {name: zlib.compressobj(LEVEL) for name in COMPONENTS}
    found = {name: [0, 0] for name in COMPONENTS}
    for layer in _layers(archive):
        with tarfile.open(fileobj=archive.extractfile(layer)) as files:
            for member in files:
                if not member.isfile():
                    continue
                data = files.extractfile(member)
                if data is None:
                    raise ValueError(f"{member.name} of layer {layer} cannot be read")
                name = component(member.name)
                for chunk in iter(lambda data=data: data.read(1 << 20), b""):
                    found[name][0] += len(chunk)
                    found[name][1] += len(squeezers[name].compress(chunk))
    return {name: (size, packed + len(squeezers[name].flush())) for name, (size, packed) in found.items()}


def component(path: str) -> str:
    """Which component a file belongs to."""
    return next(name for name, pattern in COMPONENTS.items() if re.match(pattern, path.removeprefix("./")))


def _layers(archive: tarfile.TarFile) -> list[str]:
    manifest = archive.extractfile("manifest.json")
    if manifest is None:
        raise ValueError("the archive has no manifest.json")
    layers: list[str] = json.load(manifest)[0]["Layers"]
    return layers


def _chunks(archive: tarfile.TarFile, name: str) -> Iterator[bytes]:
    data = archive.extractfile(name)
    if data is None:
        raise ValueError(f"the archive has no {name}")
    return iter(lambda: data.read(1 << 20), b"")


def _sizes(chunks: Iterator[bytes]) -> tuple[int, int]:
    squeezer = zlib.compressobj(LEVEL, wbits=31)  # with gzip's own header and end
    size = compressed = 0
    for chunk in chunks:
        size += len(chunk)
        compressed += len(squeezer.compress(chunk))
    return size, compressed + len(squeezer.flush())


def _untouched(places: Places) -> int:
    """Bytes of the base, compressed, and of the wheels, which are compressed already."""
    with tempfile.TemporaryDirectory(dir=places.images) as scratch:
        path = Path(scratch) / "base.tar"
        buildah.archive(places, image_base.ensure(places), path)
        with tarfile.open(path) as archive:
            base = sum(compressed for _, compressed in layer_sizes(archive))
    wheels = (ROOT / "build" / "wheels" / "scorer").glob("*/*.whl")
    return base + sum(wheel.stat().st_size for wheel in wheels)


def _tell(layers: list[tuple[int, int]], contents: dict[str, tuple[int, int]]) -> None:
    lines = [("LAYER OR COMPONENT", "MB", "COMPRESSED")]
    lines += [(f"layer {number}", *_mb(sizes)) for number, sizes in enumerate(layers, 1)]
    lines += [(name, *_mb(sizes)) for name, sizes in contents.items()]
    for name, size, compressed in lines:
        sys.stdout.write(f"{name:<20}{size:>8}{compressed:>12}\n")
    FOLDER.mkdir(parents=True, exist_ok=True)
    told = {name: {"bytes": size, "compressed": packed} for name, (size, packed) in contents.items()}
    (FOLDER / "image-contents.json").write_text(json.dumps(told, indent=1) + "\n")


def _mb(sizes: tuple[int, int]) -> tuple[str, str]:
    size, compressed = (f"{number / MB:.1f}" for number in sizes)
    return size, compressed
