"""`scorer report`: a run's table, page and picture, from the store alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.commands.arguments import add_store, run_uid, store_of, window_of
from scorer.commands.console import complain, say
from scorer.errors import InputError

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("report", help="show a run's results as a table, a page and a picture")
    parser.add_argument("--run", required=True, metavar="UID", help="the ScoringRun's metadata.uid")
    add_store(parser)
    parser.add_argument("--name", default="", help="the report's title (default: the UID)")
    parser.add_argument("--window", metavar="START/END", help="of the run (default: the hours with readings)")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON of injected faults, to be marked")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write report.html and report.png there; else the table alone",
    )
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from scorer.report.load import load, read_faults
    from scorer.report.table import table

    faults = read_faults(options.faults) if options.faults else []
    window = window_of(options) if options.window else None
    run = load(store_of(options), run_uid(options.run, "--run"), options.name, window, faults)
    say(table(run))
    if options.out:
        from scorer.report import page, picture

        try:
            options.out.mkdir(parents=True, exist_ok=True)
            page.write(run, options.out / "report.html")
            picture.draw(run, options.out / "report.png")
        except OSError as error:
            raise InputError(f"{options.out} cannot be written: {error.strerror}") from error
        say(f"\nwritten: {options.out / 'report.html'} and {options.out / 'report.png'}")
    if not run.adds_up:
        complain("scorer: rows are lost: read is not scored + rejected + duplicate")
        return 1
    return 0
