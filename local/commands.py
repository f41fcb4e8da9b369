"""Short programs run to their end: found where the system keeps them, with their own words when they fail."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.errors import LocalError

# Debian keeps administrators' programs where an ordinary PATH does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_WORDS = 20


def find(name: str) -> str | None:
    """Path of a program of the system, None when it is missing."""
    return shutil.which(name, path=SEARCH_PATH)


def program(name: str) -> str:
    """Path of a program of the system; LocalError when it is missing."""
    path = find(name)
    if path is None:
        raise LocalError(f"`{name}` is missing on this machine; `python -m local doctor` says what for")
    return path


def run(
    argv: Sequence[str | Path],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end; returns its stdout, raises LocalError with its last words if it fails.

    The environment is ours plus `env`. The program ends with the thread that called, so that a killed command
    does not leave it behind at work.
    """
    name, *arguments = map(str, argv)
    path = name if "/" in name else program(name)
    bound = [setpriv, "--pdeathsig", "KILL"] if (setpriv := find("setpriv")) else []
    done = subprocess.run(
        [*bound, path, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PATH": SEARCH_PATH, **(env or {})},
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-_WORDS:])
        raise LocalError(f"{what} failed (exit code {done.returncode}):\n{words}")
    return done.stdout
