from pathlib import Path

import pytest

from local import buildah, image_base, images
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


def test_images_of_further_runtimes_are_built_only_when_they_are_asked_for(places: Places) -> None:
    assert images.wanted() == ("operator", "scorer")
    assert images.wanted(["sklearn"]) == ("operator", "scorer", "scorer-sklearn")
    assert images.name(places, "scorer-sklearn") == "localhost/sensorscore-scorer-sklearn:1.2.3"
    assert images.dockerfile(places, "scorer-sklearn") == places.checkout / "scorer/Dockerfile"


def test_ingest_s_image_is_one_of_the_scorer_s_under_its_own_name(places: Places) -> None:
    assert images.wanted(["ingest"]) == ("operator", "scorer", "scorer-ingest")
    assert images.name(places, "scorer-ingest") == "localhost/sensorscore-ingest:1.2.3"
    assert images.dockerfile(places, "scorer-ingest") == places.checkout / "scorer/Dockerfile"
    assert "ingest" not in images.RUNTIMES, "no run is scored in it"


def test_a_runtime_s_image_follows_its_own_requirements(places: Places) -> None:
    lock = places.checkout / "requirements/scorer-sklearn.txt"
    lock.write_text("numpy==2\n")
    before = images.inputs_digest(places, "scorer-sklearn", "base")
    lock.write_text("numpy==3\n")
    assert images.inputs_digest(places, "scorer-sklearn", "base") != before


def test_an_archive_takes_the_place_of_older_ones_of_its_own_kind_only(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buildah, "archive", lambda _places, _image, target: target.touch())
    monkeypatch.setattr(buildah, "prune", lambda _places: None)
    places.images.mkdir(parents=True)
    for name in ("scorer-sklearn-0123456789abcdef", "scorer-00000000000000aa", "scorer-00000000000000bb"):
        images._archive(places, "x", places.images / f"{name}.tar")
    assert sorted(path.stem for path in places.images.iterdir()) == [
        "scorer-00000000000000bb",
        "scorer-sklearn-0123456789abcdef",
    ]
