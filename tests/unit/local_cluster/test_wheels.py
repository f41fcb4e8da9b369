import re
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


def test_images_of_one_part_hold_the_same_versions() -> None:
    """A model registered beside one runtime must be scored alike by the other."""
    small, large = (
        set(re.findall(r"^(\S+==\S+)", for_target(Path("requirements", f"{part}.txt").read_text()), re.M))
        for part in ("scorer", "scorer-sklearn")
    )
    assert small < large
