"""Resolves all dependencies once and writes the hashed subset of each part.

`all.txt` is the one resolution and the development environment; the images hold what `operator.txt`,
`scorer.txt`, `scorer-sklearn.txt` and `scorer-ingest.txt` name. The files record names, versions and hashes,
never where a package was fetched from.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = ("operator", "scorer", "sklearn", "train", "ingest", "dev")
LOCKS = {
    "operator": ("operator",),
    "scorer": ("scorer",),
    "scorer-sklearn": ("scorer", "sklearn"),
    "scorer-ingest": ("scorer", "ingest"),
    "uv": ("uv",),
}
"""A requirements file of a subset, and the parts that it is for."""

OPTIONS = (
    *("--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-header", "--no-annotate"),
)


def compile_requirements(sources: list[Path], output: Path, *extra: str) -> None:
    """Runs the resolver on `sources` and writes `output`."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "compile", *OPTIONS, *extra, *sources, "-o", output], check=True)


def main() -> None:
    """Writes every requirement file again; keeps versions that still fit, takes new ones with `--upgrade`."""
    everything = FOLDER / "all.txt"
    compile_requirements([FOLDER / f"{part}.in" for part in PARTS], everything, *sys.argv[1:])
    for lock, parts in LOCKS.items():
        sources = [FOLDER / f"{part}.in" for part in parts]
        compile_requirements(sources, FOLDER / f"{lock}.txt", "-c", str(everything))


if __name__ == "__main__":
    main()
