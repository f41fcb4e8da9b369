from pathlib import Path

import pytest

from local import image_base, images
from local.errors import LocalError
from local.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    part = tmp_path / "scorer"
    (part / "scorer").mkdir(parents=True)
    (part / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    (part / "Dockerfile").write_text("FROM base\n")
    (part / "scorer/__init__.py").write_text("")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/scorer.txt").write_text("numpy==2 \\\n    --hash=sha256:aa\n")
    return Places(tmp_path)


def test_an_image_s_tag_is_its_part_s_version(places: Places) -> None:
    assert images.name(places, "scorer") == "localhost/sensorscore-scorer:1.2.3"


def test_a_part_without_a_version_is_named(places: Places) -> None:
    (places.checkout / "scorer/pyproject.toml").write_text("")
    with pytest.raises(LocalError, match=r"scorer/pyproject\.toml names no version"):
        images.name(places, "scorer")


@pytest.mark.parametrize(
    "changed",
    ["scorer/Dockerfile", "scorer/scorer/__init__.py", "scorer/scorer/new.py", "requirements/scorer.txt"],
)
def test_an_image_is_built_anew_when_anything_in_it_changes(places: Places, changed: str) -> None:
    before = images.inputs_digest(places, "scorer", "base")
    (places.checkout / changed).write_text("changed")
    assert images.inputs_digest(places, "scorer", "base") != before


def test_an_image_is_built_anew_on_another_base(places: Places) -> None:
    assert images.inputs_digest(places, "scorer", "a") != images.inputs_digest(places, "scorer", "b")


def test_what_running_leaves_behind_changes_no_image(places: Places) -> None:
    before = images.inputs_digest(places, "scorer", "base")
    for left in ("scorer/__pycache__/a.pyc", "sensorscore_scorer.egg-info/PKG-INFO"):
        path = places.checkout / "scorer" / left
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert images.inputs_digest(places, "scorer", "base") == before


def test_the_base_comes_from_where_this_machine_s_packages_come_from() -> None:
    targets = (
        "http://security.example/debian-security bookworm-security main\n"
        "http://mirror.example/debian bookworm-updates main\n"
        "http://mirror.example/debian bookworm main\n"
    )
    assert image_base.mirror(targets) == "http://mirror.example/debian"


@pytest.mark.parametrize("targets", ["", "http://mirror.example/ubuntu noble main\n"])
def test_elsewhere_the_base_comes_from_debootstrap_s_own_default(targets: str) -> None:
    assert image_base.mirror(targets) is None
