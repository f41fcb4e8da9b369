"""What the demo shows while it works."""

from __future__ import annotations

import pytest

from examples.demo.console import WIDTH, Progress, bar, stage


def test_without_a_terminal_progress_is_a_line_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for done in (0, 0, 7, 7, 15):
            progress.show(done, 15, "Running")
    assert capsys.readouterr().out.splitlines() == [
        "   0/15  Running",
        "   7/15  Running",
        "   15/15  Running",
    ]


def test_on_a_terminal_it_is_one_line_that_changes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with Progress() as progress:
        progress.show(1, 2, "Running, 1 active Job")
        progress.show(2, 2, "Succeeded")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    first, second = out.rstrip("\n").split("\r")[1:]
    assert len(second) >= len(first.rstrip())


@pytest.mark.parametrize(
    ("done", "total", "full"), [(0, 15, 0), (15, 15, WIDTH), (0, 0, 0), (1, 2, WIDTH // 2)]
)
def test_bar(done: int, total: int, full: int) -> None:
    assert bar(done, total) == "█" * full + "░" * (WIDTH - full)


def test_stage_says_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("doing it"):
        pass
    assert capsys.readouterr().out.splitlines() == ["── doing it", "   0.0 s"]
