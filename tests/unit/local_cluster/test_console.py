import pytest

from local.console import stage


def test_a_stage_is_said_before_and_after_with_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("building"):
        pass
    assert capsys.readouterr().err == "  building ...\n  building: 0.0 s\n"


def test_a_failed_stage_is_said_to_have_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), stage("building"):
        raise ValueError("no")
    assert "building: failed after 0.0 s" in capsys.readouterr().err
