"""`scorer verify`: proves from the store alone that a published run is complete and consistent."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scorer.commands.arguments import add_store, run_uid, store_of
from scorer.commands.console import complain, say, table

if TYPE_CHECKING:
    from scorer.commands import Subparsers

SHOWN = 50
"""Findings and notes; more of them say no more."""
FAILED = 1


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("verify", help="prove that a published run is complete and consistent")
    parser.add_argument("run", metavar="RUN-UID", help="the ScoringRun's metadata.uid")
    add_store(parser)
    parser.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from scorer.verify import verify

    proof = verify(store_of(options), run_uid(options.run, "RUN-UID"))
    checks = [(check.name, check.looked_at, check.wrong) for check in proof.checks.values()]
    say(table(("CHECK", "LOOKED AT", "WRONG"), checks))
    for lines, tell in ((proof.notes, say), (proof.findings, complain)):
        for line in lines[:SHOWN]:
            tell(line)
        if len(lines) > SHOWN:
            tell(f"and {len(lines) - SHOWN} more")
    if not proof.holds:
        complain(f"scorer: run {options.run}: {len(proof.findings)} things are wrong")
        return FAILED
    say(f"run {options.run}: everything is as it should be")
    return 0
