"""The command line: `scorer land`, `train`, `score` and others, each a small module of `scorer.commands`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from scorer.commands.console import complain
from scorer.contract.outcome import SensorError
from scorer.errors import InputError
from scorer.settings import before_libraries
from scorer.storage import StorageError

COMMANDS = (
    "scorer.commands.store",
    "scorer.commands.land",
    "scorer.commands.train",
    "scorer.commands.register",
    "scorer.commands.models",
    "scorer.commands.score",
    "scorer.commands.report",
    "scorer.commands.verify",
    "scorer.commands.changes",
)
"""Modules with `add(subparsers)`. They import what they need when they run: help comes at once."""

FAILED = 1
INTERRUPTED = 130
READER_GONE = 141
"""As a shell says of a program that SIGPIPE has ended."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; an error a user can cause is one sentence on stderr."""
    before_libraries()
    return obey("scorer", _parser().parse_args(arguments))


def obey(program: str, options: argparse.Namespace) -> int:
    """Runs `options.command`, and returns the exit code of it or of what ended it."""
    try:
        return int(options.command(options))
    except (InputError, StorageError, SensorError) as error:
        complain(f"{program}: {error}")
        return FAILED
    except BrokenPipeError:
        # Whoever reads has enough. Nothing may be written at the interpreter's end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except KeyboardInterrupt:
        complain(f"{program}: interrupted; what is done stays done")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scorer",
        description="Train, register and try sensors' anomaly models. In a cluster the operator scores.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        import_module(module).add(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
