"""What a command says of its work while it goes on: to people in words, and to the store as pods do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scorer.commands.console import complain
from scorer.contract.outcome import FAILED, UNDECIDED
from scorer.logs import Lines, Log, LogBlob

if TYPE_CHECKING:
    from scorer.commands.progress import Progress
    from scorer.storage import Store

SHOWN_COMPLAINTS = 40


class Said(Log):
    """The pipeline's log for people: a step of the bar a sensor, a line for what is not as it should be."""

    def __init__(self, progress: Progress, kept: Lines | None = None, **fields: Any) -> None:
        super().__init__(kept, **fields)
        self._progress = progress
        self._complaints = 0
        self.lost = 0
        """Sensors of whose readings a part could not be read."""

    def _say(self, level: str, message: str, fields: dict[str, Any], data: bytes) -> None:
        del data
        if level != "info":
            self._complain(f"{message}{fields.get('traceback', '')}", "traceback" in fields)
        elif lost := fields.get("lost"):
            self.lost += 1
            self._complain(f"sensor {fields.get('sensor')}: {lost}")
        if level == "info" or "state" in fields:
            self._progress.step(failed=fields.get("state") in (FAILED, UNDECIDED))

    def _complain(self, text: str, always: bool = False) -> None:
        self._complaints += 1
        if self._complaints <= SHOWN_COMPLAINTS or always:
            self._progress.complain(f"scorer: {text}")

    def finish(self) -> None:
        """How much was not said, and what should not be missed among it."""
        if self._complaints > SHOWN_COMPLAINTS:
            complain(f"scorer: and {self._complaints - SHOWN_COMPLAINTS} more like these")
        if self.lost:
            complain(f"scorer: a part of the readings of {self.lost} sensors could not be read: it is lost")


class Plain(Log):
    """The publish stage's log for people."""

    def _say(self, level: str, message: str, fields: dict[str, Any], data: bytes) -> None:
        del data
        if level != "info":
            complain(f"scorer: {message}{fields.get('traceback', '')}")


@contextlib.contextmanager
def kept_log(store: Store, path: str, **fields: Any) -> Iterator[Lines]:
    """Lines of which the store has a copy: every few seconds, and at the end however that comes."""
    lines, ended = Lines(), threading.Event()
    copy = LogBlob(store, path, lines, Plain(**fields))
    keeping = threading.Thread(target=copy.keep_up, kwargs={"ended": ended}, daemon=True)
    keeping.start()
    try:
        yield lines
    finally:
        ended.set()
        keeping.join()
        copy.write()
