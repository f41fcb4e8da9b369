"""`sensorscore-ingest SETTINGS`: device events of a hub to windowed readings in a store."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 for settings that cannot be used."""
    parser = argparse.ArgumentParser(prog="sensorscore-ingest", description=__doc__)
    parser.add_argument("settings", type=Path, help="a YAML file; docs/ingest.md has its keys")
    parser.add_argument("--check", action="store_true", help="look at the settings only")
    options = parser.parse_args(arguments)
    if not options.check:
        # The first process of a container has no default for SIGTERM: it would start, and be killed at the
        # end of its grace period. Until the service listens itself, it has claimed nothing.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    return _work(options.settings, options.check)


def _work(file: Path, check: bool) -> int:
    # A second of imports on an idle machine: what SIGTERM may come in.
    import asyncio

    from scorer.errors import InputError
    from scorer.ingest.libraries import hear_libraries
    from scorer.ingest.memory import spare_memory_and_looks
    from scorer.ingest.service import run
    from scorer.ingest.service_settings import read
    from scorer.logs import Log
    from scorer.settings import settings

    try:
        found = read(file)
        if not check:
            spare_memory_and_looks()
            hear_libraries(Log(hub=found.hub.name, group=found.hub.group))
            asyncio.run(run(found, settings().connection_string))
    except InputError as error:
        sys.stderr.write(f"sensorscore-ingest: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
