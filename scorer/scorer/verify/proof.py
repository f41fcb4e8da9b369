"""What was checked, and what was found wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Check:
    """One kind of check: at how many things was looked, and how many were wrong."""

    name: str
    looked_at: int = 0
    wrong: int = 0


@dataclass
class Proof:
    """All checks of a run, in the order in which they were first made."""

    checks: dict[str, Check] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    """One sentence for each thing that is wrong: what it is of, what was found, what was wanted."""
    notes: list[str] = field(default_factory=list)
    """What is not this run's any more, because a later one has replaced it."""

    @property
    def holds(self) -> bool:
        """Whether nothing was wrong."""
        return not self.findings

    def see(self, name: str, good: bool, finding: str) -> bool:
        """Looks at one thing; the finding is told if it is wrong."""
        check = self.checks.setdefault(name, Check(name))
        check.looked_at += 1
        if not good:
            check.wrong += 1
            self.findings.append(finding)
        return good

    def same(self, name: str, of: str, found: object, wanted: object) -> bool:
        """Looks whether two values are the same."""
        return self.see(name, found == wanted, f"{of}: found {found!s:.300}, wanted {wanted!s:.300}")

    def note(self, text: str) -> None:
        """Tells what is no fault."""
        self.notes.append(text)

    def add(self, others: Iterable[Proof]) -> None:
        """Takes over what was found elsewhere."""
        for other in others:
            for name, check in other.checks.items():
                mine = self.checks.setdefault(name, Check(name))
                mine.looked_at += check.looked_at
                mine.wrong += check.wrong
            self.findings += other.findings
            self.notes += other.notes
