"""More than 10,000 broken files: each is read, or refused with a reason and a sentence that names it."""

from __future__ import annotations

import pytest

from fuzz.feeding import Came, feed
from fuzz.targets import all_targets

TARGETS = all_targets()


def test_there_are_enough_of_them() -> None:
    assert sum(target.cases for _, target in TARGETS.values()) >= 10_000


@pytest.mark.parametrize("name", TARGETS)
def test_broken_files_are_read_or_refused(name: str, fed: dict[str, Came]) -> None:
    module, target = TARGETS[name]
    fed[name] = found = feed(module, target)
    program = f'PYTHONPATH=.:tests python tests/fuzz/child.py {module} "{name}"'
    told = [
        f"case {defect.case}: {defect.error}\n{defect.traceback}"
        f"again: {program} --first {defect.case} --cases 1"
        for defect in found.defects
    ]
    assert not told, "\n".join(told[:3])
    assert found.cases == target.cases
    assert found.grown_mib <= target.grows_mib, f"case {found.grown_by} took {found.grown_mib:.0f} MiB"
