"""`scorer store init`: makes the container or folder that everything else lies in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scorer.commands.arguments import add_store
from scorer.commands.console import say
from scorer.settings import settings

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("store", help="make a store")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make the container or folder, if it is not there")
    add_store(init)
    init.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> int:
    from scorer.storage.create import create_store

    made = create_store(options.store, options.endpoint, options.allow_http, settings().connection_string)
    say(f"{options.store} {'made' if made else 'was there already'}")
    return 0
