"""Long-running programs: start them detached, know them again by pid and start time, end them for certain.

A pid alone is no identity, since the kernel hands it out again; the pair (pid, start time in clock ticks
since boot) is, and it also tells a record of before a reboot from one of now.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local.errors import LocalError

PROC = Path("/proc")
LOG_TAIL_LINES = 15
_BINDER, _BINDER_SECONDS = "setpriv", 5.0  # takes milliseconds


@dataclass(frozen=True)
class Identity:
    """One process, for ever: its pid and its start time in clock ticks since boot."""

    pid: int
    started: int


def parse_stat(text: str) -> tuple[str, int]:
    """State letter and start time out of /proc/PID/stat (proc(5), fields 3 and 22).

    The second field is the program's name in brackets and may itself hold blanks and brackets: hence the last
    ")".
    """
    fields = text[text.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """The living process with this pid, or None when there is none or only its zombie is left."""
    try:
        state, started = parse_stat((PROC / str(pid) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else Identity(pid, started)


def living(identity: Identity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> None:
    """Send a signal if this very process still runs."""
    if living(identity):
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return  # it ended between the look and the signal, which is what was wanted


def wait_gone(identities: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until these processes have ended; returns those that have not after `seconds`."""
    deadline = time.monotonic() + seconds
    left = list(identities)
    while True:
        left = [identity for identity in left if living(identity)]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.02)


def end(identities: Sequence[Identity], grace: float) -> None:
    """SIGTERM, wait up to `grace` seconds, SIGKILL what is left; LocalError if even that does not help."""
    for identity in identities:
        send(identity, signal.SIGTERM)
    left = wait_gone(identities, grace)
    for identity in left:
        send(identity, signal.SIGKILL)
    stuck = wait_gone(left, 10)
    if stuck:
        raise LocalError(f"processes {[identity.pid for identity in stuck]} do not end, not even on SIGKILL")


def _wait_past(program: str, identity: Identity) -> None:
    """Wait until a process is no longer `program`, which makes way for another by exec after a moment.

    Of setpriv that means that the bond with the parent holds: whoever dies before leaves an orphan.
    """
    deadline = time.monotonic() + _BINDER_SECONDS
    while living(identity) and time.monotonic() < deadline:
        try:
            if (PROC / str(identity.pid) / "exe").readlink().name != program:
                return
        except OSError:
            return  # it ended, or is another user's by now
        time.sleep(0.002)


class Startable:
    """Something with `start` and `stop` that a `with` statement starts and stops."""

    def start(self) -> None:
        """Start it."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it; no error if it does not run."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start it; nothing is left running if that fails."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


class Daemons:
    """The long-running programs of one state directory: `pids/NAME.json` and `logs/NAME.log` in it.

    `prefix` is put before every command (to enter a network namespace). With `die_with_parent` the kernel
    ends the programs when the thread that started them ends, so that a killed test leaves nothing behind.
    """

    def __init__(self, state: Path, prefix: Sequence[str] = (), *, die_with_parent: bool = False) -> None:
        self.pids = state / "pids"
        self.logs = state / "logs"
        self.prefix = list(prefix)
        if die_with_parent and (setpriv := shutil.which(_BINDER)):
            self.prefix += [setpriv, "--pdeathsig", "KILL"]

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Start a program in a process group of its own, unless it runs already."""
        if self.alive(name):
            return
        self.pids.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.pids.parent),
            **(env or {}),
        }
        # Not by the subprocess module: it warns when it loses sight of a program that is meant to stay.
        words = [*self.prefix, *map(str, argv)]
        log = str(self.logs / f"{name}.log")
        pid = os.posix_spawnp(
            words[0],
            words,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            # Python ignores this one, and a program would inherit that, with all containers below it.
            setsigdef=[signal.SIGPIPE],
        )
        identity = identify(pid)
        if identity is None:
            raise LocalError(f"{name} ended at once:\n{self.log_tail(name)}")
        record = self.pids / f"{name}.json"
        part = record.with_suffix(".part")
        part.write_text(json.dumps({"pid": identity.pid, "started": identity.started}))
        part.replace(record)
        _wait_past(_BINDER, identity)

    def identity(self, name: str) -> Identity | None:
        """The recorded process of that name if it still runs."""
        try:
            record = json.loads((self.pids / f"{name}.json").read_text())
            identity = Identity(int(record["pid"]), int(record["started"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return identity if living(identity) else None

    def alive(self, name: str) -> bool:
        """Whether the program of that name runs."""
        return self.identity(name) is not None

    def names(self) -> list[str]:
        """Names of all recorded programs, running or not."""
        return sorted(record.stem for record in self.pids.glob("*.json"))

    def check(self, *names: str) -> None:
        """Raise LocalError with the end of its log if one of these programs has ended."""
        for name in names:
            if not self.alive(name):
                raise LocalError(f"{name} has ended; its last words:\n{self.log_tail(name)}")

    def stop(self, name: str, grace: float = 10) -> None:
        """End a program as `end` does, and forget it; no error if it does not run."""
        identity = self.identity(name)
        if identity is not None:
            end([identity], grace)
            _reap(identity.pid)
        (self.pids / f"{name}.json").unlink(missing_ok=True)

    def log_tail(self, name: str) -> str:
        """The last lines that a program wrote."""
        try:
            lines = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(lines[-LOG_TAIL_LINES:])


def _reap(pid: int) -> None:
    """Let the kernel forget an ended program, if it was this process that started it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another command started it
