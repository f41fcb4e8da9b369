"""`scorer register`: a compiled model file becomes a sensor's current version."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.commands.arguments import MODEL_TEMPLATE, add_store, store_of
from scorer.commands.console import say
from scorer.errors import InputError

if TYPE_CHECKING:
    from scorer.commands import Subparsers


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("register", help="register a compiled model file")
    parser.add_argument("file", type=Path, help="model.safetensors, as `scorer train` puts it into a store")
    parser.add_argument("--sensor", required=True, metavar="NAME")
    add_store(parser)
    parser.add_argument("--model", default=MODEL_TEMPLATE, metavar="PATH", help="default: %(default)s")
    parser.set_defaults(command=_register)


def _register(options: argparse.Namespace) -> int:
    from scorer.fit.register import register

    try:
        data = options.file.read_bytes()
    except OSError as error:
        raise InputError(f"{options.file} cannot be read: {error.strerror}") from error
    done = register(store_of(options), options.sensor, data, options.model)
    how = "is current now" if done.changed else "was current already"
    say(f"sensor {done.sensor}: version {done.version} {how}")
    return 0
