"""A plugin's process as the scorer sees it: started, spoken to, and ended whatever it is at."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from scorer.plugin.wire import receive, send

READER = "plugin's output"
"""Name of the thread that reads it."""
_LINES = 200
_LINE_CHARACTERS = 1000
"""Of what one process prints, for the log: a plugin in a loop shall not fill a disk."""
_DYING_SECONDS = 5.0
"""Between the end of the conversation and the process's own: longer, and it is ended."""


class Process:
    """One process with at most `memory` bytes of its own; what it prints goes to `tell`, line by line.

    It ends with the thread that starts it, so that a killed scorer leaves none behind.
    """

    def __init__(self, environment: Mapping[str, str], memory: int, tell: Callable[[str], None]) -> None:
        ours, theirs = socket.socketpair()
        options = {"connection": theirs.fileno(), "parent": os.getpid(), "memory": memory}
        self._connection = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "scorer.plugin.child", json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                env=dict(environment),
                start_new_session=True,  # a group of its own: whatever it starts is ended with it
            )
        assert self._process.stdout is not None  # noqa: S101 (for the type checker)
        arguments = (self._process.stdout, tell)
        threading.Thread(target=_relay, args=arguments, name=READER, daemon=True).start()

    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def number(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(
        self, request: Mapping[str, Any], body: Any, largest: int, seconds: float
    ) -> tuple[dict[str, Any], bytearray]:
        """Sends one request and waits for its answer, of at most `largest` bytes beside the header.

        Raises TimeoutError, EOFError or OSError when the process has died, and WireError.
        """
        until = time.monotonic() + seconds
        send(self._connection, request, body, until)
        return receive(self._connection, largest, until)

    def wait_until_ready(self, seconds: float) -> None:
        """Waits for its first word. Raises like `ask`."""
        receive(self._connection, 0, time.monotonic() + seconds)

    def died_of(self) -> str:
        """How it ended, once it no longer answers: it is ended if it has not."""
        try:
            code = self._process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return "hung up"
        self.end()  # what it has started may live on
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        """Ends it and all that it started, at once."""
        with suppress(ProcessLookupError):  # nothing of it is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()


def _relay(output: IO[bytes], tell: Callable[[str], None]) -> None:
    """In a thread: reads to the end, so that no printing plugin waits, and passes on what is bearable."""
    with output:
        told = 0
        while line := output.readline(_LINE_CHARACTERS):
            told += 1
            if told <= _LINES:
                tell(line.decode("utf-8", "replace").rstrip())
            elif told == _LINES + 1:
                tell(f"no more than {_LINES} lines of a plugin's process are logged")
