from __future__ import annotations

import io

from scorer.commands.progress import BAR_SECONDS, LINE_SECONDS, Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_is_drawn_over_itself() -> None:
    screen, clock = Terminal(), Clock()
    with Progress("trained", 4, screen, clock) as progress:
        for failed in (False, True):
            clock.now += 2.0
            progress.step(failed)
    drawn = screen.getvalue().split("\r")
    assert drawn[1] == f"[{'.' * 30}] trained 0/4\033[K"
    assert drawn[2] == f"[{'#' * 7}{'.' * 23}] trained 1/4, 0:06 left\033[K"
    assert drawn[3] == f"[{'#' * 15}{'.' * 15}] trained 2/4, 1 failed, 0:04 left\033[K"
    assert drawn[4:] == ["\033[K"]


def test_the_bar_is_not_drawn_more_often_than_one_sees() -> None:
    screen, clock = Terminal(), Clock()
    with Progress("trained", 1000, screen, clock) as progress:
        for _ in range(1000):
            clock.now += BAR_SECONDS / 100
            progress.step()
    assert screen.getvalue().count("trained") <= 12


def test_what_is_wrong_stays_above_the_bar() -> None:
    screen = Terminal()
    with Progress("trained", 4, screen, Clock()) as progress:
        progress.complain("scorer: sensor a: no")
    assert "\r\033[Kscorer: sensor a: no\n\r[" in screen.getvalue()


def test_elsewhere_a_line_is_written_now_and_then() -> None:
    log, clock = io.StringIO(), Clock()
    with Progress("trained", 1000, log, clock) as progress:
        for number in range(1000):
            clock.now += LINE_SECONDS / 400
            progress.step(failed=number == 0)
    assert log.getvalue().splitlines() == [
        "scorer: trained 400/1000, 1 failed, 0:15 left",
        "scorer: trained 800/1000, 1 failed, 0:05 left",
    ]


def test_what_is_soon_done_is_not_told_elsewhere() -> None:
    log = io.StringIO()
    with Progress("trained", 15, log, Clock()) as progress:
        for _ in range(15):
            progress.step()
        progress.complain("scorer: sensor a: no")
    assert log.getvalue() == "scorer: sensor a: no\n"


def test_nothing_to_do_is_no_error() -> None:
    screen = Terminal()
    with Progress("trained", 0, screen, Clock()):
        pass
    assert "trained 0/0" in screen.getvalue()
