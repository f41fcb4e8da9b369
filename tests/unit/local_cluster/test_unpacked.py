from pathlib import Path

import pytest

from local import unpacked
from local.errors import LocalError
from local.places import Places


def not_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "find", lambda _: None)


def test_a_program_on_path_is_used_under_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = {"prometheus-alertmanager": "/usr/bin/prometheus-alertmanager"}
    monkeypatch.setattr(unpacked, "find", on_path.get)
    found = unpacked.program(Places(tmp_path), "alertmanager")
    assert found == Path("/usr/bin/prometheus-alertmanager")
    assert unpacked.command(Places(tmp_path), "alertmanager") == [str(found)]


def test_an_unpacked_program_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    not_on_path(monkeypatch)
    program = tmp_path / ".cache/debian/usr/bin/promtool"
    program.parent.mkdir(parents=True)
    program.touch()
    assert unpacked.program(Places(tmp_path), "promtool") == program
    with_its_files = unpacked.command(Places(tmp_path), "promtool")
    assert (with_its_files[0], with_its_files[-1]) == ("unshare", str(program))


def test_where_nothing_can_be_fetched_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_on_path(monkeypatch)
    with pytest.raises(LocalError, match=r"please install: prometheus \(scrapes the operator"):
        unpacked.program(Places(tmp_path), "prometheus")
