"""What is fed with broken files: a name, good files, how they are broken, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from fuzz.mutate import Mutator

READ = "read"
MAX_SENTENCE = 1000
"""Characters of a refusal: it stands in a status, an event, a line of a table."""


class Target(NamedTuple):
    """One reader of files."""

    name: str
    cases: int
    """How many broken files at full count."""
    good: Callable[[], Sequence[bytes]]
    mutator: Mutator
    read: Callable[[bytes, Random], str]
    """READ, or the reason for which it was refused. Raises whatever is a defect."""
    unbroken: Callable[[Sequence[bytes]], Sequence[bytes]] = lambda _: ()
    """Files that are fed as they are, after the good ones."""
    grows_mib: int = 256
    """How much memory may grow over all files: what a pod of 512 MiB has beside what is loaded anyway."""


def refusal(reason: str, sentence: str, *names: str, among: Sequence[str]) -> str:
    """The reason, if it is one of those in the contract and its sentence is good: one line that names what
    it is of, and can be shown.
    """
    assert reason in among, f"refused with the reason {reason!r}: wanted one of {', '.join(among)}"
    assert "\n" not in sentence, f"a sentence of several lines: {sentence[:300]!r}"
    assert len(sentence) <= MAX_SENTENCE, f"a sentence of {len(sentence)} characters: {sentence[:300]!r}"
    assert any(name in sentence for name in names), f"a sentence that names none of {names}: {sentence!r}"
    return reason
