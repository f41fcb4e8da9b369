"""`--jobs` and `--results`, and the store as processes can be told of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scorer.contract.work import StoreAddress
from scorer.errors import InputError
from scorer.settings import settings
from scorer.storage import Store, open_store


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """`--jobs`, `--results` and `--refuse-degenerate`."""
    parser.add_argument(
        "--jobs", type=_count, metavar="N", help="processes; default: one a core, one alone for few sensors"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write a JSON line for each sensor there, too"
    )
    parser.add_argument(
        "--refuse-degenerate",
        action="store_true",
        help="a model that cannot tell normal from not is an error rather than a warning",
    )


def jobs_of(options: argparse.Namespace, items: int) -> int:
    """How many processes. Raises InputError for a results file that cannot be: before the work is done."""
    from scorer.fit.parallel import default_jobs

    if options.results:
        try:
            with options.results.open("a", encoding="utf-8"):
                pass
        except OSError as error:
            raise InputError(f"--results {options.results} cannot be written: {error.strerror}") from error
    if options.store.startswith("memory://"):
        return 1  # it is this process's own
    jobs: int = options.jobs or default_jobs(items)
    return max(1, min(jobs, items))


def address_of(options: argparse.Namespace) -> StoreAddress:
    """The store's address, without its key."""
    return StoreAddress(options.store, options.endpoint, options.allow_http)


def store_at(address: StoreAddress) -> Store:
    """The store there, with the key or identity that the environment gives. Raises AddressError."""
    return open_store(address.url, address.endpoint, address.allow_http, settings().connection_string)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"found {text!r}; wanted a number from 1 to 256")
    return int(text)
