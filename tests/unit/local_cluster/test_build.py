import re
from pathlib import Path

import pytest

from local import build
from local.errors import LocalError
from local.places import Places


@pytest.mark.parametrize("module", build.ALL, ids=lambda module: module.name)
def test_every_program_is_pinned_by_its_module(module: build.Module) -> None:
    text = (module.directory / "go.mod").read_text()
    assert re.fullmatch(r"v\d+(\.\d+\.\d+)?", module.version)
    for package in module.programs.values():
        assert package == "." or re.search(rf"^\s*(tool )?{re.escape(package)}$", text, re.MULTILINE)


@pytest.mark.parametrize("module", build.ALL, ids=lambda module: module.name)
def test_what_goes_into_a_program_is_pinned_by_digest(module: build.Module) -> None:
    if module.requires:
        sums = (module.directory / "go.sum").read_text()
        assert f"{module.requires} {module.version} h1:" in sums
        assert "://" not in sums


def test_kubernetes_is_told_its_version() -> None:
    flags = build.KUBERNETES.link_flags()
    assert f"version.gitVersion={build.KUBERNETES.version} " in flags
    assert "version.gitMajor=1 " in flags


def test_a_changed_pin_has_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MODULES", tmp_path)
    module = build.Module("thing", "example.org/thing", {"thing": "example.org/thing"})
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing/go.mod").write_text("require example.org/thing v1.2.3\n")
    (tmp_path / "thing/go.sum").write_text("one\n")
    before = module.digest()
    (tmp_path / "thing/go.sum").write_text("two\n")
    assert module.version == "v1.2.3"
    assert module.digest() != before


def test_files_that_are_kept_beside_a_program_come_from_what_it_requires() -> None:
    """CRDs of another version than the program's would be refused, or worse, taken."""
    without = build.Module(build.KARPENTER.name, build.KARPENTER.requires, build.KARPENTER.programs)
    assert build.KARPENTER.files
    assert build.KARPENTER.digest() != without.digest()


def test_of_a_module_without_programs_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled: they are fetched, and stay."""
    places, asked = Places(tmp_path), list[list[str]]()
    source = tmp_path / "module" / "example" / "prometheus-operator-crd"
    source.mkdir(parents=True)
    (source / "monitoring.coreos.com_servicemonitors.yaml").write_text("kind: x\n")

    def run(command: list[str], *_: object, **__: object) -> str:
        asked.append(command[1:3])
        return f"{tmp_path / 'module'}\n"

    monkeypatch.setattr(build, "find", lambda _: "go")
    monkeypatch.setattr(build, "run", run)
    directory = build.kept(places, build.PROMETHEUS_OPERATOR)
    assert [file.name for file in directory.iterdir()] == ["monitoring.coreos.com_servicemonitors.yaml"]
    assert build.kept(places, build.PROMETHEUS_OPERATOR) == directory
    assert asked == [["mod", "download"], ["list", "-m"]]


def test_a_built_program_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path)
    directory = places.bin / f"pause-{build.PAUSE.version}-{build.PAUSE.digest()}"
    directory.mkdir(parents=True)
    monkeypatch.setattr(build, "find", lambda _: pytest.fail("looked for go"))
    assert build.program(places, "pause") == directory / "pause"


def test_without_go_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find", lambda _: None)
    with pytest.raises(LocalError, match="Go is needed to build pause"):
        build.program(Places(tmp_path), "pause")


def test_an_unknown_program_is_named_with_those_there_are() -> None:
    with pytest.raises(LocalError, match=r"no program named 'kubectx'; there are .*kubectl"):
        build.module_of("kubectx")


@pytest.mark.parametrize(
    ("answer", "taken"), [("etcd Version: 3.6.8", True), ("etcd Version: 3.4.23", False)]
)
def test_a_program_on_path_is_taken_only_in_a_fitting_version(
    answer: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etcd").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (tmp_path / "etcd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert build.is_built(Places(tmp_path / "checkout"), build.ETCD) is taken
