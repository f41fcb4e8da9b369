import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.image_base import PYTHON
from local.wheels import SOURCES, for_target, target_platforms

REQUIREMENTS = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
pyarrow==26.0.1 \\
    --hash=sha256:dd
colorama==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:ee
"""


def test_entries_for_another_python_or_system_are_left_out() -> None:
    assert for_target(REQUIREMENTS) == (
        "numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "pyarrow==26.0.1 \\\n    --hash=sha256:dd\n"
    )


@pytest.mark.parametrize("part", SOURCES)
def test_every_requirement_of_an_image_is_pinned_by_hash(part: str) -> None:
    text = for_target(Path("requirements", f"{part}.txt").read_text())
    entries = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(entries) >= 4
    assert all(line.endswith(" \\") and "==" in line for line in entries)
    assert len({line.partition("==")[0] for line in entries}) == len(entries)


def test_no_wheel_wants_a_later_glibc_than_the_base_has() -> None:
    minors = [int(each.split("_")[2]) for each in target_platforms() if each.startswith("manylinux_2_")]
    assert max(minors) == 36  # Debian 12


@pytest.mark.parametrize("part", sorted(set(SOURCES.values())))
def test_dockerfiles_take_packages_for_the_python_that_wheels_are_chosen_for(part: str) -> None:
    dockerfile = Path(part, "Dockerfile").read_text()
    version = ".".join(map(str, PYTHON))
    assert f"BASE=python:{version}-slim-bookworm" in dockerfile
    assert f"lib/python{version}/site-packages" in dockerfile


def pinned(part: str) -> set[str]:
    return set(re.findall(r"^(\S+==\S+)", for_target(Path("requirements", f"{part}.txt").read_text()), re.M))


@pytest.mark.parametrize("larger", ["scorer-sklearn", "scorer-ingest"])
def test_images_of_one_part_hold_the_same_versions(larger: str) -> None:
    """A model registered beside one runtime must be scored alike by the other."""
    assert pinned("scorer") < pinned(larger)


_IMPORTED = """
import importlib.metadata, sys
import scorer.ingest.__main__, scorer.ingest.service, scorer.simulate.cli, scorer.simulate.send
files = {module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
for package in importlib.metadata.distributions():
    if any(str(package.locate_file(file)) in files for file in package.files or ()):
        print(package.name)
"""


def test_ingest_s_image_holds_all_that_it_imports() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORTED], capture_output=True, text=True, check=True)
    held = {re.sub("[-_.]+", "-", pin.partition("==")[0]) for pin in pinned("scorer-ingest")}
    imported = {re.sub("[-_.]+", "-", name.lower()) for name in done.stdout.split()}
    # Of the development environment: pyarrow takes the first where it is there, and its start the second.
    assert imported - held <= {"sensorscore-scorer", "cloudpickle", "setuptools"}
    assert {"aiohttp", "azure-eventhub", "orjson", "prometheus-client", "pyyaml"} <= imported
