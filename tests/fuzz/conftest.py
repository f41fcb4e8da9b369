"""Tells at the end what came of the broken files."""

from __future__ import annotations

import pytest

from fuzz.feeding import Came

_FED: dict[str, Came] = {}


@pytest.fixture(scope="session")
def fed() -> dict[str, Came]:
    """What came of each target's files: tests put it here."""
    return _FED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a target."""
    if not _FED:
        return
    terminalreporter.section("broken files", sep="─")
    for name, found in _FED.items():
        came = ", ".join(f"{count} {what}" for what, count in found.came.most_common())
        memory = f"{found.peak_mib:.0f} MiB, {found.grown_mib:.0f} of them by the files"
        terminalreporter.write_line(f"{name}: {found.cases:,}: {came}; peak {memory}")
    total = sum(found.cases for found in _FED.values())
    terminalreporter.write_line(
        f"{total:,} files, {sum(len(each.defects) for each in _FED.values())} defects"
    )
