"""The pod's log: one JSON object a line on stdout, with time, level, run and, where there is one, sensor.

Pods are deleted, and their stdout with them: `LogBlob` keeps a copy of the lines in the store. On a command
line people read along, in words (`scorer.commands.said`), and the copy is the same.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorer.contract.outcome import Header
    from scorer.storage import Store

_STDOUT = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
KEPT_BYTES = 256 * 1024
"""Of a log's beginning and as many of its end go to the store: what is between them is stdout's alone."""
LINE_BYTES = 64 * 1024
FLUSH_SECONDS = 5.0
"""Between two copies of a log that grows: what a killed pod said last is lost for no longer than that."""


class Log:
    """Writes lines that carry the same fields throughout. Threads may write to it at the same time."""

    def __init__(self, kept: Lines | None = None, **fields: Any) -> None:
        self._kept = kept
        self._fields = fields
        self._lock = threading.Lock()

    def info(self, message: str, **fields: Any) -> None:
        """Something that went as it should."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something a user should know of."""
        self._write("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Something that did not go as it should."""
        self._write("error", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        line = {"time": _now(), "level": level, "message": message, **self._fields, **fields}
        data = _ENCODER.encode(line).encode("utf-8", "replace") + b"\n"
        with self._lock:
            self._say(level, message, fields, data)
            if self._kept:
                self._kept.add(data)

    def _say(self, level: str, message: str, fields: dict[str, Any], data: bytes) -> None:
        """Says it to whoever reads along; one thread at a time."""
        del level, message, fields
        # One write a line, past any buffer: lines of several threads stay whole, and a killed process loses
        # none.
        os.write(_STDOUT, data)


class Lines:
    """The first and the last lines of a log, bounded in bytes."""

    def __init__(self, most: int = KEPT_BYTES, longest: int = LINE_BYTES) -> None:
        self._most = most
        self._longest = longest
        self._first: list[bytes] = []
        self._last: deque[bytes] = deque()
        self._room = most
        self._last_bytes = 0
        self._left_out = [0, 0]  # lines, bytes
        self._lock = threading.Lock()
        self.count = 0
        """Lines there were: whether it has grown."""

    def add(self, line: bytes) -> None:
        """One more, with its end of line."""
        if len(line) > self._longest:
            line = _said(f"a line of {len(line)} bytes is left out here; stdout has it")
        with self._lock:
            self.count += 1
            if len(line) <= self._room:
                self._room -= len(line)
                self._first.append(line)
                return
            self._room = 0  # the beginning is over: lines stay in order
            self._last.append(line)
            self._last_bytes += len(line)
            while self._last_bytes > self._most:
                gone = len(self._last.popleft())
                self._last_bytes -= gone
                self._left_out[0] += 1
                self._left_out[1] += gone

    def text(self) -> bytes:
        """All that is kept, and how much is not."""
        with self._lock:
            lines, size = self._left_out
            gap = (
                [_said(f"{lines} lines of {size} bytes are left out here; stdout has them")] if lines else []
            )
            return b"".join([*self._first, *gap, *self._last])


class LogBlob:
    """A log's copy in the store. It costs a run nothing: not the time, and no failure."""

    def __init__(self, store: Store, path: str, lines: Lines, log: Log) -> None:
        self._store = store
        self._path = path
        self._lines = lines
        self._log = log
        self._written = 0
        self._writing = threading.Lock()  # an old copy must not come after a new one
        self._failed = False

    def keep_up(self, seconds: float = FLUSH_SECONDS, ended: threading.Event | None = None) -> None:
        """Writes it now and every few seconds, if it has grown, until `ended`: for a thread of its own."""
        ended = ended or threading.Event()
        while True:
            self.write()
            if ended.wait(seconds):
                return

    def write(self) -> None:
        """Writes it, if it has grown."""
        with self._writing:
            count = self._lines.count
            if count == self._written:
                return
            try:
                self._store.put(self._path, self._lines.text())
                self._written = count
            except Exception as error:  # noqa: BLE001 (whatever it is: a copy of the log is worth no run)
                if not self._failed:
                    self._failed = True
                    self._log.warning(f"log not copied to the store: {error}")


def log_path(run: str, header: Header) -> str:
    """Where an attempt's log goes: names of a chunk's attempts sort by attempt."""
    # A run's name is a Kubernetes object's; another one must not lead out of the folder.
    folder = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in run).strip(".")
    return f"logs/{folder or '-'}/{header.chunk:05}.{header.attempt}.log"


def _said(message: str) -> bytes:
    return json.dumps({"time": _now(), "level": "info", "message": message}).encode() + b"\n"


def _now() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
