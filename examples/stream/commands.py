"""The product's commands as one would type them, on the demo's store."""

from __future__ import annotations

import os
import subprocess
import sys

from examples.demo.console import say, show
from examples.demo.errors import DemoError
from examples.stream.objects import ROOT
from examples.stream.release import URL
from local.deploy import Deployed

SCORER, SIMULATE = "scorer", "sensorscore-simulate"
_MODULES = {SCORER: "scorer", SIMULATE: "scorer.simulate"}


def command(deployed: Deployed, program: str, *arguments: str, store: bool = True) -> str:
    """Runs it, shows it and what it says. DemoError if it fails; it has said why."""
    show(" ".join([program, *arguments, *(["$STORE"] if store else [])]))
    where = ("--store", URL, "--endpoint", deployed.azurite.endpoint, "--allow-http") if store else ()
    done = subprocess.run(
        [sys.executable, "-m", _MODULES[program], *arguments, *where],
        cwd=ROOT,
        env={**os.environ, "AZURE_STORAGE_CONNECTION_STRING": deployed.azurite.connection_string},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    for line in said.splitlines():
        say(f"   {line}".rstrip())
    if done.returncode:
        raise DemoError(
            f"`{program} {arguments[0]}` ended with exit code {done.returncode}; its words are above"
        )
    return said
