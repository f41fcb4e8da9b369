from pathlib import Path

import pytest

from local import cli, doctor, packages
from local.doctor import Finding, State
from local.errors import LocalError
from local.places import Places

GOOD = Finding("root", State.OK, "running as root")
COMING = Finding("runc", State.MISSING, "starts containers; apt-get will install runc")
SPARED = Finding("prometheus", State.WITHOUT, "scrapes the operator; please install it")
BAD = Finding("system", State.CANNOT, "containers need Linux, this is darwin")


def test_what_is_missing_but_comes_is_no_obstacle() -> None:
    assert doctor.obstacles([GOOD, COMING, SPARED]) == []
    assert doctor.report([GOOD, COMING]).endswith("the cluster can run here\n")


def test_the_report_closes_with_what_stands_in_the_way() -> None:
    assert doctor.report([GOOD, BAD]).endswith("the cluster cannot run here, because of: system\n")


def test_up_refuses_at_once_and_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [GOOD, BAD])
    with pytest.raises(LocalError, match="system: containers need Linux, this is darwin"):
        doctor.require(Places(Path("/somewhere")))


@pytest.mark.parametrize(
    ("path", "good"), [("/home/a/söme-dir", True), ("/home/a b", False), ("/a:b", False)]
)
def test_paths_that_the_programs_cannot_bear_are_refused(path: str, good: bool) -> None:
    assert (doctor._checkout(Places(Path(path))).state is State.OK) is good


def test_where_nothing_can_be_installed_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "missing", lambda: [packages.PACKAGES[2]])
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(LocalError, match=r"please install: runc \(starts containers\)"):
        packages.ensure()


def test_the_command_line_says_what_is_wrong_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["up", "--state", "/x"]) == 1
    assert capsys.readouterr().err == "error: --state goes with --control-plane-only\n"

    def full(_: Places) -> list[Finding]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor, "examine", full)
    assert cli.main(["doctor"]) == 1
    assert "No space left on device" in capsys.readouterr().err
