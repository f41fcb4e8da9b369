"""`scorer land`: readings from a file into the store, as pods read them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import templates
from scorer.commands.arguments import add_store, store_of
from scorer.commands.console import say

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("land", help="put readings from a file into the store")
    parser.add_argument(
        "file",
        type=Path,
        help="CSV, JSON lines or array, or Parquet, gzip or not, with the columns time,sensor,value "
        "or TS,Device,Tag,Value; times without zone are UTC",
    )
    add_store(parser)
    parser.add_argument("--readings", default=templates.READINGS, metavar="PATH", help="default: %(default)s")
    parser.set_defaults(command=_land)


def _land(options: argparse.Namespace) -> int:
    from scorer.land import land, read_table

    rows = read_table(options.file)
    paths = land(store_of(options), rows, options.readings)
    count = sum(len(times) for times, _ in rows.values())
    say(f"landed {count} readings of {len(rows)} sensors in {len(paths)} files of {options.store}")
    return 0
