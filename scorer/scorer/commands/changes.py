"""`scorer changes`: which hours were corrected after they had landed, for schedules with `rescore`."""

from __future__ import annotations

import argparse
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import templates
from scorer.commands.arguments import add_store, store_of
from scorer.commands.console import complain, say
from scorer.errors import InputError
from scorer.storage import StorageError

if TYPE_CHECKING:
    from scorer.changes import Changes
    from scorer.commands import Subparsers

MAX_HORIZON = 31 * 86_400
SECONDS = 120.0
"""For all of it: storage that does not answer is tried again for longer."""


def add(subparsers: Subparsers) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("changes", help="list the hours that were corrected after they had landed")
    add_store(parser)
    parser.add_argument("--readings", default=templates.READINGS, metavar="PATH", help="default: %(default)s")
    parser.add_argument(
        "--horizon", type=_horizon, default=86_400, metavar="SECONDS", help="default: %(default)s"
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="write them there as JSON, errors included, and end well: for a pod's other container",
    )
    parser.set_defaults(command=_changes)


def _horizon(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 3600 <= int(text[:9]) <= MAX_HORIZON:
        raise argparse.ArgumentTypeError(f"{text[:20]!r}: wanted 3600 to {MAX_HORIZON} seconds")
    return int(text)


def _changes(options: argparse.Namespace) -> int:
    from scorer.changes import Changes

    if options.to is None:
        changes = _found(options)
        for end, count in changes.found:
            say(f"the hour until {end:%Y-%m-%dT%H:%MZ} was corrected {count} times")
        if changes.error:
            complain(f"scorer: {changes.error}")
        return 1 if changes.error else 0
    late = threading.Timer(SECONDS, _give_up, [options.to])
    late.daemon = True
    late.start()
    try:
        changes = _found(options)
    except (InputError, StorageError) as error:
        changes = Changes([], str(error))
    late.cancel()
    _write(options.to, changes)
    if changes.error:
        complain(f"scorer: {changes.error}")
    return 0


def _found(options: argparse.Namespace) -> Changes:
    from scorer.changes import find, list_template

    template = list_template(options.readings)
    horizon = timedelta(seconds=options.horizon)
    return find(store_of(options), template, datetime.now(UTC), horizon)


def _write(file: Path, changes: Changes) -> None:
    """Whole or not at all: whoever gives up may come between. Raises InputError."""
    from scorer.changes import encode

    part = file.with_name(f"{file.name}.{threading.get_ident()}")
    try:
        part.write_bytes(encode(changes))
        part.replace(file)
    except OSError as error:
        raise InputError(f"--to {file}: {error.strerror}") from error


def _give_up(file: Path) -> None:
    """The end of a look that takes too long: requests that hang cannot be ended otherwise."""
    from scorer.changes import Changes

    why = f"storage did not answer within {SECONDS:g} seconds"
    complain(f"scorer: {why}")
    with suppress(InputError):
        _write(file, Changes([], why))
    os._exit(0)
